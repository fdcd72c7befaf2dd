/**
 * The door: bytes from a peer become a `Group`, or a typed refusal. In order: bounds, replay, signature, own key, age, body
 * (inflated within its bound), content seen before, task regenerated and rewards recomputed by `verify`. No reward, answer
 * or question is ever taken from the wire. Never throws, whatever the bytes or the verifier do. Knows no connection.
 */
import { describeError } from '../../base/errors.ts';
import { safeLine } from '../../base/sanitise-text.ts';
import type { Group, PeerId, TaskRef } from '../../types.ts';
import { unpackBody } from '../codec/body.ts';
import type { RecordBody } from '../codec/body.ts';
import { decodeRecord, isRecordAuthentic } from '../codec/record.ts';
import type { SignedRecord } from '../codec/record.ts';
import { hash, toHex } from '../identity/crypto.ts';
import { RecentIds } from '../recent-ids.ts';
import type { RejectionReason } from './rejections.ts';
import type { RoundClock, Start } from './round-clock.ts';

/** Regenerates the task and scores every text: `rewards[i]` in [0, 1] belongs to `texts[i]`. Pure and bounded in time. */
export type VerifyTexts = (
  ref: unknown,
  texts: string[],
) => { ok: true; ref: TaskRef; question: string; rewards: number[] } | { ok: false; reason: string };

export interface Admitted {
  ok: true;
  group: Group;
  record: SignedRecord;
  start: Start;
}
export interface Refused {
  ok: false;
  reason: RejectionReason;
  /** One plain line for the log. */
  detail: string;
  /** The authentic record that was refused for what it holds. */
  record?: SignedRecord;
}

export interface AdmissionOptions {
  ownKey: PeerId;
  verify: VerifyTexts;
  rounds: RoundClock;
  seenRecords: number;
  /** ms since epoch, for `Group.receivedAt`. */
  now: () => number;
  /** Whether a task is of the stream that follows from its origin's key: nobody else comes upon it by chance. */
  isOwnTask: (origin: PeerId, task: TaskRef) => boolean;
  /** A record signed with this node's own key arrived. */
  onOwnRecord: (record: SignedRecord) => void;
}

interface Contents {
  /** Whoever answers. */
  anybodys: Uint8Array[];
  /** Of this origin; null where the task is not of its stream. */
  own: Uint8Array[] | null;
}

