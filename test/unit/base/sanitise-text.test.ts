import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapedLine, safeBlock, safeLine } from '../../../src-main/base/sanitise-text.ts';

test('bidi overrides, zero-width and tag characters go; controls become visible', () => {
  assert.equal(safeLine('user\u202Egpj.exe\u202C', 50), 'usergpj.exe');
  assert.equal(safeLine('pay\u200Bpal\uFEFF\u2066x\u2069\u00AD', 50), 'paypalx');
  assert.equal(safeLine('a\u{E0041}\u{E0042}b\u3164c', 50), 'abc');
  assert.equal(safeLine('\u001b[31mred\u0007', 50), '\uFFFD[31mred\uFFFD');
  assert.equal(safeLine('half \uD800 pair', 50), 'half \uFFFD pair');
  assert.equal(safeLine('emoji 👍 and accents é ü', 50), 'emoji 👍 and accents é ü');
});

test('lines: kept in a block, spaces in a line', () => {
  assert.equal(safeLine(' a\r\nb\tc\u2028d ', 50), 'a b c d');
  assert.equal(safeBlock('a\r\nb\tc\u2028d\re', 50), 'a\nb\tc\nd\ne');
  assert.equal(safeBlock('a\u000bb\u0000', 50), 'a\uFFFDb\uFFFD');
});

test('marks stacked on one letter are cut to four', () => {
  assert.equal(safeLine(`a${'\u0301'.repeat(50)}b`, 500), `a${'\u0301'.repeat(4)}b`);
});

test('length is capped in code points, without splitting a pair, in time that does not grow with the input', () => {
  assert.equal(safeLine('👍'.repeat(10), 4), '👍👍👍…');
  assert.equal(safeLine('abcd', 4), 'abcd');
  const started = performance.now();
  assert.equal(Array.from(safeLine('x'.repeat(30_000_000), 100)).length, 100);
  assert.ok(performance.now() - started < 1000);
});

test('whatever comes in, nothing that acts on a screen comes out', () => {
  const nasty = fc.string({ unit: 'binary', maxLength: 300 });
  fc.assert(
    fc.property(nasty, fc.integer({ min: 1, max: 200 }), (text, maxLength) => {
      for (const out of [safeLine(text, maxLength), safeBlock(text, maxLength), escapedLine(text, maxLength)]) {
        assert.ok(Array.from(out).length <= maxLength);
        assert.doesNotMatch(out, /[\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
        assert.doesNotMatch(out, /[^\P{Cc}\n\t]/u);
      }
      assert.doesNotMatch(safeLine(text, maxLength) + escapedLine(text, maxLength), /\p{Cc}/u);
    }),
    { numRuns: 500 },
  );
});

test('the log form loses nothing', () => {
  assert.equal(escapedLine('a\nb\u001b[2J\u202Ec', 100), 'a\\nb\\u{1b}[2J\\u{202e}c');
});
