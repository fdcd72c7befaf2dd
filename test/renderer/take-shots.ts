/** Takes the pictures that people look at: `node test/renderer/take-shots.ts FOLDER`. Needs the built bundle. Not a test. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launchChromium } from './find-chromium.ts';
import { FakeNode } from './fake-node.ts';
import type { CallName } from '../../src-main/engine/api.ts';
import type { ScenarioName } from './scenarios.ts';

interface Shot {
  /** Calls that the node answers with a fault. */
  faults?: CallName[];
  /** Names of buttons to press first. */
  press?: RegExp[];
  name: string;
  scenario: ScenarioName;
  view?: string;
  scheme?: 'light' | 'dark';
  width?: number;
  height?: number;
}

const shots: Shot[] = [
  { name: 'home-light', scenario: 'training' },
  { name: 'home-dark', scenario: 'training', scheme: 'dark' },
  { name: 'home-narrow', scenario: 'training', width: 360, height: 800 },
  { name: 'home-empty', scenario: 'empty' },
  { name: 'home-restarting', scenario: 'restarting', scheme: 'dark' },
  { name: 'home-error', scenario: 'error' },
  { name: 'home-given-up-dark', scenario: 'givenUp', scheme: 'dark' },
  { name: 'home-given-up-narrow', scenario: 'givenUp', width: 400, height: 800 },
  { name: 'home-long', scenario: 'long', scheme: 'dark' },
  { name: 'home-offline-narrow', scenario: 'offline', width: 320, height: 720, scheme: 'dark' },
  { name: 'leaderboard-light', scenario: 'training', view: 'leaderboard' },
  {
    name: 'leaderboard-narrow-dark',
    scenario: 'training',
    view: 'leaderboard',
    width: 360,
    height: 800,
    scheme: 'dark',
  },
  { name: 'leaderboard-dark-open', scenario: 'training', view: 'leaderboard', scheme: 'dark', press: [/^Linden Hill/] },
  { name: 'leaderboard-narrow-open', scenario: 'training', view: 'leaderboard', width: 320, press: [/^Bramble/] },
  { name: 'leaderboard-crowd', scenario: 'crowd', view: 'leaderboard', press: [/^Show this node/] },
  { name: 'leaderboard-empty', scenario: 'empty', view: 'leaderboard' },
  {
    name: 'leaderboard-crowd-narrow',
    scenario: 'crowd',
    view: 'leaderboard',
    width: 360,
    height: 800,
    press: [/^Bee 7 /],
  },
  { name: 'leaderboard-hostile', scenario: 'hostile', view: 'leaderboard', press: [/^<img/] },
  {
    name: 'leaderboard-hostile-narrow-dark',
    scenario: 'hostile',
    view: 'leaderboard',
    width: 360,
    height: 800,
    scheme: 'dark',
  },
  { name: 'leaderboard-long-dark', scenario: 'long', view: 'leaderboard', scheme: 'dark' },
  { name: 'leaderboard-error', scenario: 'training', view: 'leaderboard', faults: ['board', 'leaderboard'] },
  { name: 'leaderboard-alone-dark', scenario: 'alone', view: 'leaderboard', scheme: 'dark' },
  { name: 'swarm-light', scenario: 'training', view: 'swarm' },
  { name: 'swarm-dark', scenario: 'training', view: 'swarm', scheme: 'dark' },
  { name: 'swarm-empty', scenario: 'empty', view: 'swarm' },
  { name: 'swarm-long', scenario: 'long', view: 'swarm' },
  {
    name: 'swarm-error',
    scenario: 'training',
    view: 'swarm',
    faults: ['peers', 'rollouts', 'swarms', 'identity', 'status'],
  },
  { name: 'swarm-crowd-narrow', scenario: 'crowd', view: 'swarm', width: 360, height: 800 },
  { name: 'swarm-hostile-narrow-dark', scenario: 'hostile', view: 'swarm', width: 360, height: 800, scheme: 'dark' },
  { name: 'swarm-crowd-dark', scenario: 'crowd', view: 'swarm', scheme: 'dark' },
  { name: 'swarm-narrow', scenario: 'training', view: 'swarm', width: 320, height: 720 },
  { name: 'swarm-off', scenario: 'off', view: 'swarm' },
  { name: 'swarm-offline-dark', scenario: 'offline', view: 'swarm', scheme: 'dark' },
  { name: 'swarm-hostile', scenario: 'hostile', view: 'swarm' },
  { name: 'swarm-invite', scenario: 'training', view: 'swarm', press: [/^Invite to/] },
  { name: 'swarm-new-dark', scenario: 'training', view: 'swarm', scheme: 'dark', press: [/^New swarm/] },
  {
    name: 'swarm-words-narrow',
    scenario: 'training',
    view: 'swarm',
    width: 400,
    press: [/24 words/, /^Show the words/],
  },
  { name: 'rollouts-light', scenario: 'training', view: 'rollouts' },
  { name: 'rollouts-hostile-dark', scenario: 'hostile', view: 'rollouts', scheme: 'dark' },
  { name: 'training-light', scenario: 'training', view: 'training' },
  { name: 'training-dark', scenario: 'training', view: 'training', scheme: 'dark' },
  { name: 'training-narrow', scenario: 'training', view: 'training', width: 360, height: 800 },
  { name: 'training-bridge-light', scenario: 'bridge', view: 'training' },
  { name: 'training-bridge-dark', scenario: 'bridge', view: 'training', scheme: 'dark' },
  { name: 'training-bridge-narrow', scenario: 'bridge', view: 'training', width: 400, height: 900 },
  { name: 'training-bridge-empty-dark', scenario: 'bridgeEmpty', view: 'training', scheme: 'dark' },
  { name: 'models-light', scenario: 'training', view: 'models' },
  { name: 'models-narrow-dark', scenario: 'training', view: 'models', width: 360, height: 800, scheme: 'dark' },
  { name: 'models-use-dark', scenario: 'training', view: 'models', scheme: 'dark', press: [/^Use Qwen/] },
  { name: 'models-download', scenario: 'training', view: 'models', press: [/^Download meta/] },
  { name: 'tasks-light', scenario: 'training', view: 'tasks' },
  { name: 'tasks-narrow-dark', scenario: 'training', view: 'tasks', width: 360, height: 800, scheme: 'dark' },
  { name: 'log-dark', scenario: 'training', view: 'log', scheme: 'dark' },
];

