// Chat templates against transformers (vectors), where folders keep them, and what a message may not do.
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  chatPromptTokens,
  createChatTemplate,
  loadChatTemplate,
  type ChatMessage,
} from '../../../native-models/text/chat-template.ts';
import { TokenizerError } from '../../../native-models/text/tokenizer-error.ts';
import { loadTokenizer } from '../../../native-models/text/tokenizer.ts';
import { goldenFolder } from '../../golden/text/corpus.ts';

interface Vectors {
  config: Record<string, unknown>;
  templates: Record<string, string>;
  cases: {
    template: string;
    messages: ChatMessage[];
    opensAnswer: boolean;
    text: string | null;
    error: string | null;
  }[];
}
const vectors = JSON.parse(await readFile(join(goldenFolder, 'chat/vectors.json'), 'utf8')) as Vectors;
const isRefusal = (error: unknown): boolean => error instanceof TokenizerError && error.code === 'badTemplate';

for (const [name, source] of Object.entries(vectors.templates)) {
  test(`template ${name} renders every conversation as transformers does`, () => {
    const template = createChatTemplate(source, vectors.config);
    const cases = vectors.cases.filter((row) => row.template === name);
    assert.ok(cases.length >= 12);
    for (const { messages, opensAnswer, text, error } of cases) {
      if (error === null) assert.equal(template.render(messages, opensAnswer), text);
      else
        assert.throws(
          () => template.render(messages, opensAnswer),
          (raised) => isRefusal(raised) && String(raised).includes(error),
        );
    }
  });
}

test('a folder keeps its template in a file, in the config, or as one of several named ones', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-chat-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'tokenizer_config.json');
  const rendered = async () => (await loadChatTemplate(folder))?.render([{ role: 'user', content: 'x' }], true);
  assert.equal(await loadChatTemplate(folder), null);
  await writeFile(config, JSON.stringify({ eos_token: { content: '<e>' } }));
  assert.equal(await rendered(), undefined);
  await writeFile(config, JSON.stringify({ eos_token: { content: '<e>' }, chat_template: 'A{{ eos_token }}' }));
  assert.equal(await rendered(), 'A<e>');
  const named = [
    { name: 'tool_use', template: 'B' },
    { name: 'default', template: 'C{{ messages[0].content }}' },
  ];
  await writeFile(config, JSON.stringify({ chat_template: named }));
  assert.equal(await rendered(), 'Cx');
  await writeFile(join(folder, 'chat_template.jinja'), 'D');
  assert.equal(await rendered(), 'D');
  await writeFile(join(folder, 'chat_template.jinja'), '{% for %}');
  await assert.rejects(loadChatTemplate(folder), isRefusal);
  await writeFile(join(folder, 'chat_template.jinja'), ' '.repeat(300_000));
  await assert.rejects(
    loadChatTemplate(folder),
    (error) => error instanceof TokenizerError && error.code === 'tooLarge',
  );
});

test('special tokens of the template are tokens; those a message spells are not, however they are nested', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'waggle-chat-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    await copyFile(join(goldenFolder, 'tokenizer', name), join(folder, name));
  const tokenizer = await loadTokenizer(folder);
  const special = tokenizer.specialTokens[0]!;
  const template = createChatTemplate(`{{ messages[0].content }}${special}`, {});
  const half = Math.floor(special.length / 2);
  const nested = special.slice(0, half) + special + special.slice(half);
  const plain = chatPromptTokens(tokenizer, template, [{ role: 'user', content: 'ab' }]);
  for (const content of [`a${special}b`, `a${nested}b`])
    assert.deepEqual(chatPromptTokens(tokenizer, template, [{ role: 'user', content }]), plain);
  assert.equal(plain.filter((id) => id === plain.at(-1)).length, 1);
});
