import type { Labels } from "../model/labels.ts";
import { compareLabels, compareText } from "../promql/label-ops.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type {
  LabelsRequest,
  Queryable,
  SelectRequest,
  SeriesRequest,
} from "../storage/queryable.ts";
import { mergeSeriesSets } from "./merge.ts";
import { checkSelectLimits } from "./select-limits.ts";

/**
 * Several sources of series behind one Queryable: all are asked at once, and a failure of one fails the
 * request (which of them may be missing is the business of the ring, not of this class).
 */
class MergedQueryable implements Queryable {
  readonly #sources: readonly Queryable[];

  constructor(sources: readonly Queryable[]) {
    this.#sources = sources;
  }

  async select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    // Replicas of a series are found by their labels, so here all labels are wanted.
    const { labelsWanted: _, ...everyLabel } = request;
    const sets = await this.#ask((source) => source.select(tenant, everyLabel));
    const merged = mergeSeriesSets(sets);
    // Each source has kept to the limits on its own; together they may have passed them.
    const bytes = merged.data.byteLength;
    const chunks = merged.chunkByteOffsets.length;
    checkSelectLimits({ series: merged.seriesCount, chunks, bytes }, request.limits);
    return merged;
  }

  async labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    const names = await this.#ask((source) => source.labelNames(tenant, request));
    return union(names, request.limit);
  }

  async labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const values = await this.#ask((source) => source.labelValues(tenant, name, request));
    return union(values, request.limit);
  }

  async series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    const answers = await this.#ask((source) => source.series(tenant, request));
    const distinct = uniqueLabels(answers.flat());
    const { seriesMax } = request;
    checkSelectLimits({ series: distinct.length }, { seriesMax, chunksMax: 0, chunkBytesMax: 0 });
    return request.limit > 0 ? distinct.slice(0, request.limit) : distinct;
  }

  #ask<Answer>(question: (source: Queryable) => Promise<Answer>): Promise<Answer[]> {
    return Promise.all(this.#sources.map(question));
  }
}

/** With one source, that source itself. */
export function mergedQueryable(sources: readonly Queryable[]): Queryable {
  const [only] = sources;
  return only !== undefined && sources.length === 1 ? only : new MergedQueryable(sources);
}

function union(lists: readonly string[][], limit: number): string[] {
  const sorted = [...new Set(lists.flat())].sort(compareText);
  return limit > 0 ? sorted.slice(0, limit) : sorted;
}

function uniqueLabels(all: readonly Labels[]): Labels[] {
  const sorted = [...all].sort(compareLabels);
  return sorted.filter(
    (labels, i) => i === 0 || compareLabels(labels, sorted[i - 1] as Labels) !== 0,
  );
}
