/**
 * Answers queries of one process. The main thread only parses, plans and fetches encoded chunks; a worker thread
 * decodes and evaluates (design.md section 8). Whatever ends a query early (its time, its client) also ends its
 * work: a queue place is given back, a worker that still runs is killed and replaced.
 *
 *     parse, limits ──► gate ──► select each selector ──► worker ──► JSON of the result
 *                       429      422 (limits)             422        (timeout 503, gone 499 at any point)
 */
import { Buffer } from "node:buffer";
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { Labels } from "../model/labels.ts";
import type { Limits, LimitsSource } from "../model/limits.ts";
import type { Matcher } from "../model/matchers.ts";
import type { SelectorPlan } from "../promql/plan.ts";
import type { QueryAnswer as WorkerAnswer } from "../promql/worker.ts";
import { type EncodedSeriesSet, emptySeriesSet, transferList } from "../storage/encoded-series.ts";
import type { LabelsRequest, Queryable, SelectLimits } from "../storage/queryable.ts";
import type { WorkerPool } from "../sys/worker-pool.ts";
import { type EvaluationOptions, jobFor, planned, readAnswer } from "./evaluation.ts";
import type { QuerierMetrics } from "./metrics.ts";
import type { QuerierOptions } from "./options.ts";
import { QueryDeadline } from "./query-deadline.ts";
import type { QueryGate } from "./query-gate.ts";
import { newQueryStats, type QueryStats } from "./query-stats.ts";
import {
  alignWindow,
  checkExpressionSize,
  checkQueryLength,
  clampWindow,
  earliestMs,
  labelsWindow,
  type QueryWindow,
} from "./query-window.ts";
import { checkSelectLimits } from "./select-limits.ts";

export interface QueryRequest extends QueryWindow {
  readonly query: string;
  /** In place of the configured one. */
  readonly lookbackMs: number | undefined;
  /** Can only shorten the configured one. */
  readonly timeoutMs: number | undefined;
  /** Series in the answer; 0 = all. */
  readonly limit: number;
}

export interface QueryAnswer {
  /** `{"resultType":…,"result":…}` */
  readonly json: Uint8Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export interface LabelsQuery {
  readonly matcherSets: readonly (readonly Matcher[])[];
  readonly startMs: number;
  readonly endMs: number;
  /** 0 = all. */
  readonly limit: number;
}

/** `truncated`: there was more than the limit. */
export interface Listed<Item> {
  readonly items: readonly Item[];
  readonly truncated: boolean;
}

export interface QuerierDependencies {
  readonly queryable: Queryable;
  readonly gate: QueryGate;
  readonly pool: WorkerPool;
  readonly limits: LimitsSource;
  readonly clock: Clock;
  readonly metrics: QuerierMetrics;
}

export class Querier {
  readonly #options: QuerierOptions;
  readonly #deps: QuerierDependencies;

