/**
 * Reads the configuration from where people state it: flag over environment over file over default. Reports every problem at
 * once. Knows nothing of commander: flags come as an object whose values are text, true/false, or lists of text.
 * An empty environment variable counts as unset. Keys of `flags` that are no setting (`config`, `json`) are left to the caller.
 */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import type { z } from 'zod';
import { describeError, errnoCode } from '../base/errors.ts';
import type { JsonObject } from '../types.ts';
import { defaultDataDirectory, type Surroundings } from './default-folder.ts';
import { configFields, type ConfigField } from './fields.ts';
import { ConfigError, nearest, showValue, type ConfigProblem } from './problems.ts';
import { configSchema, configShape, type Config, type ConfigName } from './schema.ts';

export type ConfigSource = 'flag' | 'environment' | 'file' | 'default';

export interface LoadedConfig {
  config: Config;
  sources: Record<ConfigName, ConfigSource>;
  /** The config file that was read, absolute; null without one. */
  file: string | null;
  /** For the log: for example environment variables that look like a misspelt setting. */
  warnings: string[];
}

export interface ConfigInputs {
  /** Keyed by flag (`max-new-tokens`), its camelCase form, or the field's name; undefined means not given. */
  flags?: Readonly<Record<string, unknown>>;
  env?: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON file; WAGGLE_CONFIG stands in for it. */
  file?: string | undefined;
  /** For tests. */
  surroundings?: Partial<Surroundings> & { workingDirectory?: string };
}

interface Stated {
  field: ConfigField;
  from: string;
  source: ConfigSource;
  value: unknown;
}

const maxFileBytes = 1024 * 1024;

/** @throws ConfigError with every problem found. */
export function loadConfig(inputs: ConfigInputs): LoadedConfig {
  const env = inputs.env ?? {};
  const home = inputs.surroundings?.home ?? homedir();
  const workingDirectory = inputs.surroundings?.workingDirectory ?? process.cwd();
  const problems: ConfigProblem[] = [];
  const named = inputs.file ?? (env['WAGGLE_CONFIG'] || undefined);
  const file = named === undefined ? null : absolute(named, workingDirectory, home);
  // Later ones win.
  const stated = [
    ...(file === null ? [] : readFile(file, problems)),
    ...readEnvironment(env),
    ...readFlags(inputs.flags ?? {}),
  ];
  const values: Partial<Record<ConfigName, unknown>> = {};
  const sources = Object.fromEntries(configFields.map((field) => [field.name, 'default'])) as Record<
    ConfigName,
    ConfigSource
  >;
  const origins: Partial<Record<ConfigName, string>> = {};
  for (const one of stated) {
    const parsed = parseOne(one, problems);
    if (parsed === undefined) continue;
    values[one.field.name] =
      one.field.path && parsed.value !== ''
        ? absolute(parsed.value as string, one.source === 'file' ? dirname(file!) : workingDirectory, home)
        : parsed.value;
    sources[one.field.name] = one.source;
    origins[one.field.name] = one.from;
  }
  const whole = configSchema.safeParse(values);
  if (problems.length === 0 && !whole.success)
    problems.push(...whole.error.issues.map((issue) => conflict(issue, origins)));
  if (problems.length > 0 || !whole.success) throw new ConfigError(problems, file);
  const config = whole.data;
  const platform = inputs.surroundings?.platform ?? process.platform;
  if (config.dataDirectory === '') config.dataDirectory = defaultDataDirectory({ platform, home, env });
  return { config, sources, file, warnings: misspeltVariables(env) };
}

/** The effective configuration for clients; secrets are left out. */
export function publicConfig(config: Config): JsonObject {
  return Object.fromEntries(
    configFields.filter((field) => !field.secret).map((field) => [field.name, config[field.name]]),
  );
}

/** The secret values in use, for the log to redact. */
export function secretValues(config: Config): string[] {
  return configFields.flatMap((field) =>
    field.secret && config[field.name] !== '' ? [String(config[field.name])] : [],
  );
}

/** HOST:PORT as parts; square brackets around an IPv6 address are taken off. The text must have passed the schema. */
export function parseHostPort(text: string): { host: string; port: number } {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}

function absolute(path: string, base: string, home: string): string {
  if (path === '~') return home;
  if (path.startsWith('~/') || path.startsWith('~\\')) return join(home, path.slice(2));
  return isAbsolute(path) ? path : resolve(base, path);
}

function readFlags(flags: Readonly<Record<string, unknown>>): Stated[] {
  const camel = (flag: string) => flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  return configFields.flatMap((field) => {
    const key = [field.flag, camel(field.flag), field.name].find((candidate) => flags[candidate] !== undefined);
    return key === undefined
      ? []
      : [{ field, from: `--${field.flag}`, source: 'flag' as const, value: fromText(field, flags[key]) }];
  });
}

function readEnvironment(env: Readonly<Record<string, string | undefined>>): Stated[] {
  return configFields.flatMap((field) => {
    const text = env[field.env];
    return text === undefined || text === ''
      ? []
      : [{ field, from: field.env, source: 'environment' as const, value: fromText(field, text) }];
  });
}

/** Text of a flag or variable as the field's type; what does not convert is returned as it is, for the schema to refuse. */
function fromText(field: ConfigField, value: unknown): unknown {
  if (field.type === 'list') {
    const parts = Array.isArray(value) ? (value as unknown[]) : [value];
    return parts.flatMap((part) =>
      typeof part === 'string'
        ? part
            .split(',')
            .map((item) => item.trim())
            .filter((item) => item !== '')
        : [part],
    );
  }
  if (typeof value !== 'string') return value;
  if (field.type === 'boolean') {
    if (/^(?:1|true|yes|on)$/i.test(value)) return true;
    return /^(?:0|false|no|off)$/i.test(value) ? false : value;
  }
  if (field.type === 'integer' || field.type === 'number')
    return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(value.trim()) ? Number(value) : value;
  return value;
}

