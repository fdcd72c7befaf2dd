/**
 * How many of a round's groups come from peers (J of SAPO), where that follows what peers' groups were measured to bring. Pure: the
 * state after an event is a function of the state before and of the event. Knows nothing of how the benefit is measured, nor of rounds
 * beyond their number.
 *
 * Signal: the benefit meter's comparisons (engine/benefit): held-out score with peers' groups less the score without, at an
 * equal number of trained groups. Own rewards would cost nothing, but they rise and fall with the tasks and with how far training has
 * come; only the comparison has the policy that did without peers beside the one that did not.
 *
 * Bounds: J is 0, 1/4, 1/2 or 3/4 of the round's groups T = I + J. So own groups keep a quarter at the least: they are the only ones the policy
 * can correct its own mistakes with (SAPO's J = 6 of 8 learns and forgets in turn). It starts at the level nearest to the setting.
 *
 * Evidence: each level's comparisons, weighted by 1 / (standard error^2 + 0.01^2), 0.01 for the luck of a training that
 * the error of one comparison does not know. With every comparison all older ones count a tenth less, because the policies change.
 *
 * Step, to a neighbouring level at most, after two comparisons at the present one (hysteresis). The first rule that holds, where
 * better, harm and help mean: by more than one standard error.
 *   1. peers' groups harm here: one level down
 *   2. the level is on trial and not better than the one it was tried from: back there
 *   3. the level above, or else the one below, was better of late: there, on trial
 *   4. peers' groups help here and the level above, or else the one below, was not tried of late: there, on trial
 * At J = 0 nothing can be measured: after 500 rounds there the lowest level is put on trial, as if never seen.
 */
import type { JsonValue } from '../types.ts';
import type { TrainingSetOptions } from './training-set.ts';

/** Of one level: sums over its comparisons, older ones faded. */
interface Evidence {
  weight: number;
  weighted: number;
  count: number;
}

export interface SharingState {
  /** T. Another one in the settings begins anew. */
  total: number;
  /** Index into the levels. */
  level: number;
  /** Comparisons since the level was entered. */
  comparisons: number;
  /** The neighbour it was tried from; null where it is not on trial. */
  triedFrom: number | null;
  /** Rounds at J = 0. */
  restedRounds: number;
  /** By level; that of J = 0 stays empty, its benefit is 0 by definition. */
  evidence: readonly Evidence[];
}

export interface MeasuredBenefit {
  /** Held-out score with peers' groups less that without, -1 to 1. */
  difference: number;
  standardError: number;
}

export const REST_ROUNDS = 500;
const COMPARISONS_BEFORE_STEP = 2;
const TRAINING_LUCK = 0.01;
const FADING = 0.9;
/** Faded comparisons; below, a level counts as not tried. */
const KNOWN_COUNT = 0.5;
const nothing: Evidence = { weight: 0, weighted: 0, count: 0 };

/** The values J can take, rising from 0. */
export function sharingLevels(total: number): number[] {
  const most = total - Math.max(1, Math.ceil(total / 4));
  return [...new Set([0, 1, 2, 3].map((quarters) => Math.min(Math.round((total * quarters) / 4), Math.max(0, most))))];
}

export function startSharing({ ownGroups, peerGroups }: TrainingSetOptions): SharingState {
  const total = ownGroups + peerGroups;
  const levels = sharingLevels(total);
  const nearest = levels.reduce(
    (best, level, i) => (Math.abs(level - peerGroups) < Math.abs(levels[best]! - peerGroups) ? i : best),
    0,
  );
  return { total, ...entered(nearest, null), evidence: levels.map(() => nothing) };
}

const entered = (level: number, triedFrom: number | null) => ({ level, comparisons: 0, triedFrom, restedRounds: 0 });

/** I and J of the next round. */
export function mixOf({ total, level }: SharingState): TrainingSetOptions {
  const peerGroups = sharingLevels(total)[level]!;
  return { ownGroups: total - peerGroups, peerGroups };
}

