/**
 * The few members of the Holepunch packages that this folder uses; none of them ships types.
 * Versions read: hyperswarm 4.17.2, hyperdht 6.34.0, protomux 3.12.1, compact-encoding 3.5.2, sodium-native 5.1.0.
 */
declare module 'sodium-native' {
  export const crypto_sign_SEEDBYTES: number;
  export const crypto_sign_PUBLICKEYBYTES: number;
  export const crypto_sign_SECRETKEYBYTES: number;
  export const crypto_sign_BYTES: number;
  export function crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void;
  export function crypto_sign_detached(signature: Buffer, message: Buffer, secretKey: Buffer): void;
  export function crypto_sign_verify_detached(signature: Buffer, message: Buffer, publicKey: Buffer): boolean;
  export function crypto_generichash(output: Buffer, input: Buffer, key?: Buffer): void;
  export function randombytes_buf(output: Buffer): void;
  export function sodium_memcmp(a: Buffer, b: Buffer): boolean;
  export const crypto_pwhash_SALTBYTES: number;
  export const crypto_pwhash_ALG_ARGON2ID13: number;
  export function crypto_pwhash(
    output: Buffer,
    password: Buffer,
    salt: Buffer,
    passes: number,
    memoryBytes: number,
    algorithm: number,
  ): void;
  /** In a thread of the pool. */
  export function crypto_pwhash_async(
    output: Buffer,
    password: Buffer,
    salt: Buffer,
    passes: number,
    memoryBytes: number,
    algorithm: number,
  ): Promise<void>;
}

declare module 'hyperdht' {
  import type { EventEmitter } from 'node:events';
  export interface DhtKeyPair {
    publicKey: Buffer;
    secretKey: Buffer;
  }
  export interface DhtAddress {
    host: string;
    port: number;
  }
  export interface DhtOptions {
    bootstrap?: DhtAddress[];
    host?: string;
    port?: number;
    ephemeral?: boolean;
    firewalled?: boolean;
    /** ms without a packet out after which an empty one goes. */
    connectionKeepAlive?: number;
    /** Ask at once whether others get through; default true. */
    quickFirewall?: boolean;
    keyPair?: DhtKeyPair;
  }
  /** An encrypted, authenticated, message-framed duplex stream between two keys. */
  export interface NoiseStream extends EventEmitter {
    readonly publicKey: Buffer;
    readonly remotePublicKey: Buffer;
    readonly handshakeHash: Buffer;
    readonly isInitiator: boolean;
    readonly destroyed: boolean;
    /** Of whole frames, cipher included. */
    readonly rawBytesRead: number;
    /** Null until it is open, which the type leaves out. Counts include packet headers. */
    readonly rawStream: {
      remoteHost: string | null;
      remotePort: number | null;
      bytesReceived?: number;
      bytesTransmitted?: number;
      on(event: 'data', listener: (part: Buffer) => void): unknown;
    };
    userData: unknown;
    write(frame: Buffer): boolean;
    end(): void;
    pause(): void;
    resume(): void;
    destroy(error?: Error): void;
  }
  export interface ConnectOptions {
    keyPair?: DhtKeyPair;
    /** Asked first. */
    relayAddresses?: DhtAddress[] | null;
    /** Key of a node that speaks blind-relay, tried beside punching a hole. */
    relayThrough?: Buffer | null;
    /** False: no attempt over the local network. */
    localConnection?: boolean;
    fastOpen?: boolean;
    /** Asked before a hole is punched. */
    holepunch?: () => boolean;
  }
  export interface ServerOptions {
    /** True refuses. */
    firewall?: (remotePublicKey: Buffer) => boolean;
    shareLocalAddress?: boolean;
    holepunch?: false | (() => boolean);
  }
  export interface DhtServer {
    listen(keyPair: DhtKeyPair): Promise<unknown>;
    close(): Promise<void>;
  }
  /** A UDX stream, before anything is spoken on it. */
  export interface RawStream extends EventEmitter {
    readonly id: number;
    readonly bytesReceived: number;
    connect(socket: unknown, remoteId: number, port: number, host: string): void;
    /** From now on what arrives goes out of that one, in the native code. */
    relayTo(other: RawStream): void;
    destroy(): void;
  }
  export default class HyperDHT {
    constructor(options?: DhtOptions);
    readonly online: boolean;
    /** True until other nodes have reached it unasked. */
    readonly firewalled: boolean;
    /** As most other nodes see it lately; port 0 where they differ about it. */
    readonly host: string | null;
    readonly port: number;
    readonly nodes: { length: number };
    connect(publicKey: Buffer, options?: ConnectOptions): NoiseStream;
    /** Resolves once it has its sockets. */
    bind(): Promise<void>;
    createServer(options: ServerOptions, onConnection: (connection: NoiseStream) => void): DhtServer;
    /** `firewall` is asked at the first packet from anywhere; false lets it in. */
    createRawStream(options: {
      framed: boolean;
      firewall: (socket: unknown, port: number, host: string) => boolean;
    }): RawStream;
    /** True where other nodes see another port each. */
    readonly randomized: boolean;
    /** Of the socket that takes connections; null before `bind`. */
    localAddress(): DhtAddress | null;
    fullyBootstrapped(): Promise<void>;
    destroy(options?: { force?: boolean }): Promise<void>;
  }
}

