/** A model of three small files and one or two large ones on a fake hub, and a pull of it with short waits, for the tests. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { HubError } from '../../../native-models/hub/hub-error.ts';
import { hubSettings } from '../../../native-models/hub/hub-settings.ts';
import {
  pullModel,
  type PulledModel,
  type PullProgress,
  type PullRequest,
} from '../../../native-models/hub/pull-model.ts';
import { MODEL, openFakeHub, type FakeHub } from './fake-hub.ts';

/** Bytes that do not repeat, so that a part in the wrong place is seen. */
export function someBytes(length: number, seed = 1): Buffer {
  let state = seed;
  return Buffer.from(Uint8Array.from({ length }, () => (state = (state * 1103515245 + 12345) & 0x7fffffff) >>> 16));
}

export const tinyModel = {
  'config.json': '{"model_type":"llama"}',
  'tokenizer.json': '{"version":"1.0"}',
  'tokenizer_config.json': '{}',
  'model.safetensors': someBytes(100_000),
  'README.md': 'not needed',
  'onnx/model.onnx': someBytes(3000, 2),
  'pytorch_model.bin': someBytes(3000, 3),
};

/** For the tests of slow servers alone: a busy machine is slow, too. */
export const impatient = { answerMs: 1500, stallMs: 700, slowWindowMs: 300, minBytes: 50 };

export interface Tiny {
  hub: FakeHub;
  models: string;
  waits: number[];
  progress: PullProgress[];
  pull: (changes?: Partial<PullRequest>) => Promise<PulledModel>;
  /** Every file below the models folder, relative, sorted. */
  written: () => Promise<string[]>;
  holds: (name: string, content: Buffer | string) => Promise<boolean>;
}

export async function tiny(t: TestContext, files: Record<string, Buffer | string> = tinyModel): Promise<Tiny> {
  const hub = await openFakeHub(files);
  const models = await mkdtemp(join(tmpdir(), 'waggle-hub-'));
  t.after(async () => {
    await hub.close();
    await rm(models, { recursive: true, force: true });
  });
  const waits: number[] = [];
  const progress: PullProgress[] = [];
  const sleep = (waitMs: number): Promise<void> => {
    waits.push(waitMs);
    return Promise.resolve();
  };
  const retry = { attempts: 4, firstWaitMs: 100, maxWaitMs: 300, maxRetryAfterMs: 60_000, sleep, random: () => 0.5 };
  const timeouts = { answerMs: 30_000, stallMs: 30_000, slowWindowMs: 30_000, minBytes: 50 };
  const pull = async (changes: Partial<PullRequest> = {}): Promise<PulledModel> =>
    pullModel({
      id: MODEL,
      modelsDirectory: models,
      settings: await hubSettings({ HF_HOME: models, HF_ENDPOINT: hub.endpoint.href }),
      onProgress: (event) => progress.push(event),
      ...changes,
      tuning: { connections: 4, pieceBytes: 10_000, retry, timeouts, ...changes.tuning },
    });
  const written = async (): Promise<string[]> =>
    (await readdir(models, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(models.length + 1))
      .sort();
  const holds = async (name: string, content: Buffer | string): Promise<boolean> =>
    Buffer.from(content).equals(await readFile(join(models, name)));
  return { hub, models, waits, progress, pull, written, holds };
}

/** For `assert.rejects`: a HubError of this code whose fix says something. */
export function hubError(code: HubError['code'], message: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof HubError)) throw error;
    return error.code === code && message.test(error.message) && error.fix.length > 10;
  };
}
