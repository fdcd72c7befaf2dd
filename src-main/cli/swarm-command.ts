/**
 * `swarm`: the swarms a node has joined, and joining, creating, leaving them. Works on the data folder; a running node takes the
 * change up at its next start. Knows no network: whether anybody is there shows in `waggle status`.
 */
import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { dataFolderPaths } from '../engine/data-folder.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { DESCRIPTION, misfitOf, signDescription } from '../swarm/codec/description.ts';
import { openIdentity } from '../swarm/identity/identity.ts';
import { decodeInvite, encodeInvite, INVITE_FAULTS, newSecret } from '../swarm/membership/invite.ts';
import type { Invite } from '../swarm/membership/invite.ts';
import { DEFAULT_LIMITS, WIRE } from '../swarm/limits.ts';
import {
  findSwarm,
  joined,
  left,
  readSwarmList,
  swarmListPath,
  writeSwarmList,
} from '../swarm/membership/swarm-list.ts';
import type { SwarmList } from '../swarm/membership/swarm-list.ts';
import { getTaskSet, listTaskSets } from '../tasks/task-sets.ts';
import { dataDirectoryOf, type NodePlace } from './find-node.ts';
import { alignTable, type Terminal } from './terminal.ts';

interface Options extends NodePlace {
  json?: boolean;
}
interface CreateOptions extends Options {
  tasks: string;
  public?: boolean;
  shards: number;
}

/** Adds `waggle swarm list | create | join | leave | use | invite`. */
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
  const change = async (options: Options, next: (list: SwarmList) => SwarmList): Promise<void> => {
    const path = swarmListPath(dataDirectoryOf(options, env));
    const list = next(await readSwarmList(path));
    await writeSwarmList(path, list);
    show(list, options, terminal);
    if (options.json !== true) terminal.complain('A node that is running takes this up when it starts again.');
  };

  add('list', 'all of them; the one marked is taken part in').action(async (options: Options) =>
    show(await readSwarmList(swarmListPath(dataDirectoryOf(options, env))), options, terminal),
  );
  add('create <name>', 'make a private swarm and print its invite link')
    .option('--public', 'no secret: everybody who has the link, or hears of it, may enter')
    .option('--tasks <set>', 'task set its members practise', listTaskSets()[0]?.name ?? '')
    .option('--shards <number>', 'topics its members spread over; more than 1 from some 500 nodes on', shardCount, 1)
    .action(async (name: string, options: CreateOptions) => {
      const root = dataDirectoryOf(options, env);
      const identity = await openIdentity(dataFolderPaths(root).identity);
      const invite = createInvite(name, options, identity.keyPair);
      const path = swarmListPath(root);
      await writeSwarmList(path, joined(await readSwarmList(path), invite));
      print(invite, options, terminal);
    });
  add('join <link>', 'join by an invite link, and take part in it').action((link: string, options: Options) =>
    change(options, (list) => joined(list, parseInvite(link))),
  );
  add('leave <name>', 'forget a swarm, by name or start of its id').action((name: string, options: Options) =>
    change(options, (list) => left(list, known(list, name).description.id)),
  );
  add('use <name>', 'take part in a joined swarm; "public" is the one everybody starts in').action(
    (name: string, options: Options) =>
      change(options, (list) => ({
        ...list,
        active: name === 'public' ? null : known(list, name).description.id,
      })),
  );
  add('invite <name>', 'print the invite link of a joined swarm').action(async (name: string, options: Options) => {
    const list = await readSwarmList(swarmListPath(dataDirectoryOf(options, env)));
    print(known(list, name), options, terminal);
  });
}

/** Throws `NodeFault`: what is wrong with the link, or why this Waggle cannot take part, each with what to do. */
export function parseInvite(link: string): Invite {
  const decoded = decodeInvite(link);
  if (!decoded.ok) {
    const [message, fix] = INVITE_FAULTS[decoded.reason];
    throw new NodeFault({ code: 'badInvite', message, fix });
  }
  const taskSets = Object.fromEntries(listTaskSets().map(({ name, version }) => [name, version]));
  const misfit = misfitOf(decoded.invite.description, { taskSets });
  if (misfit !== null) throw new NodeFault({ code: misfit.reason, message: misfit.message, fix: misfit.fix });
  return decoded.invite;
}

function createInvite(name: string, options: CreateOptions, keys: { publicKey: Buffer; secretKey: Buffer }): Invite {
  const set = getTaskSet(options.tasks);
  if (set === undefined) {
    const names = listTaskSets().map((each) => each.name);
    const message = `There is no task set called ${JSON.stringify(options.tasks.slice(0, 40))}.`;
    throw new NodeFault({ code: 'unknownTaskSet', message, fix: `Choose one of: ${names.join(', ')}` });
  }
  const secret = options.public === true ? null : newSecret();
  const terms = {
    name,
    taskSet: set.name,
    taskSetVersion: set.version,
    protocol: WIRE.version,
    maxRoundAge: DEFAULT_LIMITS.maxRoundAge,
    shardCount: options.shards,
  };
  try {
    return { description: signDescription({ ...terms, createdAt: Date.now(), secret }, keys), secret };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const fix = `Give it a name of 1 to ${String(DESCRIPTION.maxNameBytes)} bytes of visible text.`;
    throw new NodeFault({ code: 'badSwarmName', message: 'That cannot be the name of a swarm.', fix });
  }
}

function known(list: SwarmList, name: string): Invite {
  const found = findSwarm(list, name);
  if (found !== null) return found;
  throw new NodeFault({
    code: 'unknownSwarm',
    message: `No joined swarm, or more than one, is called ${JSON.stringify(name.slice(0, 64))}.`,
    fix: 'See `waggle swarm list`; the first digits of its id do as well.',
  });
}

function print(invite: Invite, options: Options, terminal: Terminal): void {
  const link = encodeInvite(invite);
  const { id, name } = invite.description;
  terminal.print(options.json === true ? JSON.stringify({ id, name, link }, null, 2) : link);
  if (options.json !== true && invite.secret !== null)
    terminal.complain('Whoever has this link can enter the swarm and invite others.');
}

function show({ swarms, active }: SwarmList, options: Options, terminal: Terminal): void {
  const rows = swarms.map(({ description: { id, name, taskSet, taskSetVersion, shardCount }, secret }) => ({
    id,
    name,
    tasks: `${taskSet} ${String(taskSetVersion)}`,
    shards: shardCount,
    private: secret !== null,
    active: id === active,
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
    row.private ? 'private' : 'open',
  ]);
  terminal.print(
    alignTable(
      terminal,
      ['', 'name', 'id', 'tasks', ''],
      [[mark(active === null), 'public', '', '', 'open'], ...cells],
    ),
  );
}

function shardCount(text: string): number {
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= DESCRIPTION.maxShards) return value;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${String(DESCRIPTION.maxShards)}.`);
}
