/** Names of the page's views, as they stand in its address and in `waggle:` links; shared by the page and the desktop shell. */
export const viewNames = ['home', 'training', 'leaderboard', 'swarm', 'rollouts', 'tasks', 'log'] as const;
export type ViewName = (typeof viewNames)[number];
