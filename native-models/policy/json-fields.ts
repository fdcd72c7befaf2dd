/** Reads numbers and flags out of an untrusted `config.json`: each is checked for kind and range, each refusal names the field. */
import { PolicyError } from './policy-error.ts';

export type Json = Readonly<Record<string, unknown>>;

const USE_ANOTHER = 'Choose another model folder (--policy DIR), or leave it empty for the bundled policy.';

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What the file says may be right, but is not computed here. */
export function refuse(what: string): never {
  throw new PolicyError('policyUnsupported', `config.json: ${what} is not supported`, USE_ANOTHER);
}

export function invalid(what: string): never {
  throw new PolicyError('policyInvalid', `config.json: ${what}`, USE_ANOTHER);
}

/** A value as text for a message, cut to a readable length. */
export function quoted(value: unknown): string {
  return value === undefined ? 'undefined' : JSON.stringify(value).slice(0, 80);
}

export function numberField(raw: Json, key: string, min: number, max: number, fallback?: number): number {
  const value = raw[key] ?? fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < min || value > max)
    invalid(`${key} must be a number from ${min} to ${max}, it is ${quoted(value)}`);
  return value;
}

export function integerField(raw: Json, key: string, min: number, max: number, fallback?: number): number {
  const value = numberField(raw, key, min, max, fallback);
  if (!Number.isInteger(value)) invalid(`${key} must be a whole number, it is ${value}`);
  return value;
}

export function flagField(raw: Json, key: string, fallback: boolean): boolean {
  const value = raw[key] ?? fallback;
  if (typeof value !== 'boolean') invalid(`${key} must be true or false, it is ${quoted(value)}`);
  return value;
}
