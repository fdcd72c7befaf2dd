/**
 * What the page and the command line ask about models and do with them: list, fetch, delete, add a folder, and train another one.
 * Brings the parts together; how each is done is theirs.
 *
 * Another policy is opened in the node that runs: peers, page and history stay connected, and the only process that holds weights
 * is replaced anyway. It becomes the choice of the next start only once it has been opened; until then, and when it cannot be, the
 * former one is.
 */
import { join, resolve } from 'node:path';
import { hubSettings } from '../../../native-models/hub/hub-settings.ts';
import { asFault, WaggleError } from '../../base/errors.ts';
import { freeBytesAt } from '../../base/atomic-file.ts';
import type { Logger } from '../../base/log.ts';
import type { Config } from '../../config.ts';
import { ModelDownloads, type DownloadsOptions } from '../../models/downloads.ts';
import { modelPlaces } from '../../models/list-models.ts';
import { memoryFor } from '../../models/model-fit.ts';
import { BUNDLED_KEY, modelRows } from '../../models/model-rows.ts';
import {
  addModelFolder,
  deleteModel,
  forgetModelFolder,
  readModelFolders,
  removeLeaving,
  requireModelFolder,
} from '../../models/owned-models.ts';
import { fixedBySettings, writePolicyChoice, type ChosenPolicy } from '../../models/policy-choice.ts';
import type { Store } from '../../store/store.ts';
import type { ModelRow, ModelsActivity, ModelsReport, PolicyChange } from '../api.ts';

export interface ModelDeskOptions extends Pick<DownloadsOptions, 'env' | 'tuning'> {
  config: Config;
  dataDirectory: string;
  bundledDirectory: () => string;
  /** What is trained. */
  chosen: () => ChosenPolicy;
  changePolicy: (to: ChosenPolicy) => Promise<void>;
  store: Pick<Store, 'policies'>;
  log: Logger;
  onActivity: (activity: ModelsActivity) => void;
  /** Another policy is open and in use. */
  onChanged: () => void;
}

export class ModelDesk {
  private readonly options: ModelDeskOptions;
  private readonly downloads: ModelDownloads;
  private change: PolicyChange | null = null;
  /** Counts changes of the list itself, so that clients know when to ask again. */
  private revision = 0;

  constructor(options: ModelDeskOptions) {
    this.options = options;
    const { config, dataDirectory, env, log, tuning } = options;
    this.downloads = new ModelDownloads({
      settings: config,
      path: join(dataDirectory, 'downloads.json'),
      env,
      log,
      ...(tuning ? { tuning } : {}),
      onChange: () => this.tell(),
      onArrived: () => this.listChanged(),
    });
  }

  async open(): Promise<void> {
    await removeLeaving(join(this.options.dataDirectory, 'models'));
    await this.downloads.resume();
  }

  async close(): Promise<void> {
    await this.downloads.close();
  }

  async report(): Promise<ModelsReport> {
    const { config, dataDirectory, env, chosen } = this.options;
    const places = await modelPlaces(dataDirectory, env);
    const { endpoint, offline } = await hubSettings(env);
    return {
      rows: await this.rows(),
      availableBytes: memoryFor(config),
      freeDiskBytes: await freeBytesAt(dataDirectory).catch(() => null),
      modelsDirectory: places.modelsDirectory,
      hub: { host: endpoint.host, offline },
      origin: chosen().origin,
      work: {
        promptsPerRound: config.promptsPerRound,
        groupSize: config.groupSize,
        maxNewTokens: config.maxNewTokens,
      },
      ...this.activity(),
    };
  }

  async download(id: string): Promise<ModelsActivity> {
    await this.downloads.start(id);
    return this.activity();
  }

  async cancelDownload(id: string): Promise<ModelsActivity> {
    await this.downloads.cancel(id);
    return this.activity();
  }

  async delete(id: string): Promise<ModelsReport> {
    if (this.downloads.isOnItsWay(id)) await this.downloads.cancel(id);
    const row = (await this.rows()).find(({ key }) => key === id);
    if (row?.inUse || this.isOnTheMove()) throw inUse(id);
    await deleteModel(join(this.options.dataDirectory, 'models'), id);
    this.listChanged();
    return this.report();
  }

