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
  /** A unit with such a member goes first. */
  readonly isLocal: (member: Member) => boolean;
  readonly expectedMs: (instanceId: string) => number;
}

/** Best first: the local one, then by how long its slowest member is expected to take. */
export function readUnits(
  plan: ReadPlan,
  { isLocal, expectedMs }: UnitPreferences,
): readonly ReadUnit[] {
  const nameOf = ({ instance }: Member): string => (plan.byZone ? instance.zone : instance.id);
  const incomplete = new Set(plan.missing.map(nameOf));
  const complete = plan.ask.filter((member) => !incomplete.has(nameOf(member)));
  return [...Map.groupBy(complete, nameOf).values()]
    .map((members) => ({
      members,
      isLocal: members.some(isLocal),
      slowestMs: Math.max(...members.map(({ instance }) => expectedMs(instance.id))),
    }))
    .sort(
      (left, right) =>
        Number(right.isLocal) - Number(left.isLocal) || left.slowestMs - right.slowestMs,
    );
}
