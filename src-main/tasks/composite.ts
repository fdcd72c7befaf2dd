/**
 * The reference library's composite data set (reasoning-gym `composite`, Apache-2.0): item i of seed s is item i of one of the members,
 * drawn by weight from Random(s + i); member k has a data set of its own, of seed s + k + 1. So a Python node that knows
 * members, weights and seed lists the very same tasks.
 */
import type { TaskRef } from '../types.ts';
import { PythonRandom } from './python-random.ts';

export interface CompositeMember extends Pick<TaskRef, 'generator' | 'version' | 'config'> {
  /** Above 0; the sum need not be 1. */
  weight: number;
}

/** `index` from 0 to 2^31 - 1. */
export function compositeTaskRef(members: readonly CompositeMember[], seed: bigint, index: number): TaskRef {
  const weights = members.map(({ weight }) => weight);
  const positions = members.map((_, k) => k);
  const [k] = new PythonRandom(seed + BigInt(index)).choices(positions, weights, 1);
  const { generator, version, config } = members[k!]!;
  return { generator, version, config, seed: String(seed + BigInt(k! + 1)), index };
}
