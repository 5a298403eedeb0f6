/**
 * The Prometheus HTTP API for queries (docs/http-api.md), below the Prometheus prefix. Parameters are read in the order in
 * which Prometheus reads them, so that a request with two faults is told of the same one.
 */
import { Buffer } from "node:buffer";
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from "fastify";
import type { Clock } from "../base/clock.ts";
import { errorMessage, OpError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { requestParameters } from "../http/parameters.ts";
import { routeName } from "../http/route-names.ts";
import { quoteGo } from "../promql/go-text.ts";
import { checkQuery, parseMatcherSets } from "./evaluation.ts";
import { firstSeries, labelSetsJson, type Notes, success, withMember } from "./json.ts";
import { labelNameOfPath } from "./label-name.ts";
import type { QuerierMetrics } from "./metrics.ts";
import type { QuerierOptions } from "./options.ts";
import {
  badData,
  invalidParameter,
  limitOf,
  optionalLookbackMs,
  optionalTimeMs,
  optionalTimeoutMs,
  rangeOf,
  TIME_MAX_MS,
  TIME_MIN_MS,
} from "./parameters.ts";
import type { LabelsQuery, Listed, Querier, QueryRequest } from "./querier.ts";
import { newQueryStats, type QueryStats } from "./query-stats.ts";
import type { QueryWindow } from "./query-window.ts";

const TRUNCATED = "results truncated due to limit";
const NO_NOTES: Notes = { warnings: [], infos: [] };

export interface QueryRouteDependencies {
  readonly querier: Querier;
  readonly metrics: QuerierMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Before anything is read: who asks, and whether queries are let in yet. */
  readonly onRequest: readonly onRequestHookHandler[];
}

export interface QueryRouteOptions extends Pick<QuerierOptions, "logLongerThanMs"> {
  /** "/prometheus" */
  readonly prometheusPrefix: string;
}

export function registerQueryRoutes(
  app: FastifyInstance,
  options: QueryRouteOptions,
  dependencies: QueryRouteDependencies,
): void {
  const routes = new QueryRoutes(options, dependencies);
  const add = (methods: ("GET" | "POST")[], path: string, op: string, handle: Handler): void => {
    const url = `${options.prometheusPrefix}/api/v1/${path}`;
    app.route({
      method: methods,
      url,
      onRequest: [...dependencies.onRequest],
      handler: (request, reply) => routes.serve(request, reply, { op, url, handle }),
    });
  };
  add(["GET", "POST"], "query", "query", (call) => routes.query(call));
  add(["GET", "POST"], "query_range", "query_range", (call) => routes.queryRange(call));
  add(["GET", "POST"], "labels", "label_names_and_values", (call) => routes.labelNames(call));
  add(["GET"], "label/:name/values", "label_names_and_values", (call) => routes.labelValues(call));
  add(["GET", "POST"], "series", "series", (call) => routes.series(call));
  add(["GET"], "metadata", "metadata", (call) => routes.metadata(call));
  add(["GET", "POST"], "query_exemplars", "exemplars", (call) => routes.exemplars(call));
  for (const [methods, path, feature] of ABSENT) {
    const handle = (): Promise<never> => {
      const text = `${options.prometheusPrefix}/api/v1/${path}: ${feature} is not part of this version`;
      return Promise.reject(new OpError("not-found", text));
    };
    add(methods, path, "absent", handle);
  }
}

/** Paths that clients know from Prometheus or Mimir and ask for: they are told what is missing, not that they mistyped. */
const ABSENT: readonly (readonly [methods: ("GET" | "POST")[], path: string, feature: string])[] = [
  [["GET"], "rules", "the ruler"],
  [["GET"], "alerts", "the ruler"],
  [["POST"], "read", "remote read"],
  [["GET", "POST"], "format_query", "formatting of queries"],
  [["GET", "POST"], "cardinality/label_names", "the cardinality API"],
  [["GET", "POST"], "cardinality/label_values", "the cardinality API"],
  [["GET", "POST"], "cardinality/active_series", "the cardinality API"],
];

/** One request as the handlers see it. */
interface Call {
  readonly tenant: string;
  readonly parameters: URLSearchParams;
  /** Of the path. */
  readonly labelName: string;
  /** Aborts when the client goes away. */
  readonly client: AbortSignal;
  readonly stats: QueryStats;
  /** Of a query, once its parameters are read. */
  window: QueryWindow | undefined;
}

type Handler = (call: Call) => Promise<Buffer>;

interface Served {
  readonly op: string;
  readonly url: string;
  readonly handle: Handler;
}

class QueryRoutes {
  readonly #options: QueryRouteOptions;
  readonly #deps: QueryRouteDependencies;

  constructor(options: QueryRouteOptions, dependencies: QueryRouteDependencies) {
    this.#options = options;
    this.#deps = dependencies;
  }

  async serve(request: FastifyRequest, reply: FastifyReply, served: Served): Promise<Buffer> {
    const { clock, metrics } = this.#deps;
    const startMs = clock.monotonicMs();
    const { tenant } = request;
    metrics.queries.inc({ op: served.op, user: tenant });
    const call: Call = {
      tenant,
      parameters: requestParameters(request),
      labelName: (request.params as { name?: string }).name ?? "",
      client: clientSignal(reply),
      stats: newQueryStats(),
      window: undefined,
    };
    const outcome: Outcome = { responseBytes: 0, error: undefined, wallMs: 0 };
    try {
      const body = await served.handle(call);
      outcome.responseBytes = body.length;
      void reply.type("application/json; charset=utf-8");
      return body;
    } catch (error) {
      outcome.error = error;
      if (error instanceof OpError && error.code.startsWith("max-")) {
        metrics.rejected.inc({ reason: error.code });
      }
      throw error;
    } finally {
      outcome.wallMs = clock.monotonicMs() - startMs;
      void reply.header("server-timing", serverTiming(call.stats, outcome.wallMs));
      this.#observe(request, reply, served, outcome.wallMs);
      if (served.op.startsWith("query")) this.#log(request, call, served, outcome);
    }
  }

  async query(call: Call): Promise<Buffer> {
    const { parameters } = call;
    const limit = limitOf(parameters);
    const timeMs = optionalTimeMs(parameters, "time", this.#deps.clock.nowMs());
    const window = { startMs: timeMs, endMs: timeMs, stepMs: 0 };
    return this.#evaluate(call, { ...window, limit, ...queryOptions(parameters) });
  }

  async queryRange(call: Call): Promise<Buffer> {
    const { parameters } = call;
    const limit = limitOf(parameters);
    const range = rangeOf(parameters);
    return this.#evaluate(call, { ...range, limit, ...queryOptions(parameters) });
  }

  async labelNames(call: Call): Promise<Buffer> {
    const query = labelsQuery(call.parameters);
    return listed(await this.#deps.querier.labelNames(call.tenant, query, call.client));
  }

  async labelValues(call: Call): Promise<Buffer> {
    const name = labelNameOfPath(call.labelName);
    if (name === undefined) throw badData(`invalid label name: ${quoteGo(call.labelName)}`);
    const query = labelsQuery(call.parameters);
    return listed(await this.#deps.querier.labelValues(call.tenant, name, query, call.client));
  }

  async series(call: Call): Promise<Buffer> {
    if (call.parameters.getAll("match[]").length === 0) {
      throw badData("no match[] parameter provided");
    }
    const query = labelsQuery(call.parameters, (reason) => invalidParameter("match[]", reason));
    const found = await this.#deps.querier.series(call.tenant, query, call.client);
    return success(labelSetsJson(found.items), notesOf(found));
  }

  /** Nothing is kept of the metadata that senders push: an empty answer, which Grafana takes as "unknown". */
  async metadata(call: Call): Promise<Buffer> {
    limitOf(call.parameters);
    return success("{}", NO_NOTES);
  }

  /** The same for exemplars; a wrong question is told so all the same. */
  async exemplars({ parameters }: Call): Promise<Buffer> {
    const startMs = optionalTimeMs(parameters, "start", TIME_MIN_MS);
    const endMs = optionalTimeMs(parameters, "end", TIME_MAX_MS);
    if (endMs < startMs) throw badData("end timestamp must not be before start timestamp");
    checkQuery(parameters.get("query") ?? "");
    return success("[]", NO_NOTES);
  }

  async #evaluate(call: Call, request: QueryRequest): Promise<Buffer> {
    const { tenant, client, stats } = call;
    call.window = request;
    const answer = await this.#deps.querier.query(tenant, request, client, stats);
    let data = answer.json;
    let { warnings } = answer;
    const cut = request.limit > 0 ? firstSeries(data, request.limit) : undefined;
    if (cut !== undefined) {
      data = cut;
      warnings = [...warnings, TRUNCATED];
    }
    const withStats = (call.parameters.get("stats") ?? "") !== "";
    if (withStats) data = withMember(data, "stats", prometheusStats(stats));
    return success(data, { warnings, infos: answer.infos });
  }

  #observe(request: FastifyRequest, reply: FastifyReply, served: Served, wallMs: number): void {
    const labels = { method: request.method, route: routeName(served.url), ws: "false" };
    const { requestDuration } = this.#deps.metrics;
    // The status of a failure is decided by the server's error table, after this.
    reply.raw.once("close", () => {
      const statusCode = reply.raw.writableEnded ? reply.raw.statusCode : 499;
      requestDuration.observe({ ...labels, status_code: String(statusCode) }, wallMs / 1000);
    });
  }

  #log(request: FastifyRequest, call: Call, served: Served, outcome: Outcome): void {
    const { logLongerThanMs } = this.#options;
    const slow = logLongerThanMs !== 0 && outcome.wallMs > logLongerThanMs;
    const fields = statsFields(request, call, served, outcome, this.#deps.clock.nowMs());
    if (slow) this.#deps.logger.info(fields, "query stats");
    else this.#deps.logger.debug(fields, "query stats");
  }
}

interface Outcome {
  responseBytes: number;
  error: unknown;
  wallMs: number;
}

/** Aborts when the connection closes before the answer is out. */
function clientSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  return controller.signal;
}

function queryOptions(
  parameters: URLSearchParams,
): Pick<QueryRequest, "query" | "timeoutMs" | "lookbackMs"> {
  return {
    timeoutMs: optionalTimeoutMs(parameters),
    lookbackMs: optionalLookbackMs(parameters),
    query: parameters.get("query") ?? "",
  };
}

/** Without `start` and `end`: all of time. */
function labelsQuery(
  parameters: URLSearchParams,
  refuseMatchers: (reason: string) => OpError = badData,
): LabelsQuery {
  const limit = limitOf(parameters);
  const startMs = optionalTimeMs(parameters, "start", TIME_MIN_MS);
  const endMs = optionalTimeMs(parameters, "end", TIME_MAX_MS);
  const matcherSets = parseMatcherSets(parameters.getAll("match[]"), refuseMatchers);
  return { limit, startMs, endMs, matcherSets };
}

function listed(found: Listed<string>): Buffer {
  return success(JSON.stringify(found.items), notesOf(found));
}

function notesOf({ truncated }: { readonly truncated: boolean }): Notes {
  return truncated ? { warnings: [TRUNCATED], infos: [] } : NO_NOTES;
}

function serverTiming(stats: QueryStats, wallMs: number): string {
  const duration = (name: string, ms: number): string => `${name};dur=${ms.toFixed(3)}`;
  const value = (name: string, count: number): string => `${name};val=${count}`;
  return [
    duration("response_time", wallMs),
    duration("querier_wall_time", stats.fetchMs + stats.evaluationMs),
    duration("queue_time", stats.queueMs),
    value("bytes_processed", stats.fetchedChunkBytes),
    value("samples_processed", stats.decodedSamples),
  ].join(", ");
}

/** `stats=all`, in Prometheus' form (seconds). */
function prometheusStats(stats: QueryStats): unknown {
  const { queueMs, fetchMs, evaluationMs } = stats;
  return {
    timings: {
      evalTotalTime: evaluationMs / 1000,
      resultSortTime: 0,
      queryPreparationTime: fetchMs / 1000,
      innerEvalTime: evaluationMs / 1000,
      execQueueTime: queueMs / 1000,
      execTotalTime: (queueMs + fetchMs + evaluationMs) / 1000,
    },
    samples: {
      totalQueryableSamples: stats.decodedSamples,
      peakSamples: stats.peakSamples,
    },
  };
}

const OUTCOMES: Readonly<Record<string, string>> = { canceled: "canceled", timeout: "timeout" };

/** Mimir's keys (reference: its "query stats" line), those that a process without a frontend can fill. */
function statsFields(
  request: FastifyRequest,
  { tenant, parameters, stats, window }: Call,
  served: Served,
  { responseBytes, error, wallMs }: Outcome,
  nowMs: number,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    component: "querier",
    user: tenant,
    method: request.method,
    path: served.url,
    route_name: routeName(served.url),
    user_agent: request.headers["user-agent"] ?? "",
    status: outcomeOf(error),
    response_time: `${wallMs.toFixed(3)}ms`,
    response_size_bytes: responseBytes,
    query_wall_time_seconds: (stats.fetchMs + stats.evaluationMs) / 1000,
    queue_time_seconds: stats.queueMs / 1000,
    fetched_series_count: stats.fetchedSeries,
    fetched_chunks_count: stats.fetchedChunks,
    fetched_chunk_bytes: stats.fetchedChunkBytes,
    samples_processed: stats.decodedSamples,
    ...timeFields(window, nowMs),
  };
  for (const name of ["query", "time", "start", "end", "step"]) {
    const value = parameters.get(name);
    if (value !== null) fields[`param_${name}`] = value;
  }
  if (error !== undefined) fields["err"] = errorMessage(error);
  return fields;
}

function timeFields(window: QueryWindow | undefined, nowMs: number): Record<string, string> {
  if (window === undefined) return {};
  const seconds = (ms: number): string => `${ms / 1000}s`;
  return {
    length: seconds(window.endMs - window.startMs),
    time_since_min_time: seconds(nowMs - window.startMs),
    time_since_max_time: seconds(nowMs - window.endMs),
  };
}

function outcomeOf(error: unknown): string {
  if (error === undefined) return "success";
  return error instanceof OpError ? (OUTCOMES[error.code] ?? "failed") : "failed";
}
