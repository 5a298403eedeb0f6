/** What the pages of a cluster show, from the parts that this process has. */
import { createHmac } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { addressText } from "../base/network.ts";
import type { HaTracker } from "../distributor/ha-tracker/ha-tracker.ts";
import { REPLICA_VALUE } from "../distributor/ha-tracker/replica-value.ts";
import type { Gossip } from "../gossip/gossip.ts";
import type { Member as GossipMember } from "../gossip/membership/member.ts";
import { allUserStats } from "../querier/user-stats.ts";
import { RING_VALUE } from "../ring/ring-value.ts";
import type { ClusterSources } from "../ui/cluster/cluster-pages.ts";
import type { HaTrackerPageSource } from "../ui/cluster/ha-tracker-page.ts";
import type { MemberlistPageSource, MemberView } from "../ui/cluster/memberlist-source.ts";
import type { UserStatsPageSource } from "../ui/cluster/user-stats-page.ts";
import { type Cluster, metaTexts } from "./cluster.ts";
import type { Context } from "./module.ts";
import type { Rings } from "./rings.ts";
import type { Rpc } from "./rpc.ts";

export interface ClusterParts {
  readonly cluster: Cluster;
  readonly rings: Rings;
  readonly rpc: Rpc;
  /** undefined: pairs are not followed; absent: this process is no distributor. */
  readonly haTracker?: HaTracker | undefined;
}

export function clusterSources({ machine }: Context, parts: ClusterParts): ClusterSources {
  const { cluster, rings, rpc } = parts;
  const { clock } = machine;
  return {
    rings: rings.all,
    ...(cluster.gossip === undefined
      ? {}
      : { memberlist: memberlistSource(cluster, cluster.gossip, rings, clock) }),
    ...("haTracker" in parts ? { haTracker: haTrackerSource(parts.haTracker, clock) } : {}),
    userStats: userStatsSource(rings, rpc, clock),
  };
}

/** Of the forms. Members that share a secret show forms that each of them takes; others take only their own. */
export function formKey({ config, machine }: Context, cluster: Cluster): Uint8Array {
  const { rpcSecret } = config.server;
  if (rpcSecret !== "") {
    return createHmac("sha256", rpcSecret).update(`forms of ${cluster.label}`).digest();
  }
  return new Uint8Array(Uint32Array.from({ length: 8 }, () => machine.random.uint32()).buffer);
}

function memberlistSource(
  cluster: Cluster,
  gossip: Gossip,
  rings: Rings,
  clock: Clock,
): MemberlistPageSource {
  const { store } = cluster;
  return {
    status: () => {
      const { nodeName, clusterLabel, isEncrypted, address, healthScore, members } = gossip.status;
      return {
        nowMs: clock.nowMs(),
        nodeName,
        clusterLabel,
        isEncrypted,
        address: addressText(address),
        healthScore,
        oldestNewsMs: oldestNewsMs(rings),
        queuedMessages: store.metricsState.queue.length,
        members: members.map((member) => memberView(member, clock.monotonicMs())),
      };
    },
    keys: () => store.keyStatuses,
    valueOf: (key) => valueOf(cluster, key),
    history: () => store.history,
    clearHistory: () => store.clearHistory(),
  };
}

/** How far this process is behind the rest, as far as it can know. */
function oldestNewsMs(rings: Rings): number | undefined {
  const ages = rings.all
    .flatMap((ring) => ring.status().instances)
    .filter(({ isAlive }) => isAlive)
    .map(({ heartbeatAgeMs }) => heartbeatAgeMs);
  return ages.length === 0 ? undefined : Math.max(...ages);
}

function memberView(member: GossipMember, nowMs: number): MemberView {
  const { name, status, incarnation, roundTripMs, statusSinceMs, meta } = member;
  return {
    name,
    address: addressText(member),
    status,
    meta: metaTexts(meta),
    statusForMs: Math.max(0, nowMs - statusSinceMs),
    roundTripMs,
    incarnation,
    digests: undefined,
  };
}

function valueOf({ store }: Cluster, key: string): unknown {
  const type = store.keyStatuses.find((status) => status.key === key)?.type;
  if (type === RING_VALUE.id) {
    return [...store.get(key, RING_VALUE).values()].map(({ tokens, ...instance }) => ({
      ...instance,
      tokens: [...tokens],
    }));
  }
  return type === REPLICA_VALUE.id ? store.get(key, REPLICA_VALUE) : undefined;
}

function haTrackerSource(tracker: HaTracker | undefined, clock: Clock): HaTrackerPageSource {
  return {
    isEnabled: tracker !== undefined,
    nowMs: () => clock.nowMs(),
    rows: () => tracker?.status() ?? [],
  };
}

function userStatsSource(rings: Rings, rpc: Rpc, clock: Clock): UserStatsPageSource {
  return {
    nowMs: () => clock.nowMs(),
    stats: async () => {
      const { stats, copies } = await allUserStats(rings.ingester.view, rpc.ingesterFor);
      return {
        replicationFactor: copies,
        tenants: stats.map(({ tenant, seriesCount, samplesPerSecond }) => ({
          tenant,
          seriesCount,
          ingestionRate: samplesPerSecond,
          apiIngestionRate: samplesPerSecond,
          // There is no ruler.
          ruleIngestionRate: 0,
        })),
      };
    },
  };
}
