/** Which rows of a request are stored, by what the tracker says of the pairs that they come from. */
import { HA_PAIR_REFUSED, type HaPair } from "../../kernel/host/ha-pairs.ts";
import type { IntakeRows } from "../../kernel/host/intake.ts";
import { addTo } from "../metrics.ts";
import type { HaVerdict } from "./ha-tracker.ts";

export interface ElectedRows {
  /** Rising; undefined: all of them. */
  readonly kept: Uint32Array | undefined;
  readonly keptSamples: number;
  /** Samples of replicas that are not elected, by cluster. */
  readonly deduped: ReadonlyMap<string, number>;
  /** Samples of clusters that are too many for the tenant. */
  readonly refusedSamples: number;
  /** Samples of no pair. */
  readonly nonHaSamples: number;
}

/** `decide` is asked once for each pair in the request. */
export function electedRows(
  { seriesCount, sampleOffsets, timestampsMs }: IntakeRows,
  { numbers, pairs }: NonNullable<IntakeRows["ha"]>,
  decide: (pair: HaPair) => HaVerdict,
): ElectedRows {
  const verdicts = new Map<number, HaVerdict>();
  const verdictOf = (number: number): HaVerdict => {
    const pair = pairs[number - 1];
    if (pair === undefined) return number === HA_PAIR_REFUSED ? "too-many-clusters" : "accept";
    const verdict = verdicts.get(number) ?? decide(pair);
    verdicts.set(number, verdict);
    return verdict;
  };
  const deduped = new Map<string, number>();
  const kept = new Uint32Array(seriesCount);
  let keptCount = 0;
  let refusedSamples = 0;
  let nonHaSamples = 0;
  let keptSamples = timestampsMs.length;
  let from = 0;
  while (from < seriesCount) {
    // Rows of a pair lie together, mostly all of them.
    const number = numbers[from] ?? 0;
    let to = from + 1;
    while (to < seriesCount && numbers[to] === number) to++;
    const samples = (sampleOffsets[to] ?? 0) - (sampleOffsets[from] ?? 0);
    const verdict = verdictOf(number);
    if (number === 0) nonHaSamples += samples;
    if (verdict === "accept") for (let row = from; row < to; row++) kept[keptCount++] = row;
    else keptSamples -= samples;
    if (verdict === "drop") addTo(deduped, pairs[number - 1]?.cluster ?? "", samples);
    if (verdict === "too-many-clusters") refusedSamples += samples;
    from = to;
  }
  const isAll = keptCount === seriesCount;
  return {
    kept: isAll ? undefined : kept.subarray(0, keptCount),
    keptSamples,
    deduped,
    refusedSamples,
    nonHaSamples,
  };
}
