// What the compute process answers and how it is steered, with the bundled policy: hold, cancel, checkpoints, faults as data.
import assert from 'node:assert/strict';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';
import { ComputeError, type ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { loadConfig } from '../../../src-main/config.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { createObjective } from '../../../src-main/objective/index.ts';
import { define, openCompute, startCompute } from './in-process.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-compute-'));
after(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));

const tokenizer = await loadTokenizer(bundledPolicyDirectory());
const asympo = createObjective('asympo', loadConfig({ flags: {} }).config);
const prompts = ['reverse honey\n', 'gcd 24 36\n', 'sort 3 1 2\n'].map((text) => tokenizer.encode(text));
const options = { completionsPerPrompt: 4, maxNewTokens: 32, temperature: 1, topK: 0, topP: 1, seed: 5 };
const rows = ['yenoh', 'honey', 'hon'].map((text, i) => ({
  tokens: [...prompts[0]!, ...tokenizer.encode(text), tokenizer.eosId],
  promptLength: prompts[0]!.length,
  advantage: 1 - i,
  rowWeight: 0.25,
  behaviorLogprobs: null,
}));
const adam = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };
const score = (compute: ComputeHost) => compute.call('score', { rows, maxTokens: 256 });
const accumulate = (compute: ComputeHost) => compute.call('accumulate', { objective: 'asympo', rows, maxTokens: 32 }); // one row a pass
async function step(compute: ComputeHost): Promise<number> {
  await accumulate(compute);
  const { applied, version, gradientNorm } = await compute.call('update', { optimizer: adam, maxGradientNorm: 1 });
  assert.ok(applied && gradientNorm > 0);
  return version;
}
const fault = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ComputeError, String(error));
  assert.equal(error.code, code);
  assert.match(error.message, message);
  assert.ok(error.fix.length > 10);
  return true;
};
/** Settles at the first sign of progress. */
function started(compute: ComputeHost, args: Parameters<typeof generate>[1] = options) {
  let go: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => (go = resolve));
  const heard: number[] = [];
  const done = generate(compute, args, (tokens) => {
    heard.push(tokens);
    go();
  });
  return { begun, done, heard };
}
const generate = (compute: ComputeHost, args: typeof options, onProgress?: (tokens: number) => void) =>
  compute.call('generate', { prompts, options: args }, onProgress);

const { compute, opened } = await openCompute();
await define(compute, opened, asympo);
const undisturbed = await generate(compute, options);

