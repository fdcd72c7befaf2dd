/** `waggle models`: the list, a pull from a local hub, and whether a model fits. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { catalogue } from '../../../native-models/hub/catalogue.ts';
import { runCli } from '../../../src-main/cli/program.ts';
import type { Calls, ModelsReport, NodeApi } from '../../../src-main/engine/api.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';
import { addModelFolder } from '../../../src-main/models/owned-models.ts';
import { writePolicyChoice } from '../../../src-main/models/policy-choice.ts';
import { MODEL, openFakeHub, sha256, type FakeHub } from '../hub/fake-hub.ts';

const bundled = bundledPolicyDirectory();

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}
interface ListedJson {
  availableBytes: number;
  models: { id: string; parameters: number | null; fit: { verdict: string; needBytes: number } | null; directory: string | null; source: string | null; inUse: boolean; partialBytes: number | null; problem: string | null }[]; // prettier-ignore
}

class Place {
  readonly root: string;
  constructor(t: TestContext) {
    this.root = mkdtempSync(join(tmpdir(), 'waggle-models-'));
    t.after(() => rmSync(this.root, { recursive: true, force: true }));
  }

  /** `waggle models ...` with a data folder and a Hugging Face home of its own. */
  async run(args: readonly string[], hub?: FakeHub): Promise<Outcome> {
    const outcome: Outcome = { code: null, out: '', err: '' };
    const terminal = {
      print: (text: string) => void (outcome.out += `${text}\n`),
      complain: (text: string) => void (outcome.err += `${text}\n`),
      colours: false,
    };
    const env = { HF_HOME: join(this.root, 'hf'), HF_ENDPOINT: hub?.endpoint.href ?? 'http://127.0.0.1:9' };
    const surroundings = { terminal, env, version: '0', interrupted: new AbortController().signal };
    outcome.code = await runCli(['models', ...args, '--data', join(this.root, 'data')], surroundings);
    return outcome;
  }
}

