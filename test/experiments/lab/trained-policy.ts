/**
 * A policy that an experiment trains outside of a node: the real compute process, tasks, rollouts, objectives and training
 * step, with the round put together by the experiment. Knows nothing of what the experiment compares. Owner closes it.
 */
import { lowerGraph } from '../../../native-models/graph/lower.ts';
import { gradientGraph } from '../../../native-models/policy/graphs.ts';
import type { PolicyConfig } from '../../../native-models/policy/policy-config.ts';
import { ComputeHost, forkCompute } from '../../../native-models/runtime/compute-host.ts';
import { loweringFor } from '../../../native-models/runtime/provider.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import type { Config } from '../../../src-main/config.ts';
import { bundledPolicyDirectory, promptStyleOf } from '../../../src-main/engine/policy/bundled-policy.ts';
import type { Objective } from '../../../src-main/objective/objective.ts';
import { generateRollouts, verifyRollouts, type OwnGroup, type PolicyText } from '../../../src-main/rollout/rollout.ts';
import type { TaskInstance } from '../../../src-main/tasks/task.ts';
import type { TrainOutcome } from '../../../src-main/train/outcome.ts';
import { executePlan, planTraining, withNeededLogprobs, type TrainPart } from '../../../src-main/train/train-round.ts';

export interface TrainedPolicyOptions {
  config: Config;
  /** Threads of the compute process. */
  threads: number;
  /** Default: the bundled policy. */
  policyDirectory?: string;
}

export class TrainedPolicy {
  readonly text: PolicyText;
  private readonly options: TrainedPolicyOptions;
  private readonly host: ComputeHost;
  private readonly defined = new Set<string>();
  private shape: PolicyConfig | null = null;
  private version = 0;

  private constructor(options: TrainedPolicyOptions, text: PolicyText) {
    this.options = options;
    this.text = text;
    this.host = new ComputeHost(forkCompute);
  }

  /** First weights, fresh Adam moments. */
  static async open(options: TrainedPolicyOptions): Promise<TrainedPolicy> {
    const { policyDirectory = bundledPolicyDirectory(), threads } = options;
    const text = { tokenizer: await loadTokenizer(policyDirectory), style: await promptStyleOf(policyDirectory) };
    const policy = new TrainedPolicy(options, text);
    try {
      const open = { policyDirectory, checkpointDirectory: null, provider: 'cpu', threads } as const;
      policy.shape = (await policy.host.call('open', open)).config;
      return policy;
    } catch (error) {
      await policy.close();
      throw error;
    }
  }

  get contextTokens(): number {
    return this.shape!.contextTokens;
  }

  /** Verified groups of the policy as it is now; the same seed gives the same answers. */
  async rollouts(tasks: readonly TaskInstance[], seed: number): Promise<OwnGroup[]> {
    const { groupSize, maxNewTokens, temperature, topK, topP } = this.options.config;
    const options = { completionsPerPrompt: groupSize, maxNewTokens, temperature, topK, topP, seed };
    return verifyRollouts(this.text, await generateRollouts(this.host, this.text, tasks, options, () => undefined));
  }

  /** One round's training on exactly these groups; null when there are none. */
  async train(parts: readonly TrainPart[]): Promise<TrainOutcome | null> {
    const { config } = this.options;
    const complete: TrainPart[] = [];
    for (const part of parts) {
      await this.define(part.objective);
      const groups = await withNeededLogprobs(this.host, part.objective, part.groups, config.microBatchTokens);
      complete.push({ ...part, groups });
    }
    const plan = planTraining(complete, this.version, config);
    if (!plan) return null;
    const outcome = await executePlan(this.host, plan);
    this.version = outcome.policyVersion;
    return outcome;
  }

  async close(): Promise<void> {
    await this.host.close();
  }

  private async define({ name, loss }: Objective): Promise<void> {
    if (this.defined.has(name)) return;
    const model = lowerGraph(gradientGraph(this.shape!, loss), loweringFor('cpu'), name);
    await this.host.call('defineObjective', { name, model });
    this.defined.add(name);
  }
}
