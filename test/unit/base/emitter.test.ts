import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEmitter } from '../../../src-main/base/emitter.ts';

interface Events {
  round: number;
  text: string;
}

test('listeners hear their event, in order, until they leave', () => {
  const emitter = createEmitter<Events>(() => assert.fail('no error expected'));
  const heard: unknown[] = [];
  const leave = emitter.on('round', (round) => heard.push(['first', round]));
  emitter.on('round', (round) => heard.push(['second', round]));
  emitter.emit('round', 1);
  emitter.emit('text', 'nobody');
  leave();
  leave();
  emitter.emit('round', 2);
  assert.deepEqual(heard, [
    ['first', 1],
    ['second', 1],
    ['second', 2],
  ]);
  assert.equal(emitter.count('round'), 1);
  emitter.clear();
  assert.equal(emitter.count('round'), 0);
});

test('a listener that throws is reported and the others still hear; leaving during the event is safe', () => {
  const errors: unknown[] = [];
  const emitter = createEmitter<Events>((error, name) => errors.push([String(error), name]));
  const heard: string[] = [];
  emitter.on('text', () => {
    throw new Error('mine');
  });
  const leave = emitter.on('text', () => leave());
  emitter.on('text', (text) => heard.push(text));
  emitter.emit('text', 'a');
  emitter.emit('text', 'b');
  assert.deepEqual(heard, ['a', 'b']);
  assert.deepEqual(errors, [
    ['Error: mine', 'text'],
    ['Error: mine', 'text'],
  ]);
});

test('the same function may subscribe twice and leave once', () => {
  const emitter = createEmitter<Events>(() => undefined);
  let calls = 0;
  const listener = () => {
    calls++;
  };
  const leave = emitter.on('round', listener);
  emitter.on('round', listener);
  leave();
  emitter.emit('round', 1);
  assert.equal(calls, 1);
});
