/**
 * What others see beside this node's key: a name and a team, as their owner typed them on the page, in a small file of the data
 * folder. A name or team that the settings state goes before it. Knows no network; swarm/codec/notes.ts says what of a text
 * others really get to see.
 */
import { z } from 'zod';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { WaggleError } from '../../base/errors.ts';
import { readKeptJson } from '../../base/kept-json.ts';
import type { Config } from '../../config.ts';
import { publicName } from '../../swarm/codec/notes.ts';

export interface ProfileNames {
  displayName: string;
  team: string;
}

const maxCharacters = 200;
const schema = z.object({ displayName: z.string().max(maxCharacters), team: z.string().max(maxCharacters) });
const nobody: ProfileNames = { displayName: '', team: '' };

export class OwnProfile {
  private readonly path: string;
  private readonly stated: ProfileNames;
  private typed: ProfileNames;

  private constructor(path: string, stated: ProfileNames, typed: ProfileNames) {
    this.path = path;
    this.stated = stated;
    this.typed = typed;
  }

  /** A missing, damaged or unreadable file is nobody's: a name is not worth a failed start. */
  static async open(path: string, config: Pick<Config, 'displayName' | 'team'>): Promise<OwnProfile> {
    const { displayName, team } = config;
    return new OwnProfile(path, { displayName, team }, await readNames(path));
  }

  /** As others see it; empty where there is none. */
  current(): ProfileNames {
    const { stated, typed } = this;
    return { displayName: stated.displayName || typed.displayName, team: stated.team || typed.team };
  }

  /** Which of them the settings state. */
  get fixed(): { displayName: boolean; team: boolean } {
    return { displayName: this.stated.displayName !== '', team: this.stated.team !== '' };
  }

  /** One that the settings state must not differ. Throws `profileFixed`, DiskFullError. */
  async set(wanted: ProfileNames): Promise<void> {
    const names = publicNames(wanted);
    for (const field of ['displayName', 'team'] as const)
      if (this.fixed[field] && names[field] !== this.stated[field])
        throw new WaggleError({
          code: 'profileFixed',
          message: `The settings state the ${field === 'team' ? 'team' : 'name'} of this node.`,
          fix: `Start it without ${field === 'team' ? '--team' : '--display-name'} to choose one here.`,
        });
    const typed = {
      displayName: this.fixed.displayName ? this.typed.displayName : names.displayName,
      team: this.fixed.team ? this.typed.team : names.team,
    };
    await writeFileAtomic(this.path, `${JSON.stringify(typed)}\n`, { mode: 0o600 });
    this.typed = typed;
  }
}

/** What others would see of these texts: bounded, one visible line each. */
export function publicNames({ displayName, team }: ProfileNames): ProfileNames {
  return { displayName: publicName(displayName), team: publicName(team) };
}

async function readNames(path: string): Promise<ProfileNames> {
  const names = await readKeptJson(path, schema).catch(() => null);
  return names ? publicNames(names) : nobody;
}
