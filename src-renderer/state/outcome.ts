/** A command's answer as data, for a component that shows either. */
import type { ApiFault } from '../../src-main/engine/api.ts';
import { toFault } from '../api/fault.ts';

export type Outcome<T> = { ok: true; value: T } | { ok: false; fault: ApiFault };

/** Never rejects. */
export function outcomeOf<T>(answer: Promise<T>): Promise<Outcome<T>> {
  return answer.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, fault: toFault(error) }),
  );
}
