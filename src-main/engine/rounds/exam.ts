/**
 * The exam: how well the policy does at its task set's held-out tasks, greedily and sampled as in training. The same tasks every time
 * and on every node, and in no node's training stream, so that the figures of two rounds, or of two nodes, can be compared. Knows nothing
 * of when it is due or where the result is kept. `answerTasks` alone serves whoever has other tasks to be answered (benefit/).
 */
import type { ComputeHost } from '../../../native-models/runtime/compute-host.ts';
import type { Config } from '../../config.ts';
import { mean } from '../../objective/objective.ts';
import {
  generatedTokens,
  generateOptions,
  generateRollouts,
  verifyRollouts,
  type PolicyText,
  type SamplingSettings,
} from '../../rollout/rollout.ts';
import type { TaskInstance } from '../../tasks/task.ts';
import { heldOutTasks, type TaskSet } from '../../tasks/task-sets.ts';

export interface ExamOptions extends SamplingSettings, Pick<Config, 'examTasks' | 'promptsPerRound'> {
  set: TaskSet;
  /** Of the sampled answers, 0 to 2^32 - 1. */
  seed: number;
  /** Whether the policy's context has room for the task. */
  fits: (instance: TaskInstance) => boolean;
  onProgress: (tokens: number, total: number) => void;
}

/** Shares of right answers, 0 to 1. */
interface ExamScore {
  tasks: number;
  greedy: number;
  sampled: number;
}

export interface ExamResult extends ExamScore {
  byTask: ({ generator: string } & ExamScore)[];
}

type Scored = { generator: string; greedy: number; sampled: number };

function meanScore(scored: readonly Scored[]): ExamScore {
  const greedy = mean(scored.map((one) => one.greedy));
  return { tasks: scored.length, greedy, sampled: mean(scored.map(({ sampled }) => sampled)) };
}

export interface AnswerOptions extends SamplingSettings, Pick<Config, 'promptsPerRound'> {
  /** To each task. */
  answers: number;
  /** 0 to 2^32 - 1. */
  seed: number;
  /** Before each batch. */
  onBatch?: (tasksBefore: number) => void;
  onProgress?: (tokens: number, tasksBefore: number) => void;
}

/**
 * Mean reward of the answers to each task, and the tokens of all of them. As many prompts at once as in a round: what fits the memory
 * there fits here, for up to as many answers as a group has. @throws ComputeError
 */
export async function answerTasks(
  compute: ComputeHost,
  policy: PolicyText,
  instances: readonly TaskInstance[],
  options: AnswerOptions,
): Promise<{ scores: number[]; tokens: number }> {
  const { promptsPerRound, answers, seed } = options;
  const scores: number[] = [];
  let tokens = 0;
  for (let from = 0; from < instances.length; from += promptsPerRound) {
    options.onBatch?.(from);
    const batch = instances.slice(from, from + promptsPerRound);
    const sampling = generateOptions(options, answers, (seed + from) >>> 0);
    const rollouts = await generateRollouts(compute, policy, batch, sampling, (sampled) =>
      options.onProgress?.(sampled, from),
    );
    const groups = verifyRollouts(policy, rollouts);
    scores.push(...groups.map(({ completions }) => mean(completions.map(({ reward }) => reward))));
    tokens += generatedTokens(groups);
  }
  return { scores, tokens };
}

/** One answer to each task each way. @throws ComputeError from the compute process */
export async function takeExam(compute: ComputeHost, policy: PolicyText, options: ExamOptions): Promise<ExamResult> {
  const { set, examTasks, fits, onProgress } = options;
  const instances = heldOutTasks(set, examTasks, fits);
  const total = 2 * instances.length * options.maxNewTokens;
  const rewards = async (temperature: number, before: number): Promise<number[]> => {
    const { scores } = await answerTasks(compute, policy, instances, {
      ...options,
      temperature,
      answers: 1,
      onProgress: (tokens, from) => onProgress((before + from) * options.maxNewTokens + tokens, total),
    });
    return scores;
  };
  const greedy = await rewards(0, 0);
  const sampled = await rewards(options.temperature, instances.length);
  const scored = instances.map(({ ref: { generator } }, i) => ({
    generator,
    greedy: greedy[i]!,
    sampled: sampled[i]!,
  }));
  const byTask = set.members.flatMap(({ generator }) => {
    const own = scored.filter((one) => one.generator === generator);
    return own.length === 0 ? [] : [{ generator, ...meanScore(own) }];
  });
  return { ...meanScore(scored), byTask };
}
