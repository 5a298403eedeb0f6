/**
 * The querier's side of PromQL: text to plan, plan and data to a worker's job, a worker's answer back. The only file of
 * this folder that knows how src/promql says things.
 */
import { OpError } from "../base/errors.ts";
import type { Limits } from "../model/limits.ts";
import type { Matcher } from "../model/matchers.ts";
import { parseExpr } from "../promql/parser.ts";
import { planQuery, type SelectorPlan } from "../promql/plan.ts";
import { regexMatches } from "../promql/regex.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import { invalidParameter } from "./parameters.ts";
import type { QueryStats } from "./query-stats.ts";
import type { QueryWindow } from "./query-window.ts";

export interface EvaluationOptions {
  readonly lookbackMs: number;
  readonly samplesMax: number;
  readonly defaultSubqueryStepMs: number;
}

/**
 * Which series the query needs (each selector once). Throws OpError "bad-data" with Prometheus' text and the
 * position, or "not-implemented".
 */
export function planned(
  query: string,
  window: QueryWindow,
  limits: Limits,
  options: EvaluationOptions,
): readonly SelectorPlan[] {
  return refusing(
    (reason) => invalidParameter("query", reason),
    () => {
      const expr = parseExpr(query, {
        experimentalFunctions: limits.enabledPromqlExperimentalFunctions,
        durationExpressions: false,
      });
      const { startMs, endMs, stepMs } = window;
      return planQuery(expr, {
        startMs,
        endMs,
        stepMs,
        lookbackMs: options.lookbackMs,
        subqueryStepMs: options.defaultSubqueryStepMs,
        delayedNameRemoval: false,
      }).selectors;
    },
  );
}

const MATCHES_EVERYTHING = "match[] must contain at least one non-empty matcher";

/** The selectors of `match[]` parameters. `refuse` makes the error of the endpoint out of what is wrong with one. */
export function parseMatcherSets(
  selectors: readonly string[],
  refuse: (reason: string) => OpError,
): Matcher[][] {
  return selectors.map((selector) => {
    // The parser's own words for such a selector are about queries.
    const words = (reason: string): OpError =>
      refuse(reason.includes("at least one non-empty matcher") ? MATCHES_EVERYTHING : reason);
    const expr = refusing(words, () => parseExpr(selector));
    if (expr.kind !== "vector-selector") {
      throw refuse("1:1: parse error: a series selector is expected and nothing else");
    }
    if (expr.offsetMs !== 0 || expr.at !== undefined) {
      throw refuse("1:1: parse error: offset and @ have no meaning in a series selector");
    }
    const matchers = expr.matchers.map(({ type, name, value }) => ({ type, name, value }));
    if (matchers.every(matchesAbsent)) throw refuse(MATCHES_EVERYTHING);
    return matchers;
  });
}

function matchesAbsent({ type, value }: Matcher): boolean {
  switch (type) {
    case "=":
      return value === "";
    case "!=":
      return value !== "";
    case "=~":
      return regexMatches(value, "");
    case "!~":
      return !regexMatches(value, "");
  }
}

function refusing<Result>(refuse: (reason: string) => OpError, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof OpError)) throw error;
    // src/promql writes its codes as the API's error types.
    if (error.code === "bad_data") throw refuse(error.message);
    throw new OpError(error.code.replaceAll("_", "-"), error.message, error.data, { cause: error });
  }
}

/** What src/promql/worker.ts takes. The sets stand in the order of the plan's selectors. */
export function jobFor(
  request: { readonly query: string; readonly limit: number },
  window: QueryWindow,
  sets: readonly EncodedSeriesSet[],
  limits: Limits,
  options: EvaluationOptions,
): unknown {
  return {
    query: request.query,
    startMs: window.startMs,
    endMs: window.endMs,
    stepMs: window.stepMs,
    lookbackMs: options.lookbackMs,
    limits: { samplesMax: options.samplesMax },
    experimentalFunctions: limits.enabledPromqlExperimentalFunctions,
    sets,
  };
}

/** What src/promql/worker.ts answers: a failure of the query is a value. */
type WorkerAnswer =
  | { readonly error: { readonly code: string; readonly message: string } }
  | (EvaluatedQuery & { readonly error?: undefined });

interface EvaluatedQuery {
  readonly json: Uint8Array;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: { readonly samplesRead: number; readonly samplesPeak: number };
}

export function readAnswer(value: unknown, stats: QueryStats): EvaluatedQuery {
  const answer = value as WorkerAnswer;
  if (answer.error !== undefined) {
    throw new OpError(answer.error.code.replaceAll("_", "-"), answer.error.message);
  }
  stats.samplesProcessed = answer.stats.samplesRead;
  stats.peakSamples = answer.stats.samplesPeak;
  return answer;
}
