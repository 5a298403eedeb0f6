/**
 * Whom a query asks: every instance of the tenant's shard that may hold samples, as many as answer.
 *
 * A sample was acknowledged by minSuccess instances of distinct units (zones where replicas span zones, else instances). So
 * nothing is missed as long as at most minSuccess − 1 units are missing, over all that may hold data, whichever of them took
 * the rows of another by spill-over.
 */
import { answersReads, describeMembers, type Member, type RingView } from "./ring-view.ts";

export interface ReadPlan {
  readonly ask: readonly Member[];
  /** Hold data and do not answer. */
  readonly missing: readonly Member[];
  readonly byZone: boolean;
  /** How many units may fail besides those that are missing already. */
  readonly mayFail: number;
  /** Too many are missing: what to tell the client. `mayFail` is 0 then. */
  readonly fault: string | undefined;
}

export function planReads(view: RingView): ReadPlan {
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
  };
}

function faultOf(view: RingView, missing: readonly Member[], left: number): string | undefined {
  if (view.members.length === 0) return "empty ring";
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
  #unanswered: number;

  constructor(plan: ReadPlan) {
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
    return this.#unanswered <= this.#mayFail ? "enough" : "pending";
  }

  #unit({ instance }: Member): string {
    return this.#byZone ? instance.zone : instance.id;
  }
}
