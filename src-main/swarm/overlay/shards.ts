/**
 * Large swarms meet on several topics, since one topic lives on some twenty DHT nodes only. A node announces itself on the
 * shard its key falls into, and looks up two more: the next one, which closes a ring through all shards, and one at random.
 * With one shard it is the swarm's own topic. Records are relayed, so they cross shards all the same.
 */
import { hash } from '../identity/crypto.ts';

export interface ShardTopic {
  topic: Buffer;
  /** Announced on, or looked up only. */
  announce: boolean;
}

export function shardOf(publicKey: Uint8Array, shardCount: number): number {
  return Number(hash('shard', publicKey).readBigUInt64LE(0) % BigInt(shardCount));
}

/** Home shard first. `random` is uniform in [0, 1). */
export function shardTopics(
  swarmTopic: Buffer,
  publicKey: Uint8Array,
  shardCount: number,
  random: () => number,
): ShardTopic[] {
  if (shardCount <= 1) return [{ topic: swarmTopic, announce: true }];
  const home = shardOf(publicKey, shardCount);
  const others = new Set([(home + 1) % shardCount, Math.floor(random() * shardCount)]);
  others.delete(home);
  return [home, ...others].map((shard) => ({ topic: topicOf(swarmTopic, shard), announce: shard === home }));
}

function topicOf(swarmTopic: Buffer, shard: number): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(shard);
  return hash('shard', swarmTopic, number);
}
