/** How a distributor behaves; keys and defaults are Mimir's (`-distributor.…`) where Mimir has them. */
export interface DistributorOptions {
  /** Largest body as sent, and largest length that a snappy block may declare. */
  readonly maxRecvMsgSizeBytes: number;
  /** An ingester that has not answered by then counts as failed. Higher rides out slow disks, holds more bodies. */
  readonly remoteTimeoutMs: number;
  /**
   * Series remembered as valid, over all tenants. About 90 bytes each; series beyond it cost a microsecond
   * each time they come.
   */
  readonly knownSeriesMax: number;
  /** A series that nobody sends for this long (up to twice as long) is forgotten. */
  readonly knownSeriesIdleMs: number;
  /** Per-tenant state and metrics go when nothing came from the tenant for this long. */
  readonly tenantIdleMs: number;
  /** Kernel buffers that one large request has grown beyond this are given back. */
  readonly retainedBufferBytesMax: number;
  readonly replicationFactor: number;
}

/** Protection of the process; 0 is no limit. Read on every push: the runtime file may change it. */
export interface InstanceLimits {
  /** Samples a second, all tenants together (moving average). */
  readonly maxIngestionRate: number;
  readonly maxInflightPushRequests: number;
  readonly maxInflightPushRequestsBytes: number;
}

const MEBIBYTE = 1024 * 1024;

export const DISTRIBUTOR_DEFAULTS: DistributorOptions = {
  maxRecvMsgSizeBytes: 100 * MEBIBYTE,
  remoteTimeoutMs: 2_000,
  knownSeriesMax: 10_000_000,
  knownSeriesIdleMs: 20 * 60_000,
  tenantIdleMs: 15 * 60_000,
  retainedBufferBytesMax: 32 * MEBIBYTE,
  replicationFactor: 1,
};

export const INSTANCE_LIMITS_DEFAULTS: InstanceLimits = {
  maxIngestionRate: 0,
  maxInflightPushRequests: 2_000,
  maxInflightPushRequestsBytes: 0,
};
