import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { apiLimits, callSchemas, isCallName, isEventName, parseCallArgs } from '../../../src-main/engine/api-schema.ts';
import type { CallName } from '../../../src-main/engine/api.ts';

const task = { generator: 'chain_sum', config: { min_terms: 2 }, seed: '-42', index: 0 };

test('arguments that fit pass unchanged, and missing arguments count as null', () => {
  assert.deepEqual(parseCallArgs('status', undefined), { ok: true, args: null });
  assert.deepEqual(parseCallArgs('task', task), { ok: true, args: task });
  const answered = { ...task, answer: '7' };
  assert.deepEqual(parseCallArgs('task', answered), { ok: true, args: answered });
  assert.equal(parseCallArgs('rollouts', { limit: 10, beforeId: null, origin: 'peers' }).ok, true);
});

const deep = { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } };
const wide = Object.fromEntries(Array.from({ length: apiLimits.maxJsonNodes }, (_, i) => [`k${i}`, i]));
const refused: [CallName, unknown, RegExp][] = [
  ['status', {}, /arguments/],
  ['pause', 1, /arguments/],
  ['rounds', { sinceRound: -1, limit: 10 }, /sinceRound/],
  ['rounds', { sinceRound: 0, limit: 1e9 }, /limit/],
  ['rounds', { sinceRound: 0, limit: 1.5 }, /limit/],
  ['rounds', { sinceRound: 0, limit: 10, extra: 1 }, /extra/],
  ['rollouts', { limit: 10, beforeId: null, origin: "'; drop table" }, /origin/],
  ['log', { limit: 10, level: 'everything' }, /level/],
  ['joinSwarm', { link: 'x'.repeat(apiLimits.maxLinkChars + 1) }, /link/],
  ['readInvite', { link: '' }, /link/],
  ['chooseSwarm', { id: 'public' }, /id/],
  ['leaveSwarm', { id: null }, /id/],
  ['createSwarm', { name: 'x', taskSet: 'starter', private: 1, shardCount: 1, maxRoundAge: 16 }, /private/],
  ['createSwarm', { name: 'x', taskSet: 'starter', private: true, shardCount: 0, maxRoundAge: 16 }, /shardCount/],
  ['task', { ...task, generator: '../../etc/passwd' }, /generator/],
  ['task', { ...task, seed: '9'.repeat(41) }, /seed/],
  ['task', { ...task, seed: '1e3' }, /seed/],
  ['task', { ...task, answer: 'x'.repeat(apiLimits.maxAnswerChars + 1) }, /answer/],
  ['task', { ...task, answer: undefined }, /answer/],
  ['task', { ...task, config: deep }, /config/],
  ['task', { ...task, config: wide }, /config/],
  ['task', { ...task, config: [1] }, /config/],
  ['task', { ...task, config: JSON.parse('{"__proto__": {"polluted": true}}') as unknown }, /config/],
  ['task', { ...task, config: { a: 'x'.repeat(apiLimits.maxJsonChars + 1) } }, /config/],
];
for (const [call, args, where] of refused) {
  test(`${call} refuses ${JSON.stringify(args).slice(0, 60)}`, () => {
    const parsed = parseCallArgs(call, args);
    assert.equal(parsed.ok, false);
    assert.match(parsed.reason, where);
  });
}

test('names that only look like calls or events are not', () => {
  for (const name of ['constructor', '__proto__', 'toString', '', 'Status', 1, null, ['status']]) {
    assert.equal(isCallName(name), false);
    assert.equal(isEventName(name), false);
  }
  assert.equal(isCallName('quit'), true);
  assert.equal(isEventName('progress'), true);
});

test('no JSON value makes a schema throw', () => {
  const names = Object.keys(callSchemas) as CallName[];
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, args) => {
      assert.equal(typeof parseCallArgs(name, args).ok, 'boolean');
    }),
  );
});
