/**
 * The texts of the tokenizer's golden vectors, and the small training corpus they share. Deterministic.
 * `node test/golden/text/corpus.ts` writes the bundled-style tokenizer and the texts for `make-tokenizer-vectors.py` to read.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { trainTokenizer, writeTokenizer } from '../../../native-models/text/train-tokenizer.ts';

export const goldenFolder = fileURLToPath(new URL('.', import.meta.url));

/** Task-like texts: eight kinds, payload words that are rare, answers in tags. */
export function trainingTexts(): string[] {
  const payload = ['hello', 'honey', 'comb', 'waggle', 'dance', 'pollen', 'nectar', 'meadow', 'hive', 'queen'];
  const texts: string[] = [];
  for (let i = 0; i < 400; i++) {
    const [a, b, word] = [(i * 37) % 97, (i * 53) % 89, payload[i % payload.length]!];
    const kinds = [
      `gcd ${a} ${b}\n<answer>${a % 7}</answer>`,
      `sort ${b} ${a} 5\n<answer>5 ${a} ${b}</answer>`,
      `reverse ${word}${i}\n<answer>${Array.from(word).reverse().join('')}</answer>`,
      `What is ${a} + ${b}? The sum is ${a + b}.\n<answer>${a + b}</answer>`,
      `count ${'abc'[i % 3]!} in ${word}${word}\n<answer>${i % 4}</answer>`,
      `lcm ${a} ${b}: so the gcd comes first\n<answer>${a * b}</answer>`,
      `simplify ${a}/${b + 1}\n<answer>${a}/${b + 1}</answer>`,
      `x * ${a} = ${a * b}; solve\n<answer>${b}</answer>`,
    ];
    texts.push(kinds[i % kinds.length]!);
  }
  return texts;
}

export const trainingOptions = { minTextShare: 0.02, alwaysSpelled: ['honey'], contextTokens: 256 };

/** What both libraries must encode alike: ASCII, Unicode, control characters, special-token spellings, hostile shapes. */
export function vectorTexts(): string[] {
  const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join('');
  const latin = Array.from({ length: 128 }, (_, code) => String.fromCharCode(128 + code)).join('');
  return [
    'gcd 12 18',
    ' gcd 12 18',
    '  gcd\t12\n18 ',
    'gcd\ngcd  gcd gcdgcd Gcd GCD gcd1gcd',
    'What is 3 + 4? The sum is 7.\n<answer>7</answer>',
    '<answer></answer><answer> sort </answer >< answer>',
    'a<|end|>b<|pad|>',
    '<|end|>',
    '<|en<|end|>d|>',
    'reverse honey honeycomb queen',
    'sortée sort\u0301 sort\u200dgcd \u00a0gcd\u3000sort',
    "don't ain't 'twas they're",
    ascii,
    latin,
    'naïve façade Ærøskøbing Straße ŁÓDŹ',
    'Привет, мир. Ελληνικά. עברית. العربية. हिन्दी. 日本語とかな。 한국어. ไทย',
    '🐝🍯 👩‍👩‍👧‍👦 🏳️‍🌈 🇫🇷 ✈️ 1️⃣',
    '١٢٣ ½ ² Ⅷ 𝟘𝟙𝟚 𝐬𝐨𝐫𝐭',
    '\u0000\u0001\u001b[31m\u007f\u0085\u2028\u2029\ufeff\ufffd\u{10ffff}\u{e0001}',
    'e\u0301 é ﬁ Å Å \u1100\u1161 가',
    '\r\n\r\r\n\n\t\v\f  \u2003 ',
    '\u{1e030}sort\u{323b0}\u{16d40}sort',
    'x'.repeat(500),
    ' '.repeat(65),
    `${'sort 3 1 2 '.repeat(40)}end`,
    '\\ud800 "quoted" {json: [1, 2.5e-10]} %s ${x} ../..\\..',
    '__proto__ constructor toString hasOwnProperty',
    'Ġgcd ĠĊ Ń',
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeTokenizer(goldenFolder + 'tokenizer', trainTokenizer(trainingTexts(), trainingOptions));
  await writeFile(
    goldenFolder + 'texts.json',
    JSON.stringify({ vectors: vectorTexts(), training: trainingTexts() }, null, 1) + '\n',
  );
}
