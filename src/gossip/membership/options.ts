/**
 * Timings and limits of membership. The defaults are those of Go's DefaultLANConfig. All nodes of a cluster should
 * have the same.
 */
export interface MembershipOptions {
  /** One member is probed each interval. Shorter finds failures sooner, at the cost of packets. */
  readonly probeIntervalMs: number;
  /** How long an answer may take before others are asked; about the 99th percentile of the round trip. */
  readonly probeTimeoutMs: number;
  /** How many others are asked to probe for us. */
  readonly indirectChecks: number;
  /** A member that does not answer over UDP is tried over TCP. */
  readonly streamPings: boolean;
  /**
   * A suspect has `multiplier × max(1, log10(members)) × probeIntervalMs` to defend itself once enough others suspect it
   * too. Higher gives slow members more time, lower finds failures sooner.
   */
  readonly suspicionMultiplier: number;
  /** Without confirmations by others it has this many times as long. */
  readonly suspicionMaxTimeoutMultiplier: number;
  /** A process that seems to be slow itself stretches its probe interval up to so many times (Lifeguard). */
  readonly awarenessMax: number;
  readonly gossipIntervalMs: number;
  /** Members that get what there is to tell, each interval; up to four times as many if it is more than a packet holds. */
  readonly gossipNodes: number;
  /** So long the dead are told that they are believed dead, in case they can refute it; then they are forgotten. */
  readonly gossipToDeadMs: number;
  /** Each message goes out `multiplier × ceil(log10(members + 1))` times. */
  readonly retransmitMultiplier: number;
  /** A whole exchange with one random member; longer in clusters of more than 32. */
  readonly pushPullIntervalMs: number;
  /** A dead name may come back at another address after so long; 0: only a name that left may. */
  readonly deadReclaimMs: number;
  /** Size of a packet, so that it fits a network frame. */
  readonly packetBytesMax: number;
  /** Dead and left ones included; alive messages of more names are dropped. */
  readonly membersMax: number;
  /** Messages about members that wait to be gossiped; the most sent one goes first when there are more. */
  readonly broadcastsMax: number;
  /** Probes for others under way; more requests are dropped. */
  readonly relaysMax: number;
}

export const LAN_MEMBERSHIP: MembershipOptions = {
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectChecks: 3,
  streamPings: true,
  suspicionMultiplier: 4,
  suspicionMaxTimeoutMultiplier: 6,
  awarenessMax: 8,
  gossipIntervalMs: 200,
  gossipNodes: 3,
  gossipToDeadMs: 30_000,
  retransmitMultiplier: 4,
  pushPullIntervalMs: 30_000,
  deadReclaimMs: 0,
  packetBytesMax: 1400,
  membersMax: 16_384,
  broadcastsMax: 16_384,
  relaysMax: 1024,
};
