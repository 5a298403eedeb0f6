/**
 * The querier's side of PromQL: text to plan, plan and data to a worker's job, a worker's answer back. The only file of
 * this folder that knows how src/promql says things.
 */
import { OpError } from "../base/errors.ts";
import type { Limits } from "../model/limits.ts";
import type { Matcher } from "../model/matchers.ts";
import { type ParseOptions, parseExpr } from "../promql/parser.ts";
import { planQuery, type SelectorPlan } from "../promql/plan.ts";
import { regexMatches } from "../promql/regex.ts";
import type { QueryAnswer, QueryJob, QuerySuccess } from "../promql/worker.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import { invalidParameter } from "./parameters.ts";
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
      const { startMs, endMs, stepMs } = window;
      const expr = parseExpr(query, parseOptions(limits));
      return planQuery(expr, { startMs, endMs, stepMs, ...engineOptions(options) }).selectors;
    },
  );
}

/** Throws as `planned` does, for questions that have no data behind them. */
export function checkQuery(query: string): void {
  refusing(
    (reason) => invalidParameter("query", reason),
    () => parseExpr(query),
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
    if (error instanceof OpError && error.code === "bad-data") throw refuse(error.message);
    throw error;
  }
}

/** The sets stand in the order of the plan's selectors. */
export function jobFor(
  query: string,
  window: QueryWindow,
  sets: readonly EncodedSeriesSet[],
  limits: Limits,
  options: EvaluationOptions,
): QueryJob {
  const { startMs, endMs, stepMs } = window;
  return {
    query,
    startMs,
    endMs,
    stepMs,
    ...engineOptions(options),
    ...parseOptions(limits),
    limits: { samplesMax: options.samplesMax },
    sets,
  };
}

/** Takes the answer of src/promql/worker.ts apart: a failure there is a value. */
export function readAnswer(answer: QueryAnswer): QuerySuccess {
  if (answer.ok) return answer;
  // A bug or corrupt data: not for the eyes of the client, and logged as an error where it is answered.
  if (answer.kind === "internal") throw new Error(answer.message);
  throw new OpError(answer.kind, answer.message);
}

function parseOptions(limits: Limits): ParseOptions {
  return {
    experimentalFunctions: limits.enabledPromqlExperimentalFunctions,
    durationExpressions: false,
  };
}

function engineOptions(
  options: EvaluationOptions,
): Pick<QueryJob, "lookbackMs" | "subqueryStepMs" | "delayedNameRemoval"> {
  return {
    lookbackMs: options.lookbackMs,
    subqueryStepMs: options.defaultSubqueryStepMs,
    delayedNameRemoval: false,
  };
}
