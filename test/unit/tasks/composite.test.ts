/** Composite choice by weight, against vectors made by the real reasoning-gym. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { compositeTaskRef } from '../../../src-main/tasks/composite.ts';
import { getGenerator } from '../../../src-main/tasks/registry.ts';
import { instantiate } from '../../../src-main/tasks/task-ref.ts';
import { getTaskSet, sampleTaskRefs } from '../../../src-main/tasks/task-sets.ts';
import type { JsonObject } from '../../../src-main/types.ts';

interface CompositeCase {
  members: [generator: string, weight: number, config: JsonObject][];
  seed: string;
  items: [index: number, generator: string, answer: string | null][];
}

const path = new URL('../../golden/reasoning-gym/composite.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(path, 'utf8')) as { cases: CompositeCase[] };

test('a composite draws the members and instances that the reference draws', () => {
  let compared = 0;
  for (const { members, seed, items } of cases) {
    const listed = members.map(([generator, weight, config]) => {
      return { generator, version: getGenerator(generator)!.version, config, weight };
    });
    for (const [index, generator, answer] of items) {
      const ref = compositeTaskRef(listed, BigInt(seed), index);
      assert.equal(ref.generator, generator, `seed ${seed} index ${index}`);
      const made = instantiate(ref);
      assert.ok(made.ok, made.ok ? '' : made.reason);
      if (answer !== null) assert.equal(made.instance.answer, answer, `seed ${seed} index ${index}`);
      compared++;
    }
  }
  assert.ok(compared > 200, `${compared}`);
});

test('a composite set streams the composite of its members, also beyond the last index', () => {
  const set = getTaskSet('sapo')!;
  const members = set.members.map(({ generator, weight }) => {
    return { generator, version: getGenerator(generator)!.version, config: {}, weight };
  });
  const [first] = sampleTaskRefs(set, { seed: 5n, from: 0, count: 1 });
  const k = members.findIndex(({ generator }) => generator === first!.generator);
  const base = BigInt(first!.seed) - BigInt(k + 1);
  for (const from of [0, 1000, 2 ** 31 - 3]) {
    for (const [i, ref] of sampleTaskRefs(set, { seed: 5n, from, count: 6 }).entries()) {
      const at = from + i;
      const wrapped = at % 2 ** 31;
      assert.deepEqual(ref, compositeTaskRef(members, base + BigInt(at - wrapped), wrapped));
    }
  }
});
