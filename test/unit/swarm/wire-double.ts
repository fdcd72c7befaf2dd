/** A connection that is a double: frames are handed to a link by hand, what it writes is counted. */
import { EventEmitter } from 'node:events';
import { keyPairFromSeed } from '../../../src-main/swarm/identity/crypto.ts';

/** What a link needs of a Noise stream; frames are handed to it by hand. */
export class WireDouble extends EventEmitter {
  readonly publicKey = keyPairFromSeed(Buffer.alloc(32, 3)).publicKey;
  readonly remotePublicKey = keyPairFromSeed(Buffer.alloc(32, 4)).publicKey;
  readonly handshakeHash = Buffer.alloc(64, 1);
  readonly rawStream = Object.assign(new EventEmitter(), {
    remoteHost: '127.0.0.1',
    remotePort: 4000,
    bytesReceived: 0,
  });
  readonly isInitiator = true;
  rawBytesRead = 0;
  userData: unknown = null;
  destroyed = false;
  written = 0;
  /** False: whatever is written fills up, and nobody takes it. */
  takes = true;
  onWrite: ((frame: Buffer) => void) | null = null;
  write(frame: Buffer): boolean {
    this.written++;
    this.onWrite?.(frame);
    return this.takes;
  }
  end(): void {
    this.destroy();
  }
  pause(): void {
    // nothing to hold back
  }
  resume(): void {
    // nothing was held back
  }
  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.emit('close');
  }
}
