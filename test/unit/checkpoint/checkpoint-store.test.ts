// The checkpoint store: what is saved comes back; every kind of damage falls back; what is not ours is left alone; full disks.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { CheckpointError, type CheckpointErrorCode } from '../../../native-models/checkpoint/checkpoint-error.ts';
import { formatManifest, parseManifest } from '../../../native-models/checkpoint/checkpoint-manifest.ts';
import {
  openCheckpointStore,
  type CheckpointToSave,
  type Damage,
} from '../../../native-models/checkpoint/checkpoint-store.ts';

const root = await mkdtemp(join(tmpdir(), 'waggle-checkpoint-'));
after(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = () => join(root, String(folders++));

const make = (version: number, length = 1000): CheckpointToSave => ({
  version,
  state: { round: version * 2, nested: { list: [1, 'two', null, true] }, text: 'é🐝' },
  tensors: {
    weight: { shape: [length / 10, 10], data: new Float32Array(length).fill(version) },
    'adam.first.weight': { shape: [length], data: Float32Array.from({ length }, (_, i) => i - version) },
    scalar: { shape: [], data: Float32Array.of(version / 3) },
  },
});
const isCode = (code: CheckpointErrorCode) => (error: unknown) => {
  assert.ok(error instanceof CheckpointError, String(error));
  assert.equal(error.code, code, error.message);
  assert.ok(error.fix.length > 20 && error.message.endsWith(error.fix));
  return true;
};
const checkpoints = async (directory: string) => (await readdir(directory)).sort();
const path = (directory: string, sequence: number) =>
  join(directory, `checkpoint-${String(sequence).padStart(12, '0')}`);
async function assertLoads(
  directory: string,
  version: number,
  identity?: string,
): Promise<{ damage: Damage; path: string }[]> {
  const store = await openCheckpointStore(directory, { keep: 2, ...(identity === undefined ? {} : { identity }) });
  const { checkpoint, damaged } = await store.loadLatest();
  assert.ok(checkpoint);
  const expected = make(version);
  assert.deepEqual([checkpoint.version, checkpoint.state], [version, expected.state]);
  assert.deepEqual(Object.keys(checkpoint.tensors).sort(), Object.keys(expected.tensors).sort());
  for (const [name, tensor] of Object.entries(expected.tensors))
    assert.deepEqual({ ...checkpoint.tensors[name] }, { ...tensor });
  return damaged.map(({ damage, path: where }) => ({ damage, path: where }));
}

describe('saving and loading', () => {
  test('an empty folder has no checkpoint', async () => {
    const store = await openCheckpointStore(join(newFolder(), 'deep', 'er'), { keep: 2 });
    assert.deepEqual(await store.loadLatest(), { checkpoint: null, damaged: [] });
  });
  test('the newest comes back whole; the oldest beyond keep go', async () => {
    const directory = newFolder();
    const store = await openCheckpointStore(directory, { keep: 2, now: () => 77 });
    for (let version = 1; version <= 4; version++) {
      const saved = await store.save(make(version));
      assert.deepEqual([saved.path, saved.notRemoved], [path(directory, version), null]);
      assert.equal((await store.loadLatest()).checkpoint?.savedAt, 77);
      assert.deepEqual(await assertLoads(directory, version), []);
    }
    assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000003', 'checkpoint-000000000004']);
  });
  test('saves asked for at once are done one after the other, and the last wins', async () => {
    const directory = newFolder();
    const store = await openCheckpointStore(directory, { keep: 3 });
    await Promise.all([store.save(make(5)), store.save(make(6)), store.save(make(7))]);
    assert.deepEqual(await assertLoads(directory, 7), []);
    assert.equal((await checkpoints(directory)).length, 3);
  });
  test('version may stay or fall: the newest is the one saved last', async () => {
    const directory = newFolder();
    const store = await openCheckpointStore(directory, { keep: 2 });
    await store.save(make(9));
    await store.save(make(3));
    assert.deepEqual(await assertLoads(directory, 3), []);
  });
  test('what cannot be saved is refused, and the next save works', async () => {
    const directory = newFolder();
    const store = await openCheckpointStore(directory, { keep: 2 });
    await store.save(make(1));
    for (const bad of [
      { ...make(2), version: -1 },
      { ...make(2), version: 1.5 },
      { ...make(2), tensors: { a: { shape: [3], data: new Float32Array(2) } } },
      { ...make(2), tensors: { ['__metadata__']: { shape: [1], data: new Float32Array(1) } } },
    ]) {
      await assert.rejects(store.save(bad), isCode('badArgument'));
    }
    assert.deepEqual(await assertLoads(directory, 1), []);
    assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000001']);
    await store.save(make(2));
    assert.deepEqual(await assertLoads(directory, 2), []);
  });
  test('keep must be a count', async () => {
    for (const keep of [0, -1, 1.5, Number.NaN])
      await assert.rejects(openCheckpointStore(newFolder(), { keep }), isCode('badArgument'));
  });
  test('a file in the place of the folder', async () => {
    const file = newFolder();
    await writeFile(file, 'x');
    await assert.rejects(openCheckpointStore(file, { keep: 1 }), isCode('notAFolder'));
    await assert.rejects(openCheckpointStore(join(file, 'below'), { keep: 1 }), isCode('notAFolder'));
    assert.equal(await readFile(file, 'utf8'), 'x');
  });
});

describe('30 MB, as the bundled policy writes', () => {
  test('never holds the event loop for 50 ms, and holds no copy', async (t) => {
    const store = await openCheckpointStore(newFolder(), { keep: 2 });
    const tensors = Object.fromEntries(
      ['weight', 'first', 'second'].map((name) => [
        name,
        { shape: [2_500_000], data: new Float32Array(2_500_000).fill(1) },
      ]),
    );
    await store.save({ version: 0, state: {}, tensors }); // warm
    let longest = 0;
    // Time of this thread, not of the clock: other processes may hold the machine.
    const cpuMs = () => {
      const { user, system } = process.threadCpuUsage();
      return (user + system) / 1000;
    };
    let last = cpuMs();
    let running = true;
    const beat = (): void => {
      longest = Math.max(longest, cpuMs() - last);
      last = cpuMs();
      if (running) setImmediate(beat);
    };
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const meter = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers - before)), 2);
    last = cpuMs();
    beat();
    const start = performance.now();
    await store.save({ version: 1, state: {}, tensors });
    running = false;
    clearInterval(meter);
    t.diagnostic(
      `saved in ${(performance.now() - start).toFixed(0)} ms, longest block ${longest.toFixed(1)} ms, extra buffers ${most} bytes`,
    );
    assert.ok(longest < 50, `event loop held for ${longest} ms`);
    assert.ok(most < 4_000_000, `${most} bytes of buffers`);
    assert.equal((await store.loadLatest()).checkpoint?.tensors.second?.data.length, 2_500_000);
  });
});