/** What an interrupted pull leaves: in a folder of its own, a file at its full length and full of holes. */
function leaveHalf(models: string, id: string): string {
  const folder = join(models, '.partial', `${id.replace('/', '--')}--${'c'.repeat(40)}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'model.safetensors.partial'), Buffer.alloc(100_000, 1));
  return folder;
}

const bundledFiles = (): Record<string, Buffer> =>
  Object.fromEntries(
    ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'model.safetensors'].map((name) => [
      name,
      readFileSync(join(bundled, name)),
    ]),
  );

test('pull fetches a model that then is listed, found again without a network, and can be judged by its id', async (t) => {
  const place = new Place(t);
  const hub = await openFakeHub(bundledFiles());
  t.after(() => hub.close());
  const pulled = await place.run(['pull', MODEL], hub);
  assert.equal(pulled.err.includes('Licence'), false, 'nothing is claimed about models that are not known');
  assert.equal(pulled.code, 0, pulled.err);
  const directory = join(place.root, 'data', 'models', 'acme', 'tiny-1');
  assert.match(pulled.out, /is here: 4\.6 MB, every file verified/);
  assert.match(pulled.out, /waggle models use acme\/tiny-1/);
  assert.deepEqual(
    readFileSync(join(directory, 'model.safetensors')),
    readFileSync(join(bundled, 'model.safetensors')),
  );

  await hub.close();
  const again = await place.run(['pull', MODEL, '--json'], hub);
  // Offline is tried for a while before it is believed; the model is there all the same.
  assert.deepEqual(JSON.parse(again.out), { id: MODEL, directory, bytes: 4_833_976, alreadyThere: true, commit: null });

  const listed = JSON.parse((await place.run(['--json'])).out) as ListedJson;
  assert.deepEqual(
    listed.models.map(({ id }) => id),
    ['bundled', ...catalogue.map(({ id }) => id), MODEL],
  );
  const own = listed.models.at(-1)!;
  assert.deepEqual([own.directory, own.source, own.problem], [directory, 'models', null]);
  assert.ok(own.fit && own.fit.needBytes > 1e8);
  const fit = await place.run(['fit', MODEL, '--memory', '100000']);
  assert.match(fit.out, /^fits: training all weights needs about \d/);
  const bridge = await place.run(['fit', MODEL, '--memory', '100000', '--method', 'bridge']);
  assert.match(
    bridge.out,
    /^fits: training all weights with BRIDGE needs .*\nWithout BRIDGE \(--method sapo\) it would/s,
  );
  assert.equal((await place.run(['fit', MODEL, '--method', 'other'])).code, 2);
});

test('the list has the bundled policy, added folders and halves, and marks what is in use', async (t) => {
  const place = new Place(t);
  const data = join(place.root, 'data');
  const mine = join(place.root, 'mine');
  cpSync(bundled, mine, { recursive: true });
  await addModelFolder(data, mine);
  leaveHalf(join(data, 'models'), 'acme/half');
  leaveHalf(join(data, 'models'), catalogue[0]!.id);
  const list = async () => (JSON.parse((await place.run(['--json'])).out) as ListedJson).models;
  const before = await list();
  assert.deepEqual(
    before.map(({ id }) => id),
    ['bundled', ...catalogue.map(({ id }) => id), mine, 'acme/half'],
  );
  const inUse = (models: ListedJson['models']) => models.filter((model) => model.inUse).map(({ id }) => id);
  assert.deepEqual(inUse(before), ['bundled']);
  const begun = before.filter(({ partialBytes }) => partialBytes !== null);
  assert.deepEqual(
    begun.map(({ id, directory }) => [id, directory]),
    [
      [catalogue[0]!.id, null],
      ['acme/half', null],
    ],
  );
  for (const { partialBytes } of begun) assert.ok(partialBytes! > 0 && partialBytes! <= 100_000, String(partialBytes));

  await writePolicyChoice(data, mine);
  assert.deepEqual(inUse(await list()), [mine]);
  const { out, code } = await place.run([]);
  assert.equal(code, 0);
  assert.match(out, /\n {2}mine \(in use\) .*\/mine\n/);
  assert.match(out, /\n {2}acme\/half .* not whole .* half a download \(\d/);
});

test('remove: a fetched model, half a download, a folder of the list; not what is in use or of others', async (t) => {
  const place = new Place(t);
  const data = join(place.root, 'data');
  const models = join(data, 'models');
  const remove = async (target: string) => {
    const { out, code } = await place.run(['remove', target, '--json']);
    return [code, JSON.parse(out)] as [number, { removed?: string; fault?: { code: string; fix: string } }];
  };
  const refuse = async (target: string, reason: string): Promise<void> => {
    const [code, { fault }] = await remove(target);
    assert.deepEqual([code, fault?.code], [1, reason], target);
  };
  const tiny = join(models, 'acme', 'tiny');
  const mine = join(place.root, 'mine');
  for (const folder of [tiny, mine, join(place.root, 'hf', 'hub', 'models--acme--cached', 'snapshots', 'a'.repeat(40))])
    cpSync(bundled, folder, { recursive: true });
  const halves = ['acme/tiny', 'acme/half'].map((id) => leaveHalf(models, id));
  await addModelFolder(data, mine);

  await writePolicyChoice(data, tiny);
  await refuse('acme/tiny', 'modelInUse');
  await writePolicyChoice(data, mine);
  await refuse(mine, 'modelInUse');
  await writePolicyChoice(data, null);
  await refuse('bundled', 'notOurModel');
  await refuse('acme/cached', 'notOurModel');
  await refuse('acme/none', 'modelNotHere');
  await refuse('../mine', 'hubBadRequest');
  assert.ok([tiny, mine, ...halves].every((path) => existsSync(path)));

  const half = await place.run(['remove', 'acme/half']);
  assert.deepEqual([half.code, half.out], [0, 'What had arrived of acme/half is deleted.\n']);
  assert.deepEqual(halves.map(existsSync), [true, false]);
  assert.deepEqual(await remove('acme/tiny'), [0, { model: 'acme/tiny', removed: 'model' }]);
  assert.deepEqual([tiny, halves[0]!].map(existsSync), [false, false]);
  assert.deepEqual(await remove(mine), [0, { model: mine, removed: 'folder' }]);
  await refuse(mine, 'hubBadRequest');
  assert.ok(existsSync(join(mine, 'config.json')));
});

test('a running node says what is in use, and removes by itself', async (t) => {
  const place = new Place(t);
  const data = join(place.root, 'data');
  const half = leaveHalf(join(data, 'models'), 'acme/half');
  const used = join(place.root, 'used');
  cpSync(bundled, used, { recursive: true });
  const called: [string, unknown][] = [];
  const api = {
    invoke: (name: keyof Calls, args: unknown) => {
      called.push([name, args]);
      return Promise.resolve({ rows: [{ inUse: true, directory: used }] } as ModelsReport);
    },
    subscribe: () => () => undefined,
  } as unknown as NodeApi;
  const served = await serveNode({ api, dataDirectory: data, rendererDirectory: data, port: 0 });
  t.after(() => served.close());
  const { models } = JSON.parse((await place.run(['--json'])).out) as ListedJson;
  assert.deepEqual(
    models.filter(({ inUse }) => inUse).map(({ id, directory }) => [id, directory]),
    [[used, used]],
  );
  assert.equal((await place.run(['remove', 'acme/half'])).code, 0);
  assert.deepEqual(called.at(-1), ['deleteModel', { id: 'acme/half' }]);
  assert.ok(existsSync(half), 'nothing is done behind its back');
});

test('a model of the Hugging Face cache is used where it is', async (t) => {
  const place = new Place(t);
  const snapshot = join(place.root, 'hf', 'hub', 'models--acme--cached', 'snapshots', 'a'.repeat(40));
  cpSync(bundled, snapshot, { recursive: true });
  const { out, code } = await place.run(['pull', 'acme/cached', '--json']);
  assert.equal(code, 0);
  const facts = JSON.parse(out) as { directory: string; alreadyThere: boolean };
  assert.deepEqual([facts.directory, facts.alreadyThere], [snapshot, true]);
});

test('a model that cannot be computed is refused before its weights are fetched', async (t) => {
  const place = new Place(t);
  const hub = await openFakeHub({ ...bundledFiles(), 'config.json': '{"model_type":"mamba"}' });
  t.after(() => hub.close());
  const { out, code } = await place.run(['pull', MODEL, '--json'], hub);
  const { fault } = JSON.parse(out) as { fault: { code: string; message: string } };
  assert.deepEqual([code, fault.code], [1, 'policyUnsupported']);
  assert.match(fault.message, /mamba/);
  const weights = sha256(readFileSync(join(bundled, 'model.safetensors')));
  assert.ok(!hub.requests.some(({ line }) => line.includes(weights)));
});

test('failures carry their code and what to do', async (t) => {
  const place = new Place(t);
  const hub = await openFakeHub(bundledFiles());
  t.after(() => hub.close());
  hub.settings.token = 'needed';
  const gated = await place.run(['pull', MODEL], hub);
  assert.equal(gated.code, 1);
  assert.match(gated.err, /does not give acme\/tiny-1 to everybody[\s\S]*HF_TOKEN/);
  const bad = JSON.parse((await place.run(['pull', '../x', '--json'], hub)).out) as { fault: { code: string } };
  assert.equal(bad.fault.code, 'hubBadRequest');
  const unknown = JSON.parse((await place.run(['fit', 'no/such', '--json'])).out) as { fault: { code: string } };
  assert.equal(unknown.fault.code, 'unknownModel');
  assert.equal((await place.run(['fit', bundled, '--group-size', 'x'])).code, 2);
});

test('fit: smaller passes where memory is short, an adapter on request, the reason where a folder is none', async (t) => {
  const place = new Place(t);
  const fit = async (...args: string[]) =>
    JSON.parse((await place.run(['fit', ...args, '--json'])).out) as {
      verdict: string;
      needBytes: number;
      askedBytes: number;
      adapter: unknown;
      work: { groupSize: number; completionTokens: number; microBatchTokens: number };
    };
  const big = catalogue[0]!.id;
  const roomy = await fit(big, '--memory', '1000000', '--group-size', '4', '--max-tokens', '64');
  assert.deepEqual([roomy.verdict, roomy.work.groupSize, roomy.work.completionTokens], ['fits', 4, 64]);
  assert.notEqual(roomy.adapter, null, 'a policy of more than 50 million weights is adapted');
  const short = await fit(big, '--memory', '100');
  assert.equal(short.verdict, 'tooLarge');
  assert.ok(short.work.microBatchTokens < roomy.work.microBatchTokens && short.needBytes < short.askedBytes);
  const full = await fit(big, '--adapter', 'full');
  assert.equal(full.adapter, null);
  writeFileSync(join(place.root, 'config.json'), 'not JSON');
  const broken = JSON.parse((await place.run(['fit', place.root, '--json'])).out) as { fault: { code: string } };
  assert.equal(broken.fault.code, 'policyInvalid');
});
