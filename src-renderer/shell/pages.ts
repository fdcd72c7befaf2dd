/** The pages in the order of the navigation. */
import Activity from '@lucide/svelte/icons/activity';
import Brain from '@lucide/svelte/icons/brain';
import House from '@lucide/svelte/icons/house';
import MessagesSquare from '@lucide/svelte/icons/messages-square';
import Network from '@lucide/svelte/icons/network';
import Puzzle from '@lucide/svelte/icons/puzzle';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Trophy from '@lucide/svelte/icons/trophy';
import type { ViewName } from '../../src-main/engine/api.ts';

export interface Page {
  view: ViewName;
  label: string;
  /** Where the label is too long for the bar of a narrow window. */
  short?: string;
  icon: typeof House;
}

export const pages: readonly Page[] = [
  { view: 'home', label: 'Home', icon: House },
  { view: 'training', label: 'Training', short: 'Train', icon: Activity },
  { view: 'models', label: 'Models', icon: Brain },
  { view: 'leaderboard', label: 'Leaderboard', short: 'Board', icon: Trophy },
  { view: 'swarm', label: 'Swarm', icon: Network },
  { view: 'rollouts', label: 'Rollouts', icon: MessagesSquare },
  { view: 'tasks', label: 'Tasks', icon: Puzzle },
  { view: 'log', label: 'Log', icon: ScrollText },
];
