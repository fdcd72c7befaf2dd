/**
 * A peer that speaks by hand: it dials a node by key and writes whatever frames it likes, valid or not. Nothing here goes
 * through the product's own link, gate or Protomux, so that tests can send what those would never send.
 */
import HyperDHT from 'hyperdht';
import type { NoiseStream } from 'hyperdht';
import type { TestContext } from 'node:test';
import { CAPABILITY, decodeMessage, encodeMessage } from '../../src-main/swarm/codec/messages.ts';
import type { Message } from '../../src-main/swarm/codec/messages.ts';
import { packBody } from '../../src-main/swarm/codec/body.ts';
import { signRecord } from '../../src-main/swarm/codec/record.ts';
import type { PackedBody } from '../../src-main/swarm/codec/body.ts';
import { mac, randomBytes, toHex } from '../../src-main/swarm/identity/crypto.ts';
import { swarmTopic } from '../../src-main/swarm/overlay/discovery.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import type { Identity } from '../../src-main/swarm/identity/identity.ts';
import type { ShareableGroup } from '../../src-main/swarm/swarm.ts';
import { atEnd, until } from './local-swarm.ts';
import type { Opened } from './local-swarm.ts';

/** One version of a valid greeting, as the protocol has it. */
export const GREETING: Message = {
  kind: 'handshake',
  version: 1,
  minVersion: 1,
  capabilities: CAPABILITY.generates,
  instanceId: randomBytes(16),
  membership: null,
  relayKey: null,
};

/** A frame of batches in batches: without a gate it overflows the stack of Protomux. */
export function nestedBatches(depth: number): Buffer {
  const bytes = Buffer.alloc(3 + 7 * depth);
  for (let level = 0, at = 3; level < depth; level++, at += 7) {
    bytes[at] = 0xfe;
    bytes.writeUInt32LE(bytes.byteLength - at - 5, at + 1);
  }
  return bytes;
}

export class Stranger {
  readonly identity: Identity;
  readonly received: Message[] = [];
  /** Frames that came, keep-alives left out. */
  frames = 0;
  closed = false;
  /** What it answers to a pull; by default nothing. */
  onPull: ((requestId: number) => Buffer[] | null) | null = null;
  readonly #stream: NoiseStream;
  #always: ((maxBytes: number) => Buffer[]) | null = null;
  #seq = 0;

  constructor(stream: NoiseStream, identity: Identity) {
    this.#stream = stream;
    this.identity = identity;
    stream.on('error', () => undefined);
    stream.on('close', () => (this.closed = true));
    stream.on('data', (frame: Buffer) => this.#onFrame(frame));
  }

  /** What went over the wire, packet headers included. */
  get wire(): { in: number; out: number } {
    const { bytesReceived = 0, bytesTransmitted = 0 } = this.#stream.rawStream;
    return { in: bytesReceived, out: bytesTransmitted };
  }

  get id(): string {
    return this.identity.publicKey;
  }

  frame(bytes: Buffer): void {
    if (!this.#stream.destroyed) this.#stream.write(bytes);
  }

  /** Opens the protocol's channel by hand: control session 0, kind 1, channel, name, id. */
  openChannel(channel = 1, name = 'waggle/swarm', secretKey: Buffer | null = null): void {
    const topic = swarmTopic('test', secretKey);
    const text = Buffer.from(name, 'utf8');
    this.frame(Buffer.concat([Buffer.from([0, 1, channel, text.byteLength]), text, Buffer.from([32]), topic]));
  }

  payload(bytes: Buffer): void {
    this.frame(Buffer.concat([Buffer.from([1, 0]), bytes]));
  }

  send(message: Message): void {
    this.payload(encodeMessage(message));
  }

  /** Proof that it knows the secret. */
  membership(secretKey: Buffer): Buffer {
    const { handshakeHash, publicKey } = this.#stream;
    return mac('membership', secretKey, handshakeHash, publicKey);
  }

  async greet(): Promise<void> {
    this.openChannel();
    this.send(GREETING);
    await until('the node’s greeting', () => this.received.some((message) => message.kind === 'handshake'));
  }

  record(body: PackedBody | ShareableGroup, changes: { round?: number; createdAt?: number } = {}): Buffer {
    const packed = 'bytes' in body ? body : pack(body);
    const { round = 1, createdAt = Date.now() } = changes;
    const fields = { instanceId: Buffer.alloc(16, 9), seq: this.#seq++, round, createdAt, body: packed };
    return signRecord(fields, this.identity.keyPair).bytes;
  }

  /** Answers every pull from now on with what `make` gives for its bytes. */
  serveBytes(make: (maxBytes: number) => Buffer[]): void {
    this.#always = make;
  }

  /** Answers the next pull with these records. */
  serve(records: Buffer[]): void {
    this.onPull = () => records;
  }

  /** Takes nothing any more, and says nothing about it. */
  stopReading(): void {
    this.#stream.pause();
  }

  close(): void {
    this.#stream.destroy();
  }

  #onFrame(frame: Buffer): void {
    if (frame.byteLength > 0) this.frames++;
    if (frame.byteLength < 3 || frame[0] !== 1) return;
    const decoded = decodeMessage(frame.subarray(2));
    if (!decoded.ok) return;
    this.received.push(decoded.value);
    if (decoded.value.kind !== 'pull') return;
    const { requestId, maxBytes } = decoded.value;
    const records = this.onPull?.(requestId) ?? this.#always?.(maxBytes) ?? null;
    if (records === null) return;
    this.onPull = null;
    this.send({ kind: 'records', requestId, records });
  }
}

export function pack(group: ShareableGroup): PackedBody {
  const packed = packBody({ task: group.task, policyName: 'stranger', completions: [...group.completions] });
  if (!packed.ok) throw new Error(packed.reason);
  return packed.value;
}

/** One DHT node for all strangers of a test. */
const dhtNodes = new WeakMap<TestContext, HyperDHT>();
function dhtOf(t: TestContext, target: Opened): HyperDHT {
  const known = dhtNodes.get(t);
  if (known !== undefined) return known;
  const dht = new HyperDHT({ bootstrap: [...(target.options.bootstrap ?? [])], host: '127.0.0.1' });
  dhtNodes.set(t, dht);
  atEnd(t, () => dht.destroy({ force: true }));
  return dht;
}

/** Dials the node by its key, the way any peer that has looked up the topic can. */
export async function dial(
  t: TestContext,
  target: Opened,
  identity = identityFromSeed(randomBytes(32)),
  attempts = 20,
): Promise<Stranger> {
  const dht = dhtOf(t, target);
  const key = Buffer.from(target.options.identity.publicKey, 'hex');
  // The node announces itself a moment after it starts.
  for (let attempt = 0; attempt < attempts; attempt++) {
    const stream = dht.connect(key, { keyPair: identity.keyPair });
    const opened = await new Promise<boolean>((resolve) => {
      stream.on('error', () => resolve(false));
      stream.on('close', () => resolve(false));
      stream.on('open', () => resolve(true));
    });
    if (opened) return new Stranger(stream, identity);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  throw new Error(`could not dial ${toHex(key)}`);
}