describe('damage falls back to the one before, and says so', async () => {
  const good = newFolder();
  const store = await openCheckpointStore(good, { keep: 2 });
  await store.save(make(1));
  await store.save(make(2));
  const sizes = { 'manifest.json': 0, 'state.json': 0, 'tensors.safetensors': 0 };
  const files = Object.keys(sizes) as (keyof typeof sizes)[];
  for (const name of files) sizes[name] = (await readFile(join(path(good, 2), name))).length;
  const damagedCopy = async (
    change: (newest: string) => Promise<void>,
  ): Promise<{ damage: Damage; path: string }[]> => {
    const directory = newFolder();
    await cp(good, directory, { recursive: true });
    await change(path(directory, 2));
    const damaged = await assertLoads(directory, 1);
    assert.deepEqual(
      damaged.map((entry) => entry.path),
      [path(directory, 2)],
    );
    await rm(directory, { recursive: true });
    return damaged;
  };
  for (const name of files) {
    test(`${name} cut anywhere`, async () => {
      const lengths = [
        0,
        1,
        7,
        8,
        9,
        64,
        ...Array.from({ length: 12 }, (_, i) => Math.floor((sizes[name] * (i + 1)) / 13)),
        sizes[name] - 2,
      ];
      for (const length of lengths.filter((value) => value < sizes[name] - 1)) {
        const [entry] = await damagedCopy((newest) => truncate(join(newest, name), length));
        assert.equal(entry?.damage, name === 'manifest.json' ? 'manifestDamaged' : 'wrongSize', `${name} at ${length}`);
      }
    });
    test(`${name} with a flipped bit anywhere`, async () => {
      for (let i = 0; i < 20; i++) {
        const at = Math.floor(((sizes[name] - 2) * i) / 19);
        const [entry] = await damagedCopy(async (newest) => {
          const bytes = await readFile(join(newest, name));
          bytes[at]! ^= 1 << (i % 7);
          await writeFile(join(newest, name), bytes);
        });
        assert.equal(entry?.damage, name === 'manifest.json' ? 'manifestDamaged' : 'wrongHash', `${name} at ${at}`);
      }
    });
    test(`${name} missing, or longer`, async () => {
      const [missing] = await damagedCopy((newest) => rm(join(newest, name)));
      assert.equal(missing?.damage, name === 'manifest.json' ? 'noManifest' : 'fileMissing');
      if (name === 'manifest.json') return;
      const [longer] = await damagedCopy((newest) => writeFile(join(newest, name), 'x', { flag: 'a' }));
      assert.equal(longer?.damage, 'wrongSize');
    });
  }
  test('all damaged: none is loaded, all are named, and the next save starts again', async () => {
    const directory = newFolder();
    await cp(good, directory, { recursive: true });
    for (const sequence of [1, 2]) await truncate(join(path(directory, sequence), 'tensors.safetensors'), 100);
    const again = await openCheckpointStore(directory, { keep: 2 });
    const { checkpoint, damaged } = await again.loadLatest();
    assert.equal(checkpoint, null);
    assert.deepEqual(
      damaged.map(({ damage }) => damage),
      ['wrongSize', 'wrongSize'],
    );
    await again.save(make(8));
    assert.deepEqual(await assertLoads(directory, 8), []);
  });
  test('a damaged one takes no place of a good one', async () => {
    const directory = newFolder();
    await cp(good, directory, { recursive: true });
    await truncate(join(path(directory, 2), 'tensors.safetensors'), 100);
    const again = await openCheckpointStore(directory, { keep: 2 });
    await again.loadLatest();
    await again.save(make(3));
    assert.ok((await checkpoints(directory)).includes('checkpoint-000000000001'));
    await again.save(make(4));
    assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000003', 'checkpoint-000000000004']);
  });
});

