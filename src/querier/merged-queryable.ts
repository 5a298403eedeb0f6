import type { Labels } from "../model/labels.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type {
  LabelsRequest,
  Queryable,
  SelectRequest,
  SeriesRequest,
} from "../storage/queryable.ts";
import { mergeLabelSets, mergeSelected, mergeTexts, withEveryLabel } from "./merge-answers.ts";

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
    const everyLabel = withEveryLabel(request);
    const sets = await this.#ask((source) => source.select(tenant, everyLabel));
    return mergeSelected(sets, request.limits);
  }

  async labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    return mergeTexts(await this.#ask((source) => source.labelNames(tenant, request)), request);
  }

  async labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const lists = await this.#ask((source) => source.labelValues(tenant, name, request));
    return mergeTexts(lists, request);
  }

  async series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    return mergeLabelSets(await this.#ask((source) => source.series(tenant, request)), request);
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
