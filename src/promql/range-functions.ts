import { assert, must } from "../base/assert.ts";
import {
  isWindowFunction,
  type WindowFunction,
  type Windows,
} from "../kernel/host/query-kernel.ts";
import { type Labels, labelValue, METRIC_NAME } from "../model/labels.ts";
import type { Call, Expr, MatrixSelector, Subquery } from "./ast.ts";
import { unwrapParens } from "./ast.ts";
import {
  executionError,
  isDistinctWithoutNames,
  notImplemented,
  stepTimesMs,
} from "./eval-context.ts";
import type { Evaluator } from "./evaluator.ts";
import { valueType } from "./functions.ts";
import { formatShort, quoteGo } from "./go-text.ts";
import { dropMetadata } from "./label-ops.ts";
import { type Grid, subqueryGrid, type WindowEnds, windowEnds } from "./plan.ts";
import { copySeries, countPresent, DuplicateGuard, type Emit, type Series } from "./series.ts";
import { absentLabels } from "./vector-functions.ts";

/** Functions of range vectors: the kernel slides their windows over the columns of one series after the other. */
export function evaluateRangeFunction(
  evaluator: Evaluator,
  call: Call,
  grid: Grid,
  emit: Emit,
): void {
  const input = unwrapParens(
    must(
      call.args.find((arg) => valueType(arg) === "matrix"),
      "a range vector",
    ),
  );
  assert(input.kind === "matrix-selector" || input.kind === "subquery", "a range vector");
  if (call.name === "absent_over_time") {
    absentOverTime(evaluator, input, grid, emit);
    return;
  }
  const run = runnerFor(evaluator, call, input, grid);
  const keepsName = call.name === "last_over_time" || call.name === "first_over_time";
  const delayed = evaluator.plan.options.delayedNameRemoval;
  const guard =
    delayed || keepsName || isDistinctWithoutNames(input) ? undefined : new DuplicateGuard();
  const isCounterFunction = call.name === "rate" || call.name === "increase";
  overColumns(evaluator, input, grid, (full, dropName) => {
    if (run() === 0) return;
    const labels = keepsName || delayed ? full : dropMetadata(full);
    guard?.check(labels);
    if (isCounterFunction) informOfGauge(evaluator, input, full);
    emit({
      labels,
      dropName: !keepsName || dropName,
      values: evaluator.kernel.values,
      present: evaluator.kernel.presence,
    });
  });
}

/** What runs the function over the columns that are loaded, giving the number of steps with a value. */
function runnerFor(evaluator: Evaluator, call: Call, input: Expr, grid: Grid): () => number {
  const { kernel } = evaluator;
  const windows = windowsOf(evaluator, input, grid);
  const scalars = call.args
    .filter((arg) => valueType(arg) === "scalar")
    .map((arg) => evaluator.scalar(arg, grid));
  const [first, second] = scalars;
  if (call.name === "quantile_over_time")
    warnOfQuantiles(evaluator, call, must(first, "a quantile"));
  if (call.name === "double_exponential_smoothing") {
    const smoothing = must(first, "a smoothing factor");
    const trend = must(second, "a trend factor");
    return () => smoothe(evaluator, windows, smoothing, trend);
  }
  const name = call.name === "ts_of_first_over_time" ? "" : call.name;
  if (!isWindowFunction(name)) throw notImplemented(call.name);
  const fn: WindowFunction = name;
  return () => {
    if (first !== undefined) kernel.setParameters(first);
    return kernel.run(fn, windows);
  };
}

function windowsOf(evaluator: Evaluator, input: Expr, grid: Grid): Windows {
  const { ends, rangeMs } = endsOf(evaluator, input, grid);
  return {
    firstEndMs: ends.firstEndMs,
    endStepMs: ends.endStepMs,
    rangeMs,
    evalStartMs: grid.startMs,
    evalStepMs: grid.stepMs,
  };
}

function endsOf(
  evaluator: Evaluator,
  input: Expr,
  grid: Grid,
): { ends: WindowEnds; rangeMs: number } {
  const { options } = evaluator.plan;
  if (input.kind === "matrix-selector") {
    return { ends: windowEnds(input.selector, grid, options), rangeMs: input.rangeMs };
  }
  assert(input.kind === "subquery", "a range vector");
  return { ends: windowEnds(input, grid, options), rangeMs: input.rangeMs };
}

/** Loads the samples of one series after the other into the columns and calls `use` for each. */
export function overColumns(
  evaluator: Evaluator,
  input: MatrixSelector | Subquery,
  grid: Grid,
  use: (labels: Labels, dropName: boolean) => void,
): void {
  if (input.kind === "subquery") {
    overSubquery(evaluator, input, grid, use);
    return;
  }
  const { kernel } = evaluator;
  const reader = evaluator.readerOf(input.selector);
  const { set } = reader;
  const { ends, rangeMs } = endsOf(evaluator, input, grid);
  kernel.prepare(grid.count);
  for (let i = 0; i < set.seriesCount; i++) {
    const range = {
      fromChunk: set.chunkOffsets[i]!,
      toChunk: set.chunkOffsets[i + 1]!,
      minTimeMs: ends.firstEndMs - rangeMs + 1,
      maxTimeMs: ends.lastEndMs,
      keepStale: false,
    };
    if (kernel.load(set, range) > 0) use(reader.labels(i), false);
  }
}

