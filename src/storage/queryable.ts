import type { Labels } from "../model/labels.ts";
import type { Matcher } from "../model/matchers.ts";
import type { EncodedSeriesSet } from "./encoded-series.ts";

/** What a querier asks of anything that holds series: a head, an ingester, a store-gateway, a merge of them. */
export interface Queryable {
  /** Series with at least one sample possibly in [minTimeMs, maxTimeMs] that satisfy all matchers. */
  select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet>;
  labelNames(tenant: string, request: LabelsRequest): Promise<string[]>;
  labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]>;
  /** Label sets only. */
  series(tenant: string, request: SeriesRequest): Promise<Labels[]>;
}

/** All matchers must hold. Bounds are inclusive on both ends. */
export interface SelectRequest {
  readonly matchers: readonly Matcher[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /**
   * Only these labels are needed (sorted); others may be left out of the answer. Absent: all labels.
   * The answer then may hold two series with equal labels: they are still two series.
   */
  readonly labelsWanted?: readonly string[];
  readonly limits: SelectLimits;
  /** Nobody waits for the answer any more: work on it may end, and the promise reject. */
  readonly signal?: AbortSignal | undefined;
}

/** 0 = unlimited. Passing one fails the request with an OpError (codes max-series-per-query, max-chunks-per-query, max-chunks-bytes-per-query). */
export interface SelectLimits {
  readonly seriesMax: number;
  readonly chunksMax: number;
  readonly chunkBytesMax: number;
}

/** Union over `matcherSets`; an empty list asks for everything. `limit` 0 = unlimited; answers are sorted. */
export interface LabelsRequest {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly limit: number;
  /** As in SelectRequest. */
  readonly signal?: AbortSignal | undefined;
}

export interface SeriesRequest extends LabelsRequest {
  readonly seriesMax: number;
}
