/** Where the policy that ships with Waggle lies, and how a policy wants to be prompted. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { appRoot } from '../../base/app-root.ts';
import { WaggleError } from '../../base/errors.ts';
import type { PromptStyle } from '../../rollout/prompt.ts';

const FOLDER = 'native-models/bundled/waggle-starter';

/** @throws WaggleError `bundledPolicyMissing` */
export function bundledPolicyDirectory(): string {
  // In the packaged app native code reads beside the archive, not in it.
  const directory = join(appRoot.replace(/app\.asar$/, 'app.asar.unpacked'), FOLDER);
  if (existsSync(join(directory, 'config.json'))) return directory;
  throw new WaggleError({
    code: 'bundledPolicyMissing',
    message: `The bundled policy is not where it should be (${FOLDER})`,
    fix: 'Install Waggle again, or make it with `npm run build:policy`.',
  });
}

/** Stated in the policy's tokenizer_config.json; a policy that says nothing gets the full question. */
export async function promptStyleOf(directory: string): Promise<PromptStyle> {
  try {
    const config = JSON.parse(await readFile(join(directory, 'tokenizer_config.json'), 'utf8')) as Record<
      string,
      unknown
    >;
    return config.waggle_prompt_style === 'terse' ? 'terse' : 'plain';
  } catch {
    return 'plain';
  }
}
