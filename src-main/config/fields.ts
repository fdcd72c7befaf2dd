/**
 * The schema as a plain list, for whoever makes flags, environment variables, a form or documentation of it.
 * Derived: nothing is stated here that `schema.ts` does not say. Ranges and defaults come from zod's own JSON Schema.
 */
import { z } from 'zod';
import type { JsonValue } from '../types.ts';
import { configShape, fieldNotes, type ConfigGroup, type ConfigName } from './schema.ts';

export type FieldType = 'boolean' | 'integer' | 'number' | 'string' | 'choice' | 'list';

export interface ConfigField {
  name: ConfigName;
  group: ConfigGroup;
  /** Without the leading dashes; a boolean also has `no-FLAG`. */
  flag: string;
  env: string;
  type: FieldType;
  default: JsonValue;
  unit: string;
  /** Inclusive bounds of a number; null for other types. */
  range: { min: number; max: number } | null;
  /** Allowed values of a choice; empty for other types. */
  choices: string[];
  sentence: string;
  secret: boolean;
  path: boolean;
}

const kebab = (name: string) =>
  name
    .replace(/[A-Z0-9]+/g, (part, at: number) => (at === 0 ? part : `-${part.toLowerCase()}`))
    .replace(/-(\d)/g, '$1');

function typeOf(schema: z.core.JSONSchema.BaseSchema): FieldType {
  if (schema.enum !== undefined) return 'choice';
  if (schema.type === 'boolean' || schema.type === 'integer' || schema.type === 'number') return schema.type;
  return schema.type === 'array' ? 'list' : 'string';
}

function describe(name: ConfigName): ConfigField {
  const notes = fieldNotes.get(configShape[name]);
  if (notes === undefined) throw new Error(`config field ${name} has no notes`);
  const schema = z.toJSONSchema(configShape[name], { io: 'input' });
  const type = typeOf(schema);
  const flag = notes.flag ?? kebab(name);
  return {
    name,
    group: notes.group,
    flag,
    env: `WAGGLE_${flag.replaceAll('-', '_').toUpperCase()}`,
    type,
    default: schema.default as JsonValue,
    unit: notes.unit,
    range: type === 'integer' || type === 'number' ? { min: schema.minimum!, max: schema.maximum! } : null,
    choices: type === 'choice' ? schema.enum!.map(String) : [],
    sentence: notes.sentence,
    secret: notes.secret ?? false,
    path: notes.path ?? false,
  };
}

export const configFields: readonly ConfigField[] = (Object.keys(configShape) as ConfigName[]).map(describe);
