/**
 * Compressed decoding on the real WebGPU provider, on SwiftShader: its numbers are those of the CPU, and f16, which SwiftShader's
 * shaders do not have, is given up with the reason. In a child process because drivers crash.
 */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { relativeError } from '../../golden/ops/run-graph.ts';
import { decodedNumbers, type DecodedNumbers } from './compressed-webgpu-child.ts';
import { swiftShaderEnvironment } from './swiftshader.ts';

function onWebGpu(): Promise<DecodedNumbers> {
  const child = fork(fileURLToPath(new URL('compressed-webgpu-child.ts', import.meta.url)), [], {
    env: swiftShaderEnvironment(),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let [log, numbers]: [string, DecodedNumbers | null] = ['', null];
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (log += part));
  child.on('message', (message) => (numbers = message as DecodedNumbers));
  const timer = setTimeout(() => child.kill('SIGKILL'), 240_000);
  return new Promise((resolve, reject) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (numbers) resolve(numbers);
      else reject(new Error(`the WebGPU child ended (${signal ?? code}) without numbers:\n${log.slice(-2000)}`));
    });
  });
}

test(
  'matrices of 8 and 4 bits on WebGPU equal the CPU; f16 is refused by a card without it',
  { timeout: 250_000 },
  async () => {
    const [found, expected] = await Promise.all([onWebGpu(), decodedNumbers('cpu')]);
    assert.deepEqual(found.choices.int4, { precision: 'int4', reason: 'The settings ask for it.' });
    assert.equal(found.logits.int4.length, 5, 'a prefill and four steps');
    found.logits.int4.forEach((logits, i) => {
      const error = relativeError(logits, expected.logits.int4[i]!);
      // The CPU rounds what goes into a matrix to 8 bits, WebGPU does not.
      assert.ok(error < 0.06, `logits ${i}: ${error}`);
    });
    assert.ok(found.logits.int4.some((logits, i) => relativeError(logits, found.logits.f16[i]!) > 1e-5));
    assert.equal(found.choices.f16.precision, 'f32');
    assert.match(found.choices.f16.reason, /^f16 was tried, but webgpu refuses it \(.*f16/);
    assert.match(expected.choices.f16.reason, /widen the weights again/);
    found.logits.f16.forEach((logits, i) => assert.ok(relativeError(logits, expected.logits.f16[i]!) < 2e-5));
  },
);
