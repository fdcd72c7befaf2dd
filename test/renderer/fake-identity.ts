/** The identity of a fake node: the real desk over a temporary folder; the person at the machine is played by `answer`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src-main/config.ts';
import type { IdentityReport } from '../../src-main/engine/api.ts';
import { IdentityDesk, type OwnerAct } from '../../src-main/engine/swarm/identity-desk.ts';
import { OwnProfile } from '../../src-main/engine/swarm/own-profile.ts';
import { openKeptIdentity, type KeyVault } from '../../src-main/swarm/identity/kept-identity.ts';
import { keyOf } from './credit-rows.ts';

const folders = new Set<string>();
process.once('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const noKeyring: KeyVault = {
  unavailable: () => Promise.resolve('This desktop has no keyring that Waggle can use (GNOME Keyring or KWallet).'),
  seal: () => Promise.reject(new Error('none')),
  open: () => Promise.reject(new Error('none')),
};

export class FakeIdentity {
  /** What the person at the machine was asked, and what they say. */
  readonly asked: OwnerAct[] = [];
  answer: () => Promise<boolean> = () => Promise.resolve(true);
  restarts = 0;
  /** Without a desktop shell, as a headless node is. */
  headless = false;
  readonly #onRenamed: (name: string) => void;
  readonly #desks: Promise<Record<'app' | 'headless', IdentityDesk>>;

  constructor(onRenamed: (name: string) => void) {
    this.#onRenamed = onRenamed;
    this.#desks = this.#open();
  }

  report = async (): Promise<IdentityReport> => (await this.#desk()).report();
  preview: (...args: Parameters<IdentityDesk['preview']>) => Promise<ReturnType<IdentityDesk['preview']>> = async (
    names,
  ) => (await this.#desk()).preview(names);
  rename: IdentityDesk['rename'] = async (names) => {
    const report = await (await this.#desk()).rename(names);
    this.#onRenamed(report.profile.displayName);
    return report;
  };
  words: IdentityDesk['words'] = async () => (await this.#desk()).words();
  restore: IdentityDesk['restore'] = async (wanted) => (await this.#desk()).restore(wanted);

  async #desk(): Promise<IdentityDesk> {
    return (await this.#desks)[this.headless ? 'headless' : 'app'];
  }

  async #open(): Promise<Record<'app' | 'headless', IdentityDesk>> {
    const folder = mkdtempSync(join(tmpdir(), 'waggle-fake-identity-'));
    folders.add(folder);
    const path = join(folder, 'identity');
    const { identity, kept } = await openKeptIdentity(path, noKeyring);
    const { config } = loadConfig({ flags: { data: folder }, env: {} });
    const profile = await OwnProfile.open(join(folder, 'profile.json'), config);
    const owner = {
      vault: noKeyring,
      confirm: (act: OwnerAct) => {
        this.asked.push(act);
        return this.answer();
      },
      restart: () => {
        this.restarts++;
      },
    };
    const parts = { identity, path, profile, devices: () => [keyOf(77)], onRenamed: () => undefined };
    return {
      app: new IdentityDesk({ ...parts, kept, owner }),
      headless: new IdentityDesk({ ...parts, kept: { where: 'file', note: null }, owner: null }),
    };
  }
}
