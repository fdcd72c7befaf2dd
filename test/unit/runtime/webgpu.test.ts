/** The WebGPU path without a GPU: the real provider on SwiftShader, in a child process because drivers crash. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { relativeError } from '../../golden/ops/run-graph.ts';
import { swiftShaderEnvironment } from './swiftshader.ts';
import { policyNumbers, type ChildNumbers, type Growth } from './webgpu-child.ts';

const tolerance = 2e-5;
/** Operators that only compute shapes; they may run on the CPU. */
const shapeArithmetic = new Set([
  'Shape',
  'Size',
  'Gather',
  'Concat',
  'Slice',
  'Unsqueeze',
  'Squeeze',
  'Cast',
  'Range',
  'ConstantOfShape',
]);

interface Outcome<T> {
  numbers: T | null;
  log: string;
  end: string;
}

function runChild<T = ChildNumbers>(...args: string[]): Promise<Outcome<T>> {
  const child = fork(fileURLToPath(new URL('webgpu-child.ts', import.meta.url)), args, {
    env: swiftShaderEnvironment(),
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let [log, numbers]: [string, T | null] = ['', null];
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (log += text));
  child.on('message', (message) => (numbers = message as T));
  const timer = setTimeout(() => child.kill('SIGKILL'), 480_000);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ numbers, log, end: signal ?? String(code) });
    });
  });
}

/** Nodes by provider, one map a session. With all on one provider the runtime prints their number only. */
function placements(log: string): { provider: string; nodes: string[]; count: number }[][] {
  const sessions: { provider: string; nodes: string[]; count: number }[][] = [];
  for (const line of log.split('\n')) {
    if (/\] Node placements\s*$/.test(line.trimEnd())) sessions.push([]);
    const placed = /(?:All nodes|Node\(s\)) placed on \[(\w+)\]\. Number of nodes: (\d+)/.exec(line);
    if (placed) sessions.at(-1)!.push({ provider: placed[1]!, nodes: [], count: Number(placed[2]) });
    const node = /VerifyEachNodeIsAssignedToAnEp\]\s+(\w+) \(/.exec(line);
    if (node) sessions.at(-1)?.at(-1)?.nodes.push(node[1]!);
  }
  return sessions;
}

// A plain policy; one laid out compactly for its vocabulary, with an adapter.
for (const policy of ['untied', 'families/qwen2-compact'])
  test(
    `${policy}: gradient and decoding on WebGPU equal the CPU, and no arithmetic leaves the GPU`,
    { timeout: 500_000 },
    async () => {
      const [{ numbers, log, end }, expected] = await Promise.all([runChild(policy), policyNumbers('cpu', policy)]);
      assert.ok(numbers, `the WebGPU child ended (${end}) without numbers:\n${log.slice(-2000)}`);
      assert.ok(Math.abs(numbers.loss - expected.loss) < tolerance * expected.loss);
      assert.deepEqual(Object.keys(numbers.gradients), Object.keys(expected.gradients));
      for (const [name, gradient] of Object.entries(expected.gradients)) {
        const error = relativeError(numbers.gradients[name]!, gradient, 1e-9);
        assert.ok(error < tolerance, `${name}: relative error ${error}`);
      }
      assert.equal(numbers.logits.length, expected.logits.length);
      expected.logits.forEach((logits, i) =>
        assert.ok(relativeError(numbers.logits[i]!, logits) < tolerance, `logits of step ${i}`),
      );
      assert.deepEqual(numbers.tokens, expected.tokens);
      assert.ok(relativeError(numbers.logprobs, expected.logprobs) < tolerance);

      assert.deepEqual(numbers.replaced.tokens, expected.replaced.tokens);
      // A vocabulary of thousands makes an end rare.
      const lengths = new Set(expected.replaced.tokens.map(({ length }) => length));
      assert.ok(policy !== 'untied' || lengths.size > 2, 'rows end at different steps');
      assert.ok(relativeError(numbers.replaced.logprobs, expected.replaced.logprobs) < tolerance);

      // A step in single precision, in the order of operations of the one on the CPU.
      for (const part of ['trained', 'm', 'v'] as const)
        assert.ok(relativeError(numbers.stepped[part], expected.stepped[part]) < tolerance, `${part} after two steps`);
      assert.ok(relativeError(numbers.gradientNorms, expected.gradientNorms) < tolerance);

      // Weights, gradient, moments and rotary tables; cache, weights and tables are fed where they lie.
      assert.deepEqual(numbers.held?.locations, ['gpu-buffer']);
      const trained = Object.keys(expected.gradients).length;
      assert.ok(numbers.held.tensors >= 4 * trained + 2, `${numbers.held.tensors} tensors for ${trained} trained`);
      for (const fed of numbers.fedFromHost)
        assert.deepEqual(fed.sort(), ['lastIndex', 'longest', 'selector', 'tokens']);
      assert.ok(numbers.fedFromHost.length > 10);

      const sessions = placements(log);
      const onGpu = (placed: (typeof sessions)[number]): number =>
        placed.find(({ provider }) => provider === 'WebGpuExecutionProvider')?.count ?? 0;
      assert.ok(sessions.filter((placed) => onGpu(placed) > 20).length >= 2, 'a gradient and a decode session');
      assert.ok(sessions.length >= 7, `and those of tensors that stay: ${sessions.length}`);
      for (const placed of sessions) {
        assert.ok(onGpu(placed) > 0, 'nothing was placed on the GPU');
        for (const { provider, nodes, count } of placed) {
          if (provider === 'WebGpuExecutionProvider') continue;
          assert.equal(nodes.length, count, `the placement of ${provider} could not be read`);
          assert.deepEqual(
            nodes.filter((op) => !shapeArithmetic.has(op)),
            [],
            `nodes on ${provider}`,
          );
        }
      }
    },
  );

test(
  '200 steps and 8 generations on WebGPU hold no more than 50: what is replaced is disposed',
  { timeout: 500_000 },
  async () => {
    const { numbers, log, end } = await runChild<Growth>('untied', '200');
    assert.ok(numbers, `the WebGPU child ended (${end}) without numbers:\n${log.slice(-2000)}`);
    const [first, ...later] = numbers.looks;
    assert.equal(later.length, 3);
    assert.ok(first!.alive > 20, String(first!.alive));
    for (const { alive, residentBytes } of later) {
      assert.equal(alive, first!.alive);
      assert.ok(residentBytes - first!.residentBytes < 80e6, `${first!.residentBytes} bytes, then ${residentBytes}`);
    }
    assert.equal(numbers.alive, 0, 'closing the policy leaves nothing');
  },
);

test('the placement log is read as the runtime writes it', () => {
  const line = (text: string): string =>
    `2026-01-01 00:00:00.0 [V:onnxruntime:, session_state.cc:1380 VerifyEachNodeIsAssignedToAnEp] ${text}\n`;
  const log =
    line('Node placements') +
    line(' Node(s) placed on [CPUExecutionProvider]. Number of nodes: 1') +
    line('  FusedMatMul (FusedMatMul_3)');
  assert.deepEqual(placements(log), [[{ provider: 'CPUExecutionProvider', nodes: ['FusedMatMul'], count: 1 }]]);
});