/** Remembered for each record, on average. */
const TEXTS_OF_RECORD = 4;

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #seenIds: RecentIds;
  /** Hashes of task and completion text. */
  readonly #seenTexts: RecentIds;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#seenIds = new RecentIds(options.seenRecords);
    this.#seenTexts = new RecentIds(options.seenRecords * TEXTS_OF_RECORD);
  }

  /** `hadFromSender` says whether this very connection has brought the record before. */
  admit(bytes: Uint8Array, hadFromSender: (id: string) => boolean): Admitted | Refused {
    const decoded = decodeRecord(bytes);
    if (!decoded.ok) return refuse(decoded.reason);
    const record = decoded.value;
    if (hadFromSender(record.id)) return refuse('replayed');
    if (this.#seenIds.has(record.id)) return refuse('duplicateRecord');
    if (!isRecordAuthentic(record)) return refuse('forgedSignature');
    this.#seenIds.add(record.id);

    const origin = toHex(record.peer);
    if (origin === this.#options.ownKey) {
      this.#options.onOwnRecord(record);
      return refuse('ownRecord');
    }
    const start = this.#options.rounds.note(origin, toHex(record.instanceId), record.round);
    if (this.#options.rounds.isStale(start, record.round)) return { ...refuse('expired'), record };
    const content = this.#admitContent(record, start.peer);
    return content.ok ? { ok: true, record, start, group: content.group } : { ...content, record };
  }

  #admitContent(record: SignedRecord, origin: PeerId): { ok: true; group: Group } | Refused {
    const body = unpackBody(record.body);
    if (!body.ok) return refuse(body.reason);
    const spelling = spellingOf(body.value.task);
    const texts = new Set(body.value.completions.map((completion) => completion.text));
    let contents = this.#contentsOf(origin, body.value.task, spelling, texts);
    if (this.#isCopy(contents)) return refuse('duplicateContent');

    const checked = this.#verify(body.value);
    if (!checked.ok) return checked;
    // Again with the reference as this node writes it: another spelling of the same task is the same task.
    const ownSpelling = spellingOf(checked.ref);
    if (ownSpelling !== spelling) {
      contents = this.#contentsOf(origin, checked.ref, ownSpelling, texts);
      if (this.#isCopy(contents)) return refuse('duplicateContent');
    }
    this.#remember(contents);
    return { ok: true, group: this.#group(record, origin, body.value, checked) };
  }

  /** Ids of the records that came last, of whatever became of them. */
  get seenIds(): RecentIds {
    return this.#seenIds;
  }

  /** This node's own completions: a copy of them under another key is then nothing new. */
  noteOwn(body: RecordBody): void {
    const texts = new Set(body.completions.map((completion) => completion.text));
    this.#remember(this.#contentsOf(this.#options.ownKey, body.task, spellingOf(body.task), texts));
  }

  /**
   * Answers are short and tasks follow from keys, so a thief can guess what somebody will answer and say it first. On the tasks of its
   * own stream an origin is therefore compared with itself alone.
   */
  #contentsOf(origin: PeerId, task: TaskRef, spelling: string, texts: ReadonlySet<string>): Contents {
    const anybodys = contentKeys(spelling, texts);
    return { anybodys, own: this.#options.isOwnTask(origin, task) ? keysOf(origin, anybodys) : null };
  }

  /** At least half of the distinct completions have been here before. */
  #isCopy({ anybodys, own }: Contents): boolean {
    const keys = own ?? anybodys;
    return keys.filter((key) => this.#seenTexts.has(key)).length * 2 >= keys.length;
  }

  #remember({ anybodys, own }: Contents): void {
    for (const key of [...anybodys, ...(own ?? [])]) this.#seenTexts.add(key);
  }

  #verify(body: RecordBody): { ok: true; ref: TaskRef; question: string; rewards: number[] } | Refused {
    const texts = body.completions.map((completion) => completion.text);
    try {
      const verdict = this.#options.verify(body.task, texts);
      if (!verdict.ok) return refuse('taskRefused', verdict.reason);
      const sound = verdict.rewards.length === texts.length && verdict.rewards.every((r) => r >= 0 && r <= 1);
      return sound ? verdict : refuse('verifierFault', 'rewards missing or outside [0, 1]');
    } catch (error) {
      return refuse('verifierFault', describeError(error));
    }
  }

  #group(
    record: SignedRecord,
    origin: PeerId,
    body: RecordBody,
    checked: { ref: TaskRef; question: string; rewards: number[] },
  ): Group {
    return {
      id: record.id,
      origin,
      task: checked.ref,
      question: checked.question,
      completions: body.completions.map(({ text, ended }, i) => ({ text, ended, reward: checked.rewards[i]! })),
      round: record.round,
      policyName: safeLine(body.policyName, 48),
      receivedAt: this.#options.now(),
    };
  }
}

/** A record of 64 short texts must not push out what eight others left. */
const MAX_KEYS = 16;

/**
 * One key per distinct completion text of this task: two records that mostly share them bring nothing new. Of many texts the smallest
 * hashes stand for all, as in a min-wise sketch (Broder 1997): two sets that are mostly alike have mostly the same.
 */
function contentKeys(spelling: string, texts: ReadonlySet<string>): Uint8Array[] {
  const task = hash('content', spelling);
  const keys = Array.from(texts, (text) => hash('content', task, text));
  return keys.length <= MAX_KEYS ? keys : keys.sort((a, b) => Buffer.compare(a, b)).slice(0, MAX_KEYS);
}

/** The same for what this origin alone is compared with. A sum of two hashes: nobody finds others with the same sum. */
function keysOf(origin: PeerId, anybodys: readonly Uint8Array[]): Uint8Array[] {
  const mask = hash('content', origin);
  return anybodys.map((key) => key.map((byte, i) => byte ^ mask[i]!));
}

function spellingOf({ generator, version, config, seed, index }: TaskRef): string {
  const fields = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([generator, version, fields, seed, index]);
}

function refuse(reason: RejectionReason, detail = ''): Refused {
  return { ok: false, reason, detail: safeLine(detail, 160) };
}
