/**
 * Preloaded (`node --import`, and through NODE_OPTIONS into every child) into each test process: any attempt to resolve a
 * name, connect or send outside this machine throws, and the process ends with a failure even if somebody caught the error.
 * Covers TCP (net, tls, http, fetch, ws), UDP (dgram), DNS, and UDX, the native transport of hyperdht and hyperswarm.
 * Allowed: loopback, and this machine's own addresses (packets to them never leave it; hyperdht tries them as a shortcut).
 * Not covered: native code that opens sockets of its own, and programs that are not Node (Chromium gets its own flags).
 */
import dgram from 'node:dgram';
import dns from 'node:dns';
import { createRequire, syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

/** The product refuses, too, what is under this guard, whatever runs it (src-main/swarm/overlay/confinement.ts). */
process.env['WAGGLE_LOCAL_NETWORK_ONLY'] = '1';

export class NetworkForbiddenError extends Error {
  readonly code = 'WAGGLE_NETWORK_FORBIDDEN';
  constructor(act: string, target: string) {
    super(
      `Tests may not leave this machine: ${act} ${target}. ` +
        'Use 127.0.0.1, and give every DHT and swarm its own bootstrap (hyperdht/testnet).',
    );
    this.name = 'NetworkForbiddenError';
  }
}

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

let ownAddresses = readOwnAddresses();
function readOwnAddresses(): Set<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)));
}

/** True for loopback, the unspecified address (a peer on it is this machine), our own addresses, and `localhost`. */
export function staysHere(host: string): boolean {
  const address = host
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/%.*$/, '')
    .replace(/^::ffff:/, '');
  if (address === 'localhost' || address.endsWith('.localhost')) return true;
  if (net.isIP(address) === 0) return false;
  if (/^127\./.test(address) || ['::1', '0.0.0.0', '::'].includes(address)) return true;
  if (ownAddresses.has(address)) return true;
  ownAddresses = readOwnAddresses();
  return ownAddresses.has(address);
}

function forbid(act: string, target: string): never {
  const error = new NetworkForbiddenError(act, target);
  // Swallowed errors must fail the test too.
  process.exitCode = 1;
  process.once('exit', () => {
    process.exitCode = 1;
  });
  process.stderr.write(`${error.stack ?? error.message}\n`);
  throw error;
}

/** Puts a check before the method `name` of `owner`. */
function guard(owner: object, name: string, check: (args: unknown[], self: unknown) => void): void {
  const original = Reflect.get(owner, name) as AnyFunction | undefined;
  if (typeof original !== 'function') throw new Error(`network-guard: there is no ${name} to guard`);
  const guarded: AnyFunction = function (...args) {
    check(args, this);
    return original.apply(this, args);
  };
  Object.defineProperties(guarded, Object.getOwnPropertyDescriptors(original));
  Reflect.set(owner, name, guarded);
}

function checkHost(act: string, host: unknown, port?: unknown): void {
  if (typeof host !== 'string' || host === '' || staysHere(host)) return;
  forbid(act, typeof port === 'number' || typeof port === 'string' ? `${host}:${String(port)}` : host);
}

function guardTcp(): void {
  guard(net.Socket.prototype, 'connect', ([first, second]) => {
    // net.connect hands over its normalised argument list as one array.
    const [target, host] = Array.isArray(first) ? (first as unknown[]) : [first, second];
    if (typeof target === 'object' && target !== null) {
      const options = target as { host?: unknown; port?: unknown; path?: unknown };
      if (typeof options.path !== 'string') checkHost('TCP connection to', options.host, options.port);
    } else checkHost('TCP connection to', host, target);
  });
}

/** Host of `send(message[, offset, length][, port][, host][, callback])`: the last string after the message. */
function guardUdp(): void {
  guard(dgram.Socket.prototype, 'send', (args) => {
    checkHost(
      'UDP packet to',
      args.slice(1).find((argument) => typeof argument === 'string'),
    );
  });
  guard(dgram.Socket.prototype, 'connect', (args) => checkHost('UDP connection to', args[1], args[0]));
  guard(dgram.Socket.prototype, 'addMembership', (args) => forbid('joining the multicast group', String(args[0])));
}

function guardDns(): void {
  const lookups = ['lookup', 'resolve', 'resolve4', 'resolve6', 'resolveAny', 'resolveSrv', 'resolveTxt', 'reverse'];
  for (const name of lookups) {
    for (const owner of [dns, dns.promises, dns.Resolver.prototype, dns.promises.Resolver.prototype]) {
      if (!(name in owner)) continue;
      guard(owner, name, ([host]) => {
        if (typeof host === 'string' && host !== '' && !staysHere(host)) forbid('DNS lookup of', host);
      });
    }
  }
}

/** UDX sends from native code; its thin JavaScript classes are the last place to look. */
function guardUdx(): void {
  const require = createRequire(import.meta.url);
  const socket = (require('udx-native/lib/socket') as { prototype: object }).prototype;
  const stream = (require('udx-native/lib/stream') as { prototype: object }).prototype;
  const udx = (require('udx-native') as { prototype: object }).prototype;
  guard(socket, 'send', (args) => checkHost('UDX packet to', args[2], args[1]));
  guard(socket, 'trySend', (args) => checkHost('UDX packet to', args[2], args[1]));
  guard(socket, 'addMembership', (args) => forbid('joining the multicast group', String(args[0])));
  guard(stream, 'connect', (args) => checkHost('UDX stream to', args[3], args[2]));
  guard(stream, 'changeRemote', (args) => checkHost('UDX stream to', args[3], args[2]));
  guard(udx, 'lookup', ([host]) => checkHost('DNS lookup of', host));
}

/** Children inherit the guard by NODE_OPTIONS; a path is quoted because it may hold spaces. */
function guardChildren(): void {
  const flag = `--import=${JSON.stringify(fileURLToPath(import.meta.url))}`;
  const options = process.env['NODE_OPTIONS'] ?? '';
  if (!options.includes('network-guard')) process.env['NODE_OPTIONS'] = `${options} ${flag}`.trim();
}

// A preload and a test that imports this file may both run it; the guards go in once a thread.
const marker = Symbol.for('waggle.network-guard');
if (!Reflect.has(globalThis, marker)) {
  Reflect.set(globalThis, marker, true);
  guardTcp();
  guardUdp();
  guardDns();
  guardUdx();
  syncBuiltinESMExports();
  process.env['WAGGLE_LOOPBACK_ONLY'] = '1';
  if (isMainThread) guardChildren();
}
