/** The catalogue's shapes against the numbers of parameters that the models' pages state. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { catalogue } from '../../../native-models/hub/catalogue.ts';
import { checkModelId } from '../../../native-models/hub/model-listing.ts';

test('every shape gives the number of parameters that is published', () => {
  const published: Record<string, number> = {
    'HuggingFaceTB/SmolLM2-135M-Instruct': 134_515_008,
    'HuggingFaceTB/SmolLM2-360M-Instruct': 361_821_120,
    'Qwen/Qwen2.5-0.5B-Instruct': 494_032_768,
    'Qwen/Qwen3-0.6B': 596_049_920,
    'meta-llama/Llama-3.2-1B-Instruct': 1_235_814_400,
    'Qwen/Qwen2.5-1.5B-Instruct': 1_543_714_304,
    'Qwen/Qwen3-1.7B': 1_720_574_976,
  };
  assert.deepEqual(Object.fromEntries(catalogue.map(({ id, parameters }) => [id, parameters])), published);
});

test('ids can be asked for, sizes ascend, and what is gated says so', () => {
  for (const { id } of catalogue) checkModelId(id);
  const sizes = catalogue.map(({ parameters }) => parameters);
  assert.deepEqual(
    sizes,
    [...sizes].sort((a, b) => a - b),
  );
  assert.deepEqual(
    catalogue.filter(({ gated }) => gated).map(({ id }) => id),
    ['meta-llama/Llama-3.2-1B-Instruct'],
  );
});
