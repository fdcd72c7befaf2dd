/** What each objective does, in words for people; by their names in the config. The papers' equations are in src-main/objective/. */
const texts: Record<string, string> = {
  grpo: 'Compares the answers to one task with each other and makes the better ones likelier, each step kept short against the policy that wrote them. It needs to know how likely every word was when it was written, so it suits this node’s own answers.',
  asympo:
    'Also compares answers within a task, but divides each answer’s pull by how surprising it is to the policy now. Answers of other policies then neither drag it away nor tear it down, and nobody has to say how likely they were.',
  spo: 'Learns from better answers at full strength and from worse ones at a fifth of it. Simpler than ASymPO, and needs nothing from whoever wrote the answers either.',
  sft: 'Imitates the answers that were right and ignores the others: learning from demonstrations.',
};

export function describeObjective(name: string): string {
  return texts[name] ?? 'This page does not know this objective; the node’s documentation does.';
}
