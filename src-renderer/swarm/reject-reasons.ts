/** Why records from peers were turned away, in words. Reasons come from admission by name; one not listed is spelled out as it is. */
const words: Record<string, string> = {
  forgedSignature: 'forged signature',
  oversize: 'too large',
  malformed: 'not readable',
  unknownTask: 'task not known here',
  duplicate: 'already had it',
  stale: 'too old',
};

export function rejectReason(name: string): string {
  return (
    words[name] ??
    name
      .replaceAll('_', ' ')
      .replace(/([a-z])([A-Z])/g, '$1 $2')
      .toLowerCase()
  );
}

export function rejectedTotal(rejected: Record<string, number>): number {
  return Object.values(rejected).reduce((sum, count) => sum + count, 0);
}

/** Most frequent first. */
export function rejectedByReason(rejected: Record<string, number>): { reason: string; count: number }[] {
  return Object.entries(rejected)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => ({ reason: rejectReason(name), count }))
    .sort((a, b) => b.count - a.count);
}
