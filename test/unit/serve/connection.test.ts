import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ApiFault, LogRow } from '../../../src-main/engine/api.ts';
import { parseClientFrame } from '../../../src-main/engine/serve/wire.ts';
import { createFakeNode, exampleState, exampleStatus } from './fake-node.ts';
import { ask, bearer, closeCode, nextFrame, openSocket, serveForTest, until } from './harness.ts';

const statusCall = JSON.stringify({ id: 1, call: 'status', args: null });
const logRow = (message: string): LogRow => ({ at: 1, level: 'info', source: 'engine', message });

test('a call is answered by its id, with or without arguments', async (t) => {
  const { port, node } = await serveForTest(t, {}, createFakeNode({ pause: () => exampleState('paused') }));
  const socket = await openSocket(port, bearer);
  assert.deepEqual(await ask(socket, statusCall), { id: 1, result: exampleStatus() });
  assert.deepEqual(await ask(socket, '{"id":2,"call":"pause"}'), { id: 2, result: exampleState('paused') });
  assert.deepEqual(
    node.calls.map(({ name }) => name),
    ['status', 'pause'],
  );
  socket.close();
});

test('a browser gets in by cookie and own Origin; by cookie alone, another Origin or no credential it does not', async (t) => {
  const { port, cookie } = await serveForTest(t);
  const own = `http://127.0.0.1:${port}`;
  const socket = await openSocket(port, { cookie, origin: own });
  assert.equal(((await ask(socket, statusCall)) as { id: number }).id, 1);
  socket.close();
  const refusals: [Record<string, string>, string, string?][] = [
    [{ cookie }, '403'],
    [{ cookie, origin: 'http://evil.example' }, '403'],
    [{ cookie, origin: `http://localhost:${port}` }, '403'],
    [{ cookie, origin: 'null' }, '403'],
    [{ ...bearer, origin: 'http://evil.example' }, '403'],
    [{ ...bearer, host: 'evil.example' }, '403'],
    [{ ...bearer, host: `rebound.example:${port}` }, '403'],
    [{ origin: own }, '401'],
    [{ authorization: 'Bearer wrong' }, '401'],
    [bearer, '404', '/other'],
    [bearer, '404', '/api/'],
  ];
  for (const [headers, status, path] of refusals) {
    await assert.rejects(openSocket(port, headers, path), { message: status }, JSON.stringify(headers));
  }
});

test('garbage is answered with a fault and the connection goes on', async (t) => {
  const { port, node, reported } = await serveForTest(t);
  const socket = await openSocket(port, bearer);
  const cases: [string, number | null, string][] = [
    ['', null, 'badFrame'],
    ['{', null, 'badFrame'],
    ['null', null, 'badFrame'],
    ['[]', null, 'badFrame'],
    ['"status"', null, 'badFrame'],
    ['{"id":"1","call":"status"}', null, 'badFrame'],
    ['{"id":-1,"call":"status"}', null, 'badFrame'],
    ['{"id":1e400,"call":"status"}', null, 'badFrame'],
    ['{"id":3}', 3, 'unknownCall'],
    ['{"id":4,"call":"constructor"}', 4, 'unknownCall'],
    ['{"id":5,"call":"__proto__"}', 5, 'unknownCall'],
    ['{"id":6,"call":"status","args":{"a":1}}', 6, 'badArguments'],
    ['{"id":7,"call":"rounds","args":{"sinceRound":0,"limit":99999999}}', 7, 'badArguments'],
    ['{"subscribe":"everything"}', null, 'unknownEvent'],
    ['{"subscribe":{"toString":1}}', null, 'unknownEvent'],
    ['['.repeat(30_000), null, 'badFrame'],
    [`{"id":8,"call":"task","args":${'{"config":'.repeat(5000)}1${'}'.repeat(5000)}}`, 8, 'badArguments'],
  ];
  for (const [frame, id, code] of cases) {
    const reply = (await ask(socket, frame)) as { id: number | null; fault: ApiFault };
    assert.equal(reply.fault.code, code, frame.slice(0, 60));
    assert.equal(reply.id, id, frame.slice(0, 60));
    assert.ok(reply.fault.fix.length > 10);
  }
  assert.equal(node.calls.length, 0, 'nothing of it reached the engine');
  assert.equal(((await ask(socket, statusCall)) as { id: number }).id, 1);
  assert.deepEqual(reported, []);
  socket.close();
});

