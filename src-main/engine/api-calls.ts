/**
 * The node's side of the typed API: each call answered from the part that knows. No logic of its own; arguments arrive parsed
 * (api-schema.ts).
 */
import { WaggleError } from '../base/errors.ts';
import { publicConfig, type Config } from '../config.ts';
import { metricDefinitions } from '../stats/metrics.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import { getGenerator, listGenerators } from '../tasks/registry.ts';
import { instantiate } from '../tasks/task-ref.ts';
import type {
  CallName,
  Calls,
  HardwareReport,
  NodeStatus,
  PeerRow,
  RunState,
  TaskSample,
  TaskSampleArgs,
} from './api.ts';

export interface ApiParts {
  config: Config;
  store: Store;
  log: Log;
  status(): NodeStatus;
  hardware(): Promise<HardwareReport>;
  peers(): PeerRow[];
  pause(): RunState;
  resume(): RunState;
  finish(): RunState;
  quit(): void;
}

type Answers = { [K in CallName]: (args: Calls[K]['args']) => Calls[K]['result'] | Promise<Calls[K]['result']> };

export function apiCalls(parts: ApiParts): Answers {
  const { store } = parts;
  return {
    status: () => parts.status(),
    hardware: () => parts.hardware(),
    config: () => publicConfig(parts.config),
    metrics: () => [...metricDefinitions],
    rounds: (query) => store.rounds(query),
    rollouts: (query) => store.rollouts(query),
    leaderboard: () => store.leaderboard(),
    peers: () => parts.peers(),
    log: (query) => parts.log.rows(query),
    tasks: () =>
      listGenerators().map(({ name, version, summary, levels }) => ({ name, version, summary, levels: [...levels] })),
    task: sampleTask,
    pause: () => parts.pause(),
    resume: () => parts.resume(),
    finish: () => parts.finish(),
    quit: () => {
      parts.quit();
      return null;
    },
  };
}

function sampleTask({ generator, config, seed, index, answer }: TaskSampleArgs): TaskSample {
  const known = getGenerator(generator);
  if (!known) {
    throw new WaggleError({
      code: 'unknownTask',
      message: `There is no task ${generator}`,
      fix: 'Call `tasks` for the list.',
    });
  }
  const made = instantiate({ generator, version: known.version, config, seed, index });
  if (!made.ok) {
    throw new WaggleError({
      code: 'badTask',
      message: `That task cannot be made: ${made.reason}`,
      fix: 'Correct config, seed or index.',
    });
  }
  const { instance } = made;
  const verdict = answer === undefined ? null : known.verify(answer, instance);
  const { ref, question, terse, metadata } = instance;
  return { ref, question, terse, answer: instance.answer, metadata, verdict };
}
