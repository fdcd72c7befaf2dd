// The owner's file of demonstrations: right ones are kept, everything else is counted by reason, whatever the file holds.
import assert from 'node:assert/strict';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { WaggleError } from '../../../src-main/base/errors.ts';
import {
  demonstrationFileLimits,
  describeDropped,
  readDemonstrationFile,
  type DemonstrationFileLimits,
} from '../../../src-main/rollout/demonstrations/demonstration-file.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-demonstrations-'));
after(() => rm(root, { recursive: true, force: true }));
let files = 0;

const task = (index: number) => ({ generator: 'gcd', version: 1, config: {}, seed: '5', index });
const answerTo = (index: number): string => {
  const made = instantiate(task(index));
  assert.ok(made.ok);
  return made.instance.answer;
};
const right = (index: number) => ({ task: task(index), completion: `worked\n<answer>${answerTo(index)}</answer>` });
const line = (value: unknown): string => JSON.stringify(value);

async function read(content: string | Uint8Array, limits: Partial<DemonstrationFileLimits> = {}) {
  const path = join(root, `${files++}.jsonl`);
  await writeFile(path, content);
  return readDemonstrationFile(path, { ...demonstrationFileLimits, ...limits });
}

test('right answers and prompts are kept; each line that is none is counted by what is wrong with it', async () => {
  const lines = [
    '\uFEFF' + line(right(0)),
    line({ prompt: 'say hello', completion: 'hello' }),
    '',
    line({ ...right(1), completion: 'no idea' }),
    line({ ...right(1), completion: '<answer>-7</answer>' }),
    line({ ...right(1), task: { ...task(1), generator: 'no_such' } }),
    line({ ...right(1), task: { ...task(1), version: 99 } }),
    line({ ...right(1), task: null }),
    '{"task": ',
    '[1,2]',
    '"text"',
    line({ completion: 'of nothing' }),
    line({ ...right(1), prompt: 'and a prompt' }),
    line({ prompt: 7, completion: 'x' }),
    line({ prompt: 'x', completion: '' }),
    line({ prompt: 'x', completion: 'a\u0000b' }),
    line({ prompt: '\u001b[31m', completion: 'x' }),
    '{"prompt":"lone","completion":"\\ud800"}',
    line(right(0)),
    '{"prompt":"x","completion":"y","__proto__":{"task":1}}',
  ];
  const { demonstrations, lines: count, dropped } = await read(lines.join('\n'));
  assert.equal(count, lines.length);
  assert.deepEqual(
    demonstrations.map(({ of, text }) => [of.kind, text]),
    [
      ['task', right(0).completion],
      ['prompt', 'hello'],
      ['prompt', 'y'],
    ],
  );
  assert.deepEqual(dropped, {
    wrongAnswer: { count: 2, firstLine: 4 },
    unknownTask: { count: 3, firstLine: 6 },
    notJson: { count: 1, firstLine: 9 },
    notADemonstration: { count: 6, firstLine: 10 },
    controlCharacters: { count: 3, firstLine: 16 },
    repeated: { count: 1, firstLine: 19 },
  });
  assert.match(describeDropped(dropped), /^; left out: 2 wrongAnswer \(first in line 4\), /);
  assert.equal(describeDropped({}), '');
});

test('a line, a text, a file beyond its limit costs no more than the limit', async () => {
  const long = line({ prompt: 'x', completion: 'y'.repeat(5000) });
  const limited = await read([long, line(right(0)), long, line(right(1)), line(right(2))].join('\n'), {
    maxLineBytes: 4096,
    maxDemonstrations: 2,
  });
  assert.deepEqual(limited.dropped, {
    lineTooLong: { count: 2, firstLine: 1 },
    beyondLimit: { count: 1, firstLine: 5 },
  });
  assert.equal(limited.demonstrations.length, 2);
  assert.deepEqual((await read(`${long}\n${line(right(0))}`, { maxCompletionChars: 100 })).dropped, {
    textTooLong: { count: 1, firstLine: 1 },
  });
  const many = await read(`${line(right(0))}\n`.repeat(50), { maxLines: 10 });
  assert.deepEqual([many.lines, many.dropped.repeated!.count, many.dropped.beyondLimit!.count], [11, 9, 1]);
});

test('a file of one endless line takes memory for a line at most', async () => {
  const path = join(root, 'endless.jsonl');
  await writeFile(path, '');
  await truncate(path, 200 * 1024 * 1024); // a sparse file of zeros: no newline in it
  global.gc?.();
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(readDemonstrationFile(path), /none of its 1 lines .* 1 lineTooLong/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
  await truncate(path, demonstrationFileLimits.maxFileBytes + 1);
  await assert.rejects(readDemonstrationFile(path), /at most 256 MB are read/);
});

test('a file that is missing, a folder, or without one demonstration is refused with the fix', async () => {
  for (const path of [join(root, 'missing.jsonl'), root]) {
    await assert.rejects(readDemonstrationFile(path), (error) => {
      assert.ok(error instanceof WaggleError);
      assert.equal(error.code, 'demonstrationFile');
      assert.match(error.fix, /--demonstration-file/);
      return error.message.includes(path);
    });
  }
  await assert.rejects(read('nothing\n'), /none of its 1 lines is a demonstration; left out: 1 notJson/);
});

test('random bytes and random JSON never do more than be left out', async () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const json = fc.array(fc.json({ maxDepth: 3 }), { maxLength: 8 }).map((parts) => Buffer.from(parts.join('\n')));
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes, json), async (content) => {
      const good = Buffer.from(`\n${line(right(3))}\n`);
      const { demonstrations, lines } = await read(Buffer.concat([content, good]));
      assert.ok(lines >= 1 && demonstrations.length >= 1);
    }),
    { numRuns: 60 },
  );
});
