/** How pairs are followed; what differs by tenant is in its limits (`ha_…`). Times are Mimir's. */
export interface HaTrackerOptions {
  /** Pairs are looked through for silent ones this often, up to a fifth earlier or later. */
  readonly cleanupPeriodMs: number;
  /** A pair without a sign of life for this long is removed. */
  readonly idleMs: number;
}

export const HA_TRACKER_DEFAULTS: HaTrackerOptions = {
  cleanupPeriodMs: 30 * 60_000,
  idleMs: 30 * 60_000,
};

/** Pairs of a tenant that may have as many as it likes: something must bound what a sender can make us hold. */
export const CLUSTERS_MAX = 10_000;
