/**
 * Right answers of peers that wait to be imitated. Bounded in number and bytes, in all and per peer, and written down so that it
 * survives a restart; what is read back is verified again. Whoever sends most displaces its own. Knows nothing of the network: it
 * is offered groups whose rewards admission has recomputed here.
 *
 * Drawn peer by peer in turn, of each the least used and among these the newest first; after `MAX_USES` imitations one has
 * taught what it can and makes room.
 */
import { z } from 'zod';
import type { Group, PeerId, TaskRef } from '../../types.ts';
import { checkAnswer, demonstrationKey, type Demonstration } from './demonstration.ts';

export interface PooledDemonstration extends Demonstration {
  source: 'peer';
  origin: PeerId;
  of: { kind: 'task'; task: TaskRef };
  uses: number;
}
export interface PoolLimits {
  maxDemonstrations: number;
  maxBytes: number;
}

/** Of one peer, of all there may be. */
const SHARE_OF_PEER = 0.25;
const MAX_USES = 4;
/** Of one group: the others of it say much the same. */
const MAX_OF_GROUP = 2;
const MAX_TEXT_CHARS = 16_384;
const OVERHEAD_BYTES = 256;

const savedSchema = z.object({
  version: z.literal(1),
  entries: z.array(
    z.object({
      origin: z.string().regex(/^[0-9a-f]{64}$/),
      policyName: z.string().max(200).nullable(),
      task: z.unknown(),
      text: z.string().min(1).max(MAX_TEXT_CHARS),
      uses: z.int().min(0),
    }),
  ),
});

export class DemonstrationPool {
  private readonly limits: PoolLimits;
  /** By key, oldest first. */
  private readonly entries = new Map<string, PooledDemonstration>();
  private readonly byPeer = new Map<PeerId, { keys: Set<string>; bytes: number }>();
  private bytes = 0;

  constructor(limits: PoolLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.entries.size;
  }

  /** How many of each peer. */
  origins(): { origin: PeerId; count: number }[] {
    return [...this.byPeer].map(([origin, { keys }]) => ({ origin, count: keys.size }));
  }

  /** Takes the right answers that their writer ended; returns how many are new. */
  offer(group: Group): number {
    const right = group.completions.filter(
      ({ text, ended, reward }) => reward === 1 && ended && text !== '' && text.length <= MAX_TEXT_CHARS,
    );
    const distinct = [...new Set(right.map(({ text }) => text))].slice(0, MAX_OF_GROUP);
    const { origin, policyName, task } = group;
    const taken = distinct.filter((text) =>
      this.add({ source: 'peer', origin, policyName, of: { kind: 'task', task }, text, uses: 0 }),
    );
    return taken.length;
  }

  /** Up to `count`; they stay until they were used or dropped. `random` is uniform in [0, 1). */
  draw(count: number, random: () => number): PooledDemonstration[] {
    const queues = [...this.byPeer.values()].map(({ keys }) => {
      const newestFirst = [...keys].reverse().map((key) => this.entries.get(key)!);
      return newestFirst.sort((a, b) => a.uses - b.uses);
    });
    const order = queues.map((queue) => ({ queue, at: random() })).sort((a, b) => a.at - b.at);
    const drawn: PooledDemonstration[] = [];
    for (let turn = 0; drawn.length < count; turn++) {
      const next = order.flatMap(({ queue }) => queue.slice(turn, turn + 1));
      if (next.length === 0) break;
      drawn.push(...next.slice(0, count - drawn.length));
    }
    return drawn;
  }

  /** It was imitated once more. */
  used(demonstration: Demonstration): void {
    const entry = this.entries.get(demonstrationKey(demonstration));
    if (entry && ++entry.uses >= MAX_USES) this.remove(entry);
  }

  /** It cannot be used here. */
  drop(demonstration: Demonstration): void {
    const entry = this.entries.get(demonstrationKey(demonstration));
    if (entry) this.remove(entry);
  }

  /** For `restore`, by way of JSON. */
  save(): z.infer<typeof savedSchema> {
    const entries = [...this.entries.values()].map(({ origin, policyName, of, text, uses }) => ({
      origin,
      policyName,
      task: of.task,
      text,
      uses,
    }));
    return { version: 1, entries };
  }

  /** Adds what was saved and is right by the tasks of this version; returns how many were left out, null for what is no pool. */
  restore(saved: unknown): number | null {
    const parsed = savedSchema.safeParse(saved);
    if (!parsed.success) return null;
    let leftOut = 0;
    for (const { task, ...entry } of parsed.data.entries) {
      const checked = checkAnswer(task, entry.text);
      const added =
        checked.ok && this.add({ source: 'peer', ...entry, of: { kind: 'task', task: checked.instance.ref } });
      if (!added) leftOut++;
    }
    return leftOut;
  }

  private add(entry: PooledDemonstration): boolean {
    const key = demonstrationKey(entry);
    if (this.entries.has(key)) return false;
    const own = this.byPeer.get(entry.origin) ?? { keys: new Set<string>(), bytes: 0 };
    this.byPeer.set(entry.origin, own);
    this.entries.set(key, entry);
    own.keys.add(key);
    own.bytes += bytesOf(entry);
    this.bytes += bytesOf(entry);
    const { maxDemonstrations, maxBytes } = this.limits;
    const most = { count: Math.max(1, Math.floor(maxDemonstrations * SHARE_OF_PEER)), bytes: maxBytes * SHARE_OF_PEER };
    while (own.keys.size > most.count || (own.bytes > most.bytes && own.keys.size > 1)) this.removeOldestOf(own.keys);
    while (this.entries.size > maxDemonstrations || this.bytes > maxBytes) this.removeOldestOf(this.largestPeer());
    return this.entries.has(key);
  }

  private largestPeer(): Set<string> {
    return [...this.byPeer.values()].reduce((most, each) => (each.bytes > most.bytes ? each : most)).keys;
  }

  private removeOldestOf(keys: Set<string>): void {
    const [oldest] = keys;
    this.remove(this.entries.get(oldest!)!);
  }

  private remove(entry: PooledDemonstration): void {
    const key = demonstrationKey(entry);
    const own = this.byPeer.get(entry.origin)!;
    this.entries.delete(key);
    own.keys.delete(key);
    own.bytes -= bytesOf(entry);
    this.bytes -= bytesOf(entry);
    if (own.keys.size === 0) this.byPeer.delete(entry.origin);
  }
}

/** Two bytes a character, and the objects around them. */
function bytesOf({ text, of }: PooledDemonstration): number {
  return OVERHEAD_BYTES + 2 * (text.length + JSON.stringify(of.task).length);
}
