/** What differs between instances and should not: clocks, versions, replication factors. */
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { formatDuration, formatSome } from "../format.ts";

/** News travels for a second or two; clocks that differ by more than this are wrong. */
export const CLOCK_SKEW_MAX_MS = 5000;
/** Key of `Instance.versions` under which an instance tells its replication factor. */
export const REPLICATION_FACTOR_KEY = "replication_factor";

export function ringNotices(status: RingStatus): string[] {
  const alive = status.instances.filter(({ isAlive }) => isAlive);
  return [
    ...clockNotice(alive, status.nowMs),
    ...replicationNotice(alive, status.replicationFactor),
    ...versionNotices(alive),
  ];
}

/** By how much the clock of an instance is ahead of ours, less the time that its heartbeat travelled. */
export function clockSkewMs(
  { heartbeatMs, heartbeatAgeMs }: Pick<InstanceStatus, "heartbeatMs" | "heartbeatAgeMs">,
  nowMs: number,
): number {
  return heartbeatMs + heartbeatAgeMs - nowMs;
}

function clockNotice(instances: readonly InstanceStatus[], nowMs: number): string[] {
  const wrong = instances
    .map((instance) => ({ id: instance.id, skewMs: clockSkewMs(instance, nowMs) }))
    .filter(({ skewMs }) => Math.abs(skewMs) > CLOCK_SKEW_MAX_MS)
    .map(
      ({ id, skewMs }) =>
        `${id} (${formatDuration(skewMs)} ${skewMs > 0 ? "ahead of" : "behind"} this process)`,
    );
  if (wrong.length === 0) return [];
  return [
    `Clocks differ: ${formatSome(wrong)}. Heartbeats are judged without them, but timestamps and rules are not: check NTP there.`,
  ];
}

function replicationNotice(
  instances: readonly InstanceStatus[],
  replicationFactor: number,
): string[] {
  const others = instances
    .map(({ id, versions }) => ({ id, factor: versions[REPLICATION_FACTOR_KEY] }))
    .filter(({ factor }) => factor !== undefined && factor !== String(replicationFactor))
    .map(({ id, factor }) => `${id} has ${factor}`);
  if (others.length === 0) return [];
  return [
    `Replication factors differ: it is ${replicationFactor} here, but ${formatSome(others)}. Quorum can be relied on only once all agree (-ingester.ring.replication-factor).`,
  ];
}

/** Names only where they are the exception. */
function few(ids: readonly string[]): string {
  return ids.length <= 5 ? ids.join(", ") : `${ids.length} instances`;
}

function versionNotices(instances: readonly InstanceStatus[]): string[] {
  const keys = new Set(instances.flatMap(({ versions }) => Object.keys(versions)));
  keys.delete(REPLICATION_FACTOR_KEY);
  return [...keys].sort().flatMap((key) => {
    const idsOf = new Map<string, string[]>();
    for (const { id, versions } of instances) {
      const version = versions[key] ?? "none";
      idsOf.set(version, [...(idsOf.get(version) ?? []), id]);
    }
    if (idsOf.size < 2) return [];
    const parts = [...idsOf].map(([version, ids]) => `${version} on ${few(ids)}`);
    return [
      `Versions of ${key} differ: ${parts.join("; ")}. That is as it should be during an update only.`,
    ];
  });
}
