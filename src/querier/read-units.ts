/**
 * What a read asks as a whole: a zone where replicas span zones, else an instance. Units of which a part is missing from the
 * start are left out: they cannot answer for their rows.
 */
import type { ReadPlan } from "../ring/reads.ts";
import type { Member } from "../ring/ring-view.ts";

export interface ReadUnit {
  readonly members: readonly Member[];
}

export interface UnitPreferences {
  /** A unit with such a member goes first, unless it is slow. */
  readonly isLocal: (member: Member) => boolean;
  readonly expectedMs: (instanceId: string) => number;
  /** Whoever is expected to take this long is slow, near or not. */
  readonly slowMs: number;
}

/** Best first: the local one, then by how long its slowest member is expected to take. */
export function readUnits(
  plan: ReadPlan,
  { isLocal, expectedMs, slowMs }: UnitPreferences,
): readonly ReadUnit[] {
  const nameOf = ({ instance }: Member): string => (plan.byZone ? instance.zone : instance.id);
  const incomplete = new Set(plan.missing.map(nameOf));
  const complete = plan.ask.filter((member) => !incomplete.has(nameOf(member)));
  return [...Map.groupBy(complete, nameOf).values()]
    .map((members) => {
      const slowestMs = Math.max(...members.map(({ instance }) => expectedMs(instance.id)));
      return { members, slowestMs, isFirst: slowestMs < slowMs && members.some(isLocal) };
    })
    .sort(
      (left, right) =>
        Number(right.isFirst) - Number(left.isFirst) || left.slowestMs - right.slowestMs,
    );
}
