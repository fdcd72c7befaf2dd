/**
 * This node's identity as its owner meets it: keys, devices, where the seed is kept, the name others see; and, in the app only, the
 * 24 words and coming back by them. Whether a person really wants that is asked by the desktop shell, in a window no page can
 * reach, so that a page that was taken over learns nothing.
 *
 * Invariants: words and seed are in no event, no log row and no error; without the shell they are not given out at all.
 */
import { WaggleError } from '../../base/errors.ts';
import { FIRST_DEVICE, identityOf, newDevice, type Identity } from '../../swarm/identity/identity.ts';
import {
  readKeptSeed,
  replaceKeptIdentity,
  type KeptWhere,
  type KeyVault,
} from '../../swarm/identity/kept-identity.ts';
import { describePhraseFault, phraseOfSeed, seedOfPhrase } from '../../swarm/identity/recovery-phrase.ts';
import { NOTE } from '../../swarm/codec/notes.ts';
import { WORDS } from '../../tasks/words.ts';
import type { PeerId } from '../../types.ts';
import type { IdentityReport } from '../api.ts';
import { publicNames, type OwnProfile, type ProfileNames } from './own-profile.ts';
import { onlyInTheApp } from '../serve/faults.ts';

/** What the person at the machine is asked. */
export type OwnerAct = 'showWords' | 'restoreIdentity';

/** What only a desktop shell has. */
export interface OwnerSeams {
  vault: KeyVault;
  /** True when the person at the machine said yes. */
  confirm: (act: OwnerAct) => Promise<boolean>;
  /** Ends this node in order and starts it anew. */
  restart: () => void;
}

export interface IdentityDeskOptions {
  identity: Identity;
  kept: KeptWhere;
  path: string;
  profile: OwnProfile;
  /** Null without a desktop shell. */
  owner: OwnerSeams | null;
  /** Devices of the same owner that the board knows. */
  devices: () => PeerId[];
  /** The names others see have changed. */
  onRenamed: () => void;
}

export class IdentityDesk {
  private readonly options: IdentityDeskOptions;
  private asking = false;

  constructor(options: IdentityDeskOptions) {
    this.options = options;
  }

  report(): IdentityReport {
    const { identity, kept, path, profile, owner, devices } = this.options;
    const { publicKey } = identity;
    return {
      publicKey,
      owner: identity.owner.publicKey,
      devices: [publicKey, ...devices().filter((device) => device !== publicKey)],
      kept: { ...kept, path },
      words: owner === null ? 'commandLine' : 'window',
      profile: { ...profile.current(), fixed: profile.fixed, maxCharacters: NOTE.maxNameCharacters },
    };
  }

  preview(names: ProfileNames): ProfileNames {
    return publicNames(names);
  }

  async rename(names: ProfileNames): Promise<IdentityReport> {
    await this.options.profile.set(names);
    this.options.onRenamed();
    return this.report();
  }

  /** Errors: `onlyInTheApp`, `notConfirmed`, `alreadyAsking`, `identityChanged`, and those of reading the identity. */
  async words(): Promise<{ words: string[] }> {
    const { path, identity } = this.options;
    const { vault } = await this.confirmed('showWords');
    const seed = await readKeptSeed(path, vault);
    if (seed === null || identityOf(seed).publicKey !== identity.publicKey) throw changedMeanwhile(path);
    return { words: phraseOfSeed(seed.seed, WORDS) };
  }

  /** Becomes the owner of these words; the node starts anew. What was there is kept beside. Errors: also `badRecoveryPhrase`. */
  async restore({ words, anotherDevice }: { words: string; anotherDevice: boolean }): Promise<{ publicKey: PeerId }> {
    if (this.options.owner === null) throw onlyInTheApp('restoreIdentity');
    const parsed = seedOfPhrase(words, WORDS);
    if (!parsed.ok)
      throw new WaggleError({
        code: 'badRecoveryPhrase',
        message: describePhraseFault(parsed),
        fix: 'Check the words and their order against your paper. Nothing was changed.',
      });
    const { vault, restart } = await this.confirmed('restoreIdentity');
    const next = { seed: parsed.seed, device: anotherDevice ? newDevice() : FIRST_DEVICE };
    await replaceKeptIdentity(this.options.path, next, vault);
    restart();
    return { publicKey: identityOf(next).publicKey };
  }

  /** One question at a time: a page must not be able to pile up windows until somebody clicks. */
  private async confirmed(act: OwnerAct): Promise<OwnerSeams> {
    const { owner } = this.options;
    if (owner === null) throw onlyInTheApp(act === 'showWords' ? 'backupWords' : 'restoreIdentity');
    if (this.asking)
      throw new WaggleError({
        code: 'alreadyAsking',
        message: 'Waggle is asking for your confirmation already.',
        fix: 'Look for the window with the question; it may be behind others.',
      });
    this.asking = true;
    try {
      if (await owner.confirm(act)) return owner;
    } finally {
      this.asking = false;
    }
    throw new WaggleError({
      code: 'notConfirmed',
      message: 'It was not confirmed, so nothing was done.',
      fix: 'Ask again and confirm it in the window that Waggle opens.',
    });
  }
}

function changedMeanwhile(path: string): WaggleError {
  return new WaggleError({
    code: 'identityChanged',
    message: `The identity ${path} is not the one this node runs with any more.`,
    fix: 'Start the node again, then ask once more.',
    values: { path },
  });
}
