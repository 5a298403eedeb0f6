import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { WorkerPool } from "../sys/worker-pool.ts";
import type { QueryGate } from "./query-gate.ts";

const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];

export type QuerierMetrics = ReturnType<typeof querierMetrics>;

/**
 * Until the query-frontend is a component of its own, the querier keeps the counters that Mimir's dashboards read
 * from it (`cortex_query_frontend_…`, `cortex_query_…_total`).
 */
export function querierMetrics(
  registry: Registry,
  { gate, pool }: { readonly gate: QueryGate; readonly pool: WorkerPool },
) {
  const registers = [registry];
  registerGauges(registry, gate, pool);
  const perUser = (name: string, help: string): Counter<"user"> =>
    new Counter({ name, help, labelNames: ["user"], registers });
  return {
    requestDuration: new Histogram({
      name: "cortex_querier_request_duration_seconds",
      help: "Time (in seconds) spent serving query API requests.",
      labelNames: ["method", "route", "status_code", "ws"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    stageDuration: new Histogram({
      name: "muninn_querier_stage_duration_seconds",
      help: "Time (in seconds) that queries spent in each stage: queue, fetch, evaluation.",
      labelNames: ["stage"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    queueDuration: new Histogram({
      name: "cortex_query_frontend_queue_duration_seconds",
      help: "Time (in seconds) that queries waited for a place.",
      labelNames: ["user"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    queries: new Counter({
      name: "cortex_query_frontend_queries_total",
      help: "Requests to the query API, by kind and tenant.",
      labelNames: ["op", "user"],
      registers,
    }),
    rejected: new Counter({
      name: "cortex_querier_queries_rejected_total",
      help: "Queries refused by a limit.",
      labelNames: ["reason"],
      registers,
    }),
    discarded: perUser(
      "cortex_query_frontend_discarded_requests_total",
      "Queries refused because the queue was full.",
    ),
    querySeconds: new Counter({
      name: "cortex_query_seconds_total",
      help: "Time (in seconds) spent fetching and evaluating queries.",
      labelNames: ["sharded", "user"],
      registers,
    }),
    fetchedSeries: perUser("cortex_query_fetched_series_total", "Series fetched by queries."),
    fetchedChunks: perUser("cortex_query_fetched_chunks_total", "Chunks fetched by queries."),
    fetchedChunkBytes: perUser(
      "cortex_query_fetched_chunk_bytes_total",
      "Bytes of chunks fetched by queries.",
    ),
    samplesProcessed: perUser(
      "cortex_query_samples_processed_total",
      "Samples read by the evaluation of queries.",
    ),
  };
}

/** Of reads from a ring of ingesters. */
export type IngesterReadMetrics = ReturnType<typeof ingesterReadMetrics>;

export function ingesterReadMetrics(registry: Registry) {
  const registers = [registry];
  return {
    readDuration: new Histogram({
      name: "cortex_distributor_query_duration_seconds",
      help: "Time (in seconds) until enough ingesters had answered a read, by kind of read and outcome.",
      labelNames: ["method", "status_code"],
      buckets: DURATION_BUCKETS,
      registers,
    }),
    requests: new Counter({
      name: "muninn_querier_ingester_requests_total",
      help: "Requests to ingesters, by why they were sent: first, hedge (others were slow), failure (another failed).",
      labelNames: ["reason"],
      registers,
    }),
  };
}

function registerGauges(registry: Registry, gate: QueryGate, pool: WorkerPool): void {
  const registers = [registry];
  new Gauge({
    name: "cortex_query_frontend_queue_length",
    help: "Queries that wait for a place.",
    labelNames: ["user"],
    registers,
    collect() {
      this.reset();
      for (const [user, waiting] of gate.waitingByTenant()) this.set({ user }, waiting);
    },
  });
  const measured = (name: string, help: string, measure: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(measure());
      },
    });
  };
  measured("muninn_querier_inflight_queries", "Queries under way.", () => gate.runningCount);
  measured("muninn_querier_workers", "Threads that evaluate queries.", () => pool.threadCount);
  measured(
    "muninn_querier_worker_queue_length",
    "Queries that wait for a thread.",
    () => pool.queueLength,
  );
}
