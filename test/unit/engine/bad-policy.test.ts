// Policies that cannot be used, given to a node with a real compute process: it stays up, says what is wrong and what to do, and goes
// on with the very next resume once the folder is mended.
import assert from 'node:assert/strict';
import { cp, mkdir, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  decodeSafetensors,
  writeSafetensors,
  type TensorToWrite,
} from '../../../native-models/checkpoint/safetensors.ts';
import { renderStatus } from '../../../src-main/cli/status-view.ts';
import { bundledPolicyDirectory } from '../../../src-main/engine/policy/bundled-policy.ts';
import { isAlive, newFolder, openNode } from './test-node.ts';

interface Damage {
  what: string;
  /** Given the folder with a whole policy. */
  damage: (folder: string) => Promise<void>;
  says: RegExp;
  fix: RegExp;
}

const whole = bundledPolicyDirectory();
const weightsIn = (folder: string): string => join(folder, 'model.safetensors');
const NORM = 'model.norm.weight';

async function changeConfig(folder: string, change: Record<string, unknown>): Promise<void> {
  const path = join(folder, 'config.json');
  await writeFile(path, JSON.stringify({ ...(JSON.parse(await readFile(path, 'utf8')) as object), ...change }));
}

/** All tensors, one of them changed. */
async function changeTensor(
  folder: string,
  name: string,
  change: (shape: readonly number[], data: Float32Array) => TensorToWrite,
): Promise<void> {
  const file = decodeSafetensors(await readFile(weightsIn(folder)));
  const tensors = [...file.entries.values()].map((entry): [string, TensorToWrite] => {
    const data = file.readFloats(entry.name);
    return [entry.name, entry.name === name ? change(entry.shape, data) : { shape: entry.shape, data }];
  });
  await writeSafetensors(weightsIn(folder), Object.fromEntries(tensors));
}

async function writeAt(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(bytes, 0, bytes.length, position);
  await file.close();
}

const damages: Damage[] = [
  {
    what: 'a weight that is NaN',
    damage: (folder) => changeTensor(folder, NORM, (shape, data) => ({ shape, data: data.fill(NaN, 3, 4) })),
    says: /NaN.*model\.norm\.weight/s,
    fix: /copy|again/i,
  },
  {
    what: 'a tensor of whole numbers',
    damage: (folder) =>
      changeTensor(folder, NORM, (shape, { length }) => ({ dtype: 'I32', shape, data: new Int32Array(length) })),
    says: /model\.norm\.weight is stored as I32/,
    fix: /Convert/,
  },
  {
    what: 'a tensor of another shape',
    damage: (folder) => changeTensor(folder, NORM, (_, data) => ({ shape: [1, data.length], data })),
    says: /model\.norm\.weight is \[1, \d+\], by config\.json it must be \[\d+\]/,
    fix: /same model/,
  },
  {
    what: 'weights cut in the middle',
    damage: (folder) => truncate(weightsIn(folder), 1_000_000),
    says: /model\.safetensors/,
    fix: /again/,
  },
  {
    what: 'a header that claims to be an exabyte long',
    damage: (folder) => writeAt(weightsIn(folder), 0, new Uint8Array(new BigUint64Array([2n ** 60n]).buffer)),
    says: /model\.safetensors/,
    fix: /again/,
  },
  {
    what: 'no weights, but an index that leads out of the folder',
    damage: async (folder) => {
      await rm(weightsIn(folder));
      const index = { weight_map: { [NORM]: '../../../etc/passwd' } };
      await writeFile(`${weightsIn(folder)}.index.json`, JSON.stringify(index));
    },
    says: /is no file name of a shard/,
    fix: /again/,
  },
  {
    what: 'no tokenizer',
    damage: (folder) => rm(join(folder, 'tokenizer.json')),
    says: /tokenizer\.json/,
    fix: /Copy the file again/,
  },
  {
    what: 'a config of a billion layers',
    damage: (folder) => changeConfig(folder, { num_hidden_layers: 1e9 }),
    says: /num_hidden_layers/,
    fix: /.{10}/,
  },
  {
    what: 'a config that is cut',
    damage: (folder) => truncate(join(folder, 'config.json'), 100),
    says: /config\.json is not JSON/,
    fix: /Copy config\.json again/,
  },
  {
    what: 'a context in which no task fits',
    damage: (folder) => changeConfig(folder, { max_position_embeddings: 8 }),
    says: /no task that fits the policy/,
    fix: /task|context/,
  },
  {
    // Every single number is finite, what is computed with them is not.
    what: 'weights so large that nothing finite comes out',
    damage: (folder) => {
      const name = 'model.layers.0.mlp.down_proj.weight';
      return changeTensor(folder, name, (shape, data) => ({ shape, data: data.fill(3e38) }));
    },
    says: /not finite/,
    fix: /weights again/,
  },
];

test('every damage is a fault with its fix, and the node outlives them all', { timeout: 120_000 }, async () => {
  const folder = join(newFolder(), 'policy');
  await mkdir(folder, { recursive: true });
  const mend = async (): Promise<void> => {
    await rm(folder, { recursive: true });
    await cp(whole, folder, { recursive: true });
  };
  await mend();
  await damages[0]!.damage(folder);
  const node = await openNode({ policyDirectory: folder, rounds: 1 });
  for (const [i, { what, damage, says, fix }] of damages.entries()) {
    if (i > 0) {
      await mend();
      await damage(folder);
      await node.invoke('resume', null);
    }
    const status = await node.until('error', 'fault');
    const { reason } = status.state;
    assert.ok(reason?.kind === 'fault');
    assert.match(reason.message, says, `${what}: ${reason.message}`);
    assert.match(reason.fix, fix, `${what}: ${reason.fix}`);
    assert.notEqual(reason.code, 'internal', what);
    assert.equal(status.round, 0, what);
    // What `waggle status` prints.
    const shown = renderStatus({ colours: false }, status, null);
    assert.ok(shown.includes(reason.fix), `${what}: ${shown}`);
  }
  assert.ok(isAlive(process.pid));
  assert.equal((await node.status()).computeRestarts, 0, 'no process died of them');
  await mend();
  await node.invoke('resume', null);
  assert.equal((await node.until('waiting', 'roundsDone')).round, 1);
  await node.engine.close();
});
