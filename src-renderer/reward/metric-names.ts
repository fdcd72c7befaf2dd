/** The metrics the reward chart draws, by their names in `src-main/stats/metrics.ts`. All others are offered by their definitions. */
export const ownReward = 'ownReward';
export const adoptedReward = 'adoptedReward';