const folder = process.argv[2] ?? 'dist/shots';
const only = process.argv[3];
mkdirSync(folder, { recursive: true });
const browser = await launchChromium();
try {
  for (const shot of shots.filter(({ name }) => only === undefined || name.includes(only))) {
    const node = new FakeNode(shot.scenario);
    await node.start();
    for (const call of shot.faults ?? [])
      node.faults.set(call, { code: 'busy', message: 'The node is busy.', fix: 'Try again in a second.' });
    const page = await browser.newPage({
      viewport: { width: shot.width ?? 1360, height: shot.height ?? 900 },
      colorScheme: shot.scheme ?? 'light',
      reducedMotion: 'reduce',
    });
    await page.goto(`${node.url}#/${shot.view ?? 'home'}`);
    await page.waitForTimeout(700);
    node.push('progress', { round: 214, stage: 'generate', done: 1_720, total: 4_096 });
    await page.waitForTimeout(150);
    for (const name of shot.press ?? []) await page.getByRole('button', { name }).first().click();
    if (shot.press) await page.waitForTimeout(400);
    await page.screenshot({
      path: join(folder, `${shot.name}.png`),
      fullPage: shot.view !== 'log' && shot.view !== 'rollouts',
    });
    await page.close();
    await node.stop();
  }
} finally {
  await browser.close();
}
