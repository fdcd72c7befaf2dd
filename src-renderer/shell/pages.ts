/** The pages in the order of the navigation. */
import House from '@lucide/svelte/icons/house';
import MessagesSquare from '@lucide/svelte/icons/messages-square';
import Puzzle from '@lucide/svelte/icons/puzzle';
import ScrollText from '@lucide/svelte/icons/scroll-text';
import Trophy from '@lucide/svelte/icons/trophy';
import type { ViewName } from '../state/route.svelte.ts';

export const pages: readonly { view: ViewName; label: string; icon: typeof House }[] = [
  { view: 'home', label: 'Home', icon: House },
  { view: 'leaderboard', label: 'Leaderboard', icon: Trophy },
  { view: 'rollouts', label: 'Rollouts', icon: MessagesSquare },
  { view: 'tasks', label: 'Tasks', icon: Puzzle },
  { view: 'log', label: 'Log', icon: ScrollText },
];
