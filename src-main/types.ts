/**
 * The nouns that more than one folder speaks of. Types only: importing this file runs nothing.
 * One noun per concept, the same on the wire, in the store and in the user interface.
 */

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = { [key: string]: JsonValue };

/** Everything needed to regenerate a task on any machine; the wire carries this, never a trusted answer. */
export interface TaskRef {
  /** Registry name, for example `chain_sum`. */
  generator: string;
  /** Raised whenever the same (config, seed, index) would give another instance or another verdict. */
  version: number;
  /** Only the fields that differ from the generator's defaults. */
  config: JsonObject;
  /** Decimal integer text; Python seeds are unbounded and may be negative. */
  seed: string;
  /** 0-based position in the endless data set of (config, seed). */
  index: number;
}

/** Reward in [0, 1] with a plain-language reason. `reason` never quotes the completion. */
export interface Verdict {
  reward: number;
  reason: string;
}

/** ed25519 public key, 64 lower-case hex digits. */
export type PeerId = string;

/** One answer of a policy to one task. */
export interface Completion {
  /** Decoded text without special tokens. */
  text: string;
  /** True when the policy ended it itself (EOS sampled); false when it was cut at the token limit. */
  ended: boolean;
  /** Recomputed by this node. A reward that came over the wire never gets here. */
  reward: number;
}

/** G completions of one task by one policy: the unit of sharing and of advantage. */
export interface Group {
  /** Hash of the signed record, hex; own groups have theirs once they were shared, a local id before. */
  id: string;
  origin: PeerId;
  task: TaskRef;
  /** Regenerated locally from `task`. */
  question: string;
  completions: Completion[];
  /** The origin's round when it was generated. */
  round: number;
  /** Name of the policy that wrote it, as its owner states it (untrusted, sanitised). */
  policyName: string;
  /** Local receive time, ms since epoch. */
  receivedAt: number;
}
