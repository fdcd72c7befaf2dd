/** Credit for the fake node: a board with receipts behind its rows, for any number of owners. Numbers are fixed by the key. */
import type { BoardRow, BoardWindow, OwnScore, PeerRow, ReceiptRow } from '../../src-main/engine/api.ts';

export interface Credit {
  board: (window: BoardWindow) => BoardRow[];
  receipts: (peer: string) => ReceiptRow[];
  ownScore: (window: BoardWindow) => OwnScore | null;
}

export const noCredit: Credit = { board: () => [], receipts: () => [], ownScore: () => null };

const shareOf: Record<BoardWindow, number> = { day: 0.1, week: 0.5, all: 1 };
const names = ['Bramble', null, 'Linden Hill', 'Heather-3090', null, 'Clover'];
const teams = ['Meadow', null, 'Meadow', null, null, 'Hedgerow'];

export function keyOf(i: number): string {
  let state = (i + 1) * 2_654_435_761;
  return Array.from({ length: 64 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 28).toString(16);
  }).join('');
}

function ownerRow(key: string, i: number, share: number): BoardRow {
  const checked = Math.round((620 * share) / (1 + i * 0.4));
  const vouched = Math.round(10 * checked * (i === 4 ? 6 : 1.3)) / 10;
  const implausible = i === 3;
  return {
    owner: key,
    devices: i === 0 ? [key, keyOf(10_000)] : [key],
    own: false,
    displayName: i < names.length ? names[i]! : `Bee ${i}`,
    team: teams[i] ?? null,
    checked,
    vouched,
    score: checked + Math.min(vouched, 4 * checked),
    auditors: Math.max(2, 14 - i),
    plausibility:
      i === 5
        ? null
        : {
            solveRate: implausible ? 0.99 : 0.61 - i * 0.02,
            expected: i === 1 ? null : 0.57,
            completions: 480,
            implausible,
          },
  };
}

export function makeCredit(ownKey: string, displayName: string, peerKeys: readonly string[], now = Date.now()): Credit {
  const board = (window: BoardWindow): BoardRow[] => {
    const share = shareOf[window];
    const checked = Math.round(412 * share);
    const own: BoardRow = {
      owner: ownKey,
      devices: [ownKey],
      own: true,
      displayName,
      team: 'Meadow',
      checked,
      vouched: 0,
      score: checked,
      auditors: 9,
      plausibility: null,
    };
    return [own, ...peerKeys.map((key, i) => ownerRow(key, i, share))].sort(
      (a, b) => b.score - a.score || a.owner.localeCompare(b.owner),
    );
  };
  const receipts = (peer: string): ReceiptRow[] =>
    Array.from({ length: 23 }, (_, i) => ({
      record: keyOf(i + parseInt(peer.slice(0, 6), 16)).slice(0, 32),
      round: 213 - i,
      at: now - i * 37_000,
      right: 1 + (i % 7),
      of: 8,
      checkedHere: peer === ownKey || i % 3 === 0,
      auditors: peerKeys
        .filter((key) => key !== peer)
        .slice(0, i % 6)
        .map((key, k) => ({ peer: key, weight: Math.max(0, 0.97 - 0.31 * k) })),
    }));
  const ownScore = (window: BoardWindow): OwnScore => {
    const { score, checked, vouched } = board(window).find((row) => row.own)!;
    return {
      score,
      checked,
      vouched,
      produced: 2_556,
      shared: 1_278,
      pulled: 1_104,
      pulledByPeers: 12,
      auditors: 9,
      refused: { expired: 31, duplicateContent: 4 },
    };
  };
  return { board, receipts, ownScore };
}

/** Many peers, a dozen of them connected. */
export function makeCrowd(count: number, now = Date.now()): PeerRow[] {
  return Array.from({ length: count }, (_, i) => ({
    peer: keyOf(i),
    connected: i < 12,
    policyName: i % 5 === 0 ? null : `waggle-bundled-${'abcd'[i % 4]!}`,
    latencyMs: i < 12 && i !== 1 ? 9 + i * 11 : null,
    path: i < 12 ? (['direct', 'direct', 'lan', 'relayed'] as const)[i % 4]! : null,
    bytesIn: 2_400_000 - i * 4_000,
    bytesOut: 1_900_000 - i * 3_000,
    groupsReceived: Math.max(0, 480 - i),
    groupsGiven: 1_000 + i,
    role: 'both' as const,
    adoptedLastHour: Math.max(0, 60 - i),
    rejected: i % 9 === 3 ? { expired: 12, duplicateRecord: 210, forgedSignature: 1 } : {},
    lastSeenAt: now - i * 31_000,
  }));
}
