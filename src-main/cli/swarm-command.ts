/**
 * `swarm`: the swarms a node has joined, and joining, creating, leaving them. A running node moves over at once; without one the
 * data folder is changed and the next start takes it up. Knows no network: whether anybody is there shows in `waggle status`.
 */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { renderUnicodeCompact } from 'uqr';
import { NodeFault } from '../engine/serve/faults.ts';
import { DESCRIPTION } from '../swarm/codec/description.ts';
import { DEFAULT_LIMITS } from '../swarm/limits.ts';
import { MAX_ROUND_AGE, type SwarmCard } from '../swarm/membership/membership.ts';
import { listTaskSets } from '../tasks/task-sets.ts';
import { findNode, type NodePlace } from './find-node.ts';
import { withSwarmDesk, type KnownSwarms, type SwarmDesk } from './swarm-desk.ts';
import { renderPeers } from './swarm-peers.ts';
import { alignTable, type Terminal } from './terminal.ts';

interface Options extends NodePlace {
  json?: boolean;
}
interface InviteOptions extends Options {
  qr?: boolean;
}
interface CreateOptions extends InviteOptions {
  tasks: string;
  public?: boolean;
  shards: number;
  maxRoundAge: number;
}

const qrSentence = 'draw it as a QR code as well';

/** Adds `waggle swarm list | peers | create | join | leave | use | invite`. */
export function addSwarmCommands(
  program: Command,
  { terminal, env }: { terminal: Terminal; env: NodeJS.ProcessEnv },
): void {
  const swarm = program.command('swarm').description('the swarms this node has joined');
  const add = (usage: string, description: string) =>
    swarm
      .command(usage)
      .description(description)
      .option('--data <dir>', "the node's data folder [WAGGLE_DATA]")
      .option('--config <file>', 'JSON file with settings that names the data folder [WAGGLE_CONFIG]')
      .option('--json', 'print JSON');
  const change = (options: Options, next: (desk: SwarmDesk) => Promise<KnownSwarms>): Promise<void> =>
    withSwarmDesk(options, env, async (desk) => {
      const known = await next(desk);
      show(known, options, terminal);
      if (options.json !== true) terminal.complain(whatFollows(desk, known));
    });

  add('list', 'all of them; the one marked is taken part in').action((options: Options) =>
    withSwarmDesk(options, env, async (desk) => show(await desk.list(), options, terminal)),
  );
  add('peers', 'whom the running node trades with, and how packets get there').action(async (options: Options) => {
    const { node } = await findNode(options, env);
    try {
      const rows = await node.invoke('peers', null);
      terminal.print(options.json === true ? JSON.stringify(rows, null, 2) : renderPeers(terminal, rows));
    } finally {
      await node.close();
    }
  });
  add('create <name>', 'make a private swarm and print its invite link')
    .option('--qr', qrSentence)
    .option('--public', 'no secret: everybody who has the link, or hears of it, may enter')
    .option('--tasks <set>', 'task set its members practise', listTaskSets()[0]?.name ?? '')
    .option(
      '--shards <number>',
      'topics its members spread over; more than 1 from some 500 nodes on',
      countUpTo(DESCRIPTION.maxShards),
      1,
    )
    .option(
      '--max-round-age <rounds>',
      'rounds behind its maker’s newest after which an answer is refused',
      countUpTo(MAX_ROUND_AGE),
      DEFAULT_LIMITS.maxRoundAge,
    )
    .action((name: string, options: CreateOptions) =>
      withSwarmDesk(options, env, async (desk) => {
        const { tasks: taskSet, shards: shardCount, maxRoundAge } = options;
        const isPrivate = options.public !== true;
        const known = await desk.create({ name, taskSet, shardCount, maxRoundAge, private: isPrivate });
        await printInvite(
          desk,
          known.swarms.find(({ id }) => id === known.active)!,
          options,
          terminal,
        );
      }),
    );
  add('join <link>', 'join by an invite link, and take part in it').action((link: string, options: Options) =>
    change(options, (desk) => desk.join(link)),
  );
  add('leave <name>', 'forget a swarm, by name or start of its id').action((name: string, options: Options) =>
    change(options, async (desk) => desk.leave((await find(desk, name)).id)),
  );
  add('use <name>', 'take part in a joined swarm; "public" is the one everybody starts in').action(
    (name: string, options: Options) =>
      change(options, async (desk) => desk.choose(name === 'public' ? null : (await find(desk, name)).id)),
  );
  add('invite <name>', 'print the invite link of a joined swarm')
    .option('--qr', qrSentence)
    .action((name: string, options: InviteOptions) =>
      withSwarmDesk(options, env, async (desk) => printInvite(desk, await find(desk, name), options, terminal)),
    );
}

function whatFollows({ running }: SwarmDesk, { overruled }: KnownSwarms): string {
  if (overruled !== null) return `For now nothing changes. ${overruled}`;
  return running ? 'The running node moves over now.' : 'A node takes this up when it starts.';
}

/** By name, or by the start of the id (at least four digits). Throws `NodeFault` when none or several fit. */
async function find(desk: SwarmDesk, name: string): Promise<SwarmCard> {
  const { swarms } = await desk.list();
  const fitting = swarms.filter((each) => each.name === name || (name.length >= 4 && each.id.startsWith(name)));
  if (fitting.length === 1) return fitting[0]!;
  throw new NodeFault({
    code: 'unknownSwarm',
    message: `No joined swarm, or more than one, is called ${JSON.stringify(name.slice(0, 64))}.`,
    fix: 'See `waggle swarm list`; the first digits of its id do as well.',
  });
}

async function printInvite(
  desk: SwarmDesk,
  swarm: SwarmCard,
  options: InviteOptions,
  terminal: Terminal,
): Promise<void> {
  const link = await desk.inviteOf(swarm.id);
  const { id, name } = swarm;
  terminal.print(options.json === true ? JSON.stringify({ id, name, link }, null, 2) : link);
  // Light modules are drawn, with the border that readers need: right on a dark terminal, as most are.
  if (options.qr === true && options.json !== true) terminal.print(renderUnicodeCompact(link, { border: 4 }));
  if (options.json !== true && swarm.private)
    terminal.complain('Whoever has this link can enter the swarm and invite others.');
}

function show({ swarms, active }: KnownSwarms, options: Options, terminal: Terminal): void {
  const rows = swarms.map(({ id, name, taskSet, taskSetVersion, shardCount, private: isPrivate, misfit }) => ({
    id,
    name,
    tasks: `${taskSet} ${String(taskSetVersion)}`,
    shards: shardCount,
    private: isPrivate,
    active: id === active,
    misfit,
  }));
  if (options.json === true) {
    terminal.print(JSON.stringify({ active: active ?? 'public', swarms: rows }, null, 2));
    return;
  }
  const mark = (isActive: boolean) => (isActive ? '*' : '');
  const cells = rows.map((row) => [
    mark(row.active),
    row.name,
    row.id.slice(0, 8),
    row.tasks,
    `${row.private ? 'private' : 'open'}${row.misfit === null ? '' : `; cannot be entered: ${row.misfit.message}`}`,
  ]);
  terminal.print(
    alignTable(
      terminal,
      ['', 'name', 'id', 'tasks', ''],
      [[mark(active === null), 'public', '', '', 'open'], ...cells],
    ),
  );
}

function countUpTo(max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= max) return value;
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${String(max)}.`);
  };
}
