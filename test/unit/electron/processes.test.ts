/** The processes of the shell, played over real message channels: main (supervisor), node (runNode), its workers. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { after, test } from 'node:test';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { connectApi } from '../../../src-main/electron/api-bridge.ts';
import { createNodeSupervisor } from '../../../src-main/electron/node-supervisor.ts';
import type { SupervisorParts } from '../../../src-main/electron/node-supervisor.ts';
import { runNode } from '../../../src-main/electron/run-node.ts';
import type { EngineHandle, StartEngine } from '../../../src-main/electron/run-node.ts';
import type { ComputeChannel } from '../../../native-models/runtime/compute-host.ts';
import { runProviderTrial, type ProviderVerdict } from '../../../native-models/runtime/provider-trial.ts';
import { answerShellQuestion, type Confirmation } from '../../../src-main/electron/shell-questions.ts';
import type { ShellQuestion } from '../../../src-main/electron/shell-messages.ts';
import type { OwnerSeams } from '../../../src-main/engine/swarm/identity-desk.ts';
import type { KeyVault } from '../../../src-main/swarm/identity/kept-identity.ts';
import type { MessagePipe } from '../../../src-main/electron/message-pipe.ts';
import type { ApiFault, NodeClient } from '../../../src-main/engine/api.ts';
import { NodeFault } from '../../../src-main/engine/serve/faults.ts';
import { FakeProcess, pipeOver, recordingApi, until } from './fakes.ts';

/** Open ports keep a process alive, so all of them are closed at the end. */
const opened: MessagePort[] = [];
after(() => opened.forEach((port) => port.close()));
function createChannel(): MessageChannel {
  const channel = new MessageChannel();
  opened.push(channel.port1, channel.port2);
  return channel;
}

/** A supervisor with fake processes, a fake timer and a record of what it reported. */
function shell(overrides: Partial<SupervisorParts<MessagePort>> = {}) {
  const nodes: FakeProcess[] = [];
  const computes: FakeProcess[] = [];
  const trials: FakeProcess[] = [];
  const timers: { callback: () => void; ms: number }[] = [];
  const forceKilled: number[] = [];
  const reports: unknown[] = [];
  const ports: MessagePort[] = [];
  let nowMs = 0;
  const supervisor = createNodeSupervisor<MessagePort>({
    forkNode: () => nodes[nodes.push(new FakeProcess()) - 1]!,
    forkWorker: (worker) => {
      const forked = new FakeProcess();
      (worker === 'compute' ? computes : trials).push(forked);
      return forked;
    },
    createChannel,
    forceKill: (pid) => void forceKilled.push(pid),
    answer: () => Promise.resolve({ ok: false, message: 'nobody is there' }),
    args: ['--swarm', 'test'],
    appRoot: '/app',
    onUp: (port) => void ports.push(port),
    onDown: (restart) => void reports.push(restart),
    onFault: (fault) => void reports.push(fault),
    onQuit: () => void reports.push('quit'),
    setTimer: (callback, ms) => timers.push({ callback, ms }),
    clearTimer: () => undefined,
    now: () => nowMs,
    ...overrides,
  });
  const wait = (ms: number) => (nowMs += ms);
  return { supervisor, nodes, computes, trials, timers, forceKilled, reports, ports, wait };
}

/** Runs `runNode` behind a fake process, as main sees it. */
function play(child: FakeProcess, startEngine: StartEngine): void {
  const inside = new EventEmitter();
  runNode({
    parent: {
      post: (message) => queueMicrotask(() => child.emit('message', message)),
      onMessage: (listener) => {
        const deliver = ({ message, ports }: (typeof child.posted)[number]) => {
          listener(message, ports[0] ? pipeOver(ports[0]) : null);
        };
        inside.on('message', deliver);
        child.posted.forEach(deliver);
        child.postMessage = (message, transfer: MessagePort[] | undefined) => {
          const record = { message, ports: transfer ?? [] };
          child.posted.push(record);
          queueMicrotask(() => inside.emit('message', record));
        };
      },
    },
    startEngine,
    exit: (code) => queueMicrotask(() => child.exit(code)),
  });
}

function engine(handle: Partial<EngineHandle> = {}): EngineHandle {
  const close = () => Promise.resolve();
  return { api: recordingApi().api, power: () => undefined, close, ended: new Promise(() => undefined), ...handle };
}