declare module 'hyperdht/testnet.js' {
  import type HyperDHT from 'hyperdht';
  import type { DhtAddress } from 'hyperdht';
  export interface Testnet {
    readonly nodes: HyperDHT[];
    readonly bootstrap: DhtAddress[];
    destroy(): Promise<void>;
  }
  export default function createTestnet(
    size: number,
    options?: { host?: string; port?: number; bootstrap?: DhtAddress[] },
  ): Promise<Testnet>;
}

declare module 'hyperswarm' {
  import type { EventEmitter } from 'node:events';
  import type HyperDHT from 'hyperdht';
  import type { DhtKeyPair, NoiseStream } from 'hyperdht';
  export interface PeerInfo {
    readonly publicKey: Buffer;
    /** False stops this process from dialling the peer again. */
    reconnect(again: boolean): void;
    ban(isBanned: boolean): void;
  }
  export interface TopicSession {
    flushed(): Promise<boolean>;
    refresh(): Promise<boolean>;
    destroy(): Promise<void>;
  }
  export default class Hyperswarm extends EventEmitter {
    constructor(options: {
      keyPair: DhtKeyPair;
      dht: HyperDHT;
      maxPeers: number;
      maxParallel?: number;
      /** Asked for each connection; `force` after an attempt without a relay failed. */
      relayThrough?: (force: boolean | undefined) => Buffer | null;
      /** True refuses, and bans: see the event. `payload` is null where this node dials. */
      firewall?: (remotePublicKey: Buffer, payload: unknown) => boolean;
    });
    /** It dials while it has fewer connections than that, whoever opened them; read anew each time. */
    maxPeers: number;
    readonly dht: HyperDHT;
    readonly server: { refresh(): void };
    readonly connections: Set<NoiseStream>;
    on(event: 'connection', listener: (connection: NoiseStream, info: PeerInfo) => void): this;
    on(event: 'ban', listener: (info: PeerInfo) => void): this;
    on(event: 'update', listener: () => void): this;
    join(topic: Buffer, options: { server: boolean; client: boolean }): TopicSession;
    joinPeer(publicKey: Buffer): void;
    leavePeer(publicKey: Buffer): void;
    suspend(): Promise<void>;
    resume(): Promise<void>;
    destroy(options?: { force?: boolean }): Promise<void>;
  }
}

declare module 'protomux' {
  import type { EventEmitter } from 'node:events';
  export interface MuxStream extends EventEmitter {
    userData: unknown;
    readonly destroyed: boolean;
    write(frame: Buffer): boolean;
    end(): void;
    pause(): void;
    resume(): void;
    destroy(error?: Error): void;
  }
  export interface MuxMessage {
    /** False when the stream asks to wait for `ondrain`. */
    send(payload: Buffer): boolean;
  }
  export interface MuxChannel {
    readonly opened: boolean;
    readonly closed: boolean;
    addMessage(options: { encoding: unknown; autoBatch: boolean; onmessage: (payload: Buffer) => void }): MuxMessage;
    open(): void;
    close(): void;
  }
  export default class Protomux {
    constructor(stream: MuxStream);
    createChannel(options: {
      protocol: string;
      id: Buffer;
      onopen: () => void;
      onclose: () => void;
      ondrain: () => void;
    }): MuxChannel | null;
    destroy(error?: Error): void;
  }
}

declare module 'compact-encoding' {
  /** Length is that of the frame; bytes are passed through as they are. */
  export const raw: unknown;
}
