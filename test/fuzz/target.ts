export type FuzzVerdict = "accepted" | "refused";

/** A decoder under fuzz. The number of a run, with the seed, says all that it does. */
export interface FuzzTarget {
  /** Throws on a finding. */
  run(index: number): FuzzVerdict | Promise<FuzzVerdict>;
}

/** A target keeps its state over the runs of a batch; a batch starts at a multiple of this, for replays. */
export const RUNS_PER_BATCH = 256;
