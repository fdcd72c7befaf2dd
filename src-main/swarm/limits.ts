/**
 * Every bound of the swarm in one table: what goes over the wire, how often, what is kept and for how long.
 * Wire bounds are part of the protocol (PROTOCOL.md) and are not options; node bounds can be changed by the caller.
 * The figures come from trials (see PROTOCOL.md, Limits).
 */

/** Part of the protocol: a peer that exceeds one is not speaking it. */
export const WIRE = {
  protocolName: 'waggle/swarm',
  version: 1,
  minVersion: 1,
  recordVersion: 1,
  /** One frame on the connection, headers included. */
  maxFrameBytes: 256 * 1024,
  /** Records answer: payload budget of one message, below the frame bound. */
  maxAnswerBytes: 240 * 1024,
  maxBodyBytes: 16 * 1024,
  maxInflatedBytes: 64 * 1024,
  maxCompletions: 64,
  maxCompletionBytes: 16 * 1024,
  maxGeneratorBytes: 64,
  maxConfigBytes: 2048,
  maxConfigDepth: 6,
  maxSeedBytes: 80,
  maxPolicyNameBytes: 80,
  maxHeads: 256,
  maxPullRecords: 64,
  maxHints: 8,
  maxByeTextBytes: 200,
  /** What a guess of a private swarm's secret costs: Argon2id, some 0.2 s on a desktop. */
  secretStretch: { passes: 3, memoryBytes: 64 * 1024 * 1024 },
} as const;

export interface SwarmLimits {
  /** Connections this node looks for; with as many, it dials only as long as it dialled fewer than `placesKept`. */
  maxPeers: number;
  /** Connections in all. */
  maxConnections: number;
  /** Connections from one public address; loopback is exempt. */
  maxConnectionsPerAddress: number;
  /** Delays after joining at which the topic is looked up again. */
  refreshAtMs: readonly number[];
  /** About how often a node without any peer tries to heal its network. */
  watchdogMs: number;
  closeDeadlineMs: number;
  handshakeTimeoutMs: number;
  /**
   * A connection on which nothing at all has arrived for about so long is given up without blame: when two nodes dial each
   * other at once, Hyperswarm can leave each with a connection that the other does not have.
   */
  halfOpenMs: number;
  pullIntervalMs: number;
  pullTimeoutMs: number;
  /** Unanswered pulls in a row after which a connection is given up. */
  maxMutePulls: number;
  /** A connection that does not take what is written to it for this long is given up. */
  slowReaderMs: number;
  /** Pulls answered a second to one peer, and how many may come at once. */
  pullsPerSecond: number;
  pullBurst: number;
  /** Messages a second from one peer, and how many may come at once. */
  messagesPerSecond: number;
  messageBurst: number;
  /** Bytes a minute from one peer; as many may come at once. */
  bytesPerMinute: number;
  /** Bytes a minute asked for from one public address over all its connections; loopback is exempt. */
  bytesPerMinutePerAddress: number;
  /** The owner's bandwidth cap over all connections, bytes a second; 0 is none. */
  maxBytesPerSecondIn: number;
  maxBytesPerSecondOut: number;
  /** Pairs of others that an openly reachable node carries packets between, bytes of one pair, and of all in an hour. */
  relayPairs: number;
  relayPairBytes: number;
  relayBytesPerHour: number;
  /** How long a connection to the relay may wait for its other half, and a pair say nothing at all. */
  relayPairingMs: number;
  /** How often a full neighbourhood gives up its least useful peer for another one. */
  rotateEveryMs: number;
  /** Records asked for per second over all peers, and how many at once. */
  recordsPerSecond: number;
  recordBurst: number;
  /** Heads told to each neighbour every ten seconds, the own one among them. */
  headsPerRound: number;
  maxMembers: number;
  /** Memory for records that can be given: own ones, and those held for relaying; the oldest go first. */
  ownRecordBytes: number;
  heldRecordBytes: number;
  poolGroups: number;
  poolBytes: number;
  /** Share of the pool that one origin may fill, 0..1. */
  poolShareOfOrigin: number;
  /** Rounds behind the newest known round of its origin after which a record is too old. */
  maxRoundAge: number;
  /** Time since it was received after which a group or record is dropped. */
  maxAgeMs: number;
  /** Remembered against replays: at 4 a second twice as many as come in the quarter of an hour in which a record is given. */
  seenRecords: number;
  maxBans: number;
  banMs: number;
  maxPeerRows: number;
}

export const DEFAULT_LIMITS: SwarmLimits = {
  maxPeers: 8,
  maxConnections: 14,
  maxConnectionsPerAddress: 4,
  refreshAtMs: [2_000, 5_000, 15_000],
  watchdogMs: 15_000,
  closeDeadlineMs: 2_000,
  handshakeTimeoutMs: 10_000,
  halfOpenMs: 2_500,
  pullIntervalMs: 3_000,
  pullTimeoutMs: 10_000,
  maxMutePulls: 3,
  slowReaderMs: 30_000,
  pullsPerSecond: 2,
  pullBurst: 4,
  messagesPerSecond: 8,
  messageBurst: 40,
  bytesPerMinute: 1024 * 1024,
  bytesPerMinutePerAddress: 2 * 1024 * 1024,
  maxBytesPerSecondIn: 0,
  maxBytesPerSecondOut: 0,
  relayPairs: 8,
  relayPairBytes: 32 * 1024 * 1024,
  relayBytesPerHour: 128 * 1024 * 1024,
  relayPairingMs: 20_000,
  rotateEveryMs: 10 * 60_000,
  recordsPerSecond: 4,
  recordBurst: 128,
  headsPerRound: 8,
  maxMembers: 1024,
  ownRecordBytes: 1024 * 1024,
  heldRecordBytes: 2 * 1024 * 1024,
  poolGroups: 2048,
  poolBytes: 32 * 1024 * 1024,
  poolShareOfOrigin: 0.25,
  maxRoundAge: 16,
  maxAgeMs: 15 * 60_000,
  seenRecords: 8_192,
  maxBans: 1024,
  banMs: 60 * 60_000,
  maxPeerRows: 512,
};

/** Of all places, those that only connections dialled by this node may take: whoever dials in cannot surround it. */
export function placesKept({ maxPeers }: Pick<SwarmLimits, 'maxPeers'>): number {
  return Math.ceil(maxPeers / 2);
}
