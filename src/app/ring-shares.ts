/** What a member's part of the whole is: limits that hold for a cluster are shared out by the ring. */
import type { Limits } from "../model/limits.ts";
import { takesWrites } from "../ring/ring-view.ts";
import type { RingWatch } from "../ring/ring-watch.ts";

/**
 * Series that one ingester may hold of a tenant, so that all of them together hold the tenant's limit, each series as often
 * as it is replicated. 0 is no limit.
 */
export function localSeriesMax(limits: Limits, ring: RingWatch, tenant: string): number {
  const { maxGlobalSeriesPerUser: globalMax, ingestionTenantShardSize: size } = limits;
  const { replicationFactor } = ring.view.options;
  const writers = ring.shard({ tenant, size }).members.filter(takesWrites).length;
  if (globalMax === 0 || writers <= replicationFactor) return globalMax;
  return Math.ceil((globalMax * replicationFactor) / writers);
}

/** Members that share a limit, this process included. */
export function healthyMembers(ring: RingWatch): number {
  return Math.max(1, ring.view.members.filter(takesWrites).length);
}
