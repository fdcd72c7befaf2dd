/** Traffic of late, from the counters of the status: a node counts its bytes since it entered the swarm, and tells no rate. */

const spanMs = 60_000;
/** Over less a rate says nothing. */
const leastMs = 4_000;

export interface TrafficSample {
  /** Local, ms since epoch. */
  at: number;
  swarm: string;
  bytesIn: number;
  bytesOut: number;
}

/** A new list: what is needed for the rate over the last minute. Counters of another swarm or another start begin it anew. */
export function withSample(samples: readonly TrafficSample[], sample: TrafficSample): readonly TrafficSample[] {
  const last = samples.at(-1);
  const goesOn =
    last?.swarm === sample.swarm &&
    sample.bytesIn >= last.bytesIn &&
    sample.bytesOut >= last.bytesOut &&
    sample.at >= last.at;
  if (!goesOn) return [sample];
  const from = samples.findLastIndex(({ at }) => at <= sample.at - spanMs);
  return [...samples.slice(Math.max(0, from)), sample];
}

/** Bytes per second until `now`; null while there is too little to tell. */
export function trafficRate(samples: readonly TrafficSample[], now: number): { in: number; out: number } | null {
  const first =
    samples[
      Math.max(
        0,
        samples.findLastIndex(({ at }) => at <= now - spanMs),
      )
    ];
  const last = samples.at(-1);
  if (!first || !last || now - first.at < leastMs) return null;
  const seconds = (now - first.at) / 1000;
  return { in: (last.bytesIn - first.bytesIn) / seconds, out: (last.bytesOut - first.bytesOut) / seconds };
}
