/**
 * Task references: from untrusted values to checked ones, and from checked ones to instances.
 *
 * Invariants: parsing never throws, reads a bounded amount, and never repeats a stranger's text in a reason; an accepted
 * reference is canonical (only non-default config fields, plain seed), so equal tasks have equal `taskRefKey`s.
 */
import type { JsonObject, JsonValue, TaskRef } from '../types.ts';
import { UndefinedInstanceError } from './undefined-instance.ts';
import { getGenerator } from './registry.ts';
import type { TaskGenerator, TaskInstance } from './task.ts';

export const MAX_SEED_DIGITS = 40;
export const MAX_INDEX = 2 ** 31 - 1;
const MAX_CONFIG_FIELDS = 32;

export type ParsedTaskRef = { ok: true; ref: TaskRef } | { ok: false; reason: string };

function refuse(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A copy of the fields as JSON: scalars and lists of up to 64 scalars; null for anything deeper or odder. */
function shallowJson(value: Record<string, unknown>): JsonObject | null {
  const isScalar = (item: unknown): item is string | number | boolean =>
    (typeof item === 'string' && item.length <= 64) || typeof item === 'boolean' || Number.isFinite(item);
  const entries = Object.entries(value);
  for (const [, item] of entries) {
    if (!isScalar(item) && !(Array.isArray(item) && item.length <= 64 && item.every(isScalar))) return null;
  }
  // fromEntries makes a field named __proto__ an ordinary one, which parseConfig then refuses.
  return Object.fromEntries(entries) as JsonObject;
}

function equalJson(a: JsonValue, b: JsonValue): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Decimal text without a leading zero or plus; "-0" becomes "0". Null when it is not an integer of at most 40 digits. */
function seedText(seed: unknown): string | null {
  if (typeof seed !== 'string' || !/^-?[0-9]{1,40}$/.test(seed)) return null;
  return String(BigInt(seed));
}

/** Checks everything about a reference that came from outside and returns its canonical form. */
export function parseTaskRef(value: unknown): ParsedTaskRef {
  const read = readTaskRef(value);
  return read.ok ? { ok: true, ref: read.ref } : read;
}

/** The canonical reference, with the config completed by the generator's defaults beside it. */
function readTaskRef(
  value: unknown,
): { ok: true; ref: TaskRef; generator: TaskGenerator; config: JsonObject } | { ok: false; reason: string } {
  if (!isPlainObject(value)) return refuse('task reference is not an object');
  const { generator: name, version, config, seed, index } = value;
  const generator = typeof name === 'string' ? getGenerator(name) : undefined;
  if (generator === undefined) return refuse('unknown generator');
  if (version !== generator.version) return refuse(`generator ${generator.name} has version ${generator.version} here`);
  if (!isPlainObject(config)) return refuse('config is not an object');
  if (Object.keys(config).length > MAX_CONFIG_FIELDS) return refuse(`config has more than ${MAX_CONFIG_FIELDS} fields`);
  const shallow = shallowJson(config);
  if (shallow === null)
    return refuse('config holds something other than short texts, numbers, booleans and lists of them');
  const parsed = generator.parseConfig(shallow);
  if (!parsed.ok) return refuse(parsed.reason);
  const canonicalSeed = seedText(seed);
  if (canonicalSeed === null) return refuse(`seed is not a decimal integer of at most ${MAX_SEED_DIGITS} digits`);
  if (typeof index !== 'number' || !Number.isInteger(index) || index < 0 || index > MAX_INDEX) {
    return refuse(`index is not an integer from 0 to ${MAX_INDEX}`);
  }
  const changed = Object.entries(parsed.config).filter(([key, item]) => !equalJson(item, generator.defaults[key]!));
  return {
    ok: true,
    generator,
    config: parsed.config,
    ref: {
      generator: generator.name,
      version: generator.version,
      config: Object.fromEntries(changed.sort(([a], [b]) => (a < b ? -1 : 1))),
      seed: canonicalSeed,
      index: index + 0,
    },
  };
}

/** Regenerates the task. Fails on a reference that does not parse and where the reference library has no instance. */
export function instantiate(ref: unknown): { ok: true; instance: TaskInstance } | { ok: false; reason: string } {
  const parsed = readTaskRef(ref);
  if (!parsed.ok) return parsed;
  const { generator, config } = parsed;
  try {
    const problem = generator.generate(config, BigInt(parsed.ref.seed), parsed.ref.index);
    return { ok: true, instance: { ref: parsed.ref, ...problem } };
  } catch (error) {
    if (error instanceof UndefinedInstanceError) return refuse(error.message);
    throw error;
  }
}

/** Canonical text of a parsed reference: equal for equal tasks, for deduplication. */
export function taskRefKey(ref: TaskRef): string {
  const config = Object.keys(ref.config)
    .sort()
    .map((key) => [key, ref.config[key]!]);
  return JSON.stringify([ref.generator, ref.version, config, ref.seed, ref.index]);
}
