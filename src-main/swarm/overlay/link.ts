/**
 * One connection to one peer: channel, handshake, messages, pulls in both directions, and their limits.
 * States: greeting -> ready -> closed (PROTOCOL.md). Every byte that arrives is handled inside a try/catch and every offence
 * closes the link with a typed reason. Knows nothing of records' content, of other links, or of why it was opened.
 */
import * as encodings from 'compact-encoding';
import type { NoiseStream } from 'hyperdht';
import Protomux from 'protomux';
import type { MuxChannel, MuxMessage } from 'protomux';
import { describeError } from '../../base/errors.ts';
import type { PeerId } from '../../types.ts';
import type { Bandwidth } from './bandwidth.ts';
import { decodeMessage, encodeMessage } from '../codec/messages.ts';
import type { Bye, ByeReason, Handshake, Heads, Message, Pull, Records, Busy } from '../codec/messages.ts';
import { equalBytes, mac, toHex } from '../identity/crypto.ts';
import { FrameGate } from './frame-gate.ts';
import { QuietDoor } from './quiet-door.ts';
import { WIRE } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import type { PeerQuotas } from './quotas.ts';
import { RateLimit } from './rate.ts';
import { RecentIds } from '../recent-ids.ts';
import type { RejectionReason } from '../records/rejections.ts';

export interface LinkHandlers {
  onReady: (link: Link) => void;
  onHeads: (link: Link, heads: Heads['heads']) => void;
  /** What to answer; the link has already checked how often the peer may ask. */
  onPull: (link: Link, pull: Pull) => Uint8Array[];
  /** Other peers, for one that is sent away. */
  hintsFor: (link: Link) => Buffer[];
  /** The peer is busy and names others; a stranger's word. */
  onHints: (link: Link, peers: Buffer[]) => void;
  onBye: (link: Link, reason: ByeReason) => void;
  onOffence: (link: Link, reason: RejectionReason, detail: string) => void;
  onClosed: (link: Link) => void;
}

export interface LinkOptions {
  connection: NoiseStream;
  topic: Buffer;
  /** Remote address, for the quota per address; null when unknown. */
  address: string | null;
  capabilities: number;
  instanceId: Buffer;
  /** Where this node carries packets of others; null where it does not. */
  relayKey: Buffer | null;
  /** Null in a public swarm. */
  secretKey: Buffer | null;
  limits: SwarmLimits;
  /** Of this peer, over all its connections. */
  quotas: PeerQuotas;
  bandwidth: Bandwidth;
  /** Bytes that may be asked for from this connection's address; null where that is not limited. */
  addressBytes: RateLimit | null;
  /** Ends a connection on which nothing has arrived until then. Jittered by the owner, so that two ends do not agree. */
  halfOpenMs: number;
  elapsed: () => number;
  handlers: LinkHandlers;
}

/** How a pull ended. */
export type PullOutcome =
  | { kind: 'records'; records: Uint8Array[] }
  | { kind: 'busy'; retryMs: number }
  | { kind: 'silent' }
  | { kind: 'closed' };

interface OutstandingPull {
  requestId: number;
  count: number;
  maxBytes: number;
  sentAtMs: number;
  /** Packet bytes of the connection when the timer was set, and how often it was set anew since they kept coming. */
  bytesBefore: number;
  extensions: number;
  timer: NodeJS.Timeout;
  settle: (outcome: PullOutcome) => void;
}

/** Record ids remembered per connection: no peer sends one twice, and sixteen full answers are more than a round brings. */
const REMEMBERED_IDS = 1024;
/** A timer that fires so much later than it was set for means that this process stood still: nobody else is to blame. */
const OWN_STALL_MS = 1_000;
/** So many bytes within one timeout mean that an answer is on its way over a slow line: it is waited for, a few times over. */
const PROGRESS_BYTES = 8 * 1024;
const MAX_EXTENSIONS = 3;
/** What is asked for at first; it doubles with each quick answer, and halves with each slow one or none. */
const FIRST_ASK_BYTES = 64 * 1024;
const LEAST_ASK_BYTES = 40 * 1024;
/** Left free of the peer's byte limit when asking for records: heads may arrive beside the answer. */
const RESERVED_BYTES = 32 * 1024;

