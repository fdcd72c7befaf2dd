/** `waggle models use`: the choice for the next start without a node, and in a running one as the page does it. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../../src-main/cli/program.ts';
import type {
  Calls,
  Events,
  ModelsActivity,
  ModelsReport,
  NodeApi,
  PolicyChange,
} from '../../../src-main/engine/api.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { serveNode } from '../../../src-main/engine/serve/serve-node.ts';

function place(t: TestContext): { data: string; models: string; run: (...args: string[]) => Promise<Outcome> } {
  const root = mkdtempSync(join(tmpdir(), 'waggle-use-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const data = join(root, 'data');
  const run = async (...args: string[]): Promise<Outcome> => {
    const outcome: Outcome = { code: null, out: '', err: '' };
    const terminal = {
      print: (text: string) => void (outcome.out += `${text}\n`),
      complain: (text: string) => void (outcome.err += `${text}\n`),
      colours: false,
    };
    const env = { HF_HOME: join(root, 'hf') };
    const surroundings = { terminal, env, version: '0', interrupted: new AbortController().signal };
    outcome.code = await runCli(['models', 'use', ...args, '--data', data], surroundings);
    return outcome;
  };
  return { data, models: join(data, 'models'), run };
}
interface Outcome {
  code: number | null;
  out: string;
  err: string;
}
const choiceOf = (data: string): unknown => JSON.parse(readFileSync(join(data, 'policy.json'), 'utf8'));

test('without a node the next start takes it up: a folder, a fetched model, the bundled one', async (t) => {
  const { data, models, run } = place(t);
  cpSync(bundledPolicyDirectory(), join(models, 'acme', 'tiny'), { recursive: true });
  const fetched = await run('acme/tiny');
  assert.deepEqual([fetched.code, fetched.err], [0, '']);
  assert.match(fetched.out, /takes up acme\/tiny when it starts/);
  assert.deepEqual(choiceOf(data), { version: 1, directory: join(models, 'acme', 'tiny') });
  const folder = await run(bundledPolicyDirectory(), '--json');
  assert.deepEqual(JSON.parse(folder.out), { model: bundledPolicyDirectory(), running: false, changed: true });
  assert.deepEqual(choiceOf(data), { version: 1, directory: bundledPolicyDirectory() });
  assert.equal((await run('bundled')).code, 0);
  assert.throws(() => choiceOf(data), { code: 'ENOENT' });
});

test('what cannot be used is refused with what to do, and nothing is written', async (t) => {
  const { data, run } = place(t);
  const refused = async (code: string, ...args: string[]): Promise<void> => {
    const { out, code: exit } = await run(...args, '--json');
    const { fault } = JSON.parse(out) as { fault: { code: string; fix: string } };
    assert.deepEqual([exit, fault.code], [1, code]);
    assert.ok(fault.fix.length > 10);
  };
  await refused('modelNotHere', 'acme/none');
  await refused('hubBadRequest', '../../etc/passwd');
  await refused('notAModelFolder', tmpdir());
  assert.throws(() => choiceOf(data), { code: 'ENOENT' });
});

for (const stage of ['done', 'failed'] as const) {
  test(`a running node is asked, and the command waits until it is ${stage}`, async (t) => {
    const { data, run } = place(t);
    const listeners = new Set<(activity: ModelsActivity) => void>();
    const fault = { code: 'policyInvalid', message: 'It is damaged.', fix: 'Download it again.' };
    let change: PolicyChange | null = null;
    const activity = (): ModelsActivity => ({ downloads: [], change, revision: 1 });
    const called: string[] = [];
    const api = {
      invoke: (name: keyof Calls, args: never) => {
        called.push(name);
        if (name === 'useModel') {
          const { key } = args as { key: string };
          change = { key, to: 'tiny', from: 'starter', stage: 'opening', fault: null, at: 1 };
          setTimeout(() => {
            change = { ...change!, stage, fault: stage === 'failed' ? fault : null };
            for (const listener of listeners) listener(activity());
          }, 50);
        }
        return Promise.resolve(activity() as ModelsReport);
      },
      subscribe: (name: keyof Events, listener: (event: never) => void) => {
        if (name === 'models') listeners.add(listener as never);
        return () => listeners.delete(listener as never);
      },
    } as unknown as NodeApi;
    mkdirSync(data, { recursive: true });
    const served = await serveNode({ api, dataDirectory: data, rendererDirectory: data, port: 0 });
    t.after(() => served.close());
    const { code, out } = await run('acme/tiny', '--json');
    if (stage === 'done')
      assert.deepEqual([code, JSON.parse(out)], [0, { model: 'acme/tiny', running: true, changed: true }]);
    else assert.deepEqual([code, JSON.parse(out)], [1, { fault }]);
    assert.ok(called.includes('useModel') && !called.includes('addModelFolder'));
    const folder = await run(bundledPolicyDirectory(), '--json');
    assert.equal(folder.code, stage === 'done' ? 0 : 1);
    assert.ok(called.includes('addModelFolder'));
  });
}