test('no text makes the frame parser throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => typeof parseClientFrame(text).ok === 'boolean'));
  const frames = fc.record(
    { id: fc.jsonValue(), call: fc.jsonValue(), args: fc.jsonValue(), subscribe: fc.jsonValue() },
    { requiredKeys: [] },
  );
  fc.assert(fc.property(frames, (frame) => typeof parseClientFrame(JSON.stringify(frame)).ok === 'boolean'));
});

test('an oversize, a binary or a broken frame ends that connection only', async (t) => {
  const { port } = await serveForTest(t);
  const witness = await openSocket(port, bearer);
  const large = await openSocket(port, bearer);
  large.send('x'.repeat(64 * 1024 + 1));
  assert.equal(await closeCode(large), 1009);
  const binary = await openSocket(port, bearer);
  binary.send(randomBytes(100));
  assert.equal(await closeCode(binary), 1003);
  const broken = await openSocket(port, bearer);
  (broken as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(randomBytes(2000));
  await closeCode(broken);
  assert.equal(((await ask(witness, statusCall)) as { id: number }).id, 1);
  witness.close();
});

test('bytes that are no HTTP, and half an upgrade, do not disturb the server', async (t) => {
  const { port } = await serveForTest(t);
  for (const bytes of [
    randomBytes(500),
    Buffer.from('GET /api HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'),
  ]) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(bytes);
    await new Promise((resolve) => socket.once('close', resolve));
  }
  const socket = await openSocket(port, bearer);
  assert.equal(((await ask(socket, statusCall)) as { id: number }).id, 1);
  socket.close();
});

test('a fault of the engine arrives as it is; any other error is hidden from the client and reported', async (t) => {
  const fault = { code: 'diskFull', message: 'The disk is full.', fix: 'Free 1 GB.' };
  const fail = () => {
    throw Object.assign(new Error(fault.message), fault, { secret: 'not for clients' });
  };
  const { port, reported } = await serveForTest(t, {}, createFakeNode({ resume: fail }));
  const socket = await openSocket(port, bearer);
  assert.deepEqual(await ask(socket, '{"id":1,"call":"resume"}'), { id: 1, fault });
  assert.equal(reported.length, 0);
  const reply = JSON.stringify(await ask(socket, '{"id":2,"call":"hardware"}'));
  assert.match(reply, /"code":"internal"/);
  assert.doesNotMatch(reply, /secret detail/);
  assert.match(String(reported[0]), /secret detail/);
  socket.close();
});

test('events reach subscribers once, stop on unsubscribe, and listeners end with the connection', async (t) => {
  const { port, node } = await serveForTest(t);
  const socket = await openSocket(port, bearer);
  for (const frame of ['{"subscribe":"log"}', '{"subscribe":"log"}', '{"subscribe":"status"}']) socket.send(frame);
  await until(() => node.listenerCount('status') === 1);
  assert.equal(node.listenerCount('log'), 1);
  const first = nextFrame(socket);
  node.emit('log', logRow('hello'));
  assert.deepEqual(await first, { event: 'log', payload: logRow('hello') });
  socket.send('{"unsubscribe":"log"}');
  await until(() => node.listenerCount('log') === 0);
  socket.close();
  await until(() => node.listenerCount('status') === 0);
});

test('a client over the rate gets faults with its ids, then is sent away; others are not affected', async (t) => {
  const limits = { rate: { burst: 20, perSecond: 1 }, maxOffences: 30 };
  const { port, node } = await serveForTest(t, { limits });
  const flood = await openSocket(port, bearer);
  const faults: { id: number; fault: ApiFault }[] = [];
  flood.on('message', (content: Buffer) => {
    const frame = JSON.parse(content.toString('utf8')) as { id: number; fault?: ApiFault };
    if (frame.fault !== undefined) faults.push({ id: frame.id, fault: frame.fault });
  });
  for (let id = 0; id < 100; id++) flood.send(JSON.stringify({ id, call: 'status' }));
  assert.equal(await closeCode(flood), 1008);
  assert.equal(node.calls.length, 20);
  assert.equal(faults[0]?.fault.code, 'tooManyRequests');
  assert.equal(faults[0].id, 20);
  const other = await openSocket(port, bearer);
  assert.equal(((await ask(other, statusCall)) as { id: number }).id, 1);
  other.close();
});