export class Link {
  readonly peer: PeerId;
  /** Remote address, for the quota per address; null when unknown. */
  readonly address: string | null;
  state: 'greeting' | 'ready' | 'closed' = 'greeting';
  /** The peer's handshake; null until ready. */
  handshake: Handshake | null = null;
  /** Smoothed time from pull to answer, ms. */
  latencyMs: number | null = null;
  /** Monotonic ms at which it became ready; null before. */
  readyAtMs: number | null = null;
  /** Groups it brought that were new here, since the neighbourhood was last looked over. */
  groupsBrought = 0;
  /** Pulls put to it meanwhile. */
  pullsPut = 0;
  /** Monotonic ms at which it was last told of others' heads. */
  gossipedAtMs = Number.NEGATIVE_INFINITY;
  /** Monotonic ms before which the peer wants no pull. */
  restUntilMs = 0;
  /** Stands for this connection in the feed; 0 until ready. */
  bit = 0;
  /** Ids this connection has brought. */
  readonly received = new RecentIds(REMEMBERED_IDS);
  readonly #options: LinkOptions;
  readonly #gate: FrameGate;
  /** Null where this side speaks at once: it dialled, or the swarm is open to all. */
  readonly #door: QuietDoor | null;
  #hasGreeted = false;
  readonly #channel: MuxChannel | null;
  readonly #message: MuxMessage | null;
  /** This node keeps to the limits it holds others to. */
  readonly #pullsOut: RateLimit;
  #pull: OutstandingPull | null = null;
  /** Pulls that timed out: a late answer to one is dropped, not held against the peer. */
  readonly #abandoned = new Set<number>();
  /** Came while the peer had not yet taken an earlier answer; answered when it has. */
  #waitingPull: Pull | null = null;
  #nextRequestId = 1;
  #mutePulls = 0;
  #askBytes = FIRST_ASK_BYTES;
  #handshakeTimer: NodeJS.Timeout | null = null;
  #halfOpenTimer: NodeJS.Timeout | null = null;
  #slowTimer: NodeJS.Timeout | null = null;