  constructor(options: QuerierOptions, deps: QuerierDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  /** `stats` is filled in while the query runs. Rejects with an OpError for whatever the client or the operator can do something about. */
  async query(
    tenant: string,
    asked: QueryRequest,
    client: AbortSignal,
    stats: QueryStats = newQueryStats(),
  ): Promise<QueryAnswer> {
    const limits = this.#deps.limits.forTenant(tenant);
    const request = alignWindow(asked, limits);
    checkExpressionSize(Buffer.byteLength(request.query), limits);
    const earliest = earliestMs(limits, this.#deps.clock.nowMs());
    const options = {
      ...this.#options,
      lookbackMs: request.lookbackMs ?? this.#options.lookbackMs,
    };
    const reachable = clampWindow(request, earliest);
    // Out of reach or not, a wrong query is told that it is wrong.
    const window = reachable ?? request;
    const selectors = planned(request.query, window, limits, options);
    if (reachable === undefined) return nothingInReach(request);
    checkQueryLength(queriedMs(window, selectors), limits);
    const work = { request, window, selectors, limits, earliest, options };
    const timeoutMs = Math.min(request.timeoutMs ?? Infinity, this.#options.timeoutMs);
    const deadline = new QueryDeadline(timeoutMs, client, this.#deps.clock);
    try {
      return await this.#run(tenant, work, deadline, stats);
    } finally {
      deadline.close();
      this.#count(tenant, stats);
    }
  }

  labelNames(tenant: string, query: LabelsQuery, client: AbortSignal): Promise<Listed<string>> {
    return this.#list(tenant, query, client, (request) =>
      this.#deps.queryable.labelNames(tenant, request),
    );
  }

  labelValues(
    tenant: string,
    name: string,
    query: LabelsQuery,
    client: AbortSignal,
  ): Promise<Listed<string>> {
    return this.#list(tenant, query, client, (request) =>
      this.#deps.queryable.labelValues(tenant, name, request),
    );
  }

  series(tenant: string, query: LabelsQuery, client: AbortSignal): Promise<Listed<Labels>> {
    const seriesMax = this.#deps.limits.forTenant(tenant).maxFetchedSeriesPerQuery;
    return this.#list(tenant, query, client, (request) =>
      this.#deps.queryable.series(tenant, { ...request, seriesMax }),
    );
  }

  async #run(
    tenant: string,
    work: QueryWork,
    deadline: QueryDeadline,
    stats: QueryStats,
  ): Promise<QueryAnswer> {
    const leave = await this.#enter(tenant, deadline, stats);
    try {
      deadline.stage = "query execution";
      const sets = await this.#fetch(tenant, work, deadline, stats);
      deadline.stage = "expression evaluation";
      return await this.#evaluate(work, sets, deadline, stats);
    } finally {
      leave();
    }
  }

  async #enter(tenant: string, deadline: QueryDeadline, stats: QueryStats): Promise<() => void> {
    const { clock, gate, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    try {
      return await gate.enter(tenant, deadline.signal);
    } catch (error) {
      if (error instanceof OpError && error.code === "too-many-requests") {
        metrics.discarded.inc({ user: tenant });
      }
      throw error;
    } finally {
      stats.queueMs = clock.monotonicMs() - startMs;
      metrics.queueDuration.observe({ user: tenant }, stats.queueMs / 1000);
    }
  }

  /** One set per selector, in their order. */
  async #fetch(
    tenant: string,
    { selectors, limits, earliest }: QueryWork,
    deadline: QueryDeadline,
    stats: QueryStats,
  ): Promise<EncodedSeriesSet[]> {
    const { clock, queryable } = this.#deps;
    const startMs = clock.monotonicMs();
    const answers = selectors.map((selector) => {
      const minTimeMs = Math.max(selector.minTimeMs, earliest);
      if (minTimeMs > selector.maxTimeMs) return Promise.resolve(emptySeriesSet());
      const { signal } = deadline;
      const bounded = { ...selector, minTimeMs, limits: selectLimits(limits), signal };
      return queryable.select(tenant, bounded);
    });
    try {
      const sets = await deadline.race(Promise.all(answers));
      countFetched(sets, stats);
      // Each selector has kept to the limits on its own; the limits are the whole query's.
      const { fetchedSeries: series, fetchedChunks: chunks, fetchedChunkBytes: bytes } = stats;
      checkSelectLimits({ series, chunks, bytes }, selectLimits(limits));
      return sets;
    } finally {
      stats.fetchMs = clock.monotonicMs() - startMs;
    }
  }

