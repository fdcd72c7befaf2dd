/**
 * The compute side of the protocol: one call after the other, controls in between. Knows nothing of how messages travel
 * (compute-process.ts) nor of rewards and rounds.
 */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { openCheckpointStore, type CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { adapterSlots, chooseAdapter, initialAdapter, type AdapterConfig } from '../policy/adapter.ts';
import { saveAdapterFolder } from '../policy/adapter-folder.ts';
import { loadPolicyFolder, loadPolicyWeights, savePolicyFolder, type StoredAs } from '../policy/load-policy.ts';
import { policyCard } from '../policy/model-card.ts';
import { secondAdapter, stackedConfig } from '../policy/stacked-adapter.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { parameterCount } from '../policy/parameters.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { randomStream } from './sampling.ts';
import { Branch } from './branch.ts';
import { FOREIGN_FIX, fillParts } from './checkpoint-parts.ts';
import {
  bridgeParts,
  partsBeforeBridge,
  requireSameRank,
  trainedName,
  workSecondAdapterIn,
  type SavedBridge,
} from './bridge-checkpoint.ts';
import { stackedLayout, wholeLayout } from './bridge-layout.ts';
import { BridgePolicy } from './bridge-policy.ts';
import { generate } from './generate.ts';
import { isOutOfMemory, OUT_OF_MEMORY } from './out-of-memory.ts';
import { PolicyRuntime } from './policy-runtime.ts';
import { chooseDecodePrecision, trainingPrecision } from './precision.ts';
import type {
  CheckpointState,
  ComputeCallName,
  ComputeCalls,
  ComputeFault,
  FromCompute,
  OpenedPolicy,
  ToCompute,
} from './compute-protocol.ts';

/** Raised inside a call that a `cancel` control ended. */
class CancelledError extends Error {
  readonly code = 'cancelled';
}

const CHECKPOINTS_KEPT = 2;
const ADAPTER_SEED = 0x10a;
const SECOND_ADAPTER_SEED = 0xb41d;
const ADAPTER_FIX =
  'Set adapter, loraRank, loraAlpha and loraTargets back to what this data folder was made with, or give the node a data folder of its own with --data.';
const MEMORY_FIX =
  'Train an adapter (--adapter lora), ask for shorter answers (--max-new-tokens) or fewer of them (--group-size), or take a smaller model.';
/** What a compressed decoder is tried on: plain enough for any policy, and with numbers in it. */
const PROBE_TEXT = 'Question: what is 17 + 25? Answer: 17 + 25 = 42.';
const PROGRESS_INTERVAL_MS = 200;
const ALIVE_INTERVAL_MS = 1000;

type Handlers = {
  [K in ComputeCallName]: (args: ComputeCalls[K]['args'], id: number) => Promise<ComputeCalls[K]['result']>;
};

export class ComputeServer {
  private readonly post: (message: FromCompute) => void;
  private policy: PolicyRuntime | null = null;
  /** Trains the policy in place of its own `update`, where BRIDGE was asked for; `first` is theta where that is no full weights. */
  private bridge: { policy: BridgePolicy; first: AdapterConfig | null; second: AdapterConfig } | null = null;
  private policyDirectory = '';
  private decodedRows: number | null = null;
  private base: { name: string; storedAs: StoredAs; tokenizer: Tokenizer | null } = {
    name: '',
    storedAs: 'float32',
    tokenizer: null,
  };
  private store: CheckpointStore | null = null;
  private branch: Branch | null = null;
  private queue: Promise<void> = Promise.resolve();
  private held = false;
  private cancelled = false;
  private wake: (() => void) | null = null;
  private aliveAt = 0;

  constructor(post: (message: FromCompute) => void) {
    this.post = post;
  }

  receive(message: ToCompute): void {
    if (message.kind === 'control') {
      if (message.control === 'cancel') this.cancelled = true;
      else this.held = message.control === 'hold';
      this.wake?.();
      return;
    }
    this.queue = this.queue.then(() => this.answer(message));
  }

  private async answer({ id, call, args }: Extract<ToCompute, { kind: 'call' }>): Promise<void> {
    this.cancelled = false;
    try {
      const handle = this.handlers[call] as (args: unknown, id: number) => Promise<unknown>;
      this.post({ kind: 'result', id, result: await handle(args, id) });
    } catch (error) {
      if (isOutOfMemory(error)) await this.policy?.release().catch(() => undefined);
      this.post({ kind: 'fault', id, fault: faultOf(error) });
    }
  }

  /** Lets messages in, waits while held, throws when cancelled. Between two runs of a session. */
  private readonly checkpoint = async (): Promise<void> => {
    await nextTurn();
    if (performance.now() - this.aliveAt >= ALIVE_INTERVAL_MS) {
      this.aliveAt = performance.now();
      this.post({ kind: 'alive' });
    }
    if (this.mustWait()) {
      this.post({ kind: 'held', held: true });
      while (this.mustWait()) await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = null;
      this.post({ kind: 'held', held: false });
    }
    if (this.cancelled) throw new CancelledError('The call was cancelled');
  };

  private mustWait(): boolean {
    return this.held && !this.cancelled;
  }

  private opened(): PolicyRuntime {
    if (!this.policy) throw new Error('No policy is open');
    return this.policy;
  }

  private readonly handlers: Handlers = {
    open: (args) => this.open(args),
    defineObjective: async ({ name, model }) => {
      await this.opened().defineGradient(name, model);
      return null;
    },
    generate: async ({ prompts, options }, id) => {
      let reportedAt = 0;
      const report = (done: number): void => {
        if (performance.now() - reportedAt < PROGRESS_INTERVAL_MS) return;
        reportedAt = performance.now();
        this.post({ kind: 'progress', id, done });
      };
      const { tokenizer } = this.base;
      return generate(
        this.opened(),
        prompts,
        { ...options, ...fewest(options.maxRows, this.decodedRows) },
        this.checkpoint,
        report,
        tokenizer && ((tokens) => tokenizer.decode(tokens)),
      );
    },
    score: async ({ rows, maxTokens, under = 'policy' }) => {
      const policy = this.opened();
      if (under === 'reference' && !policy.hasReference)
        policy.setReference((await loadPolicyWeights(this.policyDirectory)).weights);
      return policy.score(rows, maxTokens, this.checkpoint, under);
    },
    accumulate: ({ objective, rows, maxTokens }) =>
      this.opened().accumulate(objective, rows, maxTokens, this.checkpoint),
    update: async ({ optimizer, maxGradientNorm }) => {
      await this.checkpoint();
      if (this.bridge) throw new Error('BRIDGE trains this policy: bridgeStep is its update');
      const result = await this.opened().update(optimizer, maxGradientNorm);
      return { ...result, version: this.steps };
    },
    bridgeStep: async (step) => {
      if (!this.bridge) throw new Error('The policy was not opened for BRIDGE');
      const outcome = await this.bridge.policy.step(step, this.checkpoint);
      return { ...outcome, version: this.steps };
    },
    dropGradient: async () => {
      this.opened().dropGradient();
      return Promise.resolve(null);
    },
    branch: async (step) => {
      await this.opened().fetch();
      return this.branchStep(step);
    },
    save: ({ state, version }) => this.save(state, version),
    exportPolicy: async ({ directory }) => {
      await this.exportPolicy(directory);
      return null;
    },
  };

  private async open(args: ComputeCalls['open']['args']): Promise<OpenedPolicy> {
    await this.policy?.close();
    this.branch = null;
    const { config, weights, tokenizer, name, storedAs } = await loadPolicyFolder(args.policyDirectory);
    const first = args.adapter ? chooseAdapter(weights.length, args.adapter) : null;
    const second = args.bridge ? secondAdapter(args.bridge.rank, first) : null;
    const start = first && startOfAdapter(config, first);
    const stack = first && second && stackedConfig(first, second);
    const adapter = stack ?? first;
    const policy = new PolicyRuntime({
      config,
      weights,
      adapter: adapter && { config: adapter, weights: stack ? zerosFor(config, stack) : start! },
      provider: args.provider,
      device: args.device ?? 0,
      threads: args.threads,
      padId: tokenizer.padId ?? config.eosTokenId,
      // BRIDGE works on the host's arrays.
      ...(second ? { residency: 'host' } : {}),
    });
    this.policy = policy;
    this.bridge = second && { policy: openBridge(policy, first, second, start), first, second };
    this.policyDirectory = args.policyDirectory;
    this.decodedRows = args.decodedRows ?? null;
    this.base = { name, storedAs, tokenizer };
    this.store =
      args.checkpointDirectory === null
        ? null
        : await openCheckpointStore(args.checkpointDirectory, {
            keep: CHECKPOINTS_KEPT,
            identity: args.identity?.present ?? name,
            earlierIdentities: args.identity?.earlier ?? [],
          });
    const resumed = await this.resume(policy, first);
    const decode = await chooseDecodePrecision(policy, args.decodePrecision ?? 'f32', tokenizer.encode(PROBE_TEXT));
    return {
      name,
      config,
      parameters: weights.length,
      adapter,
      trainedParameters: policy.trained.length + (second && !first ? parameterCount(adapterSlots(config, second)) : 0),
      version: this.steps,
      bridge: this.bridge && { adapter: this.bridge.second, startedAt: this.bridge.policy.counts.startedAt },
      provider: args.provider,
      decode,
      training: trainingPrecision(storedAs),
      ...resumed,
    };
  }

  private branchStep(step: ComputeCalls['branch']['args']): ComputeCalls['branch']['result'] {
    const policy = this.opened();
    if (this.bridge) throw new Error('A policy that BRIDGE trains has no second line');
    const line = { parts: this.checkpointParts(policy), optimizer: policy.optimizer };
    if (step === 'exchange') {
      if (!this.branch) throw new Error('No branch is kept');
      policy.dropGradient();
      this.branch.exchange(line);
      policy.hostChanged();
    } else {
      this.requireInPlace();
      this.branch = step === 'keep' ? new Branch(line) : null;
    }
    return { version: policy.optimizer.step, keptBytes: this.branch?.bytes ?? 0 };
  }

  /** What is in the policy's place now is another line of training: nothing may take it for the policy. */
  private requireInPlace(): void {
    if (!this.branch?.away) return;
    throw Object.assign(new Error('A branch is being trained in the place of the policy'), {
      code: 'checkpointMidRound',
      fix: 'Nothing to do: the policy is what the last checkpoint and the redo log say.',
    });
  }

  private async exportPolicy(directory: string): Promise<void> {
    this.requireInPlace();
    const policy = this.opened();
    await policy.fetch();
    const { config, adapter, trained } = policy;
    const { name, storedAs } = this.base;
    const describe = (form: 'policy' | 'adapter'): string =>
      policyCard({ base: name, form, config, adapter, bridge: this.bridge?.second ?? null, steps: this.steps });
    const card = describe('policy');
    const weights = policy.mergedWeights();
    await savePolicyFolder(directory, { config, weights, dtype: storedAs, tokenizerFrom: this.policyDirectory, card });
    if (adapter) {
      const matrices = { config: adapter, weights: trained };
      await saveAdapterFolder(join(directory, 'adapter'), {
        ...matrices,
        policy: config,
        baseModel: name,
        card: describe('adapter'),
      });
    }
  }

  private async resume(
    policy: PolicyRuntime,
    first: AdapterConfig | null,
  ): Promise<{ state: CheckpointState | null; passedOver: string[] }> {
    const latest = (await this.store?.loadLatest().catch(withForeignFix)) ?? null;
    if (!latest) return { state: null, passedOver: [] };
    const passedOver = latest.damaged.map(({ path, reason }) => `${path}: ${reason}`);
    if (!latest.checkpoint) return { state: null, passedOver };
    const { state, tensors } = latest.checkpoint;
    requireSameAdapter((state.adapter ?? null) as AdapterConfig | null, first);
    this.restore(policy, first, tensors, Number(state.optimizerStep), (state.bridge ?? null) as SavedBridge | null);
    return { state: state.node as CheckpointState, passedOver };
  }

  private restore(
    policy: PolicyRuntime,
    first: AdapterConfig | null,
    tensors: Readonly<Record<string, { data: Float32Array }>>,
    steps: number,
    saved: SavedBridge | null,
  ): void {
    const parts = this.checkpointParts(policy);
    const { bridge } = this;
    if (bridge && saved) {
      requireSameRank(saved, bridge.second);
      fillParts(parts, tensors);
      bridge.policy.restored(saved.counts);
    } else if (bridge) {
      fillParts(partsBeforeBridge(parts), tensors);
      bridge.policy.begun(steps);
    } else {
      fillParts(parts, tensors);
      policy.optimizer.step = steps;
      if (!saved) return;
      const second = secondAdapter(saved.rank, first);
      workSecondAdapterIn(policy.config, first, policy.trained, second, tensors['bridge.adapter']?.data);
    }
  }

  private async save(node: CheckpointState, version: number): Promise<{ bytes: number }> {
    const policy = this.opened();
    const { steps, bridge } = this;
    const adapter = bridge ? bridge.first : policy.adapter;
    this.requireInPlace();
    if (steps !== version) {
      throw Object.assign(
        new Error(`The policy has taken ${steps} optimiser steps, the checkpoint would say ${version}`),
        {
          code: 'checkpointMidRound',
          fix: 'Nothing to do: the interrupted round is left out, the rounds before it are in the redo log.',
        },
      );
    }
    if (!this.store) throw new Error('Opened without a checkpoint folder');
    await policy.fetch();
    const parts = this.checkpointParts(policy);
    const saved: SavedBridge | null = bridge && { rank: bridge.second.rank, counts: bridge.policy.counts };
    await this.store.save({
      version: steps,
      state: {
        optimizerStep: steps,
        node: node as never,
        ...(adapter ? { adapter: adapter as never } : {}),
        ...(saved ? { bridge: saved as never } : {}),
      },
      tensors: Object.fromEntries(Object.entries(parts).map(([key, data]) => [key, { shape: [data.length], data }])),
    });
    return { bytes: Object.values(parts).reduce((sum, { byteLength }) => sum + byteLength, 0) };
  }

  /** Optimiser steps of the policy. */
  private get steps(): number {
    return this.bridge ? this.bridge.policy.counts.theta : this.opened().optimizer.step;
  }

  /** What training changes: the base under an adapter stays in its own folder. */
  private checkpointParts(policy: PolicyRuntime): Record<string, Float32Array> {
    if (this.bridge) return bridgeParts(this.bridge.policy, this.bridge.first);
    const { adapter, trained, optimizer } = policy;
    return { [trainedName(adapter)]: trained, 'adamw.m': optimizer.m, 'adamw.v': optimizer.v };
  }
}

/** The same start on every machine: two nodes with one policy and one adapter differ by what they learn alone. */
function startOfAdapter(config: PolicyConfig, adapter: AdapterConfig): Float32Array {
  return initialAdapter(adapterSlots(config, adapter), randomStream(ADAPTER_SEED));
}

function openBridge(
  policy: PolicyRuntime,
  first: AdapterConfig | null,
  second: AdapterConfig,
  start: Float32Array | null,
): BridgePolicy {
  const { config } = policy;
  const layout = first ? stackedLayout(config, first, second) : wholeLayout(config, second);
  const theta = start ?? policy.weights.slice();
  return new BridgePolicy(policy, { layout, theta, gain: true, random: randomStream(SECOND_ADAPTER_SEED) });
}

function zerosFor(config: PolicyConfig, adapter: AdapterConfig): Float32Array {
  return new Float32Array(parameterCount(adapterSlots(config, adapter)));
}

/** Moments of other matrices would be taken for these where the sizes happen to agree. */
function requireSameAdapter(saved: AdapterConfig | null, wanted: AdapterConfig | null): void {
  const describe = (adapter: AdapterConfig | null): string =>
    adapter ? `rank ${adapter.rank}, alpha ${adapter.alpha}, on ${adapter.targets.join(', ')}` : 'none';
  if (describe(saved) === describe(wanted)) return;
  const message = `The checkpoint's adapter is ${describe(saved)}; the settings ask for ${describe(wanted)}`;
  throw Object.assign(new Error(message), { code: 'foreign', fix: ADAPTER_FIX });
}

/** The store knows folders only; here it is known that one belongs to a policy. */
function withForeignFix(error: unknown): never {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (code !== 'foreign') throw error;
  throw Object.assign(new Error(String(message).split('. ')[0], { cause: error }), { code, fix: FOREIGN_FIX });
}

/** The smaller of two limits on rows, where there is one. */
function fewest(...limits: (number | null | undefined)[]): { maxRows?: number } {
  const known = limits.filter((limit) => limit !== null && limit !== undefined);
  return known.length > 0 ? { maxRows: Math.min(...known) } : {};
}

/** The runtime's own words name places in its sources; what it computed and how much it asked for are in them, too. */
function describeShortage(error: unknown): string {
  const text = String((error as { message?: unknown }).message);
  const bytes = /requested buffer of size (\d+)/.exec(text)?.[1];
  const node = /running (\w+) node/.exec(text)?.[1];
  if (bytes === undefined) return `Memory ran out (${text.split('\n')[0]!.slice(0, 200)})`;
  return `Memory ran out: ${node ?? 'a pass'} could not get another ${(Number(bytes) / 1e6).toFixed(1)} MB`;
}

function faultOf(error: unknown): ComputeFault {
  if (isOutOfMemory(error)) return { code: OUT_OF_MEMORY, message: describeShortage(error), fix: MEMORY_FIX };
  const { code, fix, message } = error as { code?: unknown; fix?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' ? code : 'computeFailed',
    message: typeof message === 'string' ? message : String(error),
    fix: typeof fix === 'string' ? fix : 'Look at the log; if it happens again, run `waggle doctor`.',
  };
}
