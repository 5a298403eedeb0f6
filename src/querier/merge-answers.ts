/**
 * One answer out of those that several holders of series gave to the same request. What is in more than one is there once,
 * and limits are checked again: each holder has kept to them on its own, together they may have passed them.
 */
import type { Labels } from "../model/labels.ts";
import { compareLabels, compareText } from "../promql/label-ops.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type { SelectLimits, SelectRequest, SeriesRequest } from "../storage/queryable.ts";
import { mergeSeriesSets } from "./merge.ts";
import { checkSelectLimits } from "./select-limits.ts";

/** What to ask each of several holders: replicas of a series are found by their labels, so all labels are wanted. */
export function withEveryLabel(request: SelectRequest): SelectRequest {
  const { labelsWanted: _, ...everyLabel } = request;
  return everyLabel;
}

/** The sets must carry all labels; they are given away. */
export function mergeSelected(
  sets: readonly EncodedSeriesSet[],
  limits: SelectLimits,
): EncodedSeriesSet {
  const merged = mergeSeriesSets(sets);
  let bytes = 0;
  for (const lengthBytes of merged.chunkByteLengths) bytes += lengthBytes;
  const chunks = merged.chunkByteLengths.length;
  checkSelectLimits({ series: merged.seriesCount, chunks, bytes }, limits);
  return merged;
}

/** Label names or values, sorted. */
export function mergeTexts(
  lists: readonly (readonly string[])[],
  { limit }: { readonly limit: number },
): string[] {
  return cut([...new Set(lists.flat())].sort(compareText), limit);
}

export function mergeLabelSets(
  answers: readonly (readonly Labels[])[],
  { limit, seriesMax }: Pick<SeriesRequest, "limit" | "seriesMax">,
): Labels[] {
  const sorted = answers.flat().sort(compareLabels);
  const distinct = sorted.filter(
    (labels, i) => i === 0 || compareLabels(labels, sorted[i - 1] as Labels) !== 0,
  );
  checkSelectLimits({ series: distinct.length }, { seriesMax, chunksMax: 0, chunkBytesMax: 0 });
  return cut(distinct, limit);
}

function cut<Item>(sorted: Item[], limit: number): Item[] {
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}