function overSubquery(
  evaluator: Evaluator,
  input: Subquery,
  grid: Grid,
  use: (labels: Labels, dropName: boolean) => void,
): void {
  const { kernel, budget } = evaluator;
  const inner = subqueryGrid(input, grid, evaluator.plan.options);
  const rows: Series[] = [];
  // The inner evaluation uses the kernel itself, so all of its series are made before the first window runs.
  evaluator.vector(input.expr, inner, (series) => {
    budget.hold(inner.count);
    rows.push(copySeries(series));
  });
  const times = stepTimesMs(inner);
  const pointTimes = new Float64Array(inner.count);
  const pointValues = new Float64Array(inner.count);
  kernel.prepare(grid.count);
  for (const { labels, dropName, values, present } of rows) {
    let points = 0;
    for (let s = 0; s < inner.count; s++) {
      if (present[s] === 0) continue;
      pointTimes[points] = times[s]!;
      pointValues[points++] = values[s]!;
    }
    kernel.loadColumns(pointTimes, pointValues, points);
    use(labels, dropName);
  }
  budget.release(rows.length * inner.count);
}

function absentOverTime(
  evaluator: Evaluator,
  input: MatrixSelector | Subquery,
  grid: Grid,
  emit: Emit,
): void {
  const { kernel } = evaluator;
  const windows = windowsOf(evaluator, input, grid);
  const present = new Uint8Array(grid.count).fill(1);
  overColumns(evaluator, input, grid, () => {
    kernel.run("present_over_time", windows);
    const { presence } = kernel;
    for (let s = 0; s < present.length; s++) if (presence[s] === 1) present[s] = 0;
  });
  if (countPresent(present) === 0) return;
  emit({
    labels: absentLabels(input),
    dropName: true,
    values: new Float64Array(grid.count).fill(1),
    present,
  });
}

function warnOfQuantiles(evaluator: Evaluator, call: Call, quantiles: Float64Array): void {
  for (const q of new Set(quantiles)) {
    if (q >= 0 && q <= 1) continue;
    evaluator.annotations.warn(
      `quantile value should be between 0 and 1, got ${formatShort(q)}`,
      must(call.args[0], "a quantile"),
    );
  }
}

const COUNTER_SUFFIXES = ["_total", "_sum", "_count", "_bucket"];

function informOfGauge(
  evaluator: Evaluator,
  input: MatrixSelector | Subquery,
  labels: Labels,
): void {
  // The label may have been left out of the set; then the selector names the metric.
  const fixed =
    input.kind === "matrix-selector"
      ? input.selector.matchers.find(({ name, type }) => name === METRIC_NAME && type === "=")
          ?.value
      : undefined;
  const metric = labelValue(labels, METRIC_NAME) || (fixed ?? "");
  if (metric === "" || COUNTER_SUFFIXES.some((suffix) => metric.endsWith(suffix))) return;
  evaluator.annotations.inform(
    `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quoteGo(metric)}`,
    input,
  );
}

/** double_exponential_smoothing, over the columns. */
function smoothe(
  evaluator: Evaluator,
  windows: Windows,
  smoothing: Float64Array,
  trend: Float64Array,
): number {
  const { kernel } = evaluator;
  const { times, values } = kernel.columns();
  const { values: out, presence } = kernel;
  let low = 0;
  let high = 0;
  let count = 0;
  for (let s = 0; s < out.length; s++) {
    const end = windows.firstEndMs + s * windows.endStepMs;
    while (high < times.length && times[high]! <= end) high++;
    while (low < high && times[low]! <= end - windows.rangeMs) low++;
    presence[s] = 0;
    if (low === high) continue;
    checkFactor("smoothing", smoothing[s]!);
    checkFactor("trend", trend[s]!);
    if (high - low < 2) continue;
    out[s] = smoothed(values.subarray(low, high), smoothing[s]!, trend[s]!);
    presence[s] = 1;
    count++;
  }
  return count;
}

function checkFactor(what: string, factor: number): void {
  if (!(factor <= 0 || factor >= 1)) return;
  const letter = what === "smoothing" ? "sf" : "tf";
  throw executionError(
    `invalid ${what} factor. Expected: 0 < ${letter} < 1, got: ${factor.toFixed(6)}`,
  );
}

function smoothed(values: Float64Array, smoothing: number, trend: number): number {
  let before = 0;
  let level = values[0]!;
  let slope = values[1]! - values[0]!;
  for (let i = 1; i < values.length; i++) {
    if (i > 1) slope = trend * (level - before) + (1 - trend) * slope;
    const next = smoothing * values[i]! + (1 - smoothing) * (level + slope);
    before = level;
    level = next;
  }
  return level;
}
