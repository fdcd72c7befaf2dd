/**
 * Which policy a node trains, strongest first: the settings (flag, environment, config file), else what its owner chose in the page
 * or with `waggle models use`, else the bundled one. The choice is a small file of the data folder, so that the next start finds it.
 * Knows nothing of whether the folder can be opened.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { WaggleError } from '../base/errors.ts';
import { readKeptJson } from '../base/kept-json.ts';
import type { Config } from '../config.ts';

export type PolicyOrigin = 'settings' | 'choice' | 'bundled';
export interface ChosenPolicy {
  /** Absolute. */
  directory: string;
  origin: PolicyOrigin;
}

const choiceFile = z.object({ version: z.literal(1), directory: z.string().min(1).max(4096) });

function choicePath(dataDirectory: string): string {
  return join(dataDirectory, 'policy.json');
}

/** A damaged file counts as none: the bundled policy is trained, and what was trained before is kept. */
export async function chosenPolicy(config: Config, bundledDirectory: () => string): Promise<ChosenPolicy> {
  if (config.policyDirectory !== '') return { directory: config.policyDirectory, origin: 'settings' };
  const directory = await readChoice(config.dataDirectory);
  return directory === null ? { directory: bundledDirectory(), origin: 'bundled' } : { directory, origin: 'choice' };
}

async function readChoice(dataDirectory: string): Promise<string | null> {
  return (await readKeptJson(choicePath(dataDirectory), choiceFile))?.directory ?? null;
}

/** Null: the bundled policy. Settings still go before it. @throws DiskFullError */
export async function writePolicyChoice(dataDirectory: string, directory: string | null): Promise<void> {
  const path = choicePath(dataDirectory);
  if (directory === null) {
    await rm(path, { force: true });
    return;
  }
  await mkdir(dataDirectory, { recursive: true });
  await writeFileAtomic(path, `${JSON.stringify({ version: 1, directory })}\n`);
}

/** Why nothing else can be chosen. */
export function fixedBySettings(directory: string): WaggleError {
  return new WaggleError({
    code: 'policySetBySettings',
    message: `The settings of this node name its policy (${directory}), and they go first.`,
    fix: 'Start the node without --policy, WAGGLE_POLICY and policyDirectory in its config file; then choose here.',
  });
}