/** After a round; puts the lowest level on trial when J was 0 for long enough. */
export function afterSharedRound(state: SharingState): SharingState {
  if (state.level > 0 || state.evidence.length < 2) return state;
  if (state.restedRounds + 1 < REST_ROUNDS) return { ...state, restedRounds: state.restedRounds + 1 };
  return { ...state, ...entered(1, 0), evidence: state.evidence.with(1, nothing) };
}

/** After a comparison at the present level; figures that no comparison gives say nothing. */
export function afterComparison(state: SharingState, { difference, standardError }: MeasuredBenefit): SharingState {
  const isSound = Math.abs(difference) <= 1 && standardError >= 0 && standardError <= 1;
  if (state.level === 0 || !isSound) return state;
  const weight = 1 / (standardError ** 2 + TRAINING_LUCK ** 2);
  const evidence = state.evidence.map((before, level) => {
    const here = level === state.level ? { weight, weighted: weight * difference, count: 1 } : nothing;
    return {
      weight: FADING * before.weight + here.weight,
      weighted: FADING * before.weighted + here.weighted,
      count: FADING * before.count + here.count,
    };
  });
  return step({ ...state, comparisons: state.comparisons + 1, evidence });
}

interface Estimate {
  mean: number;
  variance: number;
}

function estimate({ evidence }: SharingState, level: number): Estimate | null {
  if (level === 0) return { mean: 0, variance: 0 };
  const known = evidence[level];
  if (!known || known.count < KNOWN_COUNT) return null;
  return { mean: known.weighted / known.weight, variance: 1 / known.weight };
}

function isBetter(a: Estimate, b: Estimate): boolean {
  return a.mean - b.mean > Math.sqrt(a.variance + b.variance);
}

function step(state: SharingState): SharingState {
  const { level, comparisons, triedFrom, evidence } = state;
  const here = estimate(state, level);
  if (comparisons < COMPARISONS_BEFORE_STEP || !here) return state;
  const none = estimate(state, 0)!;
  const move = (to: number, tried: boolean): SharingState => ({ ...state, ...entered(to, tried ? level : null) });
  if (isBetter(none, here)) return move(level - 1, false);
  if (triedFrom !== null && !isBetter(here, estimate(state, triedFrom) ?? none)) return move(triedFrom, false);
  const neighbours = [level + 1, level - 1].filter((to) => to >= 1 && to < evidence.length);
  const betterOne = neighbours.find((to) => isBetter(estimate(state, to) ?? here, here));
  if (betterOne !== undefined) return move(betterOne, true);
  const untried = neighbours.find((to) => estimate(state, to) === null);
  if (untried !== undefined && isBetter(here, none)) return move(untried, true);
  return { ...state, triedFrom: null };
}

/** What was kept with the last whole round; anything that does not fit the settings, or is no state at all, begins anew. */
export function restoreSharing(settings: TrainingSetOptions, kept: JsonValue): SharingState {
  const fresh = startSharing(settings);
  if (typeof kept !== 'object' || kept === null || Array.isArray(kept)) return fresh;
  const { total, level, comparisons, triedFrom, restedRounds, evidence } = kept;
  const levels = fresh.evidence.length;
  if (total !== fresh.total || !isCount(level) || level >= levels || !isCount(comparisons) || !isCount(restedRounds))
    return fresh;
  if (triedFrom !== null && (!isCount(triedFrom) || Math.abs(triedFrom - level) !== 1)) return fresh;
  if (!Array.isArray(evidence) || evidence.length !== levels) return fresh;
  const parsed = evidence.map(evidenceFrom);
  if (parsed.includes(null)) return fresh;
  return { total, level, comparisons, triedFrom, restedRounds, evidence: parsed as Evidence[] };
}

function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function evidenceFrom(value: JsonValue): Evidence | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const { weight, weighted, count } = value;
  if (typeof weight !== 'number' || typeof weighted !== 'number' || typeof count !== 'number') return null;
  const isSound =
    [weight, weighted, count].every(Number.isFinite) && weight >= 0 && count >= 0 && Math.abs(weighted) <= weight;
  return isSound && (count < KNOWN_COUNT || weight > 0) ? { weight, weighted, count } : null;
}