test('calls that never end are bounded per client', async (t) => {
  const hang = createFakeNode({ hardware: () => new Promise<never>(() => undefined) });
  const { port } = await serveForTest(t, { limits: { maxCallsInFlight: 4 } }, hang);
  const socket = await openSocket(port, bearer);
  for (let id = 0; id < 4; id++) socket.send(JSON.stringify({ id, call: 'hardware' }));
  const reply = (await ask(socket, '{"id":9,"call":"hardware"}')) as { id: number; fault: ApiFault };
  assert.equal(reply.id, 9);
  assert.equal(reply.fault.code, 'tooManyRequests');
  assert.equal(hang.calls.length, 4);
  socket.close();
});

test('a slow reader misses stale progress and status, never a result, and has the newest status when it has caught up', async (t) => {
  const { port, node } = await serveForTest(t, { limits: { slowBufferedBytes: 64 * 1024 } });
  const socket = await openSocket(port, bearer);
  for (const event of ['progress', 'status', 'log']) socket.send(JSON.stringify({ subscribe: event }));
  await until(() => node.listenerCount('log') === 1);
  const raw = (socket as unknown as { _socket: { pause(): void; resume(): void } })._socket;
  raw.pause();
  const filling = logRow('x'.repeat(100_000));
  for (let i = 0; i < 80; i++) node.emit('log', filling); // 8 MB: more than the kernel's buffers take
  for (let done = 0; done < 500; done++) node.emit('progress', { round: 1, stage: 'train', done, total: 500 });
  node.emit('status', exampleStatus({ round: 8 }));
  node.emit('status', exampleStatus({ round: 9 }));
  socket.send(statusCall);
  await until(() => node.calls.length === 1);
  const seen = { log: 0, progress: [] as number[], status: [] as number[], results: 0 };
  socket.on('message', (content: Buffer) => {
    const frame = JSON.parse(content.toString('utf8')) as {
      id?: number;
      event?: string;
      payload: { done: number; round: number };
    };
    if (frame.id === 1) seen.results += 1;
    if (frame.event === 'log') seen.log += 1;
    if (frame.event === 'progress') seen.progress.push(frame.payload.done);
    if (frame.event === 'status') seen.status.push(frame.payload.round);
  });
  raw.resume();
  await until(() => seen.log === 80 && seen.results === 1 && seen.status.length > 0 && seen.progress.length > 0);
  assert.deepEqual(seen.status, [9]);
  assert.deepEqual(seen.progress, [499]);
  socket.close();
});

test('a reader that never reads is closed when too much waits for it, and the node goes on', async (t) => {
  const { port, node } = await serveForTest(t, { limits: { maxBufferedBytes: 1024 * 1024 } });
  const socket = await openSocket(port, bearer);
  socket.send('{"subscribe":"log"}');
  await until(() => node.listenerCount('log') === 1);
  (socket as unknown as { _socket: { pause(): void } })._socket.pause();
  for (let i = 0; i < 300 && node.listenerCount('log') === 1; i++) {
    node.emit('log', logRow('x'.repeat(100_000)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => node.listenerCount('log') === 0);
  socket.terminate();
  const other = await openSocket(port, bearer);
  assert.equal(((await ask(other, statusCall)) as { id: number }).id, 1);
  other.close();
});

test('a client that has gone silently is ended by the ping', async (t) => {
  const { port, node } = await serveForTest(t, { limits: { pingEveryMs: 30 } });
  const socket = await openSocket(port, bearer);
  socket.send('{"subscribe":"status"}');
  await until(() => node.listenerCount('status') === 1);
  (socket as unknown as { _socket: { pause(): void } })._socket.pause();
  await until(() => node.listenerCount('status') === 0);
  socket.terminate();
});

test('more connections than allowed are refused, and free places are given again', async (t) => {
  const { port } = await serveForTest(t, { maxConnections: 2 });
  const first = await openSocket(port, bearer);
  const second = await openSocket(port, bearer);
  await assert.rejects(openSocket(port, bearer), { message: '503' });
  first.close();
  await closeCode(first);
  // The node may hear of the end a moment later than this side.
  let third: Awaited<ReturnType<typeof openSocket>> | null = null;
  for (const end = Date.now() + 20_000; third === null && Date.now() < end;)
    third = await openSocket(port, bearer).catch((error: unknown) => {
      assert.ok(error instanceof Error && error.message === '503');
      return null;
    });
  assert.ok(third);
  second.close();
  third.close();
});
