/**
 * `task`: instances of a task generator, or the verdict on an answer. Needs no node.
 * With --json one JSON object a line: {question, answer, metadata}, and with --answer {reward, reason}.
 */
import { NodeFault } from '../engine/serve/faults.ts';
import { getGenerator, listGenerators } from '../tasks/registry.ts';
import type { TaskGenerator, TaskInstance } from '../tasks/task.ts';
import { instantiate } from '../tasks/task-ref.ts';
import { verifyAnswer } from '../tasks/verify-completions.ts';
import type { JsonObject, Verdict } from '../types.ts';
import { paint, type Terminal } from './terminal.ts';

export interface TaskOptions {
  seed: string;
  index: number;
  count: number;
  config?: string;
  answer?: string;
  /** Judge by the reference library's partial credit. */
  partial?: boolean;
  json?: boolean;
}

/** Throws `NodeFault`: `unknownGenerator`, `badTaskConfig`, `noSuchTask`. */
export function showTasks(name: string, options: TaskOptions, terminal: Terminal): void {
  const generator = getGenerator(name);
  if (generator === undefined) throw unknownGenerator(name);
  const config = parseTaskConfig(options.config);
  for (let offset = 0; offset < options.count; offset++) {
    const instance = makeInstance(generator, config, options.seed, options.index + offset);
    terminal.print(options.json === true ? toLine(instance, options) : toText(instance, options, terminal));
  }
}

function makeInstance(generator: TaskGenerator, config: JsonObject, seed: string, index: number): TaskInstance {
  const { name, version } = generator;
  const made = instantiate({ generator: name, version, config, seed, index });
  if (made.ok) return made.instance;
  throw new NodeFault({
    code: 'noSuchTask',
    message: `${name} has no task for this config, seed and index: ${made.reason}.`,
    fix: `Its settings and their defaults: ${JSON.stringify(generator.defaults)}`,
  });
}

function judge(instance: TaskInstance, answer: string, { partial = false }: TaskOptions): Verdict {
  return verifyAnswer(instance, answer, partial ? 'partial' : 'strict');
}

function toLine(instance: TaskInstance, options: TaskOptions): string {
  if (options.answer !== undefined) {
    const { reward, reason } = judge(instance, options.answer, options);
    return JSON.stringify({ reward, reason });
  }
  const { question, answer: right, metadata } = instance;
  return JSON.stringify({ question, answer: right, metadata });
}

function toText(instance: TaskInstance, options: TaskOptions, style: Terminal): string {
  const heading = paint(style, 'bold', `${instance.ref.generator}, index ${instance.ref.index}`);
  if (options.answer === undefined)
    return `${heading}\n${instance.question}\n${paint(style, 'dim', 'answer')}  ${instance.answer}\n`;
  const { reward, reason } = judge(instance, options.answer, options);
  const verdict = paint(style, reward > 0 ? 'green' : 'red', `reward ${reward}`);
  return `${heading}\n${instance.question}\n${verdict}  ${reason}\n`;
}

function parseTaskConfig(text: string | undefined): JsonObject {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // said below
  }
  const fix = 'Write it like: --config \'{"min_terms": 2}\'';
  throw new NodeFault({ code: 'badTaskConfig', message: 'The value of --config is not a JSON object.', fix });
}

function unknownGenerator(name: string): NodeFault {
  const names = listGenerators().map((generator) => generator.name);
  const message = `There is no task called ${JSON.stringify(name.slice(0, 40))}.`;
  return new NodeFault({ code: 'unknownGenerator', message, fix: `Choose one of: ${names.join(', ')}` });
}
