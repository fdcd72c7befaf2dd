/**
 * `identity`: who a data folder is in the swarm, its backup as 24 words, restoring and changing it. Works on the folder
 * itself, so restoring and changing need the node to be stopped. Knows no network.
 *
 * Invariant: the words are a secret: they are printed by `backup` only, and read from a file or standard input, never from the
 * command line, which other users of the machine can see.
 */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { openDataFolder, dataFolderPaths } from '../engine/data-folder.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { FIRST_DEVICE, identityOf, newDevice, readIdentitySeed, replaceIdentity } from '../swarm/identity/identity.ts';
import type { IdentitySeed } from '../swarm/identity/identity.ts';
import { describePhraseFault, PHRASE_WORDS, phraseOfSeed, seedOfPhrase } from '../swarm/identity/recovery-phrase.ts';
import type { PhraseFault } from '../swarm/identity/recovery-phrase.ts';
import { WORDS } from '../tasks/words.ts';
import { dataDirectoryOf, type NodePlace } from './find-node.ts';
import { alignPairs, paint, type Terminal } from './terminal.ts';

interface Surroundings {
  terminal: Terminal;
  env: NodeJS.ProcessEnv;
}
interface Options extends NodePlace {
  json?: boolean;
}

/** Adds `waggle identity show | backup | restore | rotate`. */
export function addIdentityCommands(program: Command, { terminal, env }: Surroundings): void {
  const identity = program.command('identity').description('who this node is in the swarm; its backup as 24 words');
  const add = (name: string, description: string) =>
    identity
      .command(name)
      .description(description)
      .option('--data <dir>', "the node's data folder [WAGGLE_DATA]")
      .option('--config <file>', 'JSON file with settings that names the data folder [WAGGLE_CONFIG]')
      .option('--json', 'print JSON');
  const say = (options: Options, facts: Record<string, string | null>, heading: string): void => {
    const pairs = Object.entries(facts).map(([label, value]) => [label, value ?? '-'] as const);
    if (options.json === true) terminal.print(JSON.stringify(facts, null, 2));
    else terminal.print(`${paint(terminal, 'bold', heading)}\n${alignPairs(terminal, pairs)}`);
  };

  add('show', 'the public keys of this device and of its owner').action(async (options: Options) => {
    const { path, identity: current } = await existing(options, env);
    say(options, factsOf(path, current), 'This node');
  });
  add('backup', '24 words to write on paper; whoever has them is you').action(async (options: Options) => {
    const { identity: current } = await existing(options, env);
    const words = phraseOfSeed(current.seed, WORDS);
    if (options.json === true) terminal.print(JSON.stringify({ words }));
    else {
      terminal.print(numbered(words));
      terminal.complain(
        'Write these words on paper, in order. Whoever has them is you in the swarm; nobody can replace them.',
      );
    }
  });
  add('restore', 'become the owner of 24 words again (read from standard input or a file)')
    .option('--words-file <file>', 'file with the 24 words')
    .option('--another-device', 'a further device of the same owner, with a key of its own')
    .action(async (options: Options & { wordsFile?: string; anotherDevice?: boolean }) => {
      const parsed = seedOfPhrase(await readWords(options.wordsFile, terminal), WORDS);
      if (!parsed.ok) throw badPhrase(parsed);
      const device = options.anotherDevice === true ? newDevice() : FIRST_DEVICE;
      // Whatever is there, damaged or sealed: it is what a restore is for, and is kept beside the new one.
      const facts = await replaceIn(options, env, () => Promise.resolve({ seed: parsed.seed, device }));
      say(options, facts, 'Restored');
    });
  add('rotate', 'give this device a new key under the same owner').action(async (options: Options) => {
    const facts = await replaceIn(options, env, async (path) => {
      const current = await readIdentitySeed(path);
      if (current === null) throw noIdentity(dataDirectoryOf(options, env));
      return { seed: current.seed, device: newDevice() };
    });
    say(options, facts, 'New key');
  });
}

async function existing(place: NodePlace, env: NodeJS.ProcessEnv): Promise<{ path: string; identity: IdentitySeed }> {
  const root = dataDirectoryOf(place, env);
  const path = dataFolderPaths(root).identity;
  const identity = await readIdentitySeed(path);
  if (identity === null) throw noIdentity(root);
  return { path, identity };
}

/** Holds the folder's lock meanwhile: a running node would go on with the old key. */
async function replaceIn(
  place: NodePlace,
  env: NodeJS.ProcessEnv,
  next: (path: string) => Promise<IdentitySeed>,
): Promise<Record<string, string | null>> {
  const folder = await openDataFolder(dataDirectoryOf(place, env));
  try {
    const path = folder.paths.identity;
    const identity = await next(path);
    const keptAt = await replaceIdentity(path, identity);
    return { ...factsOf(path, identity), before: keptAt };
  } finally {
    await folder.close();
  }
}

function factsOf(path: string, seed: IdentitySeed): Record<string, string> {
  const { publicKey, owner } = identityOf(seed);
  return { publicKey, owner: owner.publicKey, device: seed.device, file: path };
}

async function readWords(file: string | undefined, terminal: Terminal): Promise<string> {
  if (file !== undefined) {
    try {
      return await readFile(file, 'utf8');
    } catch {
      const fix = 'Check the path after --words-file, or leave it out and type the words.';
      throw new NodeFault({ code: 'wordsUnreadable', message: `The file with the words cannot be read.`, fix });
    }
  }
  if (process.stdin.isTTY) terminal.complain(`Type the ${String(PHRASE_WORDS)} words in one line, then press Enter:`);
  const lines = createInterface({ input: process.stdin });
  let text = '';
  for await (const line of lines) {
    text += `${line}\n`;
    if (process.stdin.isTTY || text.length > 10_000) break;
  }
  lines.close();
  return text;
}

/** Four rows of six: what fits a small card. */
function numbered(words: readonly string[]): string {
  const cells = words.map((word, i) => `${String(i + 1).padStart(2)} ${word.padEnd(9)}`);
  return Array.from({ length: 4 }, (_, row) =>
    cells
      .slice(row * 6, row * 6 + 6)
      .join(' ')
      .trimEnd(),
  ).join('\n');
}

function badPhrase(fault: PhraseFault): NodeFault {
  return new NodeFault({
    code: 'badRecoveryPhrase',
    message: describePhraseFault(fault),
    fix: 'Check the words and their order against your paper. Nothing was changed.',
  });
}

function noIdentity(root: string): NodeFault {
  return new NodeFault({
    code: 'noIdentity',
    message: `There is no identity in ${root} yet.`,
    fix: 'Start a node there once (`waggle start`), or restore one with: waggle identity restore',
  });
}
