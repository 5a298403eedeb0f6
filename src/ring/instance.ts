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
 * An instance is two registers in which the newest wins: the tokens, stamped `tokensUpdatedAtMs`, and the
 * head, stamped `heartbeatMs`; and one in which the least wins, `firstDataAtMs`. So a heartbeat travels without the 2 KiB of
 * tokens.
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
  /** When this life of it began: it keeps its samples, and this time, over restarts. */
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
  /**
   * When the earliest of its lives began that is known to have had data; 0: none is. A life that began later has lost that data,
   * whether or not it knows (`lossAtMs`). The least wins, so it is a register of its own.
   */
  readonly firstDataAtMs: number;
  /** What runs there, by component; for people. */
  readonly versions: Readonly<Record<string, string>>;
  /** 0: the tokens are not known here. */
  readonly tokensUpdatedAtMs: number;
  /** Ascending, each once. Shared, never written to. */
  readonly tokens: Uint32Array;
}

export const NO_TOKENS: Uint32Array = new Uint32Array(0);

/** What was acknowledged there before this may be gone; 0: nothing. Whoever hears of both lives of an instance can tell. */
export function lossAtMs(
  instance: Pick<Instance, "lostDataAtMs" | "firstDataAtMs" | "registeredAtMs">,
): number {
  const { lostDataAtMs, firstDataAtMs, registeredAtMs } = instance;
  const isNewLife = firstDataAtMs > 0 && firstDataAtMs < registeredAtMs;
  return Math.max(lostDataAtMs, isNewLife ? registeredAtMs : 0);
}

/** Members that are not tombstones. */
export function isMember(instance: Instance): boolean {
  return instance.state !== "LEFT";
}

/** The order of ids, by UTF-16 code units: the same on every machine. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
