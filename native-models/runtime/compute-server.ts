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
import type { Tokenizer } from '../text/tokenizer.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import { randomStream } from './sampling.ts';
import { Branch } from './branch.ts';
import { generate } from './generate.ts';
import { PolicyRuntime } from './policy-runtime.ts';
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
const ADAPTER_FIX =
  'Set adapter, loraRank, loraAlpha and loraTargets back to what this data folder was made with, or give the node a data folder of its own with --data.';
const PROGRESS_INTERVAL_MS = 200;
const FOREIGN_FIX =
  'Start with the policy this data folder was made with (--policy), or give this one a data folder of its own with --data.';

type Handlers = {
  [K in ComputeCallName]: (args: ComputeCalls[K]['args'], id: number) => Promise<ComputeCalls[K]['result']>;
};

export class ComputeServer {
  private readonly post: (message: FromCompute) => void;
  private policy: PolicyRuntime | null = null;
  private policyDirectory = '';
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
      this.post({ kind: 'fault', id, fault: faultOf(error) });
    }
  }

  /** Lets messages in, waits while held, throws when cancelled. Between two runs of a session. */
  private readonly checkpoint = async (): Promise<void> => {
    await nextTurn();
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
        options,
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
      const result = this.opened().update(optimizer, maxGradientNorm);
      return { ...result, version: this.opened().optimizer.step };
    },
    dropGradient: async () => {
      this.opened().dropGradient();
      return Promise.resolve(null);
    },
    branch: (step) => Promise.resolve(this.branchStep(step)),
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
    const adapter = args.adapter ? chooseAdapter(weights.length, args.adapter) : null;
    const policy = new PolicyRuntime({
      config,
      weights,
      adapter: adapter && { config: adapter, weights: startOfAdapter(config, adapter) },
      provider: args.provider,
      threads: args.threads,
      padId: tokenizer.padId ?? config.eosTokenId,
    });
    this.policy = policy;
    this.policyDirectory = args.policyDirectory;
    this.base = { name, storedAs, tokenizer };
    this.store =
      args.checkpointDirectory === null
        ? null
        : await openCheckpointStore(args.checkpointDirectory, { keep: CHECKPOINTS_KEPT, identity: name });
    const resumed = await this.resume(policy);
    return {
      name,
      config,
      parameters: weights.length,
      adapter,
      trainedParameters: policy.trained.length,
      version: policy.optimizer.step,
      provider: args.provider,
      ...resumed,
    };
  }

  private branchStep(step: ComputeCalls['branch']['args']): ComputeCalls['branch']['result'] {
    const policy = this.opened();
    const line = { parts: this.checkpointParts(policy), optimizer: policy.optimizer };
    if (step === 'exchange') {
      if (!this.branch) throw new Error('No branch is kept');
      policy.dropGradient();
      this.branch.exchange(line);
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
    const { config, adapter, trained } = policy;
    const { name, storedAs } = this.base;
    const describe = (form: 'policy' | 'adapter'): string =>
      policyCard({ base: name, form, config, adapter, steps: policy.optimizer.step });
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

  private async resume(policy: PolicyRuntime): Promise<{ state: CheckpointState | null; passedOver: string[] }> {
    const latest = (await this.store?.loadLatest().catch(withForeignFix)) ?? null;
    if (!latest) return { state: null, passedOver: [] };
    const passedOver = latest.damaged.map(({ path, reason }) => `${path}: ${reason}`);
    if (!latest.checkpoint) return { state: null, passedOver };
    const { state, tensors } = latest.checkpoint;
    requireSameAdapter((state.adapter ?? null) as AdapterConfig | null, policy.adapter);
    const parts = this.checkpointParts(policy);
    for (const [key, target] of Object.entries(parts)) {
      const saved = tensors[key]?.data;
      if (saved?.length !== target.length) {
        throw Object.assign(
          new Error(
            `The checkpoint holds ${saved?.length ?? 0} numbers for ${key}, this policy has ${target.length}: it belongs to another policy`,
          ),
          { code: 'foreign', fix: FOREIGN_FIX },
        );
      }
      target.set(saved);
    }
    policy.optimizer.step = Number(state.optimizerStep);
    return { state: state.node as CheckpointState, passedOver };
  }

  private async save(node: CheckpointState, version: number): Promise<{ bytes: number }> {
    const policy = this.opened();
    const { trained, optimizer, adapter } = policy;
    this.requireInPlace();
    if (optimizer.step !== version) {
      throw Object.assign(
        new Error(`The policy has taken ${optimizer.step} optimiser steps, the checkpoint would say ${version}`),
        {
          code: 'checkpointMidRound',
          fix: 'Nothing to do: the interrupted round is left out, the rounds before it are in the redo log.',
        },
      );
    }
    if (!this.store) throw new Error('Opened without a checkpoint folder');
    await this.store.save({
      version: optimizer.step,
      state: { optimizerStep: optimizer.step, node: node as never, ...(adapter ? { adapter: adapter as never } : {}) },
      tensors: Object.fromEntries(
        Object.entries(this.checkpointParts(policy)).map(([key, data]) => [key, { shape: [data.length], data }]),
      ),
    });
    return { bytes: trained.byteLength * 3 };
  }

  /** What training changes: the base under an adapter stays in its own folder. */
  private checkpointParts({ adapter, trained, optimizer }: PolicyRuntime): Record<string, Float32Array> {
    return { [adapter ? 'adapter' : 'weights']: trained, 'adamw.m': optimizer.m, 'adamw.v': optimizer.v };
  }
}

/** The same start on every machine: two nodes with one policy and one adapter differ by what they learn alone. */
function startOfAdapter(config: PolicyConfig, adapter: AdapterConfig): Float32Array {
  return initialAdapter(adapterSlots(config, adapter), randomStream(ADAPTER_SEED));
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

function faultOf(error: unknown): ComputeFault {
  const { code, fix, message } = error as { code?: unknown; fix?: unknown; message?: unknown };
  return {
    code: typeof code === 'string' ? code : 'computeFailed',
    message: typeof message === 'string' ? message : String(error),
    fix: typeof fix === 'string' ? fix : 'Look at the log; if it happens again, run `waggle doctor`.',
  };
}