  async #evaluate(
    { request, window, limits, options }: QueryWork,
    sets: readonly EncodedSeriesSet[],
    deadline: QueryDeadline,
    stats: QueryStats,
  ): Promise<QueryAnswer> {
    const { clock, pool } = this.#deps;
    const startMs = clock.monotonicMs();
    const job = jobFor(request.query, window, sets, limits, options);
    const transfer = sets.flatMap((set) => transferList(set));
    try {
      const answer = readAnswer((await pool.run(job, transfer, deadline.signal)) as WorkerAnswer);
      stats.peakSamples = answer.stats.peakSamples;
      stats.decodedSamples = answer.stats.decodedSamples;
      const ofSources = new Set(sets.flatMap(({ warnings = [] }) => warnings));
      return { ...answer, warnings: [...ofSources, ...answer.warnings] };
    } finally {
      stats.evaluationMs = clock.monotonicMs() - startMs;
    }
  }

  async #list<Item>(
    tenant: string,
    query: LabelsQuery,
    client: AbortSignal,
    ask: (request: LabelsRequest) => Promise<Item[]>,
  ): Promise<Listed<Item>> {
    const { clock, limits } = this.#deps;
    const window = labelsWindow(query, limits.forTenant(tenant), clock.nowMs());
    if (window === undefined) return { items: [], truncated: false };
    const deadline = new QueryDeadline(this.#options.timeoutMs, client, clock);
    deadline.stage = "query execution";
    try {
      // One more than wanted tells whether there is more.
      const limit = query.limit > 0 ? query.limit + 1 : 0;
      const { matcherSets } = query;
      const { signal } = deadline;
      const items = await deadline.race(ask({ matcherSets, ...window, limit, signal }));
      const truncated = query.limit > 0 && items.length > query.limit;
      return { items: truncated ? items.slice(0, query.limit) : items, truncated };
    } finally {
      deadline.close();
    }
  }

  #count(tenant: string, stats: QueryStats): void {
    const { metrics } = this.#deps;
    const user = { user: tenant };
    metrics.fetchedSeries.inc(user, stats.fetchedSeries);
    metrics.fetchedChunks.inc(user, stats.fetchedChunks);
    metrics.fetchedChunkBytes.inc(user, stats.fetchedChunkBytes);
    metrics.samplesProcessed.inc(user, stats.decodedSamples);
    const workMs = stats.fetchMs + stats.evaluationMs;
    metrics.querySeconds.inc({ sharded: "false", user: tenant }, workMs / 1000);
    metrics.stageDuration.observe({ stage: "queue" }, stats.queueMs / 1000);
    metrics.stageDuration.observe({ stage: "fetch" }, stats.fetchMs / 1000);
    metrics.stageDuration.observe({ stage: "evaluation" }, stats.evaluationMs / 1000);
  }
}

interface QueryWork {
  readonly request: QueryRequest;
  /** What is left of the request's. */
  readonly window: QueryWindow;
  readonly selectors: readonly SelectorPlan[];
  readonly limits: Limits;
  readonly earliest: number;
  readonly options: EvaluationOptions;
}

/** Everything asked for lies before max_query_lookback. */
function nothingInReach(request: QueryRequest): QueryAnswer {
  const resultType = request.stepMs === 0 ? "vector" : "matrix";
  const json = Buffer.from(`{"resultType":"${resultType}","result":[]}`);
  return { json, warnings: [], infos: [] };
}

function queriedMs(window: QueryWindow, selectors: readonly SelectorPlan[]): number {
  if (window.stepMs > 0) return window.endMs - window.startMs;
  return Math.max(0, ...selectors.map((selector) => selector.maxTimeMs - selector.minTimeMs));
}

function selectLimits(limits: Limits): SelectLimits {
  return {
    seriesMax: limits.maxFetchedSeriesPerQuery,
    chunksMax: limits.maxFetchedChunksPerQuery,
    chunkBytesMax: limits.maxFetchedChunkBytesPerQuery,
  };
}

/** Before the sets are given away. The chunks' bytes are not looked at: they have not been read since they came. */
function countFetched(sets: readonly EncodedSeriesSet[], stats: QueryStats): void {
  for (const { seriesCount, chunkByteLengths } of sets) {
    stats.fetchedSeries += seriesCount;
    stats.fetchedChunks += chunkByteLengths.length;
    for (const lengthBytes of chunkByteLengths) stats.fetchedChunkBytes += lengthBytes;
  }
}
