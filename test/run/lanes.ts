/**
 * Runs stages side by side: each lane works through its stages on so many places at once. The first place of a lane takes jobs
 * from the front, where the cheap stages are and faults show early; the second from the end, where the long jobs are, so that
 * none of them is left alone when everything else is done; and so on.
 * Knows nothing of what a job does. Stages overlap, so every line that is printed names its stage.
 * Invariant: once a stage has failed, only jobs of failed stages are begun; those that run are waited for.
 */

export interface Job {
  /** 0 for most. Others come last in their lane whatever their stage, the longest at the very end. */
  length: number;
  /** Resolves to true when it found no fault; never rejects. */
  run: () => Promise<boolean>;
}

export interface Stage {
  name: string;
  jobs: readonly Job[];
  /** What came of it, asked when the last job is over. */
  outcome: () => string;
}

export interface Lane {
  places: number;
  /** Cheap ones first. */
  stages: readonly Stage[];
}

interface Course {
  startedAt: number;
  over: number;
  failed: boolean;
}

interface Queued {
  stage: Stage;
  job: Job;
}

function queueOf({ stages }: Lane): Queued[] {
  return stages
    .flatMap((stage) => stage.jobs.map((job) => ({ stage, job })))
    .sort((a, b) => a.job.length - b.job.length);
}

/** Names of the stages that failed, the first to fail first. */
export async function runLanes(lanes: readonly Lane[]): Promise<string[]> {
  const courses = new Map<Stage, Course>();
  const failed: Stage[] = [];
  const work = async ({ stage, job }: Queued): Promise<void> => {
    const course = courses.get(stage) ?? { startedAt: performance.now(), over: 0, failed: false };
    courses.set(stage, course);
    const fine = await job.run();
    course.over++;
    if (!fine && !failed.includes(stage)) failed.push(stage);
    if (course.over < stage.jobs.length) return;
    const seconds = ((performance.now() - course.startedAt) / 1000).toFixed(1);
    const verdict = failed.includes(stage) ? 'FAILED' : 'ok';
    process.stdout.write(`  ${verdict}: ${stage.name}: ${stage.outcome()} (${seconds} s)\n`);
  };
  const allowed = ({ stage }: Queued): boolean => failed.length === 0 || failed.includes(stage);
  const occupy = async (queue: Queued[], fromEnd: boolean): Promise<void> => {
    for (;;) {
      const at = fromEnd ? queue.findLastIndex(allowed) : queue.findIndex(allowed);
      const next = queue[at];
      if (next === undefined) return;
      queue.splice(at, 1);
      await work(next);
    }
  };
  const occupied = lanes.flatMap((lane) => {
    const queue = queueOf(lane);
    return Array.from({ length: lane.places }, (_, i) => occupy(queue, i % 2 === 1));
  });
  await Promise.all(occupied);
  for (const [{ name, jobs }, { over }] of courses)
    if (over < jobs.length) process.stdout.write(`  stopped: ${name}, after ${over} of ${jobs.length}\n`);
  return failed.map(({ name }) => name);
}