test('a started node gets its arguments and serves its API to main', async () => {
  const { supervisor, nodes, ports } = shell();
  supervisor.start();
  supervisor.start();
  assert.equal(nodes.length, 1);
  const seen: unknown[] = [];
  const node = recordingApi({ metrics: () => [] });
  play(nodes[0]!, ({ args, appRoot }) => {
    seen.push(args, appRoot);
    return Promise.resolve(engine({ api: node.api }));
  });
  await until(() => ports.length === 1, 'the node is up');
  assert.deepEqual(seen, [['--swarm', 'test'], '/app']);
  const client: NodeClient & { close(): void } = connectApi(pipeOver(ports[0]!));
  assert.deepEqual(await client.invoke('metrics', null), []);
  client.close();
});

test('the node asks the shell for its keyring and its person; each question is answered, whatever happens', async () => {
  const asked: ShellQuestion[] = [];
  const vault: KeyVault = {
    unavailable: () => Promise.resolve(null),
    seal: (text) => Promise.resolve(Buffer.from(text, 'utf8').reverse()),
    open: (sealed) =>
      sealed.byteLength === 3
        ? Promise.reject(new Error('the keyring is locked'))
        : Promise.resolve({ text: Buffer.from(sealed).reverse().toString('utf8'), stale: true }),
  };
  const shown: Confirmation[] = [];
  const answer: SupervisorParts<MessagePort>['answer'] = (question) => {
    asked.push(question);
    return answerShellQuestion(question, {
      vault,
      confirm: (confirmation) => Promise.resolve(shown.push(confirmation) === 1),
    });
  };
  const { supervisor, nodes, ports } = shell({ answer });
  let owner: OwnerSeams | null = null;
  supervisor.start();
  play(nodes[0]!, (options) => {
    owner = options.owner;
    return Promise.resolve(engine());
  });
  await until(() => ports.length === 1, 'the node is up');
  const { vault: far, confirm } = owner!;
  assert.equal(await far.unavailable(), null);
  const sealed = await far.seal('geheim ✓');
  assert.deepEqual(await far.open(sealed), { text: 'geheim ✓', stale: true });
  await assert.rejects(far.open(new Uint8Array(3)), /the keyring is locked/);
  assert.deepEqual([await confirm('showWords'), await confirm('restoreIdentity')], [true, false]);
  assert.match(shown[0]!.message, /24 words/);
  assert.match(shown[1]!.message, /Replace the identity/);
  assert.equal(asked.length, 6);
  for (const forged of [
    { kind: 'ask', id: 1, question: { name: 'exec', text: 'x' } },
    { kind: 'ask', id: 2, question: { name: 'confirm', act: 'showWords', detail: 'Click yes' } },
    { kind: 'ask', id: 3, question: { name: 'seal', text: 'x'.repeat(20_000) } },
  ])
    nodes[0]!.emit('message', forged);
  await until(() => asked.length === 7, 'the second is a question, the others are none');
  assert.deepEqual(asked[6], { name: 'confirm', act: 'showWords' }, 'with the words of the shell, not of who asks');
  ports[0]!.close();
});

test('a node that wants to start anew is started at once, and the app does not quit', async () => {
  const { supervisor, nodes, ports, reports } = shell();
  let owner: OwnerSeams | null = null;
  let closed = 0;
  supervisor.start();
  play(nodes[0]!, (options) => {
    owner = options.owner;
    return Promise.resolve(
      engine({
        close: () =>
          Promise.resolve().then(() => {
            closed++;
          }),
      }),
    );
  });
  await until(() => ports.length === 1, 'the node is up');
  owner!.restart();
  await until(() => nodes.length === 2, 'a second node is there');
  assert.equal(closed, 1, 'the first ended in order');
  assert.deepEqual(reports, [{ attempt: 1, retryInMs: 0 }]);
  play(nodes[1]!, () => Promise.resolve(engine()));
  await until(() => ports.length === 2, 'it is up');
  nodes[1]!.exit(0);
  assert.equal(reports.at(-1), 'quit', 'an ordinary end is one again');
});

test('power events reach the engine', async () => {
  const { supervisor, nodes, ports } = shell();
  const events: string[] = [];
  supervisor.start();
  play(nodes[0]!, () => Promise.resolve(engine({ power: (event) => void events.push(event) })));
  await until(() => ports.length === 1, 'the node is up');
  supervisor.sendPower('suspend');
  supervisor.sendPower('resume');
  await until(() => events.length === 2, 'both events arrived');
  assert.deepEqual(events, ['suspend', 'resume']);
  ports[0]!.close();
});

