/**
 * Finds a Chromium for the tests that need a real browser: `WAGGLE_CHROMIUM`, then where systems install one, then Playwright's own.
 * Invariant: never downloads anything; when there is none, the error says exactly how to get one.
 */
import { accessSync, constants } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const systemPaths: Partial<Record<NodeJS.Platform, readonly string[]>> = {
  linux: [
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome-stable',
    '/usr/bin/google-chrome',
    '/opt/google/chrome/chrome',
    '/snap/bin/chromium',
    '/usr/bin/microsoft-edge',
  ],
  darwin: [
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
  ],
  win32: [
    'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe',
    'C:\\Program Files (x86)\\Microsoft\\Edge\\Application\\msedge.exe',
  ],
};

const howToInstall: Partial<Record<NodeJS.Platform, string>> = {
  linux:
    'Debian or Ubuntu: sudo apt-get install chromium. Fedora: sudo dnf install chromium. Anywhere: npx playwright-core install --with-deps chromium.',
  darwin: 'brew install --cask chromium, or: npx playwright-core install chromium.',
  win32: 'Install Google Chrome, or: npx playwright-core install chromium.',
};

export class NoChromiumError extends Error {
  readonly code = 'noChromium';
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Path of the executable. Throws `NoChromiumError` with the fix. */
export function findChromium(
  env: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): string {
  const wanted = env['WAGGLE_CHROMIUM'];
  if (wanted !== undefined && wanted !== '') {
    if (executable(wanted)) return wanted;
    throw new NoChromiumError(
      `WAGGLE_CHROMIUM is ${wanted}, which is not an executable file. Set it to a Chromium or unset it.`,
    );
  }
  const found = [...(systemPaths[platform] ?? []), chromium.executablePath()].find(executable);
  if (found !== undefined) return found;
  const fix = howToInstall[platform] ?? 'Install Chromium.';
  throw new NoChromiumError(
    `The browser tests need a Chromium and found none. ${fix} Or set WAGGLE_CHROMIUM to the path of one.`,
  );
}

/** A headless browser that talks to nobody but the pages the test opens. The caller closes it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
