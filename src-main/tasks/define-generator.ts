/**
 * Turns a generator's own part (fields, levels, how an instance is drawn, how an answer is judged) into a `TaskGenerator`:
 * seeds the random numbers, checks configs, completes the metadata. Knows no particular task.
 */
import type { JsonObject, Verdict } from '../types.ts';
import { defaultsOf, parseConfig, type ConfigFields, type ConfigOf, type ConfigRule } from './config-fields.ts';
import { containmentCredit, type CreditRule } from './credit/credit-rules.ts';
import { PythonRandom } from './python-random.ts';
import type { TaskGenerator, TaskLevel, TaskProblem } from './task.ts';

export interface DrawnProblem {
  /**
   * The wording where the reference draws one; else several that ask the same: one is drawn after everything else, so that the instance
   * is not touched by it. The easiest level always takes the first, for policies too small to read more than one.
   */
  question: string | readonly string[];
  terse: string;
  answer: string;
  /** Short spelling of the answer; the answer itself unless given. */
  terseAnswer?: string;
  /** Without source_dataset and source_index. */
  metadata: JsonObject;
}

export interface GeneratorSpec<F extends ConfigFields> {
  name: string;
  version: number;
  summary: string;
  fields: F;
  rules: readonly ConfigRule<F>[];
  levels: readonly TaskLevel[];
  draw(random: PythonRandom, config: ConfigOf<F>): DrawnProblem;
  verify(answer: string, problem: TaskProblem): Verdict;
  /** The reference's own credit; its default rule unless given. */
  partialCredit?: CreditRule;
}

function wordingOf(question: DrawnProblem['question'], random: PythonRandom, isEasiest: () => boolean): string {
  if (typeof question === 'string') return question;
  return isEasiest() ? question[0]! : random.choice(question);
}

export function defineGenerator<const F extends ConfigFields>(spec: GeneratorSpec<F>): TaskGenerator {
  const { name, version, summary, levels } = spec;
  const defaults = defaultsOf(spec.fields);
  const easiest = JSON.stringify({ ...defaults, ...levels[0]?.config });
  return {
    name,
    version,
    summary,
    levels,
    defaults,
    parseConfig: (config) => parseConfig(spec.fields, defaults, spec.rules, config),
    generate(config, seed, index) {
      const random = new PythonRandom(seed + BigInt(index));
      const drawn = spec.draw(random, config as unknown as ConfigOf<F>);
      return {
        question: wordingOf(drawn.question, random, () => JSON.stringify(config) === easiest),
        terse: drawn.terse,
        answer: drawn.answer,
        terseAnswer: drawn.terseAnswer ?? drawn.answer,
        metadata: { source_dataset: name, source_index: index, ...drawn.metadata },
      };
    },
    verify: (answer, problem) => spec.verify(answer, problem),
    partialCredit: spec.partialCredit ?? containmentCredit,
  };
}
