/**
 * Whom a query asks: every instance of the tenant's shard that may hold samples, as many as answer.
 *
 * A sample was acknowledged by minSuccess instances of distinct units (zones where replicas span zones, else instances). So
 * nothing is missed as long as at most minSuccess − 1 units are missing, over all that may hold data, whichever of them took
 * the rows of another by spill-over.
 *
 * **Losses.** A unit that left the ring with its samples, or lost its disk, is one of those units for good. From then on, until
 * what it held is past the look-back, a sample may be on minSuccess − 1 of the others only: so all of them are waited
 * for. If then others are missing too, the answer says that it may be incomplete.
 */
import {
  answersReads,
  describeMembers,
  type Loss,
  type Member,
  type RingView,
} from "./ring-view.ts";

export interface ReadPlan {
  readonly ask: readonly Member[];
  /** Hold data and do not answer. */
  readonly missing: readonly Member[];
  readonly byZone: boolean;
  /** How many units may fail besides those that are missing already. */
  readonly mayFail: number;
  /** Too many are missing: what to tell the client. `mayFail` is 0 then. */
  readonly fault: string | undefined;
  /** Of these instances acknowledged samples may be gone. If there are any, all that are asked are waited for. */
  readonly lost: readonly Loss[];
  /** So many units may be lost, missing or fail in all before the answer may be incomplete. */
  readonly tolerated: number;
}

/** `sinceMs`: samples from before then are not looked for here, so what was lost before then does not matter. */
export function planReads(view: RingView, sinceMs = 0): ReadPlan {
  const holders = view.members.filter(({ instance }) => instance.hasData);
  const ask = holders.filter(answersReads);
  const missing = holders.filter((member) => !answersReads(member));
  const left = view.minSuccess - 1 - view.countUnits(missing);
  const fault = faultOf(view, missing, left);
  return {
    ask,
    missing,
    byZone: view.spansZones,
    mayFail: fault === undefined ? left : 0,
    fault,
    lost: view.losses.filter(({ lostDataAtMs }) => lostDataAtMs > sinceMs),
    tolerated: view.minSuccess - 1,
  };
}

function faultOf(view: RingView, missing: readonly Member[], left: number): string | undefined {
  if (view.members.length === 0) return "empty ring";
  const known = view.countUnits(view.members.filter(({ instance }) => instance.hasData));
  // What was acknowledged is on so many: the others are not in the ring as we know it.
  if (known < view.minSuccess) {
    return `too few instances in the ring: ${known} may hold samples, and every sample is on at least ${view.minSuccess}`;
  }
  if (left >= 0) return undefined;
  const unit = view.spansZones ? "zones" : "instances";
  return `too many unhealthy instances in the ring: at most ${view.minSuccess - 1} ${unit} may be missing - unhealthy instances: ${describeMembers(missing)}`;
}

/**
 * Follows the answers of one query: when there are enough, when there cannot be any more. A unit has answered when all of its
 * instances that were asked have.
 */
export class ReadQuorum {
  readonly #byZone: boolean;
  readonly #mayFail: number;
  readonly #isHopeless: boolean;
  /** How many of each unit have yet to answer. */
  readonly #waiting = new Map<string, number>();
  readonly #failed = new Set<string>();
  /** Units that were missing from the start, and can neither answer nor fail again. */
  readonly #missing: ReadonlySet<string>;
  readonly #plan: ReadPlan;
  #unanswered: number;

  constructor(plan: ReadPlan) {
    this.#plan = plan;
    this.#byZone = plan.byZone;
    this.#mayFail = plan.mayFail;
    this.#isHopeless = plan.fault !== undefined;
    this.#missing = new Set(plan.missing.map((member) => this.#unit(member)));
    for (const member of plan.ask) {
      const unit = this.#unit(member);
      if (this.#missing.has(unit)) continue;
      this.#waiting.set(unit, (this.#waiting.get(unit) ?? 0) + 1);
    }
    this.#unanswered = this.#waiting.size;
  }

  answered(member: Member): void {
    const unit = this.#unit(member);
    const waiting = this.#waiting.get(unit);
    if (waiting === undefined) return;
    this.#waiting.set(unit, waiting - 1);
    if (waiting === 1 && !this.#failed.has(unit)) this.#unanswered--;
  }

  failed(member: Member): void {
    const unit = this.#unit(member);
    if (this.#waiting.has(unit)) this.#failed.add(unit);
  }

  get verdict(): "pending" | "enough" | "failed" {
    if (this.#isHopeless || this.#failed.size > this.#mayFail) return "failed";
    // Those that failed are among the unanswered.
    const mayLack = this.#plan.lost.length > 0 ? this.#failed.size : this.#mayFail;
    return this.#unanswered <= mayLack ? "enough" : "pending";
  }

  /** Why the answer may lack acknowledged samples, for people; undefined if it cannot. For when the verdict is "enough". */
  get doubt(): string | undefined {
    const { lost, tolerated } = this.#plan;
    if (lost.length === 0) return undefined;
    const gone = new Set(lost.map((instance) => (this.#byZone ? instance.zone : instance.id)));
    const away = new Set([...this.#missing, ...this.#failed]);
    if (gone.union(away).size <= tolerated) return undefined;
    const atMs = Math.max(...lost.map(({ lostDataAtMs }) => lostDataAtMs));
    const absent = away.size === 0 ? "" : `, and there is no answer from ${[...away].join(", ")}`;
    return `samples from before ${new Date(atMs).toISOString()} may be missing: ${lost.map(({ id }) => id).join(", ")} left the ring or lost the disk with what was stored there${absent}`;
  }

  #unit({ instance }: Member): string {
    return this.#byZone ? instance.zone : instance.id;
  }
}
