/**
 * The exam: how well the policy does at its task set's held-out tasks, greedily and sampled as in training. The same tasks every time
 * and on every node, and in no node's training stream, so that the figures of two rounds, or of two nodes, can be compared. Knows nothing
 * of when it is due or where the result is kept.
 */
import type { ComputeHost } from '../../native-models/runtime/compute-host.ts';
import type { Config } from '../config.ts';
import { generateRollouts, verifyRollouts, type PolicyText } from '../rollout/rollout.ts';
import type { TaskInstance } from '../tasks/task.ts';
import { heldOutTasks, type TaskSet } from '../tasks/task-sets.ts';

export interface ExamOptions extends Pick<
  Config,
  'examTasks' | 'promptsPerRound' | 'maxNewTokens' | 'temperature' | 'topK' | 'topP'
> {
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
  const mean = (of: (one: Scored) => number): number => scored.reduce((sum, one) => sum + of(one), 0) / scored.length;
  return { tasks: scored.length, greedy: mean(({ greedy }) => greedy), sampled: mean(({ sampled }) => sampled) };
}

/** One answer to each task each way. @throws ComputeError from the compute process */
export async function takeExam(compute: ComputeHost, policy: PolicyText, options: ExamOptions): Promise<ExamResult> {
  const { set, examTasks, fits, onProgress } = options;
  const instances = heldOutTasks(set, examTasks, fits);
  // As many prompts at once as in a round, and fewer rows: what fits the memory there fits here.
  const atOnce = options.promptsPerRound;
  const total = 2 * instances.length * options.maxNewTokens;
  let before = 0;
  const rewards = async (temperature: number): Promise<number[]> => {
    const result: number[] = [];
    for (let from = 0; from < instances.length; from += atOnce) {
      const batch = instances.slice(from, from + atOnce);
      const { maxNewTokens, topK, topP, seed } = options;
      const sampling = { completionsPerPrompt: 1, maxNewTokens, temperature, topK, topP, seed: (seed + from) >>> 0 };
      const rollouts = await generateRollouts(compute, policy, batch, sampling, (tokens) =>
        onProgress(before + tokens, total),
      );
      before += batch.length * maxNewTokens;
      for (const { completions } of verifyRollouts(policy, rollouts)) result.push(completions[0]!.reward);
    }
    return result;
  };
  const greedy = await rewards(0);
  const sampled = await rewards(options.temperature);
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
