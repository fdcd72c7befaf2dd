/**
 * What one peer may send here and ask for, however often it connects: kept by key for longer than a connection, since a new
 * connection must be no new quota. Knows no connection.
 */
import { WIRE } from '../limits.ts';
import type { SwarmLimits } from '../limits.ts';
import { RateLimit } from './rate.ts';

export type QuotaLimits = Pick<
  SwarmLimits,
  'messagesPerSecond' | 'messageBurst' | 'bytesPerMinute' | 'pullsPerSecond' | 'pullBurst' | 'headsPerRound'
>;

export class PeerQuotas {
  readonly messages: RateLimit;
  readonly bytes: RateLimit;
  /** Pulls that are answered. */
  readonly pulls: RateLimit;
  /** Signatures of gossiped heads that this node checks. */
  readonly heads: RateLimit;

  constructor(limits: QuotaLimits, nowMs: number) {
    this.messages = new RateLimit(limits.messagesPerSecond, limits.messageBurst, nowMs);
    this.bytes = new RateLimit(limits.bytesPerMinute / 60, limits.bytesPerMinute, nowMs);
    this.pulls = new RateLimit(limits.pullsPerSecond, limits.pullBurst, nowMs);
    this.heads = new RateLimit(limits.headsPerRound, WIRE.maxHeads, nowMs);
  }
}