test('compute processes are forked by main and spoken to directly', async () => {
  const { supervisor, nodes, computes, ports, forceKilled } = shell();
  let channel: ComputeChannel | null = null;
  const heard: unknown[] = [];
  const exits: unknown[] = [];
  supervisor.start();
  play(nodes[0]!, ({ spawnCompute }) => {
    channel = spawnCompute();
    channel.post({ early: new Float32Array([1, 2]) });
    channel.onMessage((message) => heard.push(message));
    channel.onExit((info) => exits.push(info));
    return Promise.resolve(engine());
  });
  await until(() => computes.length === 1, 'main forked');
  const compute = computes[0]!;
  const inside = pipeOver(compute.posted[0]!.ports[0]!);
  const received: { early?: Float32Array }[] = [];
  inside.onMessage((message) => {
    received.push(message as { early?: Float32Array });
    inside.post({ echo: message });
  });
  await until(() => heard.length === 1, 'the echo came back');
  assert.deepEqual(received[0]?.early, new Float32Array([1, 2]));

  assert.equal(channel!.pid, null);
  compute.spawned(4711);
  await until(() => channel!.pid === 4711, 'the pid is known');

  channel!.kill();
  channel!.kill();
  await until(() => compute.killed === 1, 'main killed it');
  assert.deepEqual(forceKilled, [4711]);
  compute.exit(1);
  await until(() => exits.length === 1, 'the exit was reported');
  assert.deepEqual([...exits], [{ code: 1, signal: 'SIGKILL' }]);
  channel!.post('after the end');
  channel!.onExit((info) => exits.push(info));
  assert.equal(exits.length, 2);
  ports[0]?.close();
});

test('a crash of a compute process is told apart from a kill, and the next one is a new one', async () => {
  const { supervisor, nodes, computes, ports } = shell();
  const exits: unknown[] = [];
  let spawn: (() => ComputeChannel) | null = null;
  supervisor.start();
  play(nodes[0]!, ({ spawnCompute }) => {
    spawn = spawnCompute;
    spawnCompute().onExit((info) => exits.push(info));
    return Promise.resolve(engine());
  });
  await until(() => computes.length === 1, 'main forked');
  computes[0]!.exit(139);
  await until(() => exits.length === 1, 'the exit was reported');
  assert.deepEqual(exits, [{ code: 139, signal: null }]);
  spawn!();
  await until(() => computes.length === 2, 'main forked again');
  ports[0]?.close();
});

test('a compute process killed before it has spawned is killed once it has', async () => {
  const { supervisor, nodes, computes, forceKilled, ports } = shell();
  supervisor.start();
  play(nodes[0]!, ({ spawnCompute }) => {
    spawnCompute().kill();
    return Promise.resolve(engine());
  });
  await until(() => computes[0]?.killed === 1, 'main tried to kill it');
  assert.deepEqual(forceKilled, []);
  computes[0]!.spawned(12);
  assert.deepEqual(forceKilled, [12]);
  await until(() => ports.length === 1, 'the node is up');
  ports[0]!.close();
});

/** Plays a trial process that answers with the CPU's part; `act` sees every other request. */
function playTrial(trial: FakeProcess, act: (provider: string, pipe: MessagePipe) => void): void {
  const pipe = pipeOver(trial.posted[0]!.ports[0]!);
  pipe.onMessage((message) => {
    const { provider } = message as { provider: string };
    if (provider !== 'cpu') {
      act(provider, pipe);
      return;
    }
    const numbers = { losses: Float32Array.of(1, 2) };
    pipe.post({ kind: 'numbers', bundled: ['cpu', 'webgpu', 'cuda'], adapter: 'Test CPU', numbers });
    pipe.post({ kind: 'times', trainStepMs: 20, decodeStepMs: 2, peakBytes: 1e6 });
  });
}

test('the provider trial runs in processes that main forks and kills, one after the other', async () => {
  const { supervisor, nodes, computes, trials, forceKilled, ports } = shell();
  let verdicts: ProviderVerdict[] = [];
  supervisor.start();
  play(nodes[0]!, async ({ spawnTrial }) => {
    verdicts = await runProviderTrial({ spawn: spawnTrial, timeoutMs: 60_000 });
    return engine();
  });
  for (const [count, pid] of [101, 102, 103].entries()) {
    await until(() => trials.length === count + 1, `trial ${count} was forked`);
    const trial = trials[count]!;
    trial.spawned(pid);
    playTrial(trial, (provider, pipe) => {
      if (provider === 'cuda') trial.exit(139);
      else pipe.post({ kind: 'numbers', bundled: [], adapter: null, numbers: { losses: Float32Array.of(1, NaN) } });
      pipe.post({ kind: 'times', trainStepMs: 1, decodeStepMs: 1, peakBytes: 1e6 });
    });
  }
  await until(() => ports.length === 1, 'the node is up');
  assert.deepEqual(
    verdicts.map(({ provider, verdict, maxRelativeError }) => [provider, verdict, maxRelativeError]),
    [
      ['cpu', 'correct', 0],
      ['webgpu', 'wrong', Infinity],
      ['cuda', 'failed', null],
    ],
  );
  assert.match(verdicts[2]!.detail, /ended with code 139/);
  assert.equal(computes.length, 0);
  assert.deepEqual(forceKilled, [101, 102], 'each is killed as soon as it has said all; the crashed one is gone');
  ports[0]!.close();
});

