/**
 * Follows pairs of Prometheus servers that send the same: of each pair one replica is elected, and only what it sends is
 * stored. Who is elected stands in a key-value store that all distributors share, so that they agree.
 *
 * Everything happens when a request comes: the store answers at once (it is in memory and spreads by gossip), so there is
 * no loop that writes and elects, as Mimir has one, and no time that passes until it does. A failover is the first
 * request of another replica after the failover timeout. Only pairs from which nothing comes any more need a timer.
 */
import type { Registry } from "prom-client";
import type { Clock, Timer } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { KvStore } from "../../gossip/kv/kv-store.ts";
import type { Watch } from "../../gossip/kv/watchers.ts";
import type { Limits, LimitsSource } from "../../model/limits.ts";
import { Cluster, type HaTimeouts } from "./cluster.ts";
import { type HaTrackerMetrics, newHaTrackerMetrics } from "./metrics.ts";
import { CLUSTERS_MAX, type HaTrackerOptions } from "./options.ts";
import {
  type ElectedReplica,
  elect,
  isRemoved,
  REPLICA_VALUE,
  received,
  removed,
} from "./replica-value.ts";

export type HaVerdict = "accept" | "drop" | "too-many-clusters";

/** `KvStore` with REPLICA_VALUE among its types. Without gossip under it, it is the store of one process. */
export type HaStore = Pick<KvStore, "get" | "update" | "watchPrefix" | "keys">;

export interface HaTrackerDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly registry: Registry;
  readonly limits: LimitsSource;
  readonly store: HaStore;
}

/** For the page /distributor/ha_tracker. */
export interface HaClusterStatus {
  readonly tenant: string;
  readonly cluster: string;
  readonly replica: string;
  readonly receivedAtMs: number;
  readonly electedAtMs: number;
  readonly electedChanges: number;
  readonly updateTimeoutMs: number;
  readonly failoverTimeoutMs: number;
  /** Replicas that are not elected and sent to this distributor, the latest first. */
  readonly lastSeenOthers: readonly { readonly replica: string; readonly seenAtMs: number }[];
}

interface Tracked {
  readonly cluster: Cluster;
  updates: number;
}

const PREFIX = "ha-tracker/";
const UPDATE_TIMEOUT_MS_MIN = 1000;

export class HaTracker {
  readonly #options: HaTrackerOptions;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: LimitsSource;
  readonly #store: HaStore;
  readonly #metrics: HaTrackerMetrics;
  /** By tenant, then by name of the cluster. */
  readonly #tenants = new Map<string, Map<string, Tracked>>();
  /** In -1 .. 1. Distributors write at different times: the first one spares the others. */
  readonly #jitter: number;
  #watch: Watch | undefined;
  #timer: Timer | undefined;

  constructor(options: HaTrackerOptions, dependencies: HaTrackerDependencies) {
    this.#options = options;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#limits = dependencies.limits;
    this.#store = dependencies.store;
    this.#metrics = newHaTrackerMetrics(dependencies.registry, () => this.#all());
    this.#jitter = 2 * this.#random.float() - 1;
  }

  /** The store should hold by now what other distributors know: who is not known is elected anew. */
  start(): void {
    this.#watch = this.#store.watchPrefix(PREFIX, REPLICA_VALUE, (key) => this.#learn(key));
    for (const key of this.#store.keys(PREFIX)) this.#learn(key);
    this.#scheduleCleanup();
  }

  stop(): void {
    this.#watch?.cancel();
    this.#timer?.cancel();
  }

  /** What is to become of samples that came just now from this replica of the cluster. */
  decide(
    tenant: string,
    { cluster, replica }: { readonly cluster: string; readonly replica: string },
    limits: Limits,
  ): HaVerdict {
    const tracked = this.#tenants.get(tenant)?.get(cluster);
    if (tracked === undefined) return this.#decideFirst(tenant, cluster, replica, limits);
    const judged = tracked.cluster.judge(
      replica,
      this.#timeouts(limits),
      this.#clock.monotonicMs(),
    );
    switch (judged) {
      case "accept":
        return "accept";
      case "drop":
        return "drop";
      case "refresh":
        this.#write(tenant, cluster, (now, nowMs) =>
          now?.replica === replica ? received(now, nowMs) : undefined,
        );
        break;
      case "fail-over":
        this.#write(tenant, cluster, (now, nowMs) => elect(now, replica, nowMs));
        break;
    }
    return this.#isElected(tenant, cluster, replica) ? "accept" : "drop";
  }

  /** Whether the cluster is followed: what is kept about others can go. */
  follows(tenant: string, cluster: string): boolean {
    return this.#tenants.get(tenant)?.has(cluster) ?? false;
  }

