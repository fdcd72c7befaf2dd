/**
 * Models for the tests of the page: the real catalogue and the real estimate for a machine of 6 GB, nothing fetched and nothing
 * opened. A test says how downloads and changes go on.
 */
import { catalogue } from '../../native-models/hub/catalogue.ts';
import { fitWork } from '../../native-models/runtime/fit-work.ts';
import { WaggleError } from '../../src-main/base/errors.ts';
import { loadConfig } from '../../src-main/config.ts';
import type { ModelDownload, ModelRow, ModelsActivity, ModelsReport, PolicyChange } from '../../src-main/engine/api.ts';
import { questionFor } from '../../src-main/models/model-fit.ts';

const availableBytes = 6 * 1024 ** 3;
const settings = loadConfig({}).config;
const here = new Set(['HuggingFaceTB/SmolLM2-135M-Instruct', 'Qwen/Qwen3-0.6B']);

const bundled: ModelRow = {
  key: 'bundled',
  name: 'waggle-starter',
  source: 'bundled',
  directory: '/opt/waggle/waggle-starter',
  family: 'llama',
  parameters: 2_416_320,
  contextTokens: 256,
  licence: null,
  gated: false,
  downloadBytes: null,
  diskBytes: 4_833_976,
  fit: { verdict: 'fits', needBytes: 4.1e8, availableBytes, microBatchTokens: 1024, adapter: false },
  problem: null,
  inUse: true,
  trained: { round: 213, at: Date.now() - 4000 },
  deletable: false,
};

const known: ModelRow[] = catalogue.map(({ id, licence, gated, config, parameters, downloadBytes }) => {
  const question = questionFor(config, settings);
  const { verdict, estimate, work } = fitWork(question, availableBytes);
  const isHere = here.has(id);
  return {
    key: id,
    name: id,
    source: !isHere ? 'hub' : id.startsWith('Qwen') ? 'cache' : 'models',
    directory: isHere ? `/home/ada/.local/share/waggle/models/${id}` : null,
    family: config.architecture,
    parameters,
    contextTokens: config.contextTokens,
    licence,
    gated,
    downloadBytes,
    diskBytes: isHere ? downloadBytes : null,
    fit: {
      verdict,
      needBytes: estimate.totalBytes,
      availableBytes,
      microBatchTokens: work.microBatchTokens,
      adapter: question.adapter !== null,
    },
    problem: null,
    inUse: false,
    trained: id.includes('135M') ? { round: 42, at: Date.now() - 86_400_000 } : null,
    deletable: isHere && !id.startsWith('Qwen'),
  };
});

const damaged: ModelRow = {
  ...bundled,
  key: 'ada/half-a-model',
  name: 'ada/half-a-model',
  source: 'models',
  directory: null,
  family: null,
  parameters: null,
  contextTokens: null,
  diskBytes: 1.2e8,
  fit: null,
  problem: 'has no tokenizer.json',
  inUse: false,
  trained: null,
  deletable: true,
};

export class FakeModels {
  rows: ModelRow[] = [bundled, ...known, damaged].map((row) => ({ ...row }));
  downloads: ModelDownload[] = [];
  change: PolicyChange | null = null;
  origin: ModelsReport['origin'] = 'choice';
  offline = false;
  private revision = 0;
  private readonly tell: (activity: ModelsActivity) => void;

  constructor(tell: (activity: ModelsActivity) => void) {
    this.tell = tell;
  }

  report(): ModelsReport {
    return {
      rows: this.rows,
      availableBytes,
      freeDiskBytes: 81e9,
      modelsDirectory: '/home/ada/.local/share/waggle/models',
      hub: { host: 'huggingface.co', offline: this.offline },
      origin: this.origin,
      work: { promptsPerRound: 8, groupSize: 8, maxNewTokens: 80 },
      ...this.activity(),
    };
  }

  download(id: string): ModelsActivity {
    this.advance(id, { stage: 'checkingSpace', detail: 'Asks the hub what the model consists of' });
    return this.activity();
  }

  cancelDownload(id: string): ModelsActivity {
    this.downloads = this.downloads.filter((row) => row.id !== id);
    return this.activity();
  }

  delete(id: string): ModelsReport {
    this.rows = this.rows.map((row) =>
      row.key === id ? { ...row, source: 'hub', directory: null, diskBytes: null, deletable: false } : row,
    );
    this.revision++;
    return this.report();
  }

  addFolder(directory: string): ModelsReport {
    if (!directory.startsWith('/')) {
      throw new WaggleError({
        code: 'notAModelFolder',
        message: `${JSON.stringify(directory)} is no full path.`,
        fix: 'Name the full path of a folder in Hugging Face layout.',
      });
    }
    const name = directory.split('/').at(-1)!;
    this.rows = [
      ...this.rows,
      { ...bundled, key: directory, name, source: 'folder', directory, inUse: false, trained: null },
    ];
    this.revision++;
    return this.report();
  }

  forgetFolder(directory: string): ModelsReport {
    this.rows = this.rows.filter(({ key }) => key !== directory);
    return this.report();
  }

  use(key: string): ModelsActivity {
    const to = this.rows.find((row) => row.key === key)!.name;
    const from = this.rows.find((row) => row.inUse)!.name;
    this.change = { key, to, from, stage: 'opening', fault: null, at: Date.now() };
    return this.activity();
  }

  /** How going over ends. */
  endChange(fault: PolicyChange['fault'] = null): void {
    const change = this.change!;
    this.change = { ...change, stage: fault ? 'failed' : 'done', fault };
    if (!fault) this.rows = this.rows.map((row) => ({ ...row, inUse: row.key === change.key }));
    this.revision++;
    this.tell(this.activity());
  }

  advance(id: string, more: Partial<ModelDownload>): void {
    const before: ModelDownload = this.downloads.find((row) => row.id === id) ?? {
      id,
      stage: 'waiting',
      doneBytes: 0,
      totalBytes: null,
      bytesPerSecond: null,
      remainingMs: null,
      detail: 'Waits for those before it',
      fault: null,
    };
    this.downloads = [...this.downloads.filter((row) => row.id !== id), { ...before, ...more }];
    this.tell(this.activity());
  }

  private activity(): ModelsActivity {
    return { downloads: this.downloads, change: this.change, revision: this.revision };
  }
}