function readFile(file: string, problems: ConfigProblem[]): Stated[] {
  const content = parseFile(file);
  if ('problem' in content) {
    problems.push(content.problem);
    return [];
  }
  return Object.entries(content.fields).flatMap(([key, value]) => {
    const field = configFields.find((candidate) => candidate.name === key);
    if (field !== undefined) return [{ field, from: file, source: 'file' as const, value }];
    const guess = nearest(
      key,
      configFields.map((candidate) => candidate.name),
    );
    problems.push({
      kind: 'unknownField',
      from: file,
      field: key,
      value: null,
      message: `${showValue(key)} is not a setting`,
      fix: guess === null ? `Remove ${showValue(key)} from ${file}.` : `Write ${guess} in place of ${showValue(key)}.`,
    });
    return [];
  });
}

function parseFile(file: string): { fields: Record<string, unknown> } | { problem: ConfigProblem } {
  const fault = (kind: 'unreadableFile' | 'notJson', message: string, fix: string) => ({
    problem: { kind, from: file, field: '', value: null, message, fix },
  });
  let text: string;
  try {
    if (statSync(file).size > maxFileBytes)
      return fault(
        'unreadableFile',
        `is larger than ${maxFileBytes} bytes, so it is no config file`,
        'Name the right file with --config.',
      );
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const missing = errnoCode(error) === 'ENOENT';
    return fault(
      'unreadableFile',
      missing ? 'does not exist' : `cannot be read (${describeError(error)})`,
      missing ? 'Create it or correct the path given with --config.' : 'Make it a file that this user may read.',
    );
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed))
      return { fields: parsed as Record<string, unknown> };
    return fault('notJson', 'must hold one JSON object of settings', 'Write settings as {"rounds": 10}.');
  } catch (error) {
    return fault(
      'notJson',
      `is not valid JSON${placeOf(describeError(error), text)}`,
      'Correct the JSON at that place: settings look like {"rounds": 10}, without comments or trailing commas.',
    );
  }
}

/** `, line 3 column 7`, from the position in the parser's message; the text itself is not quoted, for it may hold the secret. */
function placeOf(message: string, text: string): string {
  const position = /position (\d+)/.exec(message)?.[1];
  const before = position === undefined ? text : text.slice(0, Number(position));
  const lines = before.split('\n');
  return ` (line ${lines.length}, column ${lines.at(-1)!.length + 1})`;
}

function parseOne({ field, from, value }: Stated, problems: ConfigProblem[]): { value: unknown } | undefined {
  const parsed = configShape[field.name].safeParse(value);
  // A file's null is a value that was stated, and none of the types allows it; undefined cannot come from JSON.
  if (parsed.success) return { value: parsed.data };
  const issue = parsed.error.issues[0]!;
  const kind =
    issue.code === 'invalid_type'
      ? 'wrongType'
      : issue.code === 'too_big' || issue.code === 'too_small'
        ? 'outOfRange'
        : 'badValue';
  const shown = field.secret ? null : showValue(value);
  const expected = expectation(field, issue);
  problems.push({
    kind,
    from,
    field: field.name,
    value: shown,
    message: `${field.name} ${expected}${shown === null ? '' : `, not ${shown}`}`,
    fix: `Set ${from.startsWith('-') || from === field.env ? from : field.name} to ${example(field)}, or leave it out for the default.`,
  });
  return undefined;
}

function expectation(field: ConfigField, issue: z.core.$ZodIssue): string {
  const unit = field.unit === '' ? '' : ` ${field.unit}`;
  if (field.range !== null)
    return `must be ${field.type === 'integer' ? 'a whole number' : 'a number'} from ${field.range.min} to ${field.range.max}${unit}`;
  if (field.type === 'choice') return `must be one of ${field.choices.join(', ')}`;
  if (field.type === 'boolean') return 'must be true or false';
  if (issue.code === 'invalid_type') return field.type === 'list' ? 'must be a list of texts' : 'must be a text';
  return issue.message.startsWith('must') ? issue.message : `is not allowed: ${issue.message}`;
}

function example(field: ConfigField): string {
  if (field.range !== null) return `a number from ${field.range.min} to ${field.range.max}`;
  if (field.type === 'choice') return field.choices.join(' or ');
  if (field.type === 'boolean') return 'true or false';
  return field.name === 'bootstrap'
    ? 'HOST:PORT, comma-separated in a flag or variable, a list in the file'
    : 'a text that is allowed';
}

function conflict(issue: z.core.$ZodIssue, origins: Partial<Record<ConfigName, string>>): ConfigProblem {
  const name = String(issue.path[0]) as ConfigName;
  return {
    kind: 'conflict',
    from: origins[name] ?? 'default',
    field: name,
    value: null,
    message: `${name} ${issue.message}`,
    fix: `Change ${name} or the other setting named there.`,
  };
}

function misspeltVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = configFields.map((field) => field.env);
  return Object.keys(env).flatMap((name) => {
    if (!name.startsWith('WAGGLE_') || known.includes(name) || name === 'WAGGLE_CONFIG') return [];
    const guess = nearest(name, known);
    return guess === null ? [] : [`The environment variable ${name} is no setting: did you mean ${guess}?`];
  });
}
