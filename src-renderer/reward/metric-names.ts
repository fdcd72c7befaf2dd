/** Names as people read them, and the metrics the reward chart draws, by their names in `src-main/stats/metrics.ts`. All others are offered by their definitions. */
export const ownReward = 'ownReward';
export const adoptedReward = 'adoptedReward';

const objectiveNames: Record<string, string> = { grpo: 'GRPO', asympo: 'ASymPO', spo: 'SPO', sft: 'SFT' };
/** As the papers write it. */
export function objectiveName(name: string): string {
  return objectiveNames[name] ?? name;
}
