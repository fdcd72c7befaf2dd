/**
 * `models use`: trains another model. A running node goes over to it at once, and this waits for how that ends; without one the
 * choice is written for the next start. The same choice as in the page.
 */
import { stat } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { findModel } from '../../native-models/hub/find-models.ts';
import type { PolicyChange } from '../engine/api.ts';
import type { RemoteNode } from '../engine/serve/client.ts';
import { NodeFault } from '../engine/serve/faults.ts';
import { readPolicyConfig } from '../models/model-fit.ts';
import { BUNDLED_KEY } from '../models/model-rows.ts';
import { addModelFolder, requireModelFolder } from '../models/owned-models.ts';
import { fixedBySettings, writePolicyChoice } from '../models/policy-choice.ts';
import { findNodeIfAny, type FoundNode } from './find-node.ts';
import type { ModelsOptions, ModelsSurroundings } from './models-command.ts';
import { placesOf, settingsOf } from './models-fit.ts';
import { harmless } from './terminal.ts';

export async function useModel(target: string, options: ModelsOptions, around: ModelsSurroundings): Promise<void> {
  const isFolder = target !== BUNDLED_KEY && (await stat(target).catch(() => null))?.isDirectory() === true;
  const key = isFolder ? resolve(target) : target;
  const found = await findNodeIfAny(options, around.env);
  if (found === null) await chooseForNextStart(key, isFolder, options, around);
  else await useInNode(found, key, isFolder, options, around);
}

async function useInNode(
  { node }: FoundNode,
  key: string,
  isFolder: boolean,
  options: ModelsOptions,
  { terminal }: ModelsSurroundings,
): Promise<void> {
  try {
    if (isFolder) await node.invoke('addModelFolder', { directory: key });
    const change = await outcomeOf(node, key);
    if (change?.stage === 'failed') throw new NodeFault(change.fault!);
    const name = change?.to ?? key;
    if (options.json === true) terminal.print(JSON.stringify({ model: key, running: true, changed: change !== null }));
    else if (change === null) terminal.print(`${harmless(name)} is what the node trains already.`);
    else terminal.print(`The node trains ${harmless(name)} now. What ${harmless(change.from)} has learnt is kept.`);
    if (change?.fault) terminal.complain(`The next start takes the former one: ${harmless(change.fault.message)}`);
  } finally {
    await node.close();
  }
}

/** Null where it is in use already. Settles when the node has gone over, or has gone back. */
function outcomeOf(node: RemoteNode, key: string): Promise<PolicyChange | null> {
  return new Promise((ended, failed) => {
    const look = (change: PolicyChange | null): void => {
      if (change?.key === key && change.stage !== 'opening') ended(change);
    };
    let begun = false;
    node.subscribe('models', ({ change }) => begun && look(change));
    node.invoke('useModel', { key }).then(({ change }) => {
      begun = true;
      if (change?.stage !== 'opening') ended(change?.key === key && change.stage === 'failed' ? change : null);
      // What ended between the answer and now was told before anybody listened.
      else node.invoke('models', null).then((report) => look(report.change), failed);
    }, failed);
  });
}

async function chooseForNextStart(
  key: string,
  isFolder: boolean,
  options: ModelsOptions,
  { terminal, env }: ModelsSurroundings,
): Promise<void> {
  const settings = settingsOf(options, env);
  if (settings.policyDirectory !== '') throw fixedBySettings(settings.policyDirectory);
  const directory =
    key === BUNDLED_KEY
      ? null
      : isFolder
        ? await requireModelFolder(key)
        : await folderOf(key, options, { terminal, env });
  if (directory !== null) await readPolicyConfig(directory); // one that cannot be computed is refused here
  if (isFolder) await addModelFolder(settings.dataDirectory, key);
  await writePolicyChoice(settings.dataDirectory, directory);
  if (options.json === true) terminal.print(JSON.stringify({ model: key, running: false, changed: true }));
  else {
    const name = directory === null ? 'the bundled policy' : isFolder ? basename(key) : key;
    terminal.print(`A node takes up ${harmless(name)} when it starts.`);
  }
}

async function folderOf(id: string, options: ModelsOptions, { env }: ModelsSurroundings): Promise<string> {
  const found = await findModel(await placesOf(options, settingsOf(options, env), env), id);
  if (found) return found.directory;
  throw new NodeFault({
    code: 'modelNotHere',
    message: `${JSON.stringify(id.slice(0, 120))} is not on this disk.`,
    fix: 'Fetch it with `waggle models pull ID`, or name a folder.',
  });
}
