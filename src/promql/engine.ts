import { assert } from "../base/assert.ts";
import type { QueryKernel } from "../kernel/host/query-kernel.ts";
import type { Labels } from "../model/labels.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type { Call, Expr, MatrixSelector, Subquery } from "./ast.ts";
import { unwrapParens } from "./ast.ts";
import type { EvaluateLimits } from "./eval-context.ts";
import { Evaluator } from "./evaluator.ts";
import { valueType } from "./functions.ts";
import { compareLabels, dropMetadata } from "./label-ops.ts";
import type { Grid, QueryPlan } from "./plan.ts";
import { windowEnds } from "./plan.ts";
import { overColumns } from "./range-functions.ts";
import { copySeries, DuplicateGuard, type Series } from "./series.ts";

export type { EvaluateLimits } from "./eval-context.ts";
export { type ParseOptions, parseExpr } from "./parser.ts";
export { planQuery, type QueryOptions, type QueryPlan, type SelectorPlan } from "./plan.ts";

export type ResultData =
  | { readonly kind: "scalar"; readonly timeMs: number; readonly value: number }
  | { readonly kind: "string"; readonly timeMs: number; readonly value: string }
  /** Instant vector; in the order of the answer. */
  | { readonly kind: "vector"; readonly timeMs: number; readonly samples: readonly VectorSample[] }
  /** Range query: rows on the grid, sorted by labels. */
  | { readonly kind: "grid"; readonly grid: Grid; readonly series: readonly Series[] }
  /** Range vector in an instant query: samples as they are stored. */
  | { readonly kind: "matrix"; readonly series: readonly MatrixSeries[] };

export interface VectorSample {
  readonly labels: Labels;
  readonly value: number;
}

export interface MatrixSeries {
  readonly labels: Labels;
  readonly timesMs: Float64Array;
  readonly values: Float64Array;
}

export interface QueryResult {
  readonly data: ResultData;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: { readonly peakSamples: number };
}

/**
 * Evaluates a planned query over the sets that its selectors asked for (one set per entry of `plan.selectors`, in
 * their order). Pure computation: no clock, no IO. Throws OpError "execution" (the query cannot be answered),
 * "not_implemented", or "corruption" (malformed chunks).
 */
export function evaluate(
  query: string,
  plan: QueryPlan,
  sets: readonly EncodedSeriesSet[],
  kernel: QueryKernel,
  limits: EvaluateLimits,
): QueryResult {
  const evaluator = new Evaluator(query, plan, sets, kernel, limits);
  const data = evaluateData(evaluator);
  return {
    data,
    warnings: evaluator.annotations.warnings(),
    infos: evaluator.annotations.infos(),
    stats: { peakSamples: evaluator.budget.peak },
  };
}

function evaluateData(evaluator: Evaluator): ResultData {
  const { plan } = evaluator;
  const { expr, grid } = plan;
  const timeMs = grid.startMs;
  switch (valueType(expr)) {
    case "scalar": {
      const values = evaluator.scalar(expr, grid);
      if (plan.isInstant) return { kind: "scalar", timeMs, value: values[0]! };
      const present = new Uint8Array(grid.count).fill(1);
      return { kind: "grid", grid, series: [{ labels: [], dropName: false, values, present }] };
    }
    case "string": {
      const inner = unwrapParens(expr);
      assert(inner.kind === "string", "a string expression is a literal");
      return { kind: "string", timeMs, value: inner.value };
    }
    case "matrix":
      return { kind: "matrix", series: storedSamples(evaluator, unwrapParens(expr), grid) };
    case "vector": {
      const series = finished(evaluator, expr, grid);
      if (!plan.isInstant) return { kind: "grid", grid, series };
      const samples = series.map(({ labels, values }) => ({ labels, value: values[0]! }));
      return { kind: "vector", timeMs, samples };
    }
  }
}

/** All series of the result, names dropped where they were marked, in the order of the answer. */
function finished(evaluator: Evaluator, expr: Expr, grid: Grid): Series[] {
  const all: Series[] = [];
  const { delayedNameRemoval } = evaluator.plan.options;
  const guard = delayedNameRemoval ? new DuplicateGuard() : undefined;
  evaluator.vector(expr, grid, (series) => {
    const { present } = series;
    if (!present.includes(1)) return;
    evaluator.budget.hold(grid.count);
    const copy = copySeries(series);
    const labels =
      delayedNameRemoval && series.dropName ? dropMetadata(series.labels) : series.labels;
    guard?.check(labels);
    all.push({ ...copy, labels });
  });
  if (!evaluator.plan.isInstant || !isOrdered(expr)) {
    all.sort((a, b) => compareLabels(a.labels, b.labels));
  }
  return all;
}

/** Expressions whose order of series in an instant query means something. */
function isOrdered(expr: Expr): boolean {
  const inner = unwrapParens(expr);
  if (inner.kind === "aggregate") return inner.op === "topk" || inner.op === "bottomk";
  if (inner.kind === "call") return (inner satisfies Call).name.startsWith("sort");
  return false;
}

function storedSamples(evaluator: Evaluator, expr: Expr, grid: Grid): MatrixSeries[] {
  assert(expr.kind === "matrix-selector" || expr.kind === "subquery", "a range vector");
  const input: MatrixSelector | Subquery = expr;
  const { options } = evaluator.plan;
  const ends = windowEnds(input.kind === "subquery" ? input : input.selector, grid, options);
  const afterMs = ends.firstEndMs - input.rangeMs;
  const all: MatrixSeries[] = [];
  const guard = new DuplicateGuard();
  overColumns(evaluator, input, grid, (full, dropName) => {
    const { times, values } = evaluator.kernel.columns();
    let low = 0;
    let high = times.length;
    while (low < high && times[low]! <= afterMs) low++;
    while (high > low && times[high - 1]! > ends.firstEndMs) high--;
    if (low === high) return;
    evaluator.budget.hold(high - low);
    const labels = dropName ? dropMetadata(full) : full;
    guard.check(labels);
    all.push({ labels, timesMs: times.slice(low, high), values: values.slice(low, high) });
  });
  return all.sort((a, b) => compareLabels(a.labels, b.labels));
}
