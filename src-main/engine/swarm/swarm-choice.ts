/**
 * Which swarm this node takes part in, as the page and the CLI change it while the node runs: the list of joined swarms, and the
 * two things that follow from another choice (the swarm that is entered, the tasks that are practised). Knows no network and
 * runs no round.
 *
 * Invariant: what was chosen is written before anything moves, so a crash in between ends up where a restart would.
 */
import type { Config } from '../../config.ts';
import { DESCRIPTION } from '../../swarm/codec/description.ts';
import { Membership, MAX_ROUND_AGE, type NewSwarm } from '../../swarm/membership/membership.ts';
import { swarmListPath, type SwarmList } from '../../swarm/membership/swarm-list.ts';
import { listTaskSets } from '../../tasks/task-sets.ts';
import type { Identity } from '../../swarm/identity/identity.ts';
import type { JoinedSwarms, SwarmCard } from '../api.ts';
import { practisedTaskSet, settingsNameSwarm } from './swarm-port.ts';

export interface SwarmChoiceOptions {
  config: Config;
  dataDirectory: string;
  identity: Identity;
  /** Another swarm is the one to be in, and its task set the one to practise. */
  onChosen: (taskSet: string) => void;
}

export class SwarmChoice {
  private readonly options: SwarmChoiceOptions;
  private readonly membership: Membership;
  private tail: Promise<unknown> = Promise.resolve();

  constructor(options: SwarmChoiceOptions) {
    this.options = options;
    this.membership = new Membership({
      path: swarmListPath(options.dataDirectory),
      taskSets: listTaskSets(),
      keyPair: () => options.identity.keyPair,
    });
  }

  async report(): Promise<JoinedSwarms> {
    return this.describe(await this.membership.list());
  }

  async read(link: string): Promise<{ swarm: SwarmCard; joined: boolean }> {
    const swarm = this.membership.card(this.membership.read(link));
    const { swarms } = await this.membership.list();
    return { swarm, joined: swarms.some(({ description }) => description.id === swarm.id) };
  }

  join(link: string): Promise<JoinedSwarms> {
    return this.change(() => this.membership.join(link));
  }

  create(wanted: NewSwarm): Promise<JoinedSwarms> {
    return this.change(async () => (await this.membership.create(wanted)).list);
  }

  choose(id: string | null): Promise<JoinedSwarms> {
    return this.change(() => this.membership.choose(id));
  }

  leave(id: string): Promise<JoinedSwarms> {
    return this.change(() => this.membership.leave(id));
  }

  inviteOf(id: string): Promise<string> {
    return this.membership.inviteOf(id);
  }

  /** One at a time, so that the last one asked for is the one that is moved to. */
  private change(work: () => Promise<SwarmList>): Promise<JoinedSwarms> {
    const { config, dataDirectory, onChosen } = this.options;
    const done = this.tail.then(async () => {
      const before = (await this.membership.list()).active;
      const list = await work();
      if (list.active !== before && this.overruled() === null) onChosen(await practisedTaskSet(config, dataDirectory));
      return this.describe(list);
    });
    this.tail = done.catch(() => undefined);
    return done;
  }

  private describe({ swarms, active }: SwarmList): JoinedSwarms {
    const { config } = this.options;
    return {
      swarms: swarms.map((invite) => this.membership.card(invite)),
      active,
      publicSwarm: { name: config.swarmName, taskSet: config.taskSet },
      overruled: this.overruled(),
      taskSets: listTaskSets().map(({ name, version, summary }) => ({ name, version, summary })),
      limits: {
        maxNameBytes: DESCRIPTION.maxNameBytes,
        maxShards: DESCRIPTION.maxShards,
        maxRoundAge: MAX_ROUND_AGE,
      },
    };
  }

  private overruled(): string | null {
    const { config } = this.options;
    if (!config.swarmEnabled) return 'The settings switch the swarm off.';
    if (!settingsNameSwarm(config)) return null;
    return `The settings name the swarm “${config.swarmName}”; start without --swarm and its secret to take part in another.`;
  }
}
