/**
 * Where models are fetched from and kept, as the environment says it: the variables of huggingface_hub, so that what a user has
 * set for other programs holds here. Source: huggingface_hub 2.4, constants.py. Reads no variable twice, writes nothing.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { HubError } from './hub-error.ts';

export interface HubSettings {
  endpoint: URL;
  token: string | null;
  /** Folder with `models--ORG--NAME` folders of Hugging Face programs. */
  cacheDirectory: string;
  /** The user forbids asking the network. */
  offline: boolean;
  env: NodeJS.ProcessEnv;
}

const DEFAULT_ENDPOINT = 'https://huggingface.co';
const TOKEN = /^[\x21-\x7e]{1,500}$/;

/** @param endpoint overrides HF_ENDPOINT. @throws HubError `hubBadRequest` for an endpoint that is no address. */
export async function hubSettings(env: NodeJS.ProcessEnv, endpoint?: string): Promise<HubSettings> {
  const home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  return {
    endpoint: parseEndpoint(endpoint ?? set(env['HF_ENDPOINT']) ?? DEFAULT_ENDPOINT),
    token: await findToken(env, home),
    cacheDirectory: set(env['HF_HUB_CACHE']) ?? set(env['HUGGINGFACE_HUB_CACHE']) ?? join(home, 'hub'),
    offline: /^(1|on|yes|true)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
    env,
  };
}

async function findToken(env: NodeJS.ProcessEnv, home: string): Promise<string | null> {
  const path = set(env['HF_TOKEN_PATH']) ?? join(home, 'token');
  const token = set(env['HF_TOKEN']) ?? (await readFile(path, 'utf8').catch(() => '')).trim();
  return TOKEN.test(token) ? token : null;
}

function parseEndpoint(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url && (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' && url.search === '')
    return url;
  throw new HubError('hubBadRequest', {
    message: 'The endpoint for models is not an http:// or https:// address.',
    fix: 'Correct HF_ENDPOINT (or --endpoint), for example https://huggingface.co.',
  });
}

function set(value: string | undefined): string | undefined {
  return value === undefined || value.trim() === '' ? undefined : value.trim();
}
