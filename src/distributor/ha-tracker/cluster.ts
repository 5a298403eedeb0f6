/**
 * One pair (Mimir: one cluster) as one distributor sees it, and what it makes of a request from one of the two:
 *
 *     from the elected replica   accept; "refresh" if nobody has written down for the update timeout that it lives
 *     from another               drop; "fail-over" if there was no sign of the elected one for the failover timeout
 *
 * Signs of life are what comes here and what others write down, both by our own monotonic clock: distributors whose clocks
 * disagree do not take the elected replica for dead, and a clock that is set does not either.
 */
import type { ElectedReplica } from "./replica-value.ts";

export interface HaTimeouts {
  readonly updateTimeoutMs: number;
  readonly failoverTimeoutMs: number;
}

export type Judgement = "accept" | "refresh" | "drop" | "fail-over";

/** Replicas that are not elected; of more the one that is silent for the longest time is forgotten. */
const OTHERS_MAX = 16;

export class Cluster {
  #elected: ElectedReplica;
  /** When the elected replica was last written down, by whomever. */
  #writtenMs: number;
  #aliveMs: number;
  /** When each of the others last sent here; the one that was noted last is last. */
  readonly #others = new Map<string, number>();
  #changes = 1;

  /** All times of a cluster but those of `elected` are monotonic. */
  constructor(elected: ElectedReplica, nowMs: number) {
    this.#elected = elected;
    this.#writtenMs = nowMs;
    this.#aliveMs = nowMs;
  }

  get elected(): ElectedReplica {
    return this.#elected;
  }

  /** The last sign of life of the elected replica. */
  get aliveMs(): number {
    return this.#aliveMs;
  }

  get others(): ReadonlyMap<string, number> {
    return this.#others;
  }

  /** Elections that this distributor has heard of, the first one included. */
  get changes(): number {
    return this.#changes;
  }

  /** Takes over what was written down. */
  learn(elected: ElectedReplica, nowMs: number): void {
    if (elected === this.#elected) return;
    const before = this.#elected;
    this.#elected = elected;
    if (elected.replica !== before.replica) {
      this.#changes++;
      this.#others.delete(elected.replica);
      this.#note(before.replica, this.#aliveMs);
    }
    this.#writtenMs = nowMs;
    this.#aliveMs = nowMs;
  }

  judge(replica: string, timeouts: HaTimeouts, nowMs: number): Judgement {
    if (replica === this.#elected.replica) {
      this.#aliveMs = nowMs;
      return nowMs - this.#writtenMs >= timeouts.updateTimeoutMs ? "refresh" : "accept";
    }
    this.#note(replica, nowMs);
    return nowMs - this.#aliveMs >= timeouts.failoverTimeoutMs ? "fail-over" : "drop";
  }

  #note(replica: string, seenMs: number): void {
    this.#others.delete(replica);
    this.#others.set(replica, seenMs);
    if (this.#others.size <= OTHERS_MAX) return;
    const [longestSilent = ""] = this.#others.keys();
    this.#others.delete(longestSilent);
  }
}