  constructor(options: LinkOptions) {
    const { connection, limits, elapsed } = options;
    this.#options = options;
    this.peer = toHex(connection.remotePublicKey);
    this.address = options.address;
    this.#pullsOut = new RateLimit(limits.pullsPerSecond, limits.pullBurst, elapsed());
    const proof = connection.isInitiator ? null : this.#membershipOf(connection.remotePublicKey);
    this.#door = proof === null ? null : new QuietDoor(options.topic, proof);
    this.#gate = new FrameGate(connection, {
      quotas: options.quotas,
      elapsed,
      admit: (frame) => this.#admit(frame),
      bandwidth: options.bandwidth,
      onOffence: (reason) => this.#offend(reason, 'frame'),
    });
    this.#gate.on('close', () => this.#closed());
    this.#channel = new Protomux(this.#gate).createChannel({
      protocol: WIRE.protocolName,
      id: options.topic,
      onopen: () => undefined,
      onclose: () => this.close(null),
      ondrain: () => this.#drained(),
    });
    this.#message =
      this.#channel?.addMessage({
        encoding: encodings.raw,
        autoBatch: false,
        onmessage: (payload) => this.#onPayload(payload),
      }) ?? null;
  }

  /** Opens the channel and greets, or waits for proof first. Separate from construction so that the owner can register the link. */
  open(): void {
    if (this.#channel === null) {
      this.close(null);
      return;
    }
    this.#handshakeTimer = setTimeout(
      () => this.#offend('mute', 'no handshake'),
      this.#options.limits.handshakeTimeoutMs,
    );
    this.#halfOpenTimer = setTimeout(() => {
      if (this.#gate.bytesIn === 0) this.close(null);
    }, this.#options.halfOpenMs);
    if (this.#door === null) this.#greet();
  }

  #admit(frame: Buffer): readonly Buffer[] | RejectionReason {
    if (this.#door === null || this.#hasGreeted) return [frame];
    const admitted = this.#door.take(frame);
    if (typeof admitted !== 'string' && admitted.length > 0) this.#greet();
    return admitted;
  }

  #greet(): void {
    this.#hasGreeted = true;
    this.#channel?.open();
    const { connection, capabilities, instanceId, relayKey } = this.#options;
    const { version, minVersion } = WIRE;
    const membership = this.#membershipOf(connection.publicKey);
    this.#send({ kind: 'handshake', version, minVersion, capabilities, instanceId, membership, relayKey });
  }

  /** False when this peer has had enough signatures of gossiped heads checked for now. */
  mayCheckHead(): boolean {
    return this.#options.quotas.heads.take(1, this.#options.elapsed());
  }

  get bytesIn(): number {
    return this.#gate.bytesIn;
  }

  get bytesOut(): number {
    return this.#gate.bytesOut;
  }

  /** True when a pull may be sent now and at least one record of any size fits the peer's byte limit. */
  canPull(): boolean {
    const ready = this.state === 'ready' && this.#pull === null && this.#slowTimer === null;
    const nowMs = this.#options.elapsed();
    const mayAsk = nowMs >= this.restUntilMs && this.#pullsOut.available(nowMs) >= 1;
    return ready && mayAsk && this.#pullBudget() > WIRE.maxBodyBytes * 2;
  }

  sendHeads(heads: Heads['heads']): void {
    const mayWrite = this.state === 'ready' && this.#slowTimer === null && this.#options.bandwidth.sendable > 0;
    if (mayWrite && heads.length > 0) this.#send({ kind: 'heads', heads });
  }

  /** One at a time; resolves always, never rejects. */
  pull(wanted: Pick<Pull, 'count' | 'ownPercent' | 'maxAgeMs' | 'known'>): Promise<PullOutcome> {
    if (!this.canPull()) return Promise.resolve({ kind: 'closed' });
    const requestId = this.#nextRequestId;
    this.#nextRequestId = (requestId % 0xffff_ffff) + 1;
    const maxBytes = this.#pullBudget();
    this.#options.bandwidth.reserve(maxBytes);
    this.#options.addressBytes?.spend(maxBytes, this.#options.elapsed());
    this.#pullsOut.spend(1, this.#options.elapsed());
    this.pullsPut++;
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#pullTimedOut(), this.#options.limits.pullTimeoutMs);
      const sentAtMs = this.#options.elapsed();
      const bytesBefore = this.#packetBytes;
      this.#pull = { requestId, count: wanted.count, maxBytes, sentAtMs, bytesBefore, extensions: 0, timer, settle };
      this.#send({ kind: 'pull', ...wanted, requestId, maxBytes });
    });
  }

  /** Says why where there is a reason to say, then ends the connection. Idempotent. */
  close(reason: ByeReason | null): void {
    if (this.state === 'closed') return;
    const hasWords = reason !== null && this.#hasGreeted;
    if (hasWords) this.#send({ kind: 'bye', reason });
    this.#closed();
    if (!hasWords) {
      this.#gate.destroy();
      return;
    }
    this.#gate.end();
    setTimeout(() => this.#gate.destroy(), 500).unref();
  }

  #pullBudget(): number {
    const { bandwidth, addressBytes, elapsed } = this.#options;
    const ofAddress = Math.floor(addressBytes?.available(elapsed()) ?? Number.POSITIVE_INFINITY);
    return Math.min(
      WIRE.maxAnswerBytes,
      this.#askBytes,
      this.#gate.ingressLeft() - RESERVED_BYTES,
      bandwidth.receivable,
      ofAddress,
    );
  }

  #send(message: Message): void {
    if (this.#message === null || this.state === 'closed' || this.#gate.destroyed) return;
    if (this.#message.send(encodeMessage(message)) || this.#slowTimer !== null) return;
    this.#slowTimer = setTimeout(() => this.#offend('slowReader', ''), this.#options.limits.slowReaderMs);
  }

  #drained(): void {
    if (this.#slowTimer !== null) clearTimeout(this.#slowTimer);
    this.#slowTimer = null;
    const waiting = this.#waitingPull;
    this.#waitingPull = null;
    if (waiting !== null) this.#answer(waiting);
  }

  #onPayload(payload: Buffer): void {
    if (this.state === 'closed') return;
    try {
      const decoded = decodeMessage(payload);
      if (!decoded.ok) this.#offend(decoded.reason, 'message');
      else if (decoded.value.kind === 'bye') this.#onBye(decoded.value);
      else if (this.state === 'greeting') this.#onGreeting(decoded.value);
      else this.#onReadyMessage(decoded.value);
    } catch (error) {
      this.#offend('malformed', describeError(error));
    }
  }

  #onGreeting(message: Message): void {
    if (message.kind !== 'handshake') {
      this.#offend('outOfTurn', message.kind);
      return;
    }
    if (message.minVersion > WIRE.version || message.version < WIRE.minVersion) {
      const which = message.minVersion > WIRE.version ? 'newer' : 'older';
      this.#offend('incompatibleVersion', `${which}: theirs ${String(message.version)}, mine ${String(WIRE.version)}`);
      return;
    }
    const expected = this.#membershipOf(this.#options.connection.remotePublicKey);
    const proven = expected === null || (message.membership !== null && equalBytes(expected, message.membership));
    if (!proven) {
      this.#offend('wrongSecret', '');
      return;
    }
    if (this.#handshakeTimer !== null) clearTimeout(this.#handshakeTimer);
    this.handshake = message;
    this.readyAtMs = this.#options.elapsed();
    this.state = 'ready';
    this.#options.handlers.onReady(this);
  }

  #onReadyMessage(message: Exclude<Message, Bye>): void {
    switch (message.kind) {
      case 'heads': {
        this.#options.handlers.onHeads(this, message.heads);
        return;
      }
      case 'pull': {
        this.#onPull(message);
        return;
      }
      case 'records': {
        this.#onRecords(message);
        return;
      }
      case 'busy': {
        this.#onBusy(message);
        return;
      }
      case 'handshake': {
        this.#offend('outOfTurn', 'handshake');
        return;
      }
    }
  }

  #onPull(pull: Pull): void {
    const nowMs = this.#options.elapsed();
    const { pulls } = this.#options.quotas;
    if (!pulls.take(1, nowMs)) {
      this.#sendBusy(pull, pulls.waitMs(1, nowMs));
      return;
    }
    const { sendable, sendWaitMs } = this.#options.bandwidth;
    if (sendable < WIRE.maxBodyBytes * 2) {
      this.#sendBusy(pull, sendWaitMs);
      return;
    }
    if (this.#slowTimer === null) this.#answer(pull);
    else this.#waitingPull = pull;
  }

  #sendBusy({ requestId }: Pull, retryMs: number): void {
    const hints = this.#options.handlers.hintsFor(this).slice(0, WIRE.maxHints);
    this.#send({ kind: 'busy', requestId, retryMs, hints });
  }

  #answer(pull: Pull): void {
    if (this.state !== 'ready') return;
    const maxBytes = Math.min(pull.maxBytes, this.#options.bandwidth.sendable);
    const records = this.#options.handlers.onPull(this, { ...pull, maxBytes });
    this.#send({ kind: 'records', requestId: pull.requestId, records });
  }

  #onRecords(answer: Records): void {
    const pull = this.#pull;
    if (this.#abandoned.delete(answer.requestId)) return;
    const bytes = answer.records.reduce((sum, record) => sum + record.byteLength + 2, 0);
    const asked = pull !== null && pull.requestId === answer.requestId;
    if (!asked || answer.records.length > pull.count || bytes > pull.maxBytes) {
      this.#offend('unaskedRecords', `${String(answer.records.length)} records`);
      return;
    }
    const tookMs = this.#options.elapsed() - pull.sentAtMs;
    if (tookMs * 4 < this.#options.limits.pullTimeoutMs) this.#askFor(this.#askBytes * 2);
    else if (tookMs * 2 > this.#options.limits.pullTimeoutMs) this.#askFor(this.#askBytes / 2);
    this.latencyMs = this.latencyMs === null ? tookMs : this.latencyMs * 0.8 + tookMs * 0.2;
    this.#options.addressBytes?.spend(bytes, this.#options.elapsed());
    this.#mutePulls = 0;
    this.#abandoned.clear();
    this.#settlePull({ kind: 'records', records: answer.records });
  }

  #onBusy(busy: Busy): void {
    if (this.#pull?.requestId !== busy.requestId) return;
    const retryMs = Math.min(busy.retryMs, this.#options.limits.pullTimeoutMs * 6);
    this.restUntilMs = this.#options.elapsed() + retryMs;
    this.#settlePull({ kind: 'busy', retryMs });
    if (busy.hints.length > 0) this.#options.handlers.onHints(this, busy.hints);
  }

  #onBye(bye: Bye): void {
    this.#options.handlers.onBye(this, bye.reason);
    this.close(null);
  }

  /** All that came over the connection, packets of unfinished messages included. */
  get #packetBytes(): number {
    return this.#options.connection.rawStream.bytesReceived ?? 0;
  }

  #askFor(bytes: number): void {
    this.#askBytes = Math.floor(Math.max(LEAST_ASK_BYTES, Math.min(WIRE.maxAnswerBytes, bytes)));
  }

  /** True when an answer is on its way, and was given more time. */
  #extended(): boolean {
    const pull = this.#pull;
    if (pull === null || pull.extensions >= MAX_EXTENSIONS) return false;
    const bytes = this.#packetBytes;
    if (bytes - pull.bytesBefore < PROGRESS_BYTES) return false;
    pull.extensions++;
    pull.bytesBefore = bytes;
    pull.timer = setTimeout(() => this.#pullTimedOut(), this.#options.limits.pullTimeoutMs);
    return true;
  }

  #pullTimedOut(): void {
    if (this.#extended()) return;
    const { elapsed, limits } = this.#options;
    this.#askFor(this.#askBytes / 2);
    const givenMs = limits.pullTimeoutMs * (1 + (this.#pull?.extensions ?? 0));
    const lateMs = this.#pull === null ? 0 : elapsed() - this.#pull.sentAtMs - givenMs;
    if (this.#pull !== null) this.#abandoned.add(this.#pull.requestId);
    if (lateMs > OWN_STALL_MS) {
      this.#settlePull({ kind: 'closed' });
      return;
    }
    this.#settlePull({ kind: 'silent' });
    this.#mutePulls++;
    if (this.#mutePulls >= this.#options.limits.maxMutePulls) this.#offend('mute', 'no answer to pulls');
  }

  #settlePull(outcome: PullOutcome): void {
    const pull = this.#pull;
    if (pull === null) return;
    this.#pull = null;
    this.#options.bandwidth.release(pull.maxBytes);
    this.#options.addressBytes?.spend(-pull.maxBytes, this.#options.elapsed());
    clearTimeout(pull.timer);
    pull.settle(outcome);
  }

  #offend(reason: RejectionReason, detail: string): void {
    if (this.state === 'closed') return;
    this.#options.handlers.onOffence(this, reason, detail);
    this.close(BYE_FOR[reason] ?? 'misbehaved');
  }

  /** MAC over the handshake of this very connection and the key of the side that sends it. */
  #membershipOf(publicKey: Buffer): Buffer | null {
    const { secretKey, connection } = this.#options;
    return secretKey === null ? null : mac('membership', secretKey, connection.handshakeHash, publicKey);
  }

  #closed(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    if (this.#handshakeTimer !== null) clearTimeout(this.#handshakeTimer);
    if (this.#halfOpenTimer !== null) clearTimeout(this.#halfOpenTimer);
    this.#drained();
    this.#settlePull({ kind: 'closed' });
    this.#options.handlers.onClosed(this);
  }
}

const BYE_FOR: Partial<Record<RejectionReason, ByeReason>> = {
  incompatibleVersion: 'incompatibleVersion',
  wrongSecret: 'wrongSecret',
  mute: 'mute',
  slowReader: 'mute',
};
