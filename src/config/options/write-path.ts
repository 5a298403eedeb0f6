/** Distributor, ingester and head: how samples come in and where they stay. */
import { bool, choice, duration, float, int, path, size } from "../option.ts";

export const distributorOptions = {
  maxRecvMsgSizeBytes: size({
    yaml: "distributor.max_recv_msg_size",
    default: "100MiB",
    min: 1,
    doc: "Largest body of a push, as sent and also after decompression.",
  }),
  remoteTimeoutMs: duration({
    yaml: "distributor.remote_timeout",
    default: "2s",
    min: 1,
    doc: "How long an ingester may take to store a push. After that the sender gets 500 and repeats it, which does no harm if the samples were stored after all.",
  }),
  haTracker: {
    enable: bool({
      yaml: "distributor.ha_tracker.enable_ha_tracker",
      flag: "distributor.ha-tracker.enable",
      default: false,
      scope: "cluster",
      doc: "Follow pairs of Prometheus servers that send the same, for tenants with `accept_ha_samples`. Without it such tenants are treated as any other.",
    }),
  },
  instanceLimits: {
    maxIngestionRate: float({
      yaml: "distributor.instance_limits.max_ingestion_rate",
      default: 0,
      doc: "Samples a second this distributor takes from all tenants together. 0 is no limit. The runtime file can change it.",
    }),
    maxInflightPushRequests: int({
      yaml: "distributor.instance_limits.max_inflight_push_requests",
      default: 2000,
      doc: "Pushes under way at once in this distributor. 0 is no limit. The runtime file can change it.",
    }),
    maxInflightPushRequestsBytes: size({
      yaml: "distributor.instance_limits.max_inflight_push_requests_bytes",
      default: "0",
      doc: "Bytes of the pushes under way at once in this distributor. 0 is no limit. The runtime file can change it.",
    }),
  },
};

export const ingesterOptions = {
  instanceLimits: {
    maxIngestionRate: float({
      yaml: "ingester.instance_limits.max_ingestion_rate",
      default: 0,
      doc: "Samples a second this ingester takes from all tenants together. 0 is no limit. The runtime file can change it.",
    }),
    maxTenants: int({
      yaml: "ingester.instance_limits.max_tenants",
      default: 0,
      doc: "Tenants with an open head in this ingester. 0 is no limit. The runtime file can change it.",
    }),
    maxSeries: int({
      yaml: "ingester.instance_limits.max_series",
      default: 0,
      doc: "Series in memory in this ingester, all tenants together. 0 is no limit. The runtime file can change it.",
    }),
    maxInflightPushRequests: int({
      yaml: "ingester.instance_limits.max_inflight_push_requests",
      default: 30_000,
      doc: "Pushes under way at once in this ingester. 0 is no limit. The runtime file can change it.",
    }),
    maxInflightPushRequestsBytes: size({
      yaml: "ingester.instance_limits.max_inflight_push_requests_bytes",
      default: "0",
      doc: "Bytes of the pushes under way at once in this ingester. 0 is no limit. The runtime file can change it.",
    }),
  },
  wal: {
    dir: path({
      yaml: "ingester.wal.dir",
      default: "",
      underDataDir: "wal",
      doc: "Directory of the write-ahead log, which all tenants share.",
    }),
    sync: choice(["none", "interval", "commit"], {
      yaml: "ingester.wal.sync",
      default: "interval",
      basic: true,
      doc: "When the log is forced to the disk. `none`: when the system does it; a crash of the machine loses what it had not written, a crash of the process nothing. `interval`: every `sync_interval`; a crash of the machine loses at most that. `commit`: before each acknowledgement; nothing acknowledged is lost, at the cost of one disk flush a group of pushes.",
    }),
    syncIntervalMs: duration({
      yaml: "ingester.wal.sync_interval",
      default: "1s",
      min: 1,
      doc: "Time between two flushes with `sync: interval`.",
    }),
    onCorruption: choice(["fail", "quarantine"], {
      yaml: "ingester.wal.on_corruption",
      default: "fail",
      doc: "What to do at start about a log that is damaged elsewhere than at its end. `fail`: do not start, and say where the damage is. `quarantine`: set the rest of the damaged file aside and go on without its samples.",
    }),
    segmentSizeBytes: size({
      yaml: "blocks_storage.tsdb.wal_segment_size_bytes",
      default: "128MiB",
      min: 1 << 20,
      max: 2 ** 30,
      doc: "Size at which the log starts a new file. Smaller files free disk space sooner after a checkpoint, at the cost of more files.",
    }),
  },
};

export const tsdbOptions = {
  dir: path({
    yaml: "blocks_storage.tsdb.dir",
    default: "",
    underDataDir: "tsdb",
    doc: "Directory of the heads: one folder a tenant.",
  }),
  retentionPeriodMs: duration({
    yaml: "blocks_storage.tsdb.retention_period",
    default: "13h",
    basic: true,
    doc: "Samples older than this leave the head and this machine.",
  }),
  closeIdleTsdbTimeoutMs: duration({
    yaml: "blocks_storage.tsdb.close_idle_tsdb_timeout",
    default: "13h",
    doc: "A tenant without writes for this long, and with nothing left to keep, gives up its memory. 0 is never.",
  }),
  blockRangeMs: duration({
    yaml: "blocks_storage.tsdb.block_ranges_period",
    default: "2h",
    min: 60_000,
    acceptsListOfOne: true,
    aliases: ["ingester.max_chunk_age"],
    doc: "Length of a block, aligned to the epoch. A chunk never spans two of them, so this is also the oldest that an open chunk can get.",
  }),
  headChunkIdleTimeoutMs: duration({
    yaml: "blocks_storage.tsdb.head_compaction_idle_timeout",
    default: "1h",
    aliases: ["ingester.chunk_idle_period"],
    doc: "Series without new samples for this long give up their open chunk's memory. 0 is never.",
  }),
  headChunksWriteBufferSizeBytes: size({
    yaml: "blocks_storage.tsdb.head_chunks_write_buffer_size_bytes",
    default: "4MiB",
    min: 1 << 16,
    max: 1 << 28,
    aliases: ["ingester.chunks_write_buffer_size"],
    doc: "Buffer in front of the file of closed chunks, one a tenant. Bigger means fewer and longer writes, at the cost of memory.",
  }),
};
