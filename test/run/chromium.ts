/** The early check for a browser: minutes of other tests are no use to somebody who lacks one for the last. */
import { findChromium } from '../renderer/find-chromium.ts';

/** Path of the Chromium that renderer and e2e tests will use. Rejects with how to get one. */
export function requireChromium(): Promise<string> {
  return Promise.resolve().then(() => findChromium());
}
