/** The ring for programs: Mimir's shape, and what Mimir does not tell. docs/http-api.md describes it. */
import type { Loss } from "../../ring/impact.ts";
import type { InstanceStatus, RingStatus } from "../../ring/status.ts";
import { rfc3339 } from "../format.ts";
import { ringKind } from "./ring-kind.ts";
import type { InstanceImpact, RingPageSource } from "./ring-source.ts";
import { plainState } from "./ring-state.ts";

const EVENTS_MAX = 100;
const NOTHING_LOST: Loss = { rangesBelowQuorum: 0, share: 0, because: [] };

export function ringJson(
  source: RingPageSource,
  status: RingStatus,
  asked: { readonly tokens: boolean; readonly impact: InstanceImpact | undefined },
): object {
  // Where instances hold no replicas, none can be missing.
  const { hasQuorum } = ringKind(source.name);
  const { writes, reads } = hasQuorum
    ? status.quorum
    : { writes: NOTHING_LOST, reads: NOTHING_LOST };
  return {
    shards: status.instances.map((instance) =>
      shardJson(instance, asked.tokens ? source.tokensOf(instance.id) : undefined),
    ),
    now: rfc3339(status.nowMs),
    replication_factor: status.replicationFactor,
    zone_aware: status.zoneAware,
    zones: status.zones,
    quorum: { writes: lossJson(writes), reads: lossJson(reads) },
    events: source
      .events()
      .slice(0, EVENTS_MAX)
      .map(({ atMs, text }) => ({ at: rfc3339(atMs), text })),
    ...(asked.impact === undefined ? {} : { impact: impactJson(asked.impact) }),
  };
}

function shardJson(instance: InstanceStatus, tokens: Uint32Array | undefined): object {
  return {
    id: instance.id,
    state: plainState(instance),
    address: instance.address,
    timestamp: rfc3339(instance.heartbeatMs),
    registered_timestamp: rfc3339(instance.registeredAtMs),
    read_only: instance.readOnly,
    read_only_updated_timestamp: rfc3339(instance.readOnlyUpdatedAtMs),
    zone: instance.zone,
    tokens: tokens === undefined ? [] : [...tokens],
    owned: instance.owned,
    held: instance.held,
    heartbeat_age_ms: Math.round(instance.heartbeatAgeMs),
    token_count: instance.tokenCount,
    serving: instance.serving,
    versions: instance.versions,
  };
}

function impactJson({ impact, reasonToKeep }: InstanceImpact): object {
  return {
    writes: lossJson(impact.writes),
    reads: lossJson(impact.reads),
    reason_to_keep: reasonToKeep ?? null,
  };
}

function lossJson({ rangesBelowQuorum, share, because }: Loss): object {
  return { ranges_below_quorum: rangesBelowQuorum, share, because };
}
