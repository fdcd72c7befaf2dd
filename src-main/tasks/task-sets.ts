/**
 * Named, versioned mixtures of tasks, and endless deterministic streams of references drawn from them.
 * Knows nothing of policies; a curriculum moves levels from outside by `levels`.
 *
 * Disjointness: an instance depends on its config and on the sum seed + index alone (the reference's rule), so streams are kept
 * apart by that sum. A training stream of node seed s owns the sums from H(s) * 2^64 on, 2^64 of them, H(s) being 60 hashed
 * bits, all below 2^124. A held-out stream owns those from 2^125 + s * 2^64 on, s below 2^60. No training sum is ever a
 * held-out one. (Different sums may still draw equal questions where a task has few, such as 3-letter words.)
 */
import type { JsonObject, TaskRef } from '../types.ts';
import { PythonRandom } from './python-random.ts';
import { getGenerator } from './registry.ts';
import { MAX_INDEX } from './task-ref.ts';

export interface TaskSetMember {
  generator: string;
  /** Index into the generator's levels. */
  level: number;
  weight: number;
}

export interface TaskSet {
  name: string;
  version: number;
  summary: string;
  members: readonly TaskSetMember[];
}

export interface SampleOptions {
  /** The node's own seed, any integer; for a held-out stream 0 to 2^60 - 1. */
  seed: bigint;
  /** Position of the first reference in the stream. */
  from: number;
  count: number;
  /** Default 'training'. */
  purpose?: 'training' | 'held-out';
  /** Level per generator name instead of the set's own; clamped to the generator's levels. */
  levels?: Readonly<Record<string, number>>;
}

const STREAM_SPAN = 2n ** 64n;
const HELD_OUT_BASE = 2n ** 125n;
const MAX_HELD_OUT_SEED = 2n ** 60n - 1n;
/** Keeps the member's draw away from the instance's own random numbers, which start from the sum itself. */
const MEMBER_DRAW_OFFSET = 2n ** 127n;

const atLevel = (level: number, names: Readonly<Record<string, number>>): TaskSetMember[] =>
  Object.entries(names).map(([generator, weight]) => ({ generator, level, weight }));

const TASK_SETS: readonly TaskSet[] = [
  {
    name: 'starter',
    version: 1,
    summary: 'Small instances of ten tasks, for the bundled policy.',
    members: atLevel(0, {
      chain_sum: 1,
      products: 1,
      gcd: 1,
      number_sorting: 1,
      spell_backward: 1,
      base_conversion: 1,
      fraction_simplification: 1,
      prime_factorization: 1,
      count_bits: 1,
      simple_equations: 1,
    }),
  },
  {
    name: 'easy',
    version: 1,
    summary: 'Every task one step above its easiest, for language models of some hundred million parameters.',
    members: atLevel(1, {
      chain_sum: 1,
      products: 1,
      gcd: 1,
      lcm: 1,
      number_sorting: 1,
      spell_backward: 1,
      letter_counting: 1,
      base_conversion: 1,
      fraction_simplification: 1,
      prime_factorization: 1,
      count_bits: 1,
      simple_equations: 1,
      decimal_chain_sum: 1,
      binary_alternation: 1,
    }),
  },
];

export function listTaskSets(): readonly TaskSet[] {
  return TASK_SETS;
}

export function getTaskSet(name: string): TaskSet | undefined {
  return TASK_SETS.find((set) => set.name === name);
}

function streamBase(seed: bigint, purpose: 'training' | 'held-out'): bigint {
  if (purpose === 'training') {
    // Python's seeding drops the sign, so it is folded into the number first.
    const unsigned = seed >= 0n ? 2n * seed : -2n * seed - 1n;
    return new PythonRandom(unsigned).getrandbits(60) * STREAM_SPAN;
  }
  if (seed < 0n || seed > MAX_HELD_OUT_SEED) throw new RangeError(`held-out seed must be 0 to 2^60 - 1, got ${seed}`);
  return HELD_OUT_BASE + seed * STREAM_SPAN;
}

function levelConfig(name: string, level: number): { version: number; config: JsonObject } {
  const generator = getGenerator(name);
  if (generator === undefined) throw new RangeError(`task set names the unknown generator ${name}`);
  const at = Math.min(Math.max(0, Math.trunc(level)), generator.levels.length - 1);
  return { version: generator.version, config: structuredClone(generator.levels[at]!.config) };
}

/** References `from` to `from + count - 1` of the stream of (set, seed, purpose). The same arguments give the same tasks. */
export function sampleTaskRefs(set: TaskSet, options: SampleOptions): TaskRef[] {
  const base = streamBase(options.seed, options.purpose ?? 'training');
  const weights = set.members.map((member) => member.weight);
  return Array.from({ length: options.count }, (_, i) => {
    const at = options.from + i;
    const index = at % (MAX_INDEX + 1);
    const seed = base + BigInt(at - index);
    const [member] = new PythonRandom(MEMBER_DRAW_OFFSET + base + BigInt(at)).choices(set.members, weights, 1);
    const { generator, level } = member!;
    return { generator, ...levelConfig(generator, options.levels?.[generator] ?? level), seed: String(seed), index };
  });
}
