import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeError, errnoCode, toApiFault, WaggleError } from '../../../src-main/base/errors.ts';
import type { ApiFault } from '../../../src-main/engine/api.ts';

test('a WaggleError is passed on with its code and fix, anything else is an internal fault', () => {
  const cause = new Error('low level');
  const error = new WaggleError({
    code: 'portInUse',
    message: 'Port 1 is in use.',
    fix: 'Choose another.',
    values: { port: 1 },
    cause,
  });
  const fault: ApiFault = toApiFault(error);
  assert.deepEqual(fault, { code: 'portInUse', message: 'Port 1 is in use.', fix: 'Choose another.' });
  assert.equal(error.cause, cause);
  assert.equal(toApiFault(new TypeError('x is not a function')).code, 'internal');
  assert.equal(toApiFault(new TypeError('x is not a function')).message, 'x is not a function');
});

test('subclasses carry their own name', () => {
  class Special extends WaggleError {}
  assert.equal(new Special({ code: 'a', message: 'b', fix: 'c' }).name, 'Special');
});

test('any thrown value has a text', () => {
  const loop: Record<string, unknown> = {};
  loop['self'] = loop;
  for (const value of [undefined, null, 3, 'text', {}, loop, new Error(''), Symbol('s'), () => 1, 10n])
    assert.ok(describeError(value).length > 0);
  assert.equal(describeError('text'), 'text');
});

test('errno codes', () => {
  assert.equal(errnoCode(Object.assign(new Error('x'), { code: 'ENOSPC' })), 'ENOSPC');
  for (const value of [null, undefined, 'ENOSPC', {}, { code: 5 }]) assert.equal(errnoCode(value), undefined);
});