describe('what is not ours', () => {
  const seed = async (): Promise<string> => {
    const directory = newFolder();
    const store = await openCheckpointStore(directory, { keep: 1 });
    await store.save(make(1));
    return directory;
  };
  const rewrite = async (directory: string, change: (manifest: Record<string, unknown>) => void): Promise<string> => {
    await cp(path(directory, 1), path(directory, 2), { recursive: true });
    const file = join(path(directory, 2), 'manifest.json');
    const body = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
    for (const key of ['format', 'formatVersion', 'checksum']) Reflect.deleteProperty(body, key);
    change(body);
    // Later keys win, so a changed format or version is sealed with a true checksum, as its own writer would.
    await writeFile(file, formatManifest(body as unknown as Parameters<typeof formatManifest>[0]));
    return readFile(file, 'utf8');
  };
  const cases: [string, CheckpointErrorCode, (manifest: Record<string, unknown>) => void][] = [
    ['a newer format', 'newerFormat', (manifest) => (manifest.formatVersion = 2)],
    ['another program', 'foreign', (manifest) => (manifest.format = 'other-checkpoint')],
    ['another policy', 'foreign', (manifest) => (manifest.identity = 'smol')],
  ];
  for (const [name, code, change] of cases) {
    test(`${name}: a typed error; never overwritten or deleted`, async () => {
      const directory = await seed();
      const text = await rewrite(directory, change);
      const store = await openCheckpointStore(directory, { keep: 1 });
      await assert.rejects(store.loadLatest(), isCode(code));
      for (let version = 2; version < 5; version++) await store.save(make(version));
      assert.equal(await readFile(join(path(directory, 2), 'manifest.json'), 'utf8'), text);
      assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000002', 'checkpoint-000000000005']);
    });
  }
  test('a manifest of some other tool', async () => {
    const directory = await seed();
    await mkdir(path(directory, 2));
    for (const text of ['{"model": "x"}', '{}', '{"format": "pt", "checksum": "00"}']) {
      await writeFile(join(path(directory, 2), 'manifest.json'), text);
      await assert.rejects((await openCheckpointStore(directory, { keep: 1 })).loadLatest(), isCode('foreign'));
    }
  });
  test('other files and folders in it are left alone', async () => {
    const directory = await seed();
    const strangers = ['notes.txt', 'checkpoint-x', 'checkpoint-1', '.saving-abc', '.hidden'];
    for (const name of strangers) await mkdir(join(directory, name));
    await writeFile(path(directory, 7), 'a file with the name of a checkpoint');
    const store = await openCheckpointStore(directory, { keep: 1 });
    assert.equal((await store.loadLatest()).checkpoint?.version, 1);
    const saved = await store.save(make(2));
    assert.equal(saved.path, path(directory, 8));
    assert.deepEqual(
      await checkpoints(directory),
      [...strangers, 'checkpoint-000000000007', 'checkpoint-000000000008'].sort(),
    );
  });
  test('an identity is required to match', async () => {
    const directory = newFolder();
    await (await openCheckpointStore(directory, { keep: 1, identity: 'bee' })).save(make(1));
    assert.deepEqual(await assertLoads(directory, 1, 'bee'), []);
    await assert.rejects(
      (await openCheckpointStore(directory, { keep: 1, identity: 'wasp' })).loadLatest(),
      /"bee".*"wasp"/,
    );
  });
});

