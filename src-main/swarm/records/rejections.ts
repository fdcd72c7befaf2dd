/**
 * Every reason for which something from a peer is refused: one table, a closed union, with what it costs the peer that
 * delivered it. Points add up per peer; at `BAN_POINTS` it is banned for a while. Whoever relays a record has verified it,
 * so bytes that no honest node passes on are the fault of the peer that delivered them. What a newer or older honest
 * version may send costs nothing.
 */
import type { DecodeFault } from '../codec/bytes.ts';

export const BAN_POINTS = 100;
/** What a peer that gets banned adds to its address: the third takes the address with it. */
export const POINTS_OF_BANNED_PEER = 34;

export type RejectionReason =
  | DecodeFault
  | 'forgedSignature'
  | 'replayed'
  | 'duplicateRecord'
  | 'duplicateContent'
  | 'ownRecord'
  | 'expired'
  | 'taskRefused'
  | 'verifierFault'
  | 'unaskedRecords'
  | 'outOfTurn'
  | 'tooManyChannels'
  | 'tooManyMessages'
  | 'tooManyBytes'
  | 'mute'
  | 'slowReader'
  | 'wrongSecret'
  | 'incompatibleVersion';

export const REJECTIONS: Readonly<Record<RejectionReason, { points: number; meaning: string }>> = {
  malformed: { points: 50, meaning: 'bytes that are not a message or record' },
  oversize: { points: 50, meaning: 'larger than the protocol allows' },
  unknownVersion: { points: 0, meaning: 'a record of a version this node does not know' },
  unknownKind: { points: 10, meaning: 'a message of a kind this node does not know' },
  zipBomb: { points: 100, meaning: 'a body that inflates beyond the bound' },
  badText: { points: 50, meaning: 'text that is not UTF-8' },
  badConfig: { points: 50, meaning: 'a task configuration that is not a small JSON object' },
  forgedSignature: { points: 100, meaning: 'not signed by the key it names' },
  replayed: { points: 10, meaning: 'the same record again from the same peer' },
  duplicateRecord: { points: 0, meaning: 'a record this node has already had from another peer' },
  duplicateContent: { points: 0, meaning: 'completions this node has already had in another record' },
  ownRecord: { points: 0, meaning: 'a record signed with this node’s own key' },
  expired: { points: 0, meaning: 'too many rounds old' },
  taskRefused: { points: 0, meaning: 'a task this node cannot regenerate' },
  verifierFault: { points: 0, meaning: 'a fault of this node while it checked the record' },
  unaskedRecords: { points: 50, meaning: 'records that were not asked for, or more than were asked for' },
  outOfTurn: { points: 50, meaning: 'a message the protocol does not allow at this point' },
  tooManyChannels: { points: 100, meaning: 'channel control traffic beyond the bound' },
  tooManyMessages: { points: 50, meaning: 'messages faster than the bound' },
  tooManyBytes: { points: 50, meaning: 'bytes faster than the bound' },
  // An honest node on a busy machine is late too: its connection is given up, a ban takes a hundred of these.
  mute: { points: 1, meaning: 'no answer in time' },
  slowReader: { points: 1, meaning: 'does not take what it is sent' },
  wrongSecret: { points: 0, meaning: 'does not know the swarm’s secret' },
  incompatibleVersion: { points: 0, meaning: 'speaks another version of the protocol' },
};
