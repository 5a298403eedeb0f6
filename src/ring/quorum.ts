/**
 * Follows one push: which rows enough replicas have, and what to answer when.
 *
 * All rows with the same replica set fare alike, so they are counted as one group. Of a group with n replicas and
 * minSuccess m:
 *
 *     stored    m replicas succeeded
 *     refused   more than n − m failed by the client's fault (bad data, a tenant's limit): sending it again would not help
 *     failed    more than n − m failed otherwise, or all have answered and neither can be said: send it again
 *
 * The push succeeds when all groups are stored, without waiting for the other replicas. It fails at the first group that
 * failed. If a group is refused the others are waited for, since one of them may fail yet: a 4xx would make the client
 * drop rows that it has to send again. (Mimir answers with whichever comes first.)
 */
import { assert } from "../base/assert.ts";

/** Whose fault a failure is. */
export type ErrorFamily = "client" | "server";

export interface QuorumGroup {
  /** Replicas that the rows are sent to; at least minSuccess. */
  readonly replicas: number;
  readonly minSuccess: number;
}

export type QuorumVerdict =
  | { readonly outcome: "pending" | "stored" }
  /** `cause` is what the caller passed with the failure that decided. */
  | { readonly outcome: "refused" | "failed"; readonly cause: unknown; readonly group: number };

type GroupOutcome = QuorumVerdict["outcome"];

const PENDING: QuorumVerdict = { outcome: "pending" };
const STORED: QuorumVerdict = { outcome: "stored" };

export class WriteQuorum {
  readonly #replicas: Uint16Array;
  readonly #minSuccess: Uint16Array;
  readonly #succeeded: Uint16Array;
  readonly #clientFailed: Uint16Array;
  readonly #serverFailed: Uint16Array;
  readonly #decided: Uint8Array;
  #undecided: number;
  #refused: QuorumVerdict | undefined;
  #failed: QuorumVerdict | undefined;
  /** The last server's failure, for a group that ends with one of each: it is sent again, so that is its cause. */
  readonly #serverCauses = new Map<number, unknown>();

  constructor(groups: readonly QuorumGroup[]) {
    this.#replicas = Uint16Array.from(groups, ({ replicas }) => replicas);
    this.#minSuccess = Uint16Array.from(groups, ({ minSuccess }) => minSuccess);
    this.#succeeded = new Uint16Array(groups.length);
    this.#clientFailed = new Uint16Array(groups.length);
    this.#serverFailed = new Uint16Array(groups.length);
    this.#decided = new Uint8Array(groups.length);
    this.#undecided = groups.length;
    assert(
      groups.every(({ replicas, minSuccess }) => replicas >= minSuccess && minSuccess > 0),
      "a group with too few replicas is refused before it is sent",
    );
  }

  /** One replica has the rows of these groups. */
  succeeded(groups: Iterable<number>): void {
    for (const group of groups) {
      this.#count(this.#succeeded, group);
      this.#decide(group, undefined);
    }
  }

  /** One replica does not have the rows of these groups. */
  failed(groups: Iterable<number>, family: ErrorFamily, cause: unknown): void {
    for (const group of groups) {
      this.#count(family === "client" ? this.#clientFailed : this.#serverFailed, group);
      if (family === "server") this.#serverCauses.set(group, cause);
      this.#decide(group, cause);
    }
  }

  get verdict(): QuorumVerdict {
    if (this.#failed !== undefined) return this.#failed;
    if (this.#undecided > 0) return PENDING;
    return this.#refused ?? STORED;
  }

  #count(counts: Uint16Array, group: number): void {
    counts[group] = (counts[group] ?? 0) + 1;
    assert(
      this.#answers(group) <= (this.#replicas[group] ?? 0),
      "each replica answers once for a group",
    );
  }

  #answers(group: number): number {
    return (
      (this.#succeeded[group] ?? 0) +
      (this.#clientFailed[group] ?? 0) +
      (this.#serverFailed[group] ?? 0)
    );
  }

  #decide(group: number, cause: unknown): void {
    if (this.#decided[group] === 1) return;
    const outcome = this.#outcome(group);
    if (outcome === "pending") return;
    this.#decided[group] = 1;
    this.#undecided--;
    if (outcome === "refused") this.#refused ??= { outcome, cause, group };
    if (outcome === "failed") {
      this.#failed ??= { outcome, cause: this.#serverCauses.get(group) ?? cause, group };
    }
  }

  #outcome(group: number): GroupOutcome {
    const replicas = this.#replicas[group] ?? 0;
    const minSuccess = this.#minSuccess[group] ?? 0;
    const mayFail = replicas - minSuccess;
    if ((this.#succeeded[group] ?? 0) >= minSuccess) return "stored";
    if ((this.#clientFailed[group] ?? 0) > mayFail) return "refused";
    if ((this.#serverFailed[group] ?? 0) > mayFail) return "failed";
    return this.#answers(group) === replicas ? "failed" : "pending";
  }
}
