/** Wires the controllers to one client and hands them to the components by context. The only place that knows all of them. */
import { createContext } from 'svelte';
import type { LinkedClient } from '../api/connection.ts';
import { BenefitController } from './benefit.svelte.ts';
import { BoardController } from './board.svelte.ts';
import { Clock } from './clock.svelte.ts';
import { ConnectionState } from './connection.svelte.ts';
import { DemonstrationsController } from './demonstrations.svelte.ts';
import { ExamsController } from './exams.svelte.ts';
import { HardwareController } from './hardware.svelte.ts';
import { IdentityController } from './identity.svelte.ts';
import { LeaderboardController } from './leaderboard.svelte.ts';
import { LogController } from './log.svelte.ts';
import { ModelsController } from './models.svelte.ts';
import { NodeController } from './node.svelte.ts';
import { PeersController } from './peers.svelte.ts';
import { PracticeController } from './practice.svelte.ts';
import { ReceiptsController } from './receipts.svelte.ts';
import { RolloutsController } from './rollouts.svelte.ts';
import { RoundsController } from './rounds.svelte.ts';
import { Route } from './route.svelte.ts';
import { SwarmsController } from './swarms.svelte.ts';
import { TasksController } from './tasks.svelte.ts';
import { Theme } from './theme.svelte.ts';

export class App {
  readonly clock = new Clock();
  readonly route = new Route();
  readonly theme = new Theme();
  readonly connection: ConnectionState;
  readonly node: NodeController;
  readonly rounds: RoundsController;
  readonly rollouts: RolloutsController;
  /** What peers wrote, beside the list that the reader filters; enough rows for some groups of sixteen. */
  readonly fromPeers: RolloutsController;
  readonly board: BoardController;
  readonly receipts: ReceiptsController;
  readonly leaderboard: LeaderboardController;
  readonly log: LogController;
  readonly peers: PeersController;
  readonly swarms: SwarmsController;
  readonly identity: IdentityController;
  readonly hardware: HardwareController;
  readonly models: ModelsController;
  readonly tasks: TasksController;
  readonly practice: PracticeController;
  readonly exams: ExamsController;
  readonly benefit: BenefitController;
  readonly demonstrations: DemonstrationsController;
  readonly #client: LinkedClient;

  constructor(client: LinkedClient) {
    this.#client = client;
    this.connection = new ConnectionState(client);
    this.node = new NodeController(client);
    this.rounds = new RoundsController(client);
    this.rollouts = new RolloutsController(client);
    this.fromPeers = new RolloutsController(client, 'peers', 160);
    this.board = new BoardController(client);
    this.receipts = new ReceiptsController(client);
    this.leaderboard = new LeaderboardController(client);
    this.log = new LogController(client);
    this.peers = new PeersController(client);
    this.swarms = new SwarmsController(client);
    this.identity = new IdentityController(client);
    this.hardware = new HardwareController(client);
    this.models = new ModelsController(client);
    this.tasks = new TasksController(client);
    this.practice = new PracticeController(client);
    this.exams = new ExamsController(client);
    this.benefit = new BenefitController(client);
    this.demonstrations = new DemonstrationsController(client);
  }

  /** What every view needs runs from here on; the rest is watched by the view that shows it. */
  start(): () => void {
    const parts = [this.theme, this.route, this.clock, this.connection, this.node, this.rounds];
    const ends = parts.map((part) => part.start());
    return () => {
      ends.forEach((end) => end());
      this.#client.close();
    };
  }
}

export const [useApp, provideApp] = createContext<App>();
