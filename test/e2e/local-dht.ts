/** A DHT of our own on 127.0.0.1, closed when the file's tests are over. */
// The package has no types; the declarations of the product are the only ones, and tests are another TypeScript project.
// eslint-disable-next-line @typescript-eslint/triple-slash-reference
/// <reference path="../../src-main/swarm/vendor.d.ts" />
import { createSocket } from 'node:dgram';
import createTestnet from 'hyperdht/testnet.js';
import { atEnd } from './local-node.ts';

/** @returns its bootstrap nodes as the option `--bootstrap` takes them */
export async function startDht(port = 0): Promise<string> {
  const dht = await createTestnet(4, { host: '127.0.0.1', port });
  atEnd(() => dht.destroy());
  return dht.bootstrap.map(({ host, port: at }) => `${host}:${at}`).join(',');
}

/** A UDP port of 127.0.0.1 that nobody listens on. */
export async function closedPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}
