/**
 * The joined swarms of a fake node: the real list and the real rules in a temporary folder, so that what the page pastes is
 * judged as a node would judge it. Only the network is left out: a choice changes the name in the status and nothing else.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src-main/config.ts';
import type { JoinedSwarms } from '../../src-main/engine/api.ts';
import { SwarmChoice } from '../../src-main/engine/swarm/swarm-choice.ts';
import { signDescription } from '../../src-main/swarm/codec/description.ts';
import { keyPairFromSeed } from '../../src-main/swarm/identity/crypto.ts';
import { identityFromSeed } from '../../src-main/swarm/identity/identity.ts';
import { encodeInvite } from '../../src-main/swarm/membership/invite.ts';
import type { ScenarioName } from './scenarios.ts';

const folders = new Set<string>();
process.once('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const secret = 'a-secret-of-the-test';
/** Somebody else's invite, as it would be pasted. */
export function inviteLink(
  changes: Partial<Parameters<typeof signDescription>[0]> = {},
  creator = keyPairFromSeed(Buffer.alloc(32, 3)),
): string {
  const terms = {
    name: 'Meadow friends',
    taskSet: 'easy',
    taskSetVersion: 1,
    protocol: 1,
    maxRoundAge: 16,
    shardCount: 1,
    createdAt: 1_760_000_000_000,
    secret: secret as string | null,
    ...changes,
  };
  return encodeInvite({ description: signDescription(terms, creator), secret: terms.secret });
}

/** Task sets of other settings than the preset overrule what is chosen; these scenarios are in a swarm that was joined. */
const joinedBefore: Partial<Record<ScenarioName, readonly string[]>> = {
  training: ['Meadow friends'],
  crowd: ['Meadow friends', 'Night shift', 'Study group'],
};

export class FakeSwarms {
  readonly #choice: SwarmChoice;
  readonly #onName: (name: string) => void;
  #ready: Promise<unknown>;

  constructor(scenario: ScenarioName, onName: (name: string) => void) {
    const folder = mkdtempSync(join(tmpdir(), 'waggle-fake-swarms-'));
    folders.add(folder);
    this.#onName = onName;
    const { config } = loadConfig({
      flags: { data: folder, ...(scenario === 'off' ? { swarmEnabled: false } : {}) },
      env: {},
    });
    const identity = identityFromSeed(Buffer.alloc(32, 9));
    this.#choice = new SwarmChoice({ config, dataDirectory: folder, identity, onChosen: () => undefined });
    this.#ready = this.#join(joinedBefore[scenario] ?? []);
  }

  report = (): Promise<JoinedSwarms> => this.#after(() => this.#choice.report());
  read: SwarmChoice['read'] = (link) => this.#after(() => this.#choice.read(link));
  join: SwarmChoice['join'] = (link) => this.#moved(() => this.#choice.join(link));
  create: SwarmChoice['create'] = (wanted) => this.#moved(() => this.#choice.create(wanted));
  choose: SwarmChoice['choose'] = (id) => this.#moved(() => this.#choice.choose(id));
  leave: SwarmChoice['leave'] = (id) => this.#moved(() => this.#choice.leave(id));
  inviteOf: SwarmChoice['inviteOf'] = (id) => this.#after(() => this.#choice.inviteOf(id));

  async #join(names: readonly string[]): Promise<void> {
    for (const name of names) await this.#choice.join(inviteLink({ name }));
    await this.#choice.choose(null);
  }

  async #after<T>(work: () => Promise<T>): Promise<T> {
    await this.#ready;
    return work();
  }

  async #moved(work: () => Promise<JoinedSwarms>): Promise<JoinedSwarms> {
    const joined = await this.#after(work);
    this.#onName(joined.swarms.find(({ id }) => id === joined.active)?.name ?? joined.publicSwarm.name);
    return joined;
  }
}
