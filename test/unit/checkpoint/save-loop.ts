/** A process that saves without end, for the test that kills it. Prints the version of each save that is done. */
import { openCheckpointStore } from '../../../native-models/checkpoint/checkpoint-store.ts';

const [directory, first] = [process.argv[2]!, Number(process.argv[3])];
const store = await openCheckpointStore(directory, { keep: 2 });
const { checkpoint } = await store.loadLatest();
process.stdout.write(`found ${checkpoint?.version ?? -1}\n`);
for (let version = first; ; version++) {
  const data = new Float32Array(600_000).fill(version);
  await store.save({
    version,
    state: { version },
    tensors: { a: { shape: [600_000], data }, b: { shape: [1], data: data.subarray(0, 1) } },
  });
  process.stdout.write(`saved ${version}\n`);
}