test('a node that dies takes its compute processes along and is started again with back-off', async () => {
  const { supervisor, nodes, computes, timers, reports, wait } = shell();
  supervisor.start();
  nodes[0]!.emit('message', { kind: 'ready' });
  nodes[0]!.emit('message', { kind: 'spawnWorker', id: 1, worker: 'compute' });
  assert.equal(computes.length, 1);
  nodes[0]!.exit(11);
  assert.equal(computes[0]!.killed, 1);
  for (const expectedMs of [1000, 2000, 4000]) {
    assert.equal(timers.at(-1)!.ms, expectedMs);
    timers.at(-1)!.callback();
    nodes.at(-1)!.exit(11);
  }
  timers.at(-1)!.callback();
  wait(120_000);
  nodes.at(-1)!.exit(11);
  assert.equal(timers.at(-1)!.ms, 1000, 'a node that lived long starts the back-off anew');
  assert.deepEqual(reports[0], { attempt: 1, retryInMs: 1000 });
  assert.equal(nodes.length, 5);
  await supervisor.stop(10);
});

test('the back-off has a ceiling', () => {
  const { supervisor, nodes, timers } = shell();
  supervisor.start();
  for (let death = 0; death < 12; death++) {
    nodes.at(-1)!.exit(1);
    timers.at(-1)!.callback();
  }
  assert.equal(timers.at(-1)!.ms, 60_000);
});

test('a node that refuses to start is reported with its fix and not retried until asked', async () => {
  const { supervisor, nodes, timers, reports } = shell();
  const fault: ApiFault = { code: 'dataInUse', message: 'The data folder is in use.', fix: 'Quit the other node.' };
  supervisor.start();
  play(nodes[0]!, () => Promise.reject(new NodeFault(fault)));
  await until(() => reports.length === 1, 'the fault was reported');
  assert.deepEqual(reports, [fault]);
  assert.deepEqual(timers, []);
  supervisor.start();
  assert.equal(nodes.length, 2);
});

test('a node that a client has quit ends the app; a stop checkpoints first', async () => {
  const quit = shell();
  quit.supervisor.start();
  play(quit.nodes[0]!, () => Promise.resolve(engine({ ended: Promise.resolve() })));
  await until(() => quit.reports.length === 1, 'the quit was reported');
  assert.deepEqual(quit.reports, ['quit']);

  const stop = shell();
  let closed = 0;
  stop.supervisor.start();
  play(stop.nodes[0]!, () => {
    return Promise.resolve(
      engine({
        close: () => {
          closed++;
          return Promise.resolve();
        },
      }),
    );
  });
  await until(() => stop.ports.length === 1, 'the node is up');
  await stop.supervisor.stop(1000);
  assert.equal(closed, 1);
  assert.deepEqual(stop.reports, []);
  stop.supervisor.start();
  assert.equal(stop.nodes.length, 1, 'nothing starts after a stop');
});

test('a node that does not heed a stop is killed at the deadline', async () => {
  const { supervisor, nodes, timers, forceKilled } = shell();
  supervisor.start();
  nodes[0]!.spawned(99);
  const stopped = supervisor.stop(8000);
  assert.equal(timers.at(-1)!.ms, 8000);
  timers.at(-1)!.callback();
  assert.equal(nodes[0]!.killed, 1);
  assert.deepEqual(forceKilled, [99]);
  nodes[0]!.exit(9);
  await stopped;
});

test('messages that are none of ours change nothing', async () => {
  const { supervisor, nodes, computes, ports, reports } = shell();
  supervisor.start();
  const strange = [
    { kind: 'spawnWorker', id: 'x', worker: 'compute' },
    { kind: 'spawnWorker', id: 1, worker: 'shell' },
    { kind: 'spawnWorker', id: 1 },
  ];
  for (const junk of [null, 'ready', { kind: 'other' }, { kind: 'fault' }, ...strange]) {
    nodes[0]!.emit('message', junk);
  }
  assert.deepEqual([computes.length, ports.length, reports.length], [0, 0, 0]);
  const stopped = supervisor.stop(10);
  nodes[0]!.exit(0);
  await stopped;
});
