import { DEFAULT_HEAD_CHUNK_OPTIONS } from "../tsdb/head-chunks/options.ts";
import type { WalOptions } from "../tsdb/wal/options.ts";

export interface IngesterOptions {
  /** One folder a tenant under this one. */
  readonly tsdbDirectory: string;
  readonly wal: WalOptions;
  /** Chunks never span a multiple of this (2 h, Prometheus' block range). */
  readonly chunkRangeMs: number;
  /** Samples this much older than the tenant's newest one leave the head. */
  readonly retentionPeriodMs: number;
  /**
   * A series without samples for this long gives up its open chunk's memory (the chunk goes to the file of closed ones).
   * Lower: less memory for series that come and go, more and shorter chunks. 0 is never.
   */
  readonly chunkIdleTimeoutMs: number;
  /** Closed chunks of a tenant that are gathered before they are written. */
  readonly headChunkWriteBufferBytes: number;
  /** A tenant without pushes for this long, whose samples are all past retention, is closed and its files removed. */
  readonly closeIdleTimeoutMs: number;
  /** How often retention, checkpoints and idle tenants are looked at. */
  readonly maintenancePeriodMs: number;
  /**
   * A checkpoint is written when the log has grown by this much, and by the size of the last checkpoint, since the last
   * one. Higher: fewer bytes written, longer replay after a crash.
   */
  readonly checkpointBytes: number;
  /** A series counts as active this long after its last sample. */
  readonly activeSeriesIdleTimeoutMs: number;
  /** Kernel memory of one tenant beyond which its new samples are refused. */
  readonly headMemoryBytesMax: number;
}

/**
 * 0 = unlimited. They protect the process, not a tenant: what they refuse is answered with 5xx and retried.
 * The runtime file can change them.
 */
export interface IngesterInstanceLimits {
  /** Samples a second, all tenants together (moving average). */
  readonly maxIngestionRate: number;
  readonly maxTenants: number;
  readonly maxSeries: number;
  readonly maxInflightPushRequests: number;
  readonly maxInflightPushRequestsBytes: number;
}

export const INGESTER_INSTANCE_LIMITS_DEFAULTS: IngesterInstanceLimits = {
  maxIngestionRate: 0,
  maxTenants: 0,
  maxSeries: 0,
  maxInflightPushRequests: 30_000,
  maxInflightPushRequestsBytes: 0,
};

export const DEFAULT_INGESTER_OPTIONS = {
  chunkRangeMs: 2 * 3600_000,
  retentionPeriodMs: 13 * 3600_000,
  chunkIdleTimeoutMs: 3600_000,
  headChunkWriteBufferBytes: DEFAULT_HEAD_CHUNK_OPTIONS.writeBufferBytes,
  closeIdleTimeoutMs: 13 * 3600_000,
  maintenancePeriodMs: 60_000,
  checkpointBytes: 128 * 1024 * 1024,
  activeSeriesIdleTimeoutMs: 20 * 60_000,
  headMemoryBytesMax: 3.5 * 2 ** 30,
} as const satisfies Omit<IngesterOptions, "tsdbDirectory" | "wal">;
