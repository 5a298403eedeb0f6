/** The step of a push that leaves out what replicas send that are not elected, with its counts and its housekeeping. */
import type { IntakeKernel, IntakeRows } from "../kernel/host/intake.ts";
import type { Limits } from "../model/limits.ts";
import { electedRows } from "./ha-tracker/elected-rows.ts";
import type { HaTracker } from "./ha-tracker/ha-tracker.ts";
import { addTo } from "./metrics.ts";
import type { TenantState, Tenants } from "./tenants.ts";

export interface KeptRows {
  /** Rising row numbers, no view of kernel memory; undefined: all rows. */
  readonly kept: Uint32Array | undefined;
  /** Samples in them. */
  readonly samples: number;
  /** Samples of HA clusters that are too many. */
  readonly refusedSamples: number;
}

/** A tenant's series are checked once more after that: not more often than what a pair needs to be forgotten. */
const CLEANUPS_PER_NEW_PAIRS = 30;

export class HaDedup {
  readonly #tracker: HaTracker | undefined;
  readonly #kernel: IntakeKernel;
  #cleanups = 0;

  /** Without a tracker all rows are kept. */
  constructor(tracker: HaTracker | undefined, kernel: IntakeKernel) {
    this.#tracker = tracker;
    this.#kernel = kernel;
  }

  elect(tenant: string, state: TenantState, limits: Limits, rows: IntakeRows): KeptRows {
    const tracker = this.#tracker;
    if (rows.ha === undefined || tracker === undefined) {
      return { kept: undefined, samples: rows.timestampsMs.length, refusedSamples: 0 };
    }
    const elected = electedRows(rows, rows.ha, (pair) => tracker.decide(tenant, pair, limits));
    const { kept, keptSamples, deduped, refusedSamples, nonHaSamples } = elected;
    const { counts } = state;
    counts.nonHaSamples += nonHaSamples;
    for (const [cluster, samples] of deduped) addTo(counts.dedupedSamples, cluster, samples);
    if (refusedSamples > 0) {
      state.hasTooManyPairs = true;
      addTo(counts.discardedSamples, "too_many_ha_clusters", refusedSamples);
    }
    return { kept, samples: keptSamples, refusedSamples };
  }

  /** Once a minute: counts of clusters that are followed no more go, and pairs, where they have become too many over time. */
  cleanUp(tenants: Tenants): void {
    this.#cleanups++;
    for (const [tenant, state] of tenants.all) {
      const { dedupedSamples } = state.counts;
      for (const cluster of dedupedSamples.keys()) {
        if (this.#tracker?.follows(tenant, cluster) !== true) dedupedSamples.delete(cluster);
      }
      if (!state.hasTooManyPairs || this.#cleanups % CLEANUPS_PER_NEW_PAIRS !== 0) continue;
      state.hasTooManyPairs = false;
      this.#kernel.forgetTenant(tenant);
    }
  }
}
