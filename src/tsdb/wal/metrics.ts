import { Counter, Gauge, Histogram, type Registry, Summary } from "prom-client";

/** Metrics of the write-ahead log, of which a process has one. */
export type WalMetrics = ReturnType<typeof walMetrics>;

export function walMetrics(registry: Registry) {
  const registers = [registry];
  return {
    corruptions: new Counter({
      name: "cortex_ingester_tsdb_wal_corruptions_total",
      help: "Damaged places found in the write-ahead log.",
      registers,
    }),
    truncations: new Counter({
      name: "cortex_ingester_tsdb_wal_truncations_total",
      help: "Attempts to delete segments that are no longer needed.",
      registers,
    }),
    truncationsFailed: new Counter({
      name: "cortex_ingester_tsdb_wal_truncations_failed_total",
      help: "Deletions of segments that failed.",
      registers,
    }),
    truncateSeconds: new Summary({
      name: "cortex_ingester_tsdb_wal_truncate_duration_seconds",
      help: "Time that deleting segments took.",
      registers,
    }),
    writesFailed: new Counter({
      name: "cortex_ingester_tsdb_wal_writes_failed_total",
      help: "Writes and syncs of the write-ahead log that failed; each one is tried again.",
      registers,
    }),
    fsyncSeconds: new Summary({
      name: "cortex_ingester_tsdb_wal_fsync_duration_seconds",
      help: "Time that fdatasync of the write-ahead log took.",
      registers,
    }),
    writtenBytes: new Counter({
      name: "muninn_wal_written_bytes_total",
      help: "Bytes written to the write-ahead log.",
      registers,
    }),
    groupRecords: new Histogram({
      name: "muninn_wal_group_records",
      help: "Records that one write of the write-ahead log took along (group commit).",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
      registers,
    }),
    blocked: new Gauge({
      name: "muninn_wal_blocked",
      help: "1 while the disk refuses writes of the write-ahead log, so that pushes are refused.",
      registers,
    }),
    pendingBytes: new Gauge({
      name: "muninn_wal_pending_bytes",
      help: "Bytes of the write-ahead log in memory: waiting for a write, or kept until they are synced.",
      registers,
    }),
  };
}
