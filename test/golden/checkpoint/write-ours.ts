/** The file that Python is given to read: every dtype, odd names, metadata. `node test/golden/checkpoint/write-ours.ts FOLDER` writes it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeSafetensors, type TensorToWrite } from '../../../native-models/checkpoint/safetensors.ts';

export const ourTensors: Record<string, TensorToWrite> = {
  'layers.0.weight': { shape: [2, 3], data: Float32Array.of(0.1, -2.5, 3e-39, 65504, -0, 1) },
  half: { dtype: 'F16', shape: [5], data: Float32Array.of(0.1, -2.5, 6e-8, 70000, -0) },
  brain: { dtype: 'BF16', shape: [1, 3], data: Float32Array.of(0.1, 1e38, -3) },
  bits: { dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0xbc00) },
  long: { dtype: 'I64', shape: [2], data: BigInt64Array.of(-(2n ** 63n), 9_007_199_254_740_993n) },
  int: { dtype: 'I32', shape: [2, 1], data: Int32Array.of(-5, 2 ** 31 - 1) },
  byte: { dtype: 'U8', shape: [3], data: Uint8Array.of(0, 7, 255) },
  scalar: { shape: [], data: Float32Array.of(4.25) },
  empty: { shape: [0, 2], data: new Float32Array(0) },
  '7': { shape: [1], data: Float32Array.of(7) },
  'Ж"\\🐝\n': { shape: [1], data: Float32Array.of(8) },
};
export const ourMetadata = { format: 'pt', note: 'quote " backslash \\ bee 🐝' };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]!;
  await mkdir(folder, { recursive: true });
  await writeSafetensors(join(folder, 'ours.safetensors'), ourTensors, ourMetadata);
}