  async addFolder(directory: string): Promise<ModelsReport> {
    await addModelFolder(this.options.dataDirectory, directory);
    this.listChanged();
    return this.report();
  }

  async forgetFolder(directory: string): Promise<ModelsReport> {
    await forgetModelFolder(this.options.dataDirectory, directory);
    this.listChanged();
    return this.report();
  }

  /** Answers when it has begun; how it ends is told by `onActivity`. @throws WaggleError */
  async use(key: string): Promise<ModelsActivity> {
    if (this.options.chosen().origin === 'settings') throw fixedBySettings(this.options.config.policyDirectory);
    if (this.isOnTheMove()) throw underWay();
    const rows = await this.rows();
    const row = rows.find((each) => each.key === key);
    const directory = await usableFolder(row, key);
    if (row?.inUse) return this.activity();
    const from = rows.find(({ inUse: used }) => used)?.name ?? 'the present policy';
    this.change = { key, to: row?.name ?? key, from, stage: 'opening', fault: null, at: Date.now() };
    this.tell();
    void this.carryOut({ directory, origin: key === BUNDLED_KEY ? 'bundled' : 'choice' });
    return this.activity();
  }

  /** Never rejects. */
  private async carryOut(to: ChosenPolicy): Promise<void> {
    const { changePolicy, dataDirectory, log, onChanged } = this.options;
    try {
      await changePolicy(to);
    } catch (error) {
      const fault = asFault(error);
      log.warn(`${this.change!.to} could not be opened: ${fault.message} (${fault.code})`);
      this.end('failed', fault);
      return;
    }
    onChanged();
    try {
      await writePolicyChoice(dataDirectory, to.origin === 'bundled' ? null : to.directory);
      this.end('done', null);
    } catch (error) {
      log.error('The choice of the policy could not be written; the next start takes the former one', error);
      this.end('done', asFault(error));
    }
  }

  private end(stage: 'done' | 'failed', fault: PolicyChange['fault']): void {
    this.change = { ...this.change!, stage, fault, at: Date.now() };
    this.listChanged();
  }

  private isOnTheMove(): boolean {
    return this.change?.stage === 'opening';
  }

  private async rows(): Promise<ModelRow[]> {
    const { config, dataDirectory, env, bundledDirectory, chosen, store } = this.options;
    return modelRows({
      places: await modelPlaces(dataDirectory, env),
      settings: config,
      bundledDirectory: bundledDirectory(),
      folders: await readModelFolders(dataDirectory),
      usedDirectory: resolve(chosen().directory),
      trained: new Map(store.policies().map(({ directory, round, at }) => [directory, { round, at }])),
    });
  }

  private activity(): ModelsActivity {
    return { downloads: this.downloads.rows(), change: this.change, revision: this.revision };
  }

  private listChanged(): void {
    this.revision++;
    this.tell();
  }

  private tell(): void {
    this.options.onActivity(this.activity());
  }
}

/** @throws WaggleError, each with what to do first */
async function usableFolder(row: ModelRow | undefined, key: string): Promise<string> {
  const name = JSON.stringify((row?.name ?? key).slice(0, 200));
  if (!row || (row.directory === null && row.problem === null)) {
    throw new WaggleError({
      code: 'modelNotHere',
      message: `${name} is not on this disk.`,
      fix: 'Download it first, or add its folder.',
    });
  }
  if (row.problem !== null || row.directory === null) {
    throw new WaggleError({
      code: 'modelUnusable',
      message: `${name} cannot be trained: ${row.problem ?? 'it is not whole'}.`,
      fix: 'Download it again, or choose another one.',
    });
  }
  return requireModelFolder(row.directory);
}

function underWay(): WaggleError {
  return new WaggleError({
    code: 'policyChangeUnderWay',
    message: 'Another policy is being opened just now.',
    fix: 'Wait until it is open, then choose again.',
  });
}

function inUse(id: string): WaggleError {
  return new WaggleError({
    code: 'modelInUse',
    message: `${id} is in use.`,
    fix: 'Train another model first, then delete it.',
  });
}
