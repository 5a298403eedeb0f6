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
import { countPresent, DuplicateGuard, type Series } from "./series.ts";

export type ResultData =
  | { readonly kind: "scalar"; readonly timeMs: number; readonly value: number }
  | { readonly kind: "string"; readonly timeMs: number; readonly value: string }
  /** Instant vector; in the order of the answer. */
  | { readonly kind: "vector"; readonly timeMs: number; readonly samples: readonly VectorSample[] }
  /** Range query, sorted by labels. */
  | { readonly kind: "grid"; readonly grid: Grid; readonly series: readonly GridSeries[] }
  /** Range vector in an instant query: samples as they are stored. */
  | { readonly kind: "matrix"; readonly series: readonly MatrixSeries[] };

export interface VectorSample {
  readonly labels: Labels;
  readonly value: number;
}

/** Points of a range query: values[i] stands at step steps[i] of the grid. */
export interface GridSeries {
  readonly labels: Labels;
  readonly steps: Uint32Array;
  readonly values: Float64Array;
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
 * "not-implemented", or "corruption" (malformed chunks).
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
      return { kind: "grid", grid, series: [{ labels: [], steps: allSteps(grid.count), values }] };
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

/**
 * All series of the result, names dropped where they were marked, in the order of the answer. Only points are kept:
 * series that come and go may be many, each with few points.
 */
function finished(evaluator: Evaluator, expr: Expr, grid: Grid): GridSeries[] {
  const all: GridSeries[] = [];
  const everyStep = allSteps(grid.count);
  const { delayedNameRemoval } = evaluator.plan.options;
  const guard = delayedNameRemoval ? new DuplicateGuard() : undefined;
  evaluator.vector(expr, grid, (series) => {
    const points = countPresent(series.present);
    if (points === 0) return;
    evaluator.budget.hold(points);
    const labels =
      delayedNameRemoval && series.dropName ? dropMetadata(series.labels) : series.labels;
    guard?.check(labels);
    if (points === grid.count)
      all.push({ labels, steps: everyStep, values: series.values.slice() });
    else all.push({ labels, ...packed(series, points) });
  });
  if (!evaluator.plan.isInstant || !isOrdered(expr)) {
    all.sort((a, b) => compareLabels(a.labels, b.labels));
  }
  return all;
}

function allSteps(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, step) => step);
}

function packed(series: Series, points: number): { steps: Uint32Array; values: Float64Array } {
  const steps = new Uint32Array(points);
  const values = new Float64Array(points);
  let next = 0;
  for (let s = 0; s < series.present.length; s++) {
    if (series.present[s] === 0) continue;
    steps[next] = s;
    values[next++] = series.values[s]!;
  }
  return { steps, values };
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
