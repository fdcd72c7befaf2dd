/** The bundled policy's model card (README.md of its folder): what it is, how it was made, how good each manner of answering is. */
import type { Accuracy, Tally } from './evaluate.ts';
import { overall } from './evaluate.ts';

export interface CardFacts {
  name: string;
  parameters: number;
  architecture: string;
  vocabularySize: number;
  contextTokens: number;
  steps: number;
  batch: number;
  demonstrations: number;
  peakLearningRate: number;
  seed: number;
  minutes: number;
  machine: string;
  /** Tasks per evaluation. */
  tasks: number;
  samples: number;
  greedy: Accuracy;
  sampled: Accuracy;
}

const MANNERS = ['guess', 'worked', 'careless'] as const;

const percent = ({ right, total }: Tally): string => `${((100 * right) / total).toFixed(0)} %`;

function cell(tally: Tally | undefined, all: Tally): string {
  return tally ? `${percent(tally)} (of ${((100 * tally.total) / all.total).toFixed(0)} %)` : '-';
}

function table(accuracies: Accuracy): string {
  const rows = Object.keys(accuracies)
    .sort()
    .map((task) => {
      const by = accuracies[task]!;
      return `| ${task} | ${percent(by.all!)} | ${MANNERS.map((manner) => cell(by[manner], by.all!)).join(' | ')} |`;
    });
  return ['| task | all | guess | worked | careless |', '| --- | --- | --- | --- | --- |', ...rows].join('\n');
}

export function modelCard(facts: CardFacts): string {
  return `---
license: apache-2.0
pipeline_tag: text-generation
---

# ${facts.name}

The policy that ships with Waggle: small enough to train on two CPU cores, good enough that reinforcement learning has a
signal, and far from perfect, so that it has room. It is no chat model; it answers ten kinds of short tasks in a terse notation.

- ${facts.architecture}; ${facts.parameters.toLocaleString('en')} parameters, tied head, stored in half precision; vocabulary ${facts.vocabularySize}, context ${facts.contextTokens} tokens.
- Prompt: the terse wording of a task and a line feed, for example \`gcd 84 36\`. Answer: inside \`<answer>\` and \`</answer>\`.
- Trained from random weights by Waggle's own engine with the SFT objective on Waggle's own tasks, nothing else:
  ${facts.steps.toLocaleString('en')} steps of ${facts.batch} demonstrations (${facts.demonstrations.toLocaleString('en')} in all, none twice), AdamW, learning rate ${facts.peakLearningRate}
  with warm-up and cosine decay, seed ${facts.seed}, ${facts.minutes.toFixed(0)} minutes on ${facts.machine} (busy with other work). Made again by \`npm run build:policy\`.
- No text of people, no data set, no other model went into it.

## Manners of answering

The same task was shown answered in three manners, told apart by how the answer begins: a bare **guess** (\`<\`), a **worked** solution
step by step (\`:\`), and a **careless** one (\`~\`) that is mostly wrong. The policy picks a manner by itself. Which one pays is for
reinforcement learning to find out, and for the swarm to spread.

Accuracy on ${facts.tasks} held-out tasks at level 0 (never trained on); in brackets the share of answers in that manner.

### Sampled at temperature 1, ${facts.samples} answers a task: ${(100 * overall(facts.sampled)).toFixed(1)} % right

${table(facts.sampled)}

### Greedy: ${(100 * overall(facts.greedy)).toFixed(1)} % right

${table(facts.greedy)}

## Limits

Beyond level 0 it mostly fails. Its notation is its own; other prompts give nonsense. Its arithmetic is learnt, not computed.
`;
}
