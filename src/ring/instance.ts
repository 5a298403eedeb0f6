/**
 * One member of a ring, as the members tell each other about it.
 *
 *     PENDING ──► JOINING ──► ACTIVE ──► LEAVING ──► LEFT
 *                    ▲                      │
 *                    └──── restart ─────────┘
 *
 * PENDING: registered, has no tokens yet. JOINING: has tokens that it may still change, or replays its log.
 * LEAVING: takes no writes. LEFT is the tombstone of a member that unregistered or was forgotten.
 *
 * An instance is two registers, and in each the newest wins: the tokens, stamped `tokensUpdatedAtMs`, and all the
 * rest, the head, stamped `heartbeatMs`. So a heartbeat travels without the 2 KiB of tokens.
 */
export const INSTANCE_STATES = ["PENDING", "JOINING", "ACTIVE", "LEAVING", "LEFT"] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

export interface Instance {
  readonly id: string;
  /** host:port of its RPC listener. */
  readonly address: string;
  /** "" where zones are not used. */
  readonly zone: string;
  readonly state: InstanceState;
  /** By the instance's own clock; never goes back, so it is the version of the head too. */
  readonly heartbeatMs: number;
  /**
   * Since then samples may be on it: when it registered, set anew when it becomes ACTIVE for the first time or comes back
   * after it was forgotten. A tenant's shard looks back to this.
   */
  readonly registeredAtMs: number;
  /** Takes no new writes, answers reads. */
  readonly readOnly: boolean;
  /** 0: was never changed. */
  readonly readOnlyUpdatedAtMs: number;
  /** Its RPC listener answers. A LEAVING instance takes this back with its last words. */
  readonly serving: boolean;
  /** May hold samples that were acknowledged: true from the first time it was ACTIVE, also if it was forgotten since. */
  readonly hasData: boolean;
  /**
   * What it had acknowledged before this may be gone: it left the ring with it, or came back with an empty disk. 0: nothing.
   * Queries that reach back so far have one replica less to count on (reads.ts).
   */
  readonly lostDataAtMs: number;
  /** What runs there, by component; for people. */
  readonly versions: Readonly<Record<string, string>>;
  /** 0: the tokens are not known here. */
  readonly tokensUpdatedAtMs: number;
  /** Ascending, each once. Shared, never written to. */
  readonly tokens: Uint32Array;
}

export const NO_TOKENS: Uint32Array = new Uint32Array(0);

/** Members that are not tombstones. */
export function isMember(instance: Instance): boolean {
  return instance.state !== "LEFT";
}

/** The order of ids, by UTF-16 code units: the same on every machine. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
