/** Why records from peers were turned away, in words. Reasons come from admission by name; one not listed is spelled out as it is. */
const words: Record<string, string> = {
  malformed: 'not readable',
  oversize: 'too large',
  unknownVersion: 'of an unknown version',
  unknownKind: 'of an unknown kind',
  zipBomb: 'inflates too much',
  badText: 'text that is not UTF-8',
  badConfig: 'task settings not readable',
  forgedSignature: 'forged signature',
  replayed: 'sent again by the same peer',
  duplicateRecord: 'already had it',
  duplicateContent: 'same answers as in another record',
  ownRecord: 'this node’s own',
  expired: 'too old',
  taskRefused: 'task not known here',
  verifierFault: 'could not be checked here',
  unaskedRecords: 'not asked for',
  outOfTurn: 'out of turn',
  tooManyChannels: 'too many channels',
  tooManyMessages: 'too many messages',
  tooManyBytes: 'too many bytes',
  mute: 'no answer in time',
  slowReader: 'peer reads too slowly',
  wrongSecret: 'wrong swarm secret',
  incompatibleVersion: 'another protocol version',
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