describe('leftovers of killed saves', () => {
  test('of dead processes and of earlier runs with our own pid go; of living ones stay', async () => {
    const directory = newFolder();
    await (await openCheckpointStore(directory, { keep: 1 })).save(make(1));
    const dead = 2 ** 22 + 12_345; // above the largest pid of Linux
    for (const name of [
      `.saving-${dead}-4`,
      `.saving-${process.pid}-2`,
      `.removing-${dead}-1`,
      `.saving-${process.ppid}-3`,
    ]) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, 'state.json'), '{');
    }
    assert.deepEqual(await assertLoads(directory, 1), []);
    assert.deepEqual(await checkpoints(directory), [`.saving-${process.ppid}-3`, 'checkpoint-000000000001']);
  });
});

describe('a full disk', () => {
  test('too little space is seen before anything is written', async () => {
    const directory = newFolder();
    let free = 1e9;
    const store = await openCheckpointStore(directory, { keep: 2, freeBytes: () => Promise.resolve(free) });
    await store.save(make(1));
    free = 1000;
    await assert.rejects(
      store.save(make(2)),
      (error) => isCode('diskFull')(error) && (error as CheckpointError).freeBytes === 1000,
    );
    assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000001']);
    free = 1e9;
    await store.save(make(3));
    assert.deepEqual(await assertLoads(directory, 3), []);
  });
  const mount = smallDisk();
  test(
    'a disk that fills up in the middle of a save',
    { skip: typeof mount === 'string' ? false : mount.reason },
    async (t) => {
      const disk = mount as string;
      t.after(() => execFileSync('umount', [disk]));
      const directory = join(disk, 'checkpoints');
      // Believes there is room, so that the system's own refusal is met.
      const store = await openCheckpointStore(directory, { keep: 2, freeBytes: () => Promise.resolve(1e12) });
      await store.save(make(1));
      for (const length of [400_000, 200_000, 130_000]) {
        await assert.rejects(
          store.save(make(2, length)),
          (error) => isCode('diskFull')(error) && (error as CheckpointError).path.startsWith(directory),
        );
        assert.deepEqual(await checkpoints(directory), ['checkpoint-000000000001']);
        assert.deepEqual(await assertLoads(directory, 1), []);
      }
      const honest = await openCheckpointStore(directory, { keep: 2 });
      await assert.rejects(
        honest.save(make(2, 400_000)),
        (error) => isCode('diskFull')(error) && ((error as CheckpointError).freeBytes ?? 0) > 900_000,
      );
      await honest.save(make(2));
      assert.deepEqual(await assertLoads(directory, 2), []);
    },
  );
});

/** A disk of 1 MiB in memory, or why there is none. */
function smallDisk(): string | { reason: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { reason: 'needs root on Linux to mount a tmpfs' };
  const directory = execFileSync('mktemp', ['-d', join(root, 'disk-XXXX')], { encoding: 'utf8' }).trim();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'pipe' });
    return directory;
  } catch (error) {
    return { reason: `no tmpfs can be mounted here: ${String(error).slice(0, 100)}` };
  }
}

test('a manifest is told apart: whole, damaged, newer, foreign', () => {
  const seal = { bytes: 1, sha256: 'a'.repeat(64) };
  const manifest = {
    version: 3,
    identity: 'x',
    savedAt: 5,
    files: { 'state.json': seal, 'tensors.safetensors': seal },
  };
  const text = formatManifest(manifest);
  assert.deepEqual(parseManifest(text), { ok: true, manifest });
  const kind = (changed: string) => {
    const parsed = parseManifest(changed);
    return parsed.ok ? 'ok' : parsed.kind;
  };
  assert.equal(kind(text.replace('"version": 3', '"version": 4')), 'damaged');
  assert.equal(kind(text.replace('"formatVersion": 1', '"formatVersion": 2')), 'damaged'); // without its writer's checksum
  assert.equal(kind(text.replace('waggle', 'wiggle')), 'damaged');
  for (const bad of ['', 'null', '[]', '7', '"x"', '{"format":"waggle-checkpoint"}'])
    assert.equal(kind(bad), 'damaged', bad);
  assert.equal(kind('{"format":"else"}'), 'foreign');
});
