/** Metrics of the HA tracker, under Mimir's names. What is there per pair is read when somebody looks, and goes with it. */
import { Counter, Gauge, type Registry } from "prom-client";
import type { Cluster } from "./cluster.ts";

/** Tenant, cluster, and what is known of it. */
export type TrackedClusters = Iterable<
  readonly [tenant: string, cluster: string, known: TrackedCluster]
>;

export interface TrackedCluster {
  readonly cluster: Cluster;
  /** Attempts to write to the store. */
  readonly updates: number;
}

export interface HaTrackerMetrics {
  readonly cleanupsStarted: Counter;
  readonly clustersRemoved: Counter;
}

export function newHaTrackerMetrics(
  registry: Registry,
  clusters: () => TrackedClusters,
): HaTrackerMetrics {
  const registers = [registry];
  registerCounters(registry, clusters);
  registerGauges(registry, clusters);
  return {
    cleanupsStarted: new Counter({
      name: "cortex_ha_tracker_replicas_cleanup_started_total",
      help: "Searches for HA clusters from which nothing comes any more.",
      registers,
    }),
    clustersRemoved: new Counter({
      name: "cortex_ha_tracker_replicas_cleanup_marked_for_deletion_total",
      help: "HA clusters that were removed because nothing came from them any more.",
      registers,
    }),
  };
}

function registerCounters(registry: Registry, clusters: () => TrackedClusters): void {
  const counter = (name: string, help: string, read: (known: TrackedCluster) => number): void => {
    new Counter({
      name,
      help,
      labelNames: ["user", "cluster"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [user, cluster, known] of clusters()) this.inc({ user, cluster }, read(known));
      },
    });
  };
  counter(
    "cortex_ha_tracker_elected_replica_changes_total",
    "Elections of an HA cluster that this distributor has heard of.",
    ({ cluster }) => cluster.changes,
  );
  counter(
    "cortex_ha_tracker_kv_store_cas_total",
    "Attempts to write the elected replica of an HA cluster to the key-value store.",
    ({ updates }) => updates,
  );
}

function registerGauges(registry: Registry, clusters: () => TrackedClusters): void {
  const gauge = (name: string, help: string, read: (cluster: Cluster) => number): void => {
    new Gauge({
      name,
      help,
      labelNames: ["user", "cluster"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [user, cluster, known] of clusters()) {
          this.set({ user, cluster }, read(known.cluster));
        }
      },
    });
  };
  gauge(
    "cortex_ha_tracker_elected_replica_timestamp_seconds",
    "When the elected replica of an HA cluster was last received, as far as it is written down.",
    ({ elected }) => elected.receivedAtMs / 1000,
  );
  gauge(
    "cortex_ha_tracker_last_election_timestamp_seconds",
    "When the replica of an HA cluster was elected.",
    ({ elected }) => elected.electedAtMs / 1000,
  );
  gauge(
    "cortex_ha_tracker_reelections_total",
    "How often another replica of an HA cluster was elected, in all distributors together.",
    ({ elected }) => elected.electedChanges,
  );
}
