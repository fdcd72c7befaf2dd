/** The guard itself, tried by hostile scripts in processes of their own; addresses are of RFC 5737 and RFC 6761. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { sourceFiles, root } from './imports.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { staysHere } from '../../network-guard.ts';

const guard = fileURLToPath(new URL('../../network-guard.ts', import.meta.url));

function runGuarded(script: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const args = ['--import', guard, '--input-type=module', '--eval', script];
    const child = spawn(process.execPath, args, { cwd: root, timeout: 30_000 });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
}

const require = "import { createRequire } from 'node:module'; const require = createRequire(process.cwd() + '/');";
const escapes: Record<string, string> = {
  'a TCP connection': "import net from 'node:net'; try { net.connect(80, '192.0.2.1') } catch {}",
  'a TCP connection by name':
    "import net from 'node:net'; try { net.connect({ host: 'x.invalid', port: 80 }) } catch {}",
  'an HTTP request': "import http from 'node:http'; try { http.get('http://192.0.2.1/') } catch {}",
  fetch: "await fetch('http://192.0.2.1/').catch(() => {})",
  'a DNS lookup by named import':
    "import { lookup } from 'node:dns/promises'; try { await lookup('x.invalid') } catch {}",
  'a UDP packet':
    "import dgram from 'node:dgram'; const s = dgram.createSocket('udp4'); try { s.send('x', 9, '192.0.2.1') } catch {} s.close()",
  'a DHT with the public bootstrap': `${require} const D = require('hyperdht'); const d = new D(); await d.fullyBootstrapped().catch(() => {}); await d.destroy({ force: true })`,
  'a child process':
    "import { execFileSync } from 'node:child_process'; try { execFileSync(process.execPath, ['-e', \"fetch('http://192.0.2.1/').catch(() => {})\"]) } catch { process.exitCode = 1 }",
};
for (const [what, script] of Object.entries(escapes)) {
  test(`${what} that leaves this machine fails the process even when the error is caught`, async () => {
    const { code, stderr } = await runGuarded(script);
    assert.match(stderr, /WAGGLE_NETWORK_FORBIDDEN|Tests may not leave this machine/);
    assert.equal(code, 1);
  });
}

test('loopback works: TCP, UDP, names, and a DHT of one’s own', async () => {
  const { code, stdout, stderr } = await runGuarded(`${require}
    import net from 'node:net'; import dgram from 'node:dgram'; import { once } from 'node:events';
    const server = net.createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1'); await once(server, 'listening');
    const socket = net.connect(server.address().port, 'localhost'); await once(socket, 'data'); server.close();
    const udp = dgram.createSocket('udp4'); udp.bind(0, '127.0.0.1'); await once(udp, 'listening');
    udp.send('x', udp.address().port, '127.0.0.1'); await once(udp, 'message'); udp.close();
    const testnet = await require('hyperdht/testnet')(3); await testnet.destroy();
    console.log('all well');`);
  assert.equal(stderr, '');
  assert.equal(stdout, 'all well\n');
  assert.equal(code, 0);
});

test('what counts as this machine', () => {
  for (const host of ['127.0.0.1', '127.8.8.8', '::1', '[::1]', 'localhost', '0.0.0.0', '::ffff:127.0.0.1']) {
    assert.equal(staysHere(host), true, host);
  }
  const outside = [
    '192.0.2.1',
    '8.8.8.8',
    '127.0.0.1.example.org',
    'localhost.example.org',
    'example.org',
    '2001:db8::1',
    '224.0.0.251',
  ];
  for (const host of outside) assert.equal(staysHere(host), false, host);
});

test('every DHT and swarm in the sources is told its bootstrap or is given a DHT', () => {
  const makers = /new (HyperDHT|Hyperswarm|DHT)\(([^)]*)\)/g;
  const careless = [...sourceFiles('src-main'), ...sourceFiles('test')]
    .filter((path) => !path.endsWith('network-guard.test.ts'))
    .flatMap((path) => {
      const text = readFileSync(join(root, path), 'utf8');
      return [...text.matchAll(makers)].map(([call, , args = '']) => ({ path, call, args }));
    })
    .filter(({ args }) => !/bootstrap|dht|options|\.\.\./i.test(args));
  assert.deepEqual(careless, []);
});