  status(): HaClusterStatus[] {
    const behindMs = this.#clock.nowMs() - this.#clock.monotonicMs();
    const rows: HaClusterStatus[] = [];
    for (const [tenant, cluster, known] of this.#all()) {
      const { replica, receivedAtMs, electedAtMs, electedChanges } = known.cluster.elected;
      const others = [...known.cluster.others].toSorted(([, left], [, right]) => right - left);
      rows.push({
        tenant,
        cluster,
        replica,
        receivedAtMs,
        electedAtMs,
        electedChanges,
        ...this.#timeouts(this.#limits.forTenant(tenant)),
        lastSeenOthers: others.map(([name, seenMs]) => ({
          replica: name,
          seenAtMs: Math.round(behindMs + seenMs),
        })),
      });
    }
    return rows;
  }

  #decideFirst(tenant: string, cluster: string, replica: string, limits: Limits): HaVerdict {
    const count = this.#tenants.get(tenant)?.size ?? 0;
    if (count >= clustersMax(limits)) return "too-many-clusters";
    this.#write(tenant, cluster, (now, nowMs) =>
      now === undefined || isRemoved(now) ? elect(now, replica, nowMs) : undefined,
    );
    return this.#isElected(tenant, cluster, replica) ? "accept" : "drop";
  }

  #isElected(tenant: string, cluster: string, replica: string): boolean {
    return this.#tenants.get(tenant)?.get(cluster)?.cluster.elected.replica === replica;
  }

  #write(
    tenant: string,
    cluster: string,
    change: (now: ElectedReplica | undefined, nowMs: number) => ElectedReplica | undefined,
  ): void {
    const key = `${PREFIX}${tenant}/${cluster}`;
    const nowMs = this.#clock.nowMs();
    this.#store.update(key, REPLICA_VALUE, (now) => change(now, nowMs));
    // Not left to the watch: it may tell others first.
    this.#learn(key);
    const tracked = this.#tenants.get(tenant)?.get(cluster);
    if (tracked !== undefined) tracked.updates++;
  }

  /** Takes over what the store has of a key. */
  #learn(key: string): void {
    const at = key.indexOf("/", PREFIX.length);
    if (at < 0) return;
    const tenant = key.slice(PREFIX.length, at);
    const name = key.slice(at + 1);
    const elected = this.#store.get(key, REPLICA_VALUE);
    if (elected === undefined || isRemoved(elected)) this.#forget(tenant, name);
    else this.#track(tenant, name, elected);
  }

  #track(tenant: string, name: string, elected: ElectedReplica): void {
    const nowMs = this.#clock.monotonicMs();
    const clusters = this.#tenants.get(tenant) ?? new Map<string, Tracked>();
    const tracked = clusters.get(name);
    if (tracked !== undefined) {
      tracked.cluster.learn(elected, nowMs);
      return;
    }
    clusters.set(name, { cluster: new Cluster(elected, nowMs), updates: 0 });
    this.#tenants.set(tenant, clusters);
  }

  #forget(tenant: string, name: string): void {
    const clusters = this.#tenants.get(tenant);
    clusters?.delete(name);
    if (clusters?.size === 0) this.#tenants.delete(tenant);
  }

  #scheduleCleanup(): void {
    const delayMs = this.#options.cleanupPeriodMs * (0.8 + 0.4 * this.#random.float());
    this.#timer = this.#clock.after(delayMs, () => {
      this.#cleanUp();
      this.#scheduleCleanup();
    });
  }

  #cleanUp(): void {
    this.#metrics.cleanupsStarted.inc();
    const idleSinceMs = this.#clock.monotonicMs() - this.#options.idleMs;
    for (const [tenant, name, { cluster }] of [...this.#all()]) {
      if (cluster.aliveMs > idleSinceMs) continue;
      this.#write(tenant, name, (now, nowMs) =>
        now === undefined || isRemoved(now) ? undefined : removed(now, nowMs),
      );
      this.#metrics.clustersRemoved.inc();
    }
  }

  #timeouts(limits: Limits): HaTimeouts {
    const { haTrackerUpdateTimeoutMs, haTrackerUpdateTimeoutJitterMaxMs } = limits;
    const jitteredMs = haTrackerUpdateTimeoutMs + this.#jitter * haTrackerUpdateTimeoutJitterMaxMs;
    return {
      updateTimeoutMs: Math.max(UPDATE_TIMEOUT_MS_MIN, Math.round(jitteredMs)),
      failoverTimeoutMs: limits.haTrackerFailoverTimeoutMs,
    };
  }

  *#all(): Generator<readonly [tenant: string, cluster: string, known: Tracked]> {
    for (const [tenant, clusters] of this.#tenants) {
      for (const [name, tracked] of clusters) yield [tenant, name, tracked];
    }
  }
}

/** How many clusters the tenant may have. */
export function clustersMax({ haMaxClusters }: Limits): number {
  return haMaxClusters > 0 ? Math.min(haMaxClusters, CLUSTERS_MAX) : CLUSTERS_MAX;
}
