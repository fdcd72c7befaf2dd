/**
 * Named, versioned mixtures of tasks, and endless deterministic streams of references drawn from them.
 * Knows nothing of policies; a curriculum moves levels from outside by `levels`.
 *
 * Disjointness: an instance depends on its config and on the sum seed + index alone (the reference's rule), so streams are kept
 * apart by that sum. A training stream of node seed s owns the sums from H(s) * 2^64 on, 2^64 of them, H(s) being 60 hashed
 * bits, all below 2^124. A held-out stream owns those from 2^125 + s * 2^64 on, s below 2^60. No training sum is ever a
 * held-out one. (Different sums may still draw equal questions where a task has few, such as 3-letter words.) A set of rule
 * 'composite' adds a member's number, 1 to a few, to its sums: that stays within the stream.
 */
import type { JsonObject, TaskRef } from '../types.ts';
import { compositeTaskRef } from './composite.ts';
import { PythonRandom } from './python-random.ts';
import { getGenerator, listGenerators } from './registry.ts';
import { instantiate, MAX_INDEX } from './task-ref.ts';
import type { TaskInstance } from './task.ts';

export interface TaskSetMember {
  generator: string;
  /** Index into the generator's levels. */
  level: number;
  weight: number;
}

export interface TaskSet {
  name: string;
  /** Raised whenever the same stream would give other tasks. */
  version: number;
  summary: string;
  /**
   * How a stream draws members: 'composite' as the reference library's composite data set does, so that Python can list the same
   * tasks; 'own' is the older way of the bundled policy's sets.
   */
  rule: 'own' | 'composite';
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
  /** For `sampleTasks`: others are replaced like those that have no instance. */
  accepts?: (instance: TaskInstance) => boolean;
}

/** No task of a set could be made, or none was accepted, in many tries. */
export class NoTaskError extends Error {
  readonly code = 'TASK_NONE_FITS';
  readonly fix = 'Choose a task set with shorter tasks, or a policy with a longer context.';
}

const STREAM_SPAN = 2n ** 64n;
const HELD_OUT_BASE = 2n ** 125n;
const MAX_HELD_OUT_SEED = 2n ** 60n - 1n;
/** Keeps the member's draw away from the instance's own random numbers, which start from the sum itself. */
const MEMBER_DRAW_OFFSET = 2n ** 127n;

/** Where a position has no instance, the same position this much further on takes its place. */
const REPLACEMENT_STEP = 2 ** 44;
const MAX_REPLACEMENTS = 200;

const atLevel = (level: number, names: Readonly<Record<string, number>>): TaskSetMember[] =>
  Object.entries(names).map(([generator, weight]) => ({ generator, level, weight }));

/** With the reference library's own parameters. */
function asInReference(names: readonly string[]): TaskSetMember[] {
  return names.map((generator) => {
    const level = getGenerator(generator)!.levels.findIndex(({ config }) => Object.keys(config).length === 0);
    return { generator, level, weight: 1 };
  });
}

