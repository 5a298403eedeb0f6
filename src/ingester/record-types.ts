/** Types of the ingester's records in the WAL; payloads in docs/formats/wal-records.md. */
export const RECORD = {
  /** Pairs, series, series states, removals. */
  entries: 1,
  rows: 2,
  /** All tenants' states follow, then `checkpointEnd`: from here on the log alone says everything. No payload. */
  checkpointBegin: 3,
  checkpointEnd: 4,
  /** The tenant's head is gone, with all it held. No payload. */
  tenantClosed: 5,
} as const;

/** Checkpoint records belong to no tenant; no tenant can have this name. */
export const NO_TENANT = "/";
