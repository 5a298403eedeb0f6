import { Counter, Gauge, Histogram, type Registry, Summary } from "prom-client";
import type { IngesterInstanceLimits } from "./options.ts";

/** What `collect` of the gauges reads when a scrape comes. */
export interface IngesterGauges {
  readonly tenants: number;
  readonly series: number;
  readonly symbolTableBytes: number;
  readonly headMemoryBytes: number;
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
  readonly inflightPushRequests: number;
  readonly inflightPushBytes: number;
  readonly samplesPerSecond: number;
  readonly pendingChunkBytes: number;
  readonly instanceLimits: IngesterInstanceLimits;
}

export type IngesterMetrics = ReturnType<typeof ingesterMetrics>;

/** Mimir's names (reference: its dashboards), so that its dashboards and alerts work here unchanged. */
export function ingesterMetrics(registry: Registry, gauges: () => IngesterGauges) {
  return {
    ...samplesMetrics([registry]),
    ...queryMetrics([registry]),
    ...tsdbMetrics([registry]),
    ...limitMetrics([registry], gauges),
    gauges: gaugeMetrics([registry], gauges),
  };
}

function samplesMetrics(registers: Registry[]) {
  const user = ["user"] as const;
  return {
    ingestedSamples: new Counter({
      name: "cortex_ingester_ingested_samples_total",
      help: "Samples taken into the head.",
      labelNames: user,
      registers,
    }),
    ingestedSamplesFailures: new Counter({
      name: "cortex_ingester_ingested_samples_failures_total",
      help: "Samples refused by the head.",
      labelNames: user,
      registers,
    }),
    seriesCreated: new Counter({
      name: "cortex_ingester_memory_series_created_total",
      help: "Series created in the head.",
      labelNames: user,
      registers,
    }),
    seriesRemoved: new Counter({
      name: "cortex_ingester_memory_series_removed_total",
      help: "Series that left the head.",
      labelNames: user,
      registers,
    }),
    outOfOrderSamples: new Counter({
      name: "cortex_ingester_tsdb_out_of_order_samples_appended_total",
      help: "Samples that came late and were kept in a side buffer.",
      labelNames: user,
      registers,
    }),
    activeSeries: new Gauge({
      name: "cortex_ingester_active_series",
      help: "Series with a sample within the active series idle timeout.",
      labelNames: user,
      registers,
    }),
  };
}

function queryMetrics(registers: Registry[]) {
  return {
    queries: new Counter({
      name: "cortex_ingester_queries_total",
      help: "Selects and label queries answered.",
      registers,
    }),
    queriedSeries: new Histogram({
      name: "cortex_ingester_queried_series",
      help: "Series per select.",
      buckets: [10, 80, 640, 5120, 40960, 327680, 2621440],
      registers,
    }),
  };
}

function tsdbMetrics(registers: Registry[]) {
  return {
    checkpointCreations: new Counter({
      name: "cortex_ingester_tsdb_checkpoint_creations_total",
      help: "Checkpoints begun.",
      registers,
    }),
    checkpointCreationsFailed: new Counter({
      name: "cortex_ingester_tsdb_checkpoint_creations_failed_total",
      help: "Checkpoints that failed; the log is kept until one succeeds.",
      registers,
    }),
    headTruncations: new Counter({
      name: "cortex_ingester_tsdb_head_truncations_total",
      help: "Head truncations begun.",
      registers,
    }),
    headTruncationsFailed: new Counter({
      name: "cortex_ingester_tsdb_head_truncations_failed_total",
      help: "Head truncations that failed.",
      registers,
    }),
    headGcSeconds: new Summary({
      name: "cortex_ingester_tsdb_head_gc_duration_seconds",
      help: "Time that head truncations took.",
      registers,
    }),
    idleChunksClosed: new Counter({
      name: "muninn_ingester_idle_chunks_closed_total",
      help: "Open chunks closed because their series had no samples for -blocks-storage.tsdb.head-compaction-idle-timeout.",
      registers,
    }),
    openSeconds: new Counter({
      name: "cortex_ingester_tsdb_open_duration_seconds_total",
      help: "Time that opening heads and replaying the log took.",
      registers,
    }),
  };
}

function limitMetrics(registers: Registry[], gauges: () => IngesterGauges) {
  return {
    instanceLimits: new Gauge({
      name: "cortex_ingester_instance_limits",
      help: "Instance limits of this ingester; 0 is none.",
      labelNames: ["limit"] as const,
      registers,
      collect() {
        const { instanceLimits: limits } = gauges();
        this.set({ limit: "max_ingestion_rate" }, limits.maxIngestionRate);
        this.set({ limit: "max_tenants" }, limits.maxTenants);
        this.set({ limit: "max_series" }, limits.maxSeries);
        this.set({ limit: "max_inflight_push_requests" }, limits.maxInflightPushRequests);
        this.set(
          { limit: "max_inflight_push_requests_bytes" },
          limits.maxInflightPushRequestsBytes,
        );
      },
    }),
    instanceRejected: new Counter({
      name: "cortex_ingester_instance_rejected_requests_total",
      help: "Requests refused by an instance limit.",
      labelNames: ["reason"] as const,
      registers,
    }),
  };
}

function gaugeMetrics(registers: Registry[], read: () => IngesterGauges): Gauge[] {
  const gauge = (name: string, help: string, value: (gauges: IngesterGauges) => number): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  const seconds = (timeMs: number | undefined): number =>
    timeMs === undefined ? 0 : timeMs / 1000;
  return [
    gauge("cortex_ingester_memory_users", "Tenants with an open head.", (g) => g.tenants),
    gauge("cortex_ingester_memory_series", "Series in all heads.", (g) => g.series),
    gauge(
      "cortex_ingester_tsdb_symbol_table_size_bytes",
      "Bytes of label names and values in all heads.",
      (g) => g.symbolTableBytes,
    ),
    gauge(
      "cortex_ingester_tsdb_head_min_timestamp_seconds",
      "Oldest sample time of all heads.",
      (g) => seconds(g.minTimeMs),
    ),
    gauge(
      "cortex_ingester_tsdb_head_max_timestamp_seconds",
      "Newest sample time of all heads.",
      (g) => seconds(g.maxTimeMs),
    ),
    gauge(
      "cortex_ingester_inflight_push_requests",
      "Pushes that wait for the log.",
      (g) => g.inflightPushRequests,
    ),
    gauge(
      "cortex_ingester_inflight_push_requests_bytes",
      "Bytes of the pushes that wait for the log.",
      (g) => g.inflightPushBytes,
    ),
    gauge(
      "cortex_ingester_ingestion_rate_samples_per_second",
      "Samples a second that this ingester takes (moving average).",
      (g) => g.samplesPerSecond,
    ),
    gauge(
      "muninn_ingester_head_memory_bytes",
      "Kernel memory of all heads.",
      (g) => g.headMemoryBytes,
    ),
    gauge(
      "muninn_ingester_pending_chunk_bytes",
      "Closed chunks that wait for their file.",
      (g) => g.pendingChunkBytes,
    ),
  ];
}
