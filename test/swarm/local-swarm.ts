/**
 * Makes real swarms on a DHT of their own on 127.0.0.1, and waits for things with a deadline. Whatever is opened is closed
 * when the test ends, in reverse order. Refuses anything but loopback.
 */
// The packages have no types; the declarations of the product are the only ones, and tests are another TypeScript project.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="../../src-main/swarm/vendor.d.ts" />
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import createTestnet from 'hyperdht/testnet.js';
import type { Testnet } from 'hyperdht/testnet.js';
import type { OwnGroup } from '../../src-main/rollout/rollout.ts';
import type { VerifyTexts } from '../../src-main/swarm/records/admission.ts';
import { randomBytes } from '../../src-main/swarm/identity/crypto.ts';
import { assertLocalBootstrap } from '../../src-main/swarm/overlay/confinement.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { createSwarm } from '../../src-main/swarm/swarm.ts';
import type { ShareableGroup, Swarm, SwarmOptions } from '../../src-main/swarm/swarm.ts';
import { instantiate } from '../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../src-main/tasks/task-sets.ts';

/** Stands in for the tasks module: knows one generator, `parity`, whose answer is the parity of its index. */
export const verifyParity: VerifyTexts = (ref, texts) => {
  const task = ref as {
    generator: string;
    version: number;
    config: Record<string, never>;
    seed: string;
    index: number;
  };
  if (task.generator !== 'parity') return { ok: false, reason: `unknown generator ${task.generator}` };
  const answer = task.index % 2 === 0 ? 'even' : 'odd';
  return {
    ok: true,
    ref: task,
    question: `parity of ${String(task.index)}?`,
    rewards: texts.map((t) => (t === answer ? 1 : 0)),
  };
};

let nextIndex = 1;
/** A group of two right and two wrong completions, unlike any other of the process. */
export function parityGroup(): ShareableGroup {
  const index = nextIndex++;
  const right = index % 2 === 0 ? 'even' : 'odd';
  const texts = [right, `not sure ${String(index)}`, right, `no idea ${String(index)}`];
  return {
    task: { generator: 'parity', version: 1, config: {}, seed: '7', index },
    completions: texts.map((text, i) => ({ text, ended: i !== 3 })),
  };
}

export function parityGroups(count: number): ShareableGroup[] {
  return Array.from({ length: count }, () => parityGroup());
}

/** Of real tasks, as a node has them: a right answer and a wrong one to each. */
export function ownGroups(taskSet: string, seed: bigint, count: number): OwnGroup[] {
  return sampleTaskRefs(getTaskSet(taskSet)!, { seed, from: 0, count }).map((ref) => {
    const made = instantiate(ref);
    assert.ok(made.ok);
    const completions = [made.instance.answer, 'no'].map((answer) => ({
      text: `<answer>${answer}</answer>`,
      ended: true,
      reward: answer === 'no' ? 0 : 1,
      tokens: [],
      behaviorLogprobs: [],
    }));
    return { instance: made.instance, promptTokens: [], completions };
  });
}

/** Registered at once and run in reverse order when the test ends: swarms leave before their DHT goes. */
const closers = new WeakMap<TestContext, (() => Promise<void>)[]>();
export function atEnd(t: TestContext, close: () => Promise<void>): void {
  const known = closers.get(t);
  if (known !== undefined) {
    known.push(close);
    return;
  }
  const list = [close];
  closers.set(t, list);
  t.after(async () => {
    for (const each of list.reverse()) await each();
  });
}

/**
 * With fewer, a node cannot tell how its punching socket looks from outside: HyperDHT 6.34 then gives up each hole on the side of
 * the server while the client takes it for open.
 */
export const DHT_NODES = 4;

export async function openDht(t: TestContext, port?: number): Promise<Testnet> {
  const dht = await createTestnet(DHT_NODES, port === undefined ? {} : { port });
  assertLocalBootstrap(dht.bootstrap);
  atEnd(t, () => dht.destroy());
  return dht;
}

/** The least that Argon2id takes. */
export const QUICK_STRETCH = { passes: 1, memoryBytes: 8 * 1024 };

export interface Opened {
  swarm: Swarm;
  log: string[];
  options: SwarmOptions;
}

export async function openSwarm(
  t: TestContext,
  bootstrap: SwarmOptions['bootstrap'],
  changes: Partial<SwarmOptions> = {},
): Promise<Opened> {
  assertLocalBootstrap(bootstrap);
  const log: string[] = [];
  const options: SwarmOptions = {
    name: 'test',
    bootstrap,
    host: '127.0.0.1',
    identity: identityFromSeed(randomBytes(32)),
    policyName: () => 'tiny',
    verify: verifyParity,
    now: () => Date.now(),
    random: () => Math.random(),
    log: (level, message) => void log.push(`${level} ${message}`),
    stretch: QUICK_STRETCH,
    ...changes,
    limits: { refreshAtMs: [300, 1_000, 3_000], pullIntervalMs: 400, watchdogMs: 1_500, ...changes.limits },
  };
  const swarm = await createSwarm(options);
  atEnd(t, () => swarm.close());
  return { swarm, log, options };
}

/**
 * Polls until `holds`; fails with what it was waiting for. Longer than it takes to notice a connection that died, some 13 s, as
 * happens on a busy machine; shorter than it takes a mute peer to be dropped, 30 s, so that this is not taken for something else.
 */
export async function until(what: string, holds: () => boolean, timeoutMs = 25_000): Promise<number> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > timeoutMs) throw new Error(`waited ${String(timeoutMs)} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - start;
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
