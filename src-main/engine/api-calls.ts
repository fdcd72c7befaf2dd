/**
 * The node's side of the typed API: each call answered from the part that knows. No logic of its own; arguments arrive parsed
 * (api-schema.ts).
 */
import { publicConfig, type Config } from '../config.ts';
import { metricDefinitions } from '../stats/metrics.ts';
import type { Log } from '../base/log.ts';
import type { Store } from '../store/store.ts';
import type { PeerId } from '../types.ts';
import type {
  BenefitReport,
  BoardRow,
  BoardWindow,
  CallName,
  Calls,
  DemonstrationReport,
  HardwareReport,
  NodeStatus,
  OwnScore,
  PeerRow,
  ReceiptRow,
  RunState,
  TaskPractice,
} from './api.ts';
import type { IdentityDesk } from './swarm/identity-desk.ts';
import type { ModelDesk } from './policy/model-desk.ts';
import type { SwarmChoice } from './swarm/swarm-choice.ts';
import { listTasks, sampleTask } from './view/task-inspection.ts';

export interface ApiParts {
  config: Config;
  store: Store;
  log: Log;
  status(): NodeStatus;
  hardware(): Promise<HardwareReport>;
  tryProviders(): void;
  peers(): PeerRow[];
  board(window: BoardWindow): BoardRow[];
  receiptsOf(peer: PeerId, limit: number): ReceiptRow[];
  ownScore(window: BoardWindow): OwnScore | null;
  swarms: SwarmChoice;
  identity: IdentityDesk;
  models: ModelDesk;
  practice(): TaskPractice;
  demonstrations(limit: number): DemonstrationReport;
  benefit(): BenefitReport;
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
    tryProviders: () => {
      parts.tryProviders();
      return null;
    },
    config: () => publicConfig(parts.config),
    metrics: () => [...metricDefinitions],
    rounds: (query) => store.rounds(query),
    rollouts: (query) => store.rollouts(query),
    leaderboard: () => store.leaderboard(),
    peers: () => parts.peers(),
    board: ({ window }) => parts.board(window),
    receipts: ({ peer, limit }) => parts.receiptsOf(peer, limit),
    ownScore: ({ window }) => parts.ownScore(window),
    log: (query) => parts.log.rows(query),
    swarms: () => parts.swarms.report(),
    readInvite: ({ link }) => parts.swarms.read(link),
    joinSwarm: ({ link }) => parts.swarms.join(link),
    createSwarm: (wanted) => parts.swarms.create(wanted),
    chooseSwarm: ({ id }) => parts.swarms.choose(id),
    leaveSwarm: ({ id }) => parts.swarms.leave(id),
    swarmInvite: async ({ id }) => ({ link: await parts.swarms.inviteOf(id) }),
    identity: () => parts.identity.report(),
    previewProfile: (names) => parts.identity.preview(names),
    setProfile: (names) => parts.identity.rename(names),
    backupWords: () => parts.identity.words(),
    restoreIdentity: (wanted) => parts.identity.restore(wanted),
    tasks: listTasks,
    task: sampleTask,
    practice: () => parts.practice(),
    demonstrations: ({ limit }) => parts.demonstrations(limit),
    exams: ({ limit }) => store.exams(limit),
    benefit: () => parts.benefit(),
    models: () => parts.models.report(),
    downloadModel: ({ id }) => parts.models.download(id),
    cancelDownload: ({ id }) => parts.models.cancelDownload(id),
    deleteModel: ({ id }) => parts.models.delete(id),
    addModelFolder: ({ directory }) => parts.models.addFolder(directory),
    forgetModelFolder: ({ directory }) => parts.models.forgetFolder(directory),
    useModel: ({ key }) => parts.models.use(key),
    pause: () => parts.pause(),
    resume: () => parts.resume(),
    finish: () => parts.finish(),
    quit: () => {
      parts.quit();
      return null;
    },
  };
}
