/**
 * The DHT node of a swarm: HyperDHT, which in addition dials peers of the local network at the address they were heard from.
 */
import HyperDHT from 'hyperdht';
import type { ConnectOptions, DhtAddress, NoiseStream } from 'hyperdht';
import { toHex } from '../identity/crypto.ts';
import { RecentMap } from '../recent.ts';

const MAX_LAN_PEERS = 64;

export class DhtNode extends HyperDHT {
  readonly #lan = new RecentMap<DhtAddress>(MAX_LAN_PEERS);

  /** From now on this peer is asked at this address first. */
  noteLanAddress(publicKey: Buffer, address: DhtAddress): void {
    this.#lan.set(toHex(publicKey), address);
  }

  override connect(publicKey: Buffer, options: ConnectOptions = {}): NoiseStream {
    const near = this.#lan.get(toHex(publicKey));
    if (near === undefined) return super.connect(publicKey, options);
    return super.connect(publicKey, { ...options, relayAddresses: [near, ...(options.relayAddresses ?? [])] });
  }
}
