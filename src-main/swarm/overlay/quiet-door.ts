/**
 * What the accepting side of a connection holds back in a private swarm: everything, until whoever dialled has opened the
 * channel of the right topic and proven membership in the first two frames. So a stranger who dials a member learns neither
 * topic nor a MAC to try guesses on, nor that this is a member. Frames have passed the gate; knows nothing of links.
 */
import { decodeMessage } from '../codec/messages.ts';
import { equalBytes } from '../identity/crypto.ts';
import { WIRE } from '../limits.ts';
import type { RejectionReason } from '../records/rejections.ts';

/** Protomux: control session, kind open. */
const OPEN = [0, 1];
const CHANNEL_AT = 2;

export class QuietDoor {
  readonly #topic: Buffer;
  /** What the other side must send. */
  readonly #membership: Buffer;
  #opening: Buffer | null = null;

  constructor(topic: Buffer, membership: Buffer) {
    this.#topic = topic;
    this.#membership = membership;
  }

  /** The frames that may go on now, none while there is one to wait for, or why the connection ends. */
  take(frame: Buffer): readonly Buffer[] | RejectionReason {
    if (this.#opening === null) {
      const channel = frame[CHANNEL_AT] ?? 0;
      if (!equalBytes(frame, this.#openFrame(channel))) return 'wrongSecret';
      this.#opening = Buffer.from(frame);
      return [];
    }
    if (frame[0] !== this.#opening[CHANNEL_AT]) return 'outOfTurn';
    const message = decodeMessage(frame.subarray(2));
    if (!message.ok) return message.reason;
    if (message.value.kind !== 'handshake') return message.value.kind === 'bye' ? 'wrongSecret' : 'outOfTurn';
    const { membership } = message.value;
    const isProven = membership !== null && equalBytes(membership, this.#membership);
    return isProven ? [this.#opening, frame] : 'wrongSecret';
  }

  #openFrame(channel: number): Buffer {
    const name = Buffer.from(WIRE.protocolName, 'utf8');
    const { byteLength } = this.#topic;
    return Buffer.from([...OPEN, channel, name.byteLength, ...name, byteLength, ...this.#topic]);
  }
}
