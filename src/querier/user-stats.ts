/** What the tenants have over all ingesters of a ring. Asked for by people, so it is not hedged and not cached. */
import { errorMessage, OpError } from "../base/errors.ts";
import { planReads } from "../ring/reads.ts";
import { describeMembers, type Member, type RingView } from "../ring/ring-view.ts";
import type { IngesterClient, UserStats } from "../rpc/ingester.ts";

export interface RingUserStats {
  /** By tenant's name. Each series and each sample counts once, however many copies there are. */
  readonly stats: readonly UserStats[];
  /** By which the sums over the ingesters were divided: the replication factor, or the ingesters if there are fewer. */
  readonly copies: number;
}

/**
 * All members must answer: what one of them alone does not tell would silently be missing. Else it is an OpError
 * "too-many-unhealthy-instances" that names those that did not.
 */
export async function allUserStats(
  view: RingView,
  clientFor: (member: Member) => Pick<IngesterClient, "allUserStats">,
  signal?: AbortSignal,
): Promise<RingUserStats> {
  signal?.throwIfAborted();
  const { ask, missing } = planReads(view);
  if (missing.length > 0) throw incomplete([`${describeMembers(missing)}: not asked`]);
  const answers = await Promise.allSettled(
    ask.map(async (member) => await clientFor(member).allUserStats(signal)),
  );
  signal?.throwIfAborted();
  const faults = answers.flatMap((answer, i) =>
    answer.status === "rejected" ? [faultOf(ask[i] as Member, answer.reason)] : [],
  );
  if (faults.length > 0) throw incomplete(faults);
  const copies = Math.max(1, Math.min(view.options.replicationFactor, ask.length));
  const all = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  return { stats: summed(all, copies), copies };
}

function summed(all: readonly UserStats[], copies: number): UserStats[] {
  const byTenant = Map.groupBy(all, ({ tenant }) => tenant);
  const sum = (parts: readonly UserStats[], of: (part: UserStats) => number): number =>
    parts.reduce((total, part) => total + of(part), 0);
  return [...byTenant]
    .map(([tenant, parts]) => ({
      tenant,
      seriesCount: Math.round(sum(parts, (part) => part.seriesCount) / copies),
      samplesPerSecond: sum(parts, (part) => part.samplesPerSecond) / copies,
    }))
    .sort((left, right) => (left.tenant < right.tenant ? -1 : 1));
}

function faultOf(member: Member, error: unknown): string {
  const text = error instanceof OpError ? errorMessage(error) : "internal error";
  return `${describeMembers([member])}: ${text}`;
}

function incomplete(faults: readonly string[]): OpError {
  return new OpError(
    "too-many-unhealthy-instances",
    `too many unhealthy instances in the ring: statistics need an answer from every ingester - ${faults.join("; ")}`,
  );
}
