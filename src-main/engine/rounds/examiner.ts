/**
 * When the policy takes the exam (exam.ts), and where the result goes. Knows nothing of run states; what goes wrong is its caller's.
 */
import type { Logger } from '../../base/log.ts';
import { createRandom } from '../../base/random.ts';
import type { Config } from '../../config.ts';
import type { Store } from '../../store/store.ts';
import type { ExamRow, RoundStage } from '../api.ts';
import type { PolicyNow } from '../benefit/benefit-meter.ts';
import { takeExam } from './exam.ts';
import type { Practice } from './practice.ts';

export interface ExaminerOptions {
  config: Config;
  /** The node's. */
  seed: string;
  practice: Pick<Practice, 'set'>;
  store: Pick<Store, 'recordExam' | 'lastExamRound'>;
  report: (stage: RoundStage, done: number, total: number) => void;
  onExam: (row: ExamRow) => void;
  log: Pick<Logger, 'info'>;
}

export class Examiner {
  private readonly options: ExaminerOptions;

  constructor(options: ExaminerOptions) {
    this.options = options;
  }

  /**
   * After the first round, for comparison, then every `examRounds`; one that was missed is taken after the next round. Where the policy
   * stays as it is, once says it all.
   */
  isDue(round: number): boolean {
    const { config, store } = this.options;
    if (config.examRounds === 0) return false;
    const period = (of: number): number => Math.floor(of / config.examRounds);
    const last = store.lastExamRound();
    if (config.role === 'generates') return last === null;
    return last === null || period(round) > period(last);
  }

  /** @throws ComputeError */
  async examine({ compute, policy, round, version: policyVersion, fits }: PolicyNow): Promise<void> {
    const { config, seed, practice, store, report, onExam, log } = this.options;
    const { set } = practice; // another may be chosen meanwhile
    const start = performance.now();
    const result = await takeExam(compute, policy, {
      ...config,
      set,
      seed: createRandom(seed, `exam/${round}`).uint32(),
      fits,
      onProgress: (tokens, total) => report('generate', tokens, total),
    });
    const seconds = (performance.now() - start) / 1000;
    const { name, version } = set;
    const row = { round, at: Date.now(), policyVersion, taskSet: name, taskSetVersion: version, seconds, ...result };
    store.recordExam(row);
    onExam(row);
    const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
    log.info(`Exam after round ${round}: ${percent(row.greedy)} right greedily, ${percent(row.sampled)} sampled`);
  }
}
