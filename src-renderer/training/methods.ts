/** What each method of training does, in words for people; by their names in the config. */
interface MethodText {
  name: string;
  text: string;
}

const methods: Record<'sapo' | 'bridge', MethodText> = {
  sapo: {
    name: 'SAPO',
    text: 'The policy learns from rewards: it answers tasks many ways, a program says which answers are right, and what did better than the rest is made likelier. Answers of peers to their tasks count as well.',
  },
  bridge: {
    name: 'BRIDGE',
    text: 'The policy has two teachers at once: rewards for answers, as ever, and demonstrations, right answers that it imitates. A twin of it sees rewards only. A small adapter beside it learns from what the policy does better than its twin: which part of imitating helps to earn rewards, and no more than that.',
  },
};

export function describeMethod(method: 'sapo' | 'bridge'): MethodText {
  return methods[method];
}
