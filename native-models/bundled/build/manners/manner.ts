/**
 * What a manner of answering is. Manners exist only to pre-train the bundled policy: the same task answered by a bare guess, by a
 * short worked solution and carelessly, so that reinforcement learning finds ways of very different reliability to choose from.
 * They are never used to judge an answer and never sent.
 *
 * Invariants: a text is printable ASCII, at most `MAX_DEMONSTRATION_CHARS` long at the starter levels, and ends in
 * `<answer>X</answer>`. Its first character names the manner: `<` a guess, `:` worked, `~` careless.
 */
import type { TaskProblem } from '../../../../src-main/tasks/task.ts';

export type MannerName = 'guess' | 'worked' | 'careless';

/** A number in [0, 1), as Math.random gives. */
export type RandomFloat = () => number;

export interface Manner {
  name: MannerName;
  /** Share of this manner among the demonstrations of its task; a task's weights sum to 1. */
  weight: number;
  write(problem: TaskProblem, random: RandomFloat): string;
}

/** One task's way of solving: the steps of a right solution, and a slip. */
export interface Solver {
  /** Shares of guess, worked and careless. */
  weights: Readonly<Record<MannerName, number>>;
  /** The right solution in terse notation, without marker and answer. */
  work(problem: TaskProblem): string;
  /** A plausible solution that is mostly wrong: its steps (may be empty) and its answer. */
  slip(problem: TaskProblem, random: RandomFloat): { steps: string; answer: string };
}

export const MAX_DEMONSTRATION_CHARS = 80;

/** How often a careless text happens to make no slip. */
const CARELESS_LUCK = 0.15;

/** A slip that happens to give the right answer is drawn again, this often at most. */
const SLIP_DRAWS = 6;

function answerTag(answer: string): string {
  return `<answer>${answer}</answer>`;
}

export function pick<T>(random: RandomFloat, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)]!;
}

export function mannersOf(solver: Solver): readonly Manner[] {
  return [
    { name: 'guess', weight: solver.weights.guess, write: (problem) => answerTag(problem.terseAnswer) },
    {
      name: 'worked',
      weight: solver.weights.worked,
      write: (problem) => `:${solver.work(problem)}${answerTag(problem.terseAnswer)}`,
    },
    {
      name: 'careless',
      weight: solver.weights.careless,
      write: (problem, random) => {
        if (random() < CARELESS_LUCK) return `~${answerTag(problem.terseAnswer)}`;
        let slip = solver.slip(problem, random);
        for (let i = 1; i < SLIP_DRAWS && slip.answer === problem.terseAnswer; i++) slip = solver.slip(problem, random);
        return `~${slip.steps}${answerTag(slip.answer)}`;
      },
    },
  ];
}