describe('generation', () => {
  test('the seed decides; rows of a group differ; log-probs are of every token', async () => {
    assert.deepEqual(await generate(compute, options), undisturbed);
    assert.notDeepEqual(await generate(compute, { ...options, seed: 6 }), undisturbed);
    assert.deepEqual(
      undisturbed.map((group) => group.length),
      [4, 4, 4],
    );
    for (const group of undisturbed) {
      assert.ok(new Set(group.map(({ tokens }) => tokens.join())).size > 1);
      for (const { tokens, logprobs } of group) {
        assert.equal(tokens.length, logprobs.length);
        assert.ok(logprobs.every((value) => value <= 0 && Number.isFinite(value)));
      }
    }
    const greedy = await generate(compute, { ...options, topK: 1 });
    for (const group of greedy) assert.equal(new Set(group.map(({ tokens }) => tokens.join())).size, 1);
  });

  test('EOS ends a completion and is kept; the limit cuts it, and it says so', async () => {
    for (const maxNewTokens of [1, 3, 32]) {
      const all = (await generate(compute, { ...options, maxNewTokens })).flat();
      for (const { tokens, ended } of all) {
        assert.ok(tokens.length >= 1 && tokens.length <= maxNewTokens);
        assert.equal(ended, tokens.at(-1) === tokenizer.eosId);
        assert.equal(tokens.indexOf(tokenizer.eosId), ended ? tokens.length - 1 : -1);
        assert.ok(ended || tokens.length === maxNewTokens, 'not ended means cut');
      }
      if (maxNewTokens === 3) assert.ok(all.some(({ ended }) => !ended));
      if (maxNewTokens === 32) assert.ok(all.some(({ ended }) => ended));
    }
    // A shorter limit is the start of the longer completion: the same random numbers.
    const short = (await generate(compute, { ...options, maxNewTokens: 3 })).flat();
    assert.deepEqual(
      short.map(({ tokens }) => tokens),
      undisturbed.flat().map(({ tokens }) => tokens.slice(0, 3)),
    );
  });

  test('the context bounds it; a prompt without tokens or without room is refused, and the next call works', async () => {
    const { contextTokens } = opened.config;
    const long = (length: number): number[][] => [Array.from({ length }, (_, i) => prompts[0]![i % 5]!)];
    const two = await compute.call('generate', { prompts: long(contextTokens - 2), options });
    assert.ok(two[0]!.every(({ tokens }) => tokens.length <= 2));
    for (const [bad, message] of [
      [long(contextTokens), /leaves no room in the policy's context/],
      [[[]], /has no tokens/],
    ] as const)
      await assert.rejects(
        compute.call('generate', { prompts: bad.map((tokens) => [...tokens]), options }),
        fault('policyInvalid', message),
      );
    assert.deepEqual(await generate(compute, options), undisturbed);
  });
});

describe('hold and cancel', () => {
  const long = { ...options, completionsPerPrompt: 16 };

  test('held in the middle it stops, says so, and goes on to the very same result', async () => {
    const expected = await generate(compute, long);
    const { begun, done, heard } = started(compute, long);
    await begun;
    const held = new Promise<boolean>((resolve) => {
      const leave = compute.onHeld((now) => {
        leave();
        resolve(now);
      });
    });
    const askedAt = performance.now();
    compute.control('hold');
    assert.equal(await held, true);
    assert.ok(performance.now() - askedAt < 1000, 'within the current step');
    const before = heard.length;
    await sleep(400);
    assert.equal(heard.length, before, 'nothing was sampled while held');
    compute.control('release');
    assert.deepEqual(await done, expected);
    assert.ok(
      heard.every((tokens, i) => i === 0 || tokens > heard[i - 1]!),
      'progress only grows',
    );
  });

  test('held before a call, it waits with it', async () => {
    compute.control('hold');
    let answered = false;
    const done = generate(compute, options).then((result) => {
      answered = true;
      return result;
    });
    await sleep(300);
    assert.equal(answered, false);
    compute.control('release');
    assert.deepEqual(await done, undisturbed);
  });

  test('cancelled, the call fails with its code, also while held; the calls after it are answered in order', async () => {
    for (const alsoHold of [false, true]) {
      const { begun, done } = started(compute, long);
      const next = generate(compute, options);
      const last = score(compute);
      await begun;
      if (alsoHold) compute.control('hold');
      compute.control('cancel');
      await assert.rejects(done, fault('cancelled', /cancelled/));
      compute.control('release');
      const order: string[] = [];
      await Promise.all([last.then(() => order.push('last')), next.then(() => order.push('next'))]);
      assert.deepEqual(order, ['next', 'last']);
      assert.deepEqual(await next, undisturbed);
    }
    compute.control('cancel'); // nothing runs: nobody is hit
    assert.deepEqual(await generate(compute, options), undisturbed);
  });
});

describe('training and checkpoints', () => {
  test('an accumulation that was cancelled and dropped leaves no trace in the next step', async () => {
    const [undisturbedOne, cancelledOne] = [await openCompute(), await openCompute()];
    for (const { compute: host, opened: policy } of [undisturbedOne, cancelledOne]) await define(host, policy, asympo);
    await step(undisturbedOne.compute);
    const host = cancelledOne.compute;
    await accumulate(host); // of a step that is never taken
    // Of sixty passes some are done when the cancel comes.
    const many = Array.from({ length: 20 }, () => rows).flat();
    const half = host.call('accumulate', { objective: 'asympo', rows: many, maxTokens: 32 });
    await sleep(0);
    host.control('cancel');
    await assert.rejects(half, fault('cancelled', /cancelled/));
    await host.call('dropGradient', null);
    assert.equal(await step(host), 1);
    assert.deepEqual(await score(host), await score(undisturbedOne.compute));
  });

  test('an update without any gradient changes nothing and says so', async () => {
    const before = await score(compute);
    await compute.call('dropGradient', null);
    const { applied, version } = await compute.call('update', { optimizer: adam, maxGradientNorm: 1 });
    assert.deepEqual([applied, version], [false, 0]);
    assert.deepEqual(await score(compute), before);
  });

  test('a saved policy comes back bit for bit in another process, with its optimiser and the state beside it', async () => {
    const checkpointDirectory = newFolder();
    const first = await openCompute({ checkpointDirectory });
    assert.deepEqual([first.opened.state, first.opened.version, first.opened.name], [null, 0, 'waggle-starter']);
    await define(first.compute, first.opened, asympo);
    await step(first.compute);
    await step(first.compute);
    await assert.rejects(
      first.compute.call('save', { state: { round: 1 }, version: 1 }),
      fault('checkpointMidRound', /taken 2 optimiser steps/),
    );
    const { bytes } = await first.compute.call('save', { state: { round: 2, note: 'é' }, version: 2 });
    assert.equal(bytes, first.opened.parameters * 4 * 3);
    const second = await openCompute({ checkpointDirectory });
    assert.deepEqual([second.opened.state, second.opened.version], [{ round: 2, note: 'é' }, 2]);
    assert.deepEqual(await score(second.compute), await score(first.compute));
    await define(second.compute, second.opened, asympo);
    for (const host of [first.compute, second.compute]) assert.equal(await step(host), 3);
    assert.deepEqual(await score(second.compute), await score(first.compute), 'the moments came back, too');
  });

  test("another policy's checkpoint is refused by name and, under the same name, by size; both say the fix", async () => {
    const checkpointDirectory = newFolder();
    const { compute: host } = await openCompute({ checkpointDirectory });
    await host.call('save', { state: { round: 0 }, version: 0 });
    const renamed = join(newFolder(), 'drone');
    await cp(bundledPolicyDirectory(), renamed, { recursive: true });
    const foreign = (message: RegExp) => (error: unknown) =>
      fault('foreign', message)(error) && /--policy\b.*--data/.test((error as ComputeError).fix);
    await assert.rejects(
      openCompute({ checkpointDirectory, policyDirectory: renamed }),
      foreign(/belongs to "waggle-starter", this node trains "drone"/),
    );
    const smaller = newFolder();
    const data = new Float32Array(10);
    await (
      await openCheckpointStore(smaller, { keep: 1, identity: 'waggle-starter' })
    ).save({
      version: 1,
      state: { optimizerStep: 4, node: {} },
      tensors: Object.fromEntries(['weights', 'adamw.m', 'adamw.v'].map((name) => [name, { shape: [10], data }])),
    });
    await assert.rejects(openCompute({ checkpointDirectory: smaller }), foreign(/holds 10 numbers for weights/));
  });
});

test('faults are data: an unopened policy, a missing folder, an unknown objective, nowhere to save', async () => {
  const fresh = startCompute();
  await assert.rejects(generate(fresh, options), fault('computeFailed', /No policy is open/));
  await assert.rejects(openCompute({ policyDirectory: newFolder() }), fault('policyMissing', /config\.json/));
  await assert.rejects(
    compute.call('accumulate', { objective: 'unheard', rows, maxTokens: 64 }),
    fault('computeFailed', /unheard/),
  );
  await assert.rejects(
    compute.call('save', { state: {}, version: 0 }),
    fault('computeFailed', /without a checkpoint folder/),
  );
});
