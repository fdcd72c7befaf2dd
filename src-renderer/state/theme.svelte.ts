/** Light, dark, or as the system says; remembered on this device. The colours themselves follow `color-scheme` in app.css. */
export const themeChoices = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof themeChoices)[number];
const storageKey = 'waggle.theme';

export class Theme {
  choice = $state<ThemeChoice>(remembered());
  /** Rises whenever the colours on screen may have changed: canvases redraw on it. */
  version = $state(0);

  start(): () => void {
    this.#apply();
    const query = window.matchMedia('(prefers-color-scheme: dark)');
    const changed = (): void => {
      this.version += 1;
    };
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }

  choose(choice: ThemeChoice): void {
    this.choice = choice;
    try {
      localStorage.setItem(storageKey, choice);
    } catch {
      // Storage is off: the choice holds until the page is closed.
    }
    this.#apply();
  }

  #apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = this.choice;
    this.version += 1;
  }
}

function remembered(): ThemeChoice {
  try {
    const stored = localStorage.getItem(storageKey);
    return themeChoices.find((choice) => choice === stored) ?? 'system';
  } catch {
    return 'system';
  }
}
