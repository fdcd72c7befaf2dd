/**
 * Generator configs as tables: one row per field with its default and range, so that an untrusted config is checked in one place.
 * Knows nothing of what the fields mean. Upper ranges are Waggle's own: they bound the work a stranger's task can cause.
 */
import type { JsonObject, JsonValue } from '../types.ts';

export type ConfigField =
  | { kind: 'integer'; default: number; min: number; max: number }
  | { kind: 'number'; default: number; min: number; max: number }
  | { kind: 'boolean'; default: boolean }
  | { kind: 'choice'; default: string; options: readonly string[] }
  | { kind: 'choices'; default: readonly string[]; options: readonly string[]; maxLength: number }
  | { kind: 'weights'; default: readonly number[]; maxLength: number };

export type ConfigFields = Readonly<Record<string, ConfigField>>;

interface FieldValue {
  integer: number;
  number: number;
  boolean: boolean;
  choice: string;
  choices: readonly string[];
  weights: readonly number[];
}

export type ConfigOf<F extends ConfigFields> = { [K in keyof F]: FieldValue[F[K]['kind']] };

/** What is wrong with a completed config, or null. */
export type ConfigRule<F extends ConfigFields> = (config: ConfigOf<F>) => string | null;

export type ConfigResult = { ok: true; config: JsonObject } | { ok: false; reason: string };

function inRange(value: JsonValue, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

/** Null when `value` fits the field, otherwise what was expected. */
function fieldProblem(field: ConfigField, value: JsonValue): string | null {
  switch (field.kind) {
    case 'integer':
      return inRange(value, field.min, field.max) && Number.isSafeInteger(value) && !Object.is(value, -0)
        ? null
        : `an integer from ${field.min} to ${field.max}`;
    case 'number':
      return inRange(value, field.min, field.max) ? null : `a number from ${field.min} to ${field.max}`;
    case 'boolean':
      return typeof value === 'boolean' ? null : 'true or false';
    case 'choice':
      return typeof value === 'string' && field.options.includes(value) ? null : `one of ${field.options.join(', ')}`;
    case 'choices':
      return Array.isArray(value) &&
        value.length >= 1 &&
        value.length <= field.maxLength &&
        value.every((item) => typeof item === 'string' && field.options.includes(item))
        ? null
        : `a list of 1 to ${field.maxLength} out of ${field.options.join(', ')}`;
    case 'weights':
      return Array.isArray(value) &&
        value.length >= 1 &&
        value.length <= field.maxLength &&
        value.every((item) => inRange(item, 0, 1))
        ? null
        : `a list of 1 to ${field.maxLength} numbers from 0 to 1`;
  }
}

/** Shared by every config that is completed with it, so its lists are frozen. */
export function defaultsOf(fields: ConfigFields): JsonObject {
  return Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, Object.freeze(structuredClone(field.default)) as JsonValue]),
  );
}

/** Completes an untrusted config with `defaults` (those of `fields`) and checks every field, then the rules across fields. */
export function parseConfig<F extends ConfigFields>(
  fields: F,
  defaults: JsonObject,
  rules: readonly ConfigRule<F>[],
  config: JsonObject,
): ConfigResult {
  const complete = { ...defaults };
  for (const key of Object.keys(config)) {
    // The key is a stranger's text: it is not repeated in the reason.
    if (!Object.hasOwn(fields, key))
      return { ok: false, reason: `unknown config field; known: ${Object.keys(fields).join(', ')}` };
    const problem = fieldProblem(fields[key]!, config[key]!);
    if (problem !== null) return { ok: false, reason: `config field ${key} must be ${problem}` };
    complete[key] = config[key]!;
  }
  for (const rule of rules) {
    const problem = rule(complete as unknown as ConfigOf<F>);
    if (problem !== null) return { ok: false, reason: problem };
  }
  return { ok: true, config: complete };
}

/** Rule: the first field is at most (or, when strict, below) the second. */
export function ordered<F extends ConfigFields>(
  low: keyof F & string,
  high: keyof F & string,
  strict = false,
): ConfigRule<F> {
  return (config) => {
    const [a, b] = [config[low] as number, config[high] as number];
    return (strict ? a < b : a <= b) ? null : `config field ${low} must be ${strict ? 'below' : 'at most'} ${high}`;
  };
}
