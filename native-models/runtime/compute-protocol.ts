/**
 * Everything that the node process and the compute process say to each other, as types. Calls are answered one after the
 * other in the order they came; controls act at once, between two runs of a session.
 */
import type { GenerateOptions, Generated } from './generate.ts';
import type { TrainRow } from './batch.ts';
import type { BridgeOutcome, BridgeStep } from './bridge-policy.ts';
import type { GradientSum, UpdateResult } from './policy-runtime.ts';
import type { AdamWOptions } from '../optim/adamw.ts';
import type { AdapterConfig, AdapterRequest } from '../policy/adapter.ts';
import type { PolicyConfig } from '../policy/policy-config.ts';
import type { DecodeChoice, DecodePrecisionRequest, TrainingPrecision } from './precision.ts';
import type { ProviderName } from './provider.ts';

/** JSON that the node keeps beside the weights in a checkpoint: its round, counters, pool position. */
export type CheckpointState = Record<string, unknown>;

export interface OpenedPolicy {
  name: string;
  config: PolicyConfig;
  parameters: number;
  /** Null where all weights are trained. */
  adapter: AdapterConfig | null;
  /** How many numbers an update changes. */
  trainedParameters: number;
  /** Optimiser steps since the base policy. */
  version: number;
  /** Where BRIDGE trains it: the second adapter, and how many steps the policy had taken before. */
  bridge: { adapter: AdapterConfig; startedAt: number } | null;
  provider: ProviderName;
  /** What answers are sampled in and what is trained in, and why. */
  decode: DecodeChoice;
  training: TrainingPrecision;
  /** State of the checkpoint that was resumed; null when training starts from the base policy. */
  state: CheckpointState | null;
  /** Checkpoints that could not be read, and why; they were passed over. */
  passedOver: string[];
}

export interface ComputeCalls {
  open: {
    args: {
      policyDirectory: string;
      checkpointDirectory: string | null;
      /** What checkpoints belong to, and what it was called in older ones; left out, the policy folder's name. */
      identity?: { present: string; earlier: readonly string[] };
      provider: ProviderName;
      /** Of the provider's devices; left out, its first. */
      device?: number;
      threads: number;
      /** What to sample answers in; left out, f32. */
      decodePrecision?: DecodePrecisionRequest;
      /** Left out: all weights are trained. */
      adapter?: AdapterRequest;
      /** Most rows that any generate decodes at once; left out or null, its own limit. */
      decodedRows?: number | null;
      /** BRIDGE is to train the policy: the rank of its second adapter. */
      bridge?: { rank: number };
    };
    result: OpenedPolicy;
  };
  /** `model`: ModelProto bytes of a gradient graph lowered for the provider. */
  defineObjective: { args: { name: string; model: Uint8Array }; result: null };
  generate: { args: { prompts: number[][]; options: GenerateOptions }; result: Generated };
  /**
   * Log-probs of each row's completion tokens under the policy as it is now, or under the one that was opened before any
   * training ('reference'): the first such call reads its weights, which are kept, 4 bytes a parameter.
   */
  score: {
    args: { rows: { tokens: number[]; promptLength: number }[]; maxTokens: number; under?: 'policy' | 'reference' };
    result: number[][];
  };
  accumulate: { args: { objective: string; rows: TrainRow[]; maxTokens: number }; result: GradientSum };
  update: { args: { optimizer: AdamWOptions; maxGradientNorm: number }; result: UpdateResult & { version: number } };
  /** One step of a policy that was opened for BRIDGE, in place of `accumulate` and `update`. */
  bridgeStep: { args: BridgeStep; result: BridgeOutcome & { version: number } };
  dropGradient: { args: null; result: null };
  /**
   * Writes weights, optimiser and `state` as one atomic checkpoint. `version`: optimiser steps the caller believes were taken; when
   * the policy is elsewhere (a round was interrupted between two epochs) the call fails with code `checkpointMidRound`.
   */
  save: { args: { state: CheckpointState; version: number }; result: { bytes: number } };
  /**
   * A second line of training (branch.ts). keep: copies the policy aside, in place of an earlier copy. exchange: copy and policy change
   * places; in between `save` fails with code `checkpointMidRound`. drop: forgets the copy; refused in between. None of them waits
   * while held, so that a call that was cancelled can be put right. Answers the optimiser steps of the policy in place.
   */
  branch: { args: 'keep' | 'exchange' | 'drop'; result: { version: number; keptBytes: number } };
  /** Writes the trained policy as a Hugging Face folder; an adapter is worked in, and kept beside as a PEFT folder `adapter`. */
  exportPolicy: { args: { directory: string }; result: null };
}
export type ComputeCallName = keyof ComputeCalls;

/** hold: wait before the next run of a session until release. cancel: the running call fails with code `cancelled`. */
export type ComputeControl = 'hold' | 'release' | 'cancel';

/** An error as data: classes do not survive the process border. */
export interface ComputeFault {
  code: string;
  message: string;
  fix: string;
}

export type ToCompute =
  | { [K in ComputeCallName]: { kind: 'call'; id: number; call: K; args: ComputeCalls[K]['args'] } }[ComputeCallName]
  | { kind: 'control'; control: ComputeControl };

export type FromCompute =
  | { kind: 'ready' }
  | { kind: 'result'; id: number; result: unknown }
  | { kind: 'fault'; id: number; fault: ComputeFault }
  /** Tokens sampled so far by the running `generate`. */
  | { kind: 'progress'; id: number; done: number }
  /** Between two runs of a session, at most once a second: it works. */
  | { kind: 'alive' }
  /** True once the process really waits. */
  | { kind: 'held'; held: boolean };
