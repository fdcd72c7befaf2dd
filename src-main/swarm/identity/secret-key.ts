/**
 * The key that the secret of a private swarm stands for: stretched by Argon2id, because a typed secret can be guessed and
 * topics, which DHT nodes see, tell a right guess from a wrong one. Salted by what the topic is made of, so that guesses for
 * one swarm say nothing of another. Computed off the event loop; the latest key is kept, since a start asks for it twice.
 */
import sodium from 'sodium-native';
import { WIRE } from '../limits.ts';
import { hash, HASH_BYTES, toHex } from './crypto.ts';

/** What one guess costs. Members agree on it: it is part of the protocol. */
export interface Stretch {
  passes: number;
  memoryBytes: number;
}

let latest: { of: string; key: Promise<Buffer> } | null = null;

/** `name` is that of the topic: a swarm's id, or its name where it has none. Null without a secret. */
export function secretKeyOf(
  name: string,
  secret: string | undefined,
  stretch: Stretch = WIRE.secretStretch,
): Promise<Buffer | null> {
  if (secret === undefined || secret === '') return Promise.resolve(null);
  const of = toHex(hash('secretKey', name, secret, String(stretch.passes), String(stretch.memoryBytes)));
  if (latest?.of !== of) latest = { of, key: stretched(name, secret, stretch) };
  return latest.key;
}

async function stretched(name: string, secret: string, { passes, memoryBytes }: Stretch): Promise<Buffer> {
  const key = Buffer.alloc(HASH_BYTES);
  const salt = Buffer.alloc(sodium.crypto_pwhash_SALTBYTES);
  hash('secretSalt', name).copy(salt);
  const password = Buffer.from(secret, 'utf8');
  await sodium.crypto_pwhash_async(key, password, salt, passes, memoryBytes, sodium.crypto_pwhash_ALG_ARGON2ID13);
  password.fill(0);
  return key;
}
