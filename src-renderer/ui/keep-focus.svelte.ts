/**
 * Keeps the focus while a live list puts its rows in another order: a browser takes the focus from an element that is moved in the
 * document. Where the focused row has left the list, the focus goes to the list itself. To be called while the component is set up.
 */
import { untrack } from 'svelte';

/** `box` holds the rows and can be focused; `rows` reads whatever their order comes from. */
export function keepFocus(box: () => HTMLElement | undefined, rows: () => unknown): void {
  let held: Element | null = null;
  $effect.pre(() => {
    rows();
    const active = document.activeElement;
    held = untrack(box)?.contains(active) ? active : null;
  });
  $effect(() => {
    rows();
    const lost = document.activeElement === null || document.activeElement === document.body;
    if (!(held instanceof HTMLElement) || !lost) return;
    const target = held.isConnected ? held : untrack(box);
    target?.focus({ preventScroll: true });
  });
}
