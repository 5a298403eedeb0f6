import { Counter, type Registry } from "prom-client";

/** Metrics of sending rows to replicas, under Mimir's names where it has them. */
export interface ReplicationMetrics {
  readonly appends: Counter<"ingester">;
  readonly failures: Counter<"ingester">;
  readonly sentBytes: Counter;
  readonly retries: Counter;
  /** Series that an ingester did not know and got again with labels. */
  readonly seriesResent: Counter;
}

export function newReplicationMetrics(registry: Registry): ReplicationMetrics {
  const registers = [registry];
  return {
    seriesResent: new Counter({
      name: "muninn_distributor_series_resent_total",
      help: "Series that went out a second time, with labels, because an ingester did not know them.",
      registers,
    }),
    appends: new Counter({
      name: "cortex_distributor_ingester_appends_total",
      help: "Batches of rows sent to an ingester.",
      labelNames: ["ingester"],
      registers,
    }),
    failures: new Counter({
      name: "cortex_distributor_ingester_append_failures_total",
      help: "Batches of rows that an ingester did not take.",
      labelNames: ["ingester"],
      registers,
    }),
    sentBytes: new Counter({
      name: "muninn_distributor_replica_bytes_total",
      help: "Bytes of the push frames sent to ingesters, all replicas together.",
      registers,
    }),
    retries: new Counter({
      name: "muninn_distributor_replication_retries_total",
      help: "Pushes that were tried again within their time, because too few replicas took them at first.",
      registers,
    }),
  };
}
