/**
 * What a swarm is, as a signed note anybody may pass on: name, tasks, limits, shards, and whether a secret is needed (its hash;
 * never the secret). The id, a hash of all its bytes, is where its members meet: another creator, version or limit is
 * another swarm. Layout in PROTOCOL.md. Knows nothing of links or files.
 */
import { safeLine } from '../../base/sanitise-text.ts';
import { hash, HASH_BYTES, isSignedBy, PUBLIC_KEY_BYTES, sign, SIGNATURE_BYTES, toHex } from '../identity/crypto.ts';
import type { KeyPair } from '../identity/crypto.ts';
import { WIRE } from '../limits.ts';
import { ByteReader, ByteWriter, fault } from './bytes.ts';
import type { Decoded } from './bytes.ts';

export const DESCRIPTION = { version: 1, maxNameBytes: 64, maxShards: 4096, maxBytes: 512 } as const;

export interface SwarmTerms {
  /** One visible line. */
  name: string;
  /** Task set its members practise, and its version. */
  taskSet: string;
  taskSetVersion: number;
  /** Version of the wire protocol it was made for. */
  protocol: number;
  /** Rounds behind its origin's newest after which a record is refused. */
  maxRoundAge: number;
  /** Topics its members spread over; 1 for all but the largest. */
  shardCount: number;
}

export interface SwarmDescription extends SwarmTerms {
  /** 64 hex digits. */
  id: string;
  /** Hash of the secret; null where everybody may enter. */
  secretHash: Buffer | null;
  creator: Buffer;
  /** The creator's clock, ms since epoch. */
  createdAt: number;
  bytes: Buffer;
}

export function secretHashOf(secret: string): Buffer {
  return hash('swarmSecret', secret);
}

/** Throws a RangeError on terms out of bounds; `parseTerms` of the caller's own input comes first. */
export function signDescription(
  terms: SwarmTerms & { createdAt: number; secret: string | null },
  keys: KeyPair,
): SwarmDescription {
  if (terms.shardCount < 1 || terms.shardCount > DESCRIPTION.maxShards)
    throw new RangeError(`${String(terms.shardCount)} shards, 1 to ${String(DESCRIPTION.maxShards)}`);
  const out = new ByteWriter()
    .u8(DESCRIPTION.version)
    .text(safeLine(terms.name, DESCRIPTION.maxNameBytes), DESCRIPTION.maxNameBytes)
    .text(terms.taskSet, DESCRIPTION.maxNameBytes)
    .u16(terms.taskSetVersion)
    .u16(terms.protocol)
    .u16(terms.maxRoundAge)
    .u16(terms.shardCount)
    .u8(terms.secret === null ? 0 : 1);
  if (terms.secret !== null) out.raw(secretHashOf(terms.secret));
  const unsigned = out.u53(terms.createdAt).fixed(keys.publicKey, PUBLIC_KEY_BYTES).bytes();
  const bytes = Buffer.concat([unsigned, sign('swarm', unsigned, keys.secretKey)]);
  const decoded = decodeDescription(bytes);
  if (!decoded.ok) throw new RangeError(`a description that cannot be read back: ${decoded.reason}`);
  return decoded.value;
}

/** Signature included: what decodes was signed by its creator. */
export function decodeDescription(input: Uint8Array): Decoded<SwarmDescription> {
  if (input.byteLength > DESCRIPTION.maxBytes) return fault('oversize');
  const reader = new ByteReader(input);
  const version = reader.u8();
  if (reader.failed === null && version !== DESCRIPTION.version) return fault('unknownVersion');
  const name = reader.text(DESCRIPTION.maxNameBytes);
  const taskSet = reader.text(DESCRIPTION.maxNameBytes);
  if (name !== safeLine(name, DESCRIPTION.maxNameBytes) || name === '') reader.fail('badText');
  if (!/^[\w.-]+$/.test(taskSet)) reader.fail('badText');
  const taskSetVersion = reader.u16();
  const protocol = reader.u16();
  const maxRoundAge = reader.u16();
  const shardCount = reader.bounded(reader.u16(), DESCRIPTION.maxShards);
  if (shardCount === 0 || maxRoundAge === 0) reader.fail('malformed');
  const secretHash = reader.bounded(reader.u8(), 1) === 1 ? reader.fixed(HASH_BYTES) : null;
  const createdAt = reader.u53();
  const creator = reader.fixed(PUBLIC_KEY_BYTES);
  const signature = reader.fixed(SIGNATURE_BYTES);
  if (!reader.finished()) return fault(reader.failed ?? 'malformed');
  const bytes = Buffer.from(input);
  if (!isSignedBy('swarm', bytes.subarray(0, -SIGNATURE_BYTES), signature, creator)) return fault('malformed');
  const terms = { name, taskSet, taskSetVersion, protocol, maxRoundAge, shardCount };
  return { ok: true, value: { ...terms, secretHash, creator, createdAt, bytes, id: toHex(hash('swarm', bytes)) } };
}

/** What this node can do, to compare a description with. */
export interface Abilities {
  /** Task set name -> version. */
  taskSets: Readonly<Record<string, number>>;
}
export interface Misfit {
  reason: 'newerProtocol' | 'olderProtocol' | 'unknownTaskSet' | 'newerTaskSet' | 'olderTaskSet';
  message: string;
  fix: string;
}

const UPDATE = 'Update Waggle, then join again.';

/** Null when this node can take part. */
export function misfitOf(description: SwarmTerms, abilities: Abilities): Misfit | null {
  const { protocol, taskSet, taskSetVersion } = description;
  if (protocol > WIRE.version) {
    const message = `This swarm speaks version ${String(protocol)} of the protocol, this Waggle ${String(WIRE.version)}.`;
    return { reason: 'newerProtocol', message, fix: UPDATE };
  }
  if (protocol < WIRE.minVersion) {
    const message = `This swarm speaks version ${String(protocol)} of the protocol, which this Waggle has left behind.`;
    return { reason: 'olderProtocol', message, fix: 'Ask whoever made it for an invite to a newer one.' };
  }
  const mine = Object.hasOwn(abilities.taskSets, taskSet) ? abilities.taskSets[taskSet] : undefined;
  if (mine === undefined)
    return { reason: 'unknownTaskSet', message: `This Waggle does not know the task set "${taskSet}".`, fix: UPDATE };
  if (mine === taskSetVersion) return null;
  const versions = `version ${String(taskSetVersion)} of "${taskSet}", this Waggle has version ${String(mine)}`;
  if (mine < taskSetVersion)
    return { reason: 'newerTaskSet', message: `This swarm practises ${versions}.`, fix: UPDATE };
  const fix = 'Ask whoever made it for an invite to a newer one, or make one: `waggle swarm create`.';
  return { reason: 'olderTaskSet', message: `This swarm practises ${versions}.`, fix };
}
