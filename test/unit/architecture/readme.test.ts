/** The README names only commands that exist. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './imports.ts';

/** Scripts that a text tells people to run with npm. */
function scriptsNamed(text: string): string[] {
  const commands = text.matchAll(/\bnpm (?:run (?:-s |--silent )?([\w:-]+)|(start|test)\b)/g);
  return [...new Set([...commands].map(([, run, short]) => run ?? short!))];
}

const readme = join(root, 'README.md');
test(
  'every npm command in the README is a script of package.json',
  { skip: existsSync(readme) ? false : 'no README yet' },
  () => {
    const pack = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
    const named = scriptsNamed(readFileSync(readme, 'utf8'));
    assert.ok(named.includes('start') && named.includes('test'), 'the README names its two commands');
    assert.deepEqual(
      named.filter((name) => !Object.hasOwn(pack.scripts, name)),
      [],
    );
  },
);

test('the search for commands finds them', () => {
  const text =
    '`npm ci && npm start`, npm test -- unit, `npm run -s waggle -- status`, npm run build:policy, npmx run no';
  assert.deepEqual(scriptsNamed(text), ['start', 'test', 'waggle', 'build:policy']);
});