const TASK_SETS: readonly TaskSet[] = [
  {
    name: 'starter',
    version: 1,
    summary: 'Small instances of ten tasks, for the bundled policy.',
    rule: 'own',
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
    rule: 'own',
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
  {
    name: 'sapo',
    version: 1,
    summary: 'The nine tasks of the SAPO paper (arXiv 2509.08721) with the parameters of the reference library.',
    rule: 'composite',
    members: asInReference([
      'base_conversion',
      'basic_arithmetic',
      'arc_1d',
      'bf',
      'propositional_logic',
      'fraction_simplification',
      'decimal_arithmetic',
      'calendar_arithmetic',
      'binary_matrix',
    ]),
  },
  {
    name: 'everything',
    version: 1,
    summary: 'Every task with the parameters of the reference library.',
    rule: 'composite',
    members: asInReference(listGenerators().map(({ name }) => name)),
  },
];

export function listTaskSets(): readonly TaskSet[] {
  return TASK_SETS;
}

export function getTaskSet(name: string): TaskSet | undefined {
  return TASK_SETS.find((set) => set.name === name);
}

const MAX_KNOWN_BASES = 1024;
/** A node asks for those of the same few hundred peers with every record. */
const knownBases = new Map<bigint, bigint>();

function trainingBase(seed: bigint): bigint {
  const known = knownBases.get(seed);
  if (known !== undefined) return known;
  // Python's seeding drops the sign, so it is folded into the number first.
  const unsigned = seed >= 0n ? 2n * seed : -2n * seed - 1n;
  const base = new PythonRandom(unsigned).getrandbits(60) * STREAM_SPAN;
  if (knownBases.size >= MAX_KNOWN_BASES) knownBases.clear();
  knownBases.set(seed, base);
  return base;
}

function streamBase(seed: bigint, purpose: 'training' | 'held-out'): bigint {
  if (purpose === 'training') return trainingBase(seed);
  if (seed < 0n || seed > MAX_HELD_OUT_SEED) throw new RangeError(`held-out seed must be 0 to 2^60 - 1, got ${seed}`);
  return HELD_OUT_BASE + seed * STREAM_SPAN;
}

/** Whether the task is one that a node of this seed can come upon in practice, whatever the set and the levels. */
export function isOfTrainingStream(ref: TaskRef, seed: bigint): boolean {
  const at = BigInt(ref.seed) + BigInt(ref.index) - streamBase(seed, 'training');
  return at >= 0n && at < STREAM_SPAN;
}

function levelConfig(name: string, level: number): { version: number; config: JsonObject } {
  const generator = getGenerator(name);
  if (generator === undefined) throw new RangeError(`task set names the unknown generator ${name}`);
  const at = Math.min(Math.max(0, Math.trunc(level)), generator.levels.length - 1);
  return { version: generator.version, config: structuredClone(generator.levels[at]!.config) };
}

function memberConfig({ generator, level }: TaskSetMember, levels: SampleOptions['levels']) {
  return levelConfig(generator, levels?.[generator] ?? level);
}

function ownRuleRef(set: TaskSet, base: bigint, at: number, levels: SampleOptions['levels']): TaskRef {
  const index = at % (MAX_INDEX + 1);
  const weights = set.members.map((member) => member.weight);
  const [member] = new PythonRandom(MEMBER_DRAW_OFFSET + base + BigInt(at)).choices(set.members, weights, 1);
  const { version, config } = memberConfig(member!, levels);
  return { generator: member!.generator, version, config, seed: String(base + BigInt(at - index)), index };
}

function compositeRef(set: TaskSet, base: bigint, at: number, levels: SampleOptions['levels']): TaskRef {
  const index = at % (MAX_INDEX + 1);
  const members = set.members.map((member) => ({ ...member, ...memberConfig(member, levels) }));
  return compositeTaskRef(members, base + BigInt(at - index), index);
}

const REF_BY_RULE = { own: ownRuleRef, composite: compositeRef } as const;

/** References `from` to `from + count - 1` of the stream of (set, seed, purpose). The same arguments give the same tasks. */
export function sampleTaskRefs(set: TaskSet, options: SampleOptions): TaskRef[] {
  const base = streamBase(options.seed, options.purpose ?? 'training');
  const refAt = REF_BY_RULE[set.rule];
  return Array.from({ length: options.count }, (_, i) => refAt(set, base, options.from + i, options.levels));
}

function sampleTask(set: TaskSet, options: SampleOptions, at: number): TaskInstance {
  for (let step = 0; step <= MAX_REPLACEMENTS; step++) {
    const [ref] = sampleTaskRefs(set, { ...options, from: at + step * REPLACEMENT_STEP, count: 1 });
    const made = instantiate(ref);
    if (made.ok && (options.accepts?.(made.instance) ?? true)) return made.instance;
  }
  throw new NoTaskError(`In ${MAX_REPLACEMENTS} tries the task set ${set.name} gave no task that fits the policy`);
}

/**
 * The tasks themselves, `from` below 2^44. A few references have no instance (they divide by zero), and `accepts` may turn some down: a
 * task from far on in the same stream stands in for each, the same one every time. @throws NoTaskError
 */
export function sampleTasks(set: TaskSet, options: SampleOptions): TaskInstance[] {
  return Array.from({ length: options.count }, (_, i) => sampleTask(set, options, options.from + i));
}

/** The set's own exam: the same tasks for every node, at the set's own levels, and never in any node's training stream. */
export function heldOutTasks(set: TaskSet, count: number, accepts?: SampleOptions['accepts']): TaskInstance[] {
  const options = { seed: BigInt(set.version), from: 0, count, purpose: 'held-out' } as const;
  return sampleTasks(set, accepts === undefined ? options : { ...options, accepts });
}
