/**
 * The only double of the renderer's tests: a NodeApi over the real wire (WebSocket frames on `/api`) beside the really built bundle,
 * with the content security policy the node sends. It knows nothing of training: a test pushes the events it wants seen.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';
import type { ApiFault, CallName, Calls, EventName, Events, RunState } from '../../src-main/engine/api.ts';
import { toApiFault } from '../../src-main/base/errors.ts';
import { FakeIdentity } from './fake-identity.ts';
import { FakeModels } from './fake-models.ts';
import { FakeSwarms } from './fake-swarms.ts';
import { listTasks, sampleTask } from '../../src-main/engine/view/task-inspection.ts';
import { scenarios, states, type Scenario, type ScenarioName } from './scenarios.ts';

const bundle = join(import.meta.dirname, '..', '..', 'dist', 'renderer');
const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Answers = { [K in CallName]?: (args: Calls[K]['args']) => Calls[K]['result'] | Promise<Calls[K]['result']> };

export class FakeNode {
  scenario: Scenario;
  /** Every call that came, in order. */
  readonly calls: { name: string; args: unknown }[] = [];
  /** Calls answered with a fault instead. */
  readonly faults = new Map<CallName, ApiFault>();
  /** Joined swarms by the real implementation, in a folder of their own. */
  readonly swarms: FakeSwarms;
  /** Keys, words and names by the real implementation. */
  readonly identity: FakeIdentity;
  readonly models: FakeModels;
  #server: Server | null = null;
  #port = 0;
  readonly #links = new Map<WebSocket, Set<string>>();
  readonly #sockets = new Set<Socket>();

  constructor(name: ScenarioName) {
    this.scenario = scenarios[name]();
    this.identity = new FakeIdentity((displayName) => {
      this.scenario.status = { ...this.scenario.status, displayName };
      this.push('status', this.scenario.status);
    });
    this.models = new FakeModels((activity) => this.push('models', activity));
    this.swarms = new FakeSwarms(name, (swarm) => {
      this.scenario.status = { ...this.scenario.status, swarm: { ...this.scenario.status.swarm, name: swarm } };
      this.push('status', this.scenario.status);
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`;
  }

  get links(): number {
    return this.#links.size;
  }

  /** Listens on the port it had before, or on any. */
  async start(): Promise<void> {
    const server = createServer((request, response) => {
      void serveFile(request.url ?? '/').then(({ status, type, body }) => {
        response.writeHead(status, {
          'content-type': type,
          'content-security-policy': policy,
          'set-cookie': 'waggle=test; HttpOnly; SameSite=Strict; Path=/',
        });
        response.end(body);
      });
    });
    const upgrades = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      const allowed = request.url === '/api' && (request.headers.cookie ?? '').includes('waggle=test');
      if (allowed) upgrades.handleUpgrade(request, socket, head, (link) => this.#accept(link));
      else socket.destroy();
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Ends the server and every link at once, as a crash does. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }

  push<K extends EventName>(event: K, payload: Events[K]): void {
    for (const [link, subscribed] of this.#links) {
      if (subscribed.has(event)) link.send(JSON.stringify({ event, payload }));
    }
  }

  setState(state: RunState): RunState {
    this.scenario.status = { ...this.scenario.status, state };
    this.push('status', this.scenario.status);
    return state;
  }

  #accept(link: WebSocket): void {
    const subscribed = new Set<string>();
    this.#links.set(link, subscribed);
    link.on('close', () => this.#links.delete(link));
    link.on('message', (message: Buffer) => {
      const frame = JSON.parse(message.toString()) as {
        id: number;
        call?: CallName;
        args: never;
        subscribe?: string;
        unsubscribe?: string;
      };
      if (frame.subscribe !== undefined) subscribed.add(frame.subscribe);
      else if (frame.unsubscribe !== undefined) subscribed.delete(frame.unsubscribe);
      else if (frame.call !== undefined)
        void this.#answer(frame.id, frame.call, frame.args).then((reply) => link.send(JSON.stringify(reply)));
    });
  }

  async #answer(id: number, call: CallName, args: never): Promise<unknown> {
    this.calls.push({ name: call, args });
    const fault = this.faults.get(call);
    if (fault) return { id, fault };
    const answer = this.#answers[call];
    if (!answer) return { id, fault: { code: 'unknownCall', message: `No call ${call}.`, fix: 'None.' } };
    try {
      return { id, result: await answer(args) };
    } catch (error) {
      return { id, fault: toApiFault(error) };
    }
  }

  readonly #answers: Answers = {
    status: () => this.scenario.status,
    hardware: () => this.scenario.hardware,
    tryProviders: () => {
      this.scenario.hardware = { ...this.scenario.hardware, trying: true, verdicts: [] };
      return null;
    },
    metrics: () => this.scenario.metrics,
    rounds: ({ limit }) => {
      const rows = this.scenario.rounds;
      const step = Math.max(1, Math.ceil(rows.length / limit));
      return rows.filter((_, i) => i === 0 || (rows.length - 1 - i) % step === 0);
    },
    rollouts: ({ limit, beforeId, origin }) =>
      this.scenario.rollouts
        .filter(
          (row) => (beforeId === null || row.id < beforeId) && (origin === 'all' || row.own === (origin === 'own')),
        )
        .slice(0, limit),
    leaderboard: () => this.scenario.leaderboard,
    peers: () => this.scenario.peers,
    board: ({ window }) => this.scenario.credit.board(window),
    receipts: ({ peer, limit }) => this.scenario.credit.receipts(peer).slice(0, limit),
    ownScore: ({ window }) => this.scenario.credit.ownScore(window),
    log: ({ limit, level }) => {
      const order = ['debug', 'info', 'warn', 'error'];
      return this.scenario.log.filter((row) => order.indexOf(row.level) >= order.indexOf(level)).slice(-limit);
    },
    demonstrations: ({ limit }) => ({
      ...this.scenario.demonstrations,
      latest: this.scenario.demonstrations.latest.slice(0, limit),
    }),
    exams: ({ limit }) => this.scenario.exams.slice(-limit),
    benefit: () => this.scenario.benefit,
    practice: () => this.scenario.practice,
    swarms: () => this.swarms.report(),
    readInvite: ({ link }) => this.swarms.read(link),
    joinSwarm: ({ link }) => this.swarms.join(link),
    createSwarm: (wanted) => this.swarms.create(wanted),
    chooseSwarm: ({ id }) => this.swarms.choose(id),
    leaveSwarm: ({ id }) => this.swarms.leave(id),
    swarmInvite: async ({ id }) => ({ link: await this.swarms.inviteOf(id) }),
    identity: () => this.identity.report(),
    previewProfile: (names) => this.identity.preview(names),
    setProfile: (names) => this.identity.rename(names),
    backupWords: () => this.identity.words(),
    restoreIdentity: (wanted) => this.identity.restore(wanted),
    models: () => this.models.report(),
    downloadModel: ({ id }) => this.models.download(id),
    cancelDownload: ({ id }) => this.models.cancelDownload(id),
    deleteModel: ({ id }) => this.models.delete(id),
    addModelFolder: ({ directory }) => this.models.addFolder(directory),
    forgetModelFolder: ({ directory }) => this.models.forgetFolder(directory),
    useModel: ({ key }) => this.models.use(key),
    tasks: listTasks,
    task: sampleTask,
    pause: () => this.setState({ ...states.paused, sinceMs: Date.now() }),
    resume: () => this.setState({ ...states.training, sinceMs: Date.now() }),
    finish: () => this.setState({ ...states.finishing, sinceMs: Date.now() }),
  };
}

async function serveFile(url: string): Promise<{ status: number; type: string; body: Buffer }> {
  const path = normalize(decodeURIComponent(new URL(url, 'http://localhost').pathname)).replace(/^([/\\])+/, '');
  const file = path === '' ? 'index.html' : path;
  try {
    if (file.startsWith('..')) throw new Error('outside the bundle');
    return {
      status: 200,
      type: contentTypes[extname(file)] ?? 'application/octet-stream',
      body: await readFile(join(bundle, file)),
    };
  } catch {
    return { status: 404, type: 'text/plain', body: Buffer.from('not found') };
  }
}
