import { type Labels, METRIC_NAME } from "../model/labels.ts";
import type { Aggregate } from "./ast.ts";
import { stringValue } from "./ast.ts";
import {
  type EvalContext,
  executionError,
  notImplemented,
  withMaterialized,
} from "./eval-context.ts";
import { formatFloat, formatShort, quoteGo } from "./go-text.ts";
import { compareLabels, dropLabels, keepLabels, keyOf, keyWithout, setLabel } from "./label-ops.ts";
import type { Grid } from "./plan.ts";
import { quantileOfSorted, sortValues } from "./quantile.ts";
import { type Emit, type Series, SeriesMerger } from "./series.ts";
import { labelsHash } from "./xxhash64.ts";

/**
 * Aggregations. Those that need one number per group and step (sum, avg, ...) fold series as they stream by, so only
 * the groups are held; topk, quantile and the like need all series of a step at a time and hold them.
 */
export function evaluateAggregate(
  context: EvalContext,
  expr: Aggregate,
  grid: Grid,
  emit: Emit,
): void {
  switch (expr.op) {
    case "topk":
    case "bottomk":
    case "limitk":
      selectK(context, expr, grid, emit);
      return;
    case "quantile":
      quantile(context, expr, grid, emit);
      return;
    case "count_values":
      countValues(context, expr, grid, emit);
      return;
    case "limit_ratio":
      limitRatio(context, expr, grid, emit);
      return;
    default:
      foldGroups(context, expr, grid, emit);
  }
}

/** State of one group: a row of steps per quantity. */
interface Group {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Compensation of sums; mean of variances. */
  readonly second: Float64Array;
  readonly counts: Float64Array;
  /** avg: 1 where the sum would overflow and the mean is kept instead. */
  readonly incremental: Uint8Array;
}

type Fold = (group: Group, values: Float64Array, present: Uint8Array) => void;

const NO_VALUES = new Float64Array(0);
const NO_FLAGS = new Uint8Array(0);

function foldGroups(context: EvalContext, expr: Aggregate, grid: Grid, emit: Emit): void {
  const { op } = expr;
  const fold = FOLDS[op];
  if (fold === undefined) throw notImplemented(op);
  const steps = grid.count;
  const hasSecond = op === "sum" || op === "avg" || op === "stddev" || op === "stdvar";
  const hasCounts = op === "avg" || op === "stddev" || op === "stdvar";
  const groups = new Map<string, Group>();
  let held = 0;
  context.vector(expr.expr, grid, (series) => {
    const key = groupKey(expr, series.labels);
    let group = groups.get(key);
    if (group === undefined) {
      context.budget.hold(steps);
      held += steps;
      group = {
        labels: groupLabels(expr, series.labels),
        dropName: series.dropName && !expr.without && expr.grouping.includes(METRIC_NAME),
        values: new Float64Array(steps),
        present: new Uint8Array(steps),
        second: hasSecond ? new Float64Array(steps) : NO_VALUES,
        counts: hasCounts ? new Float64Array(steps) : NO_VALUES,
        incremental: op === "avg" ? new Uint8Array(steps) : NO_FLAGS,
      };
      groups.set(key, group);
    }
    fold(group, series.values, series.present);
  });
  for (const group of groups.values()) {
    finishGroup(op, group);
    emit({
      labels: group.labels,
      dropName: group.dropName,
      values: group.values,
      present: group.present,
    });
  }
  context.budget.release(held);
}

const FOLDS: Partial<Record<Aggregate["op"], Fold>> = {
  sum: foldSum,
  avg: foldAverage,
  min: foldMin,
  max: foldMax,
  count: foldCount,
  group: foldGroup,
  stddev: foldVariance,
  stdvar: foldVariance,
};

/**
 * Kahan's sum as Neumaier improved it. It begins with 0, which changes no sum but that of -0 alone, and that one the rest
 * turns into 0 anyway. Once the sum is infinite the rest is worthless; `finishGroup` leaves it out.
 */
function foldSum(group: Group, values: Float64Array, present: Uint8Array): void {
  const { values: sums, second: rests, present: seen } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    const value = values[s]!;
    const sum = sums[s]!;
    const total = sum + value;
    rests[s]! += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sums[s] = total;
    seen[s] = 1;
  }
}

/** The plain mean; from the sample on that would overflow the sum, an incremental one. */
function foldAverage(group: Group, values: Float64Array, present: Uint8Array): void {
  const { values: sums, second: rests, present: seen, counts, incremental } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    let value = values[s]!;
    if (seen[s] === 0) {
      seen[s] = 1;
      sums[s] = value;
      counts[s] = 1;
      continue;
    }
    const count = counts[s]! + 1;
    counts[s] = count;
    let sum = sums[s]!;
    let rest = rests[s]!;
    if (incremental[s] === 0) {
      const total = sum + value;
      if (Math.abs(total) !== Number.POSITIVE_INFINITY) {
        rests[s] =
          rest + (Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum);
        sums[s] = total;
        continue;
      }
      incremental[s] = 1;
      sum /= count - 1;
      rest /= count - 1;
    }
    const weight = (count - 1) / count;
    sum *= weight;
    rest *= weight;
    value /= count;
    const mean = sum + value;
    if (Math.abs(mean) === Number.POSITIVE_INFINITY) rest = 0;
    else rest += Math.abs(sum) >= Math.abs(value) ? sum - mean + value : value - mean + sum;
    sums[s] = mean;
    rests[s] = rest;
  }
}

function foldMin(group: Group, values: Float64Array, present: Uint8Array): void {
  const { values: best, present: seen } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    const value = values[s]!;
    const known = best[s]!;
    if (seen[s] === 0 || known > value || Number.isNaN(known)) best[s] = value;
    seen[s] = 1;
  }
}

function foldMax(group: Group, values: Float64Array, present: Uint8Array): void {
  const { values: best, present: seen } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    const value = values[s]!;
    const known = best[s]!;
    if (seen[s] === 0 || known < value || Number.isNaN(known)) best[s] = value;
    seen[s] = 1;
  }
}

function foldCount(group: Group, _values: Float64Array, present: Uint8Array): void {
  const { values: counts, present: seen } = group;
  for (let s = 0; s < present.length; s++) {
    const here = present[s]!;
    counts[s]! += here;
    seen[s]! |= here;
  }
}

function foldGroup(group: Group, _values: Float64Array, present: Uint8Array): void {
  const { values: ones, present: seen } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    ones[s] = 1;
    seen[s] = 1;
  }
}

/** Welford's running variance: `values` sums the squared deviations, `second` is the mean. */
function foldVariance(group: Group, values: Float64Array, present: Uint8Array): void {
  const { values: squares, second: means, present: seen, counts } = group;
  for (let s = 0; s < present.length; s++) {
    if (present[s] === 0) continue;
    const value = values[s]!;
    if (seen[s] === 0) {
      seen[s] = 1;
      counts[s] = 1;
      means[s] = value;
      squares[s] = Number.isFinite(value) ? 0 : Number.NaN;
      continue;
    }
    const count = counts[s]! + 1;
    counts[s] = count;
    const deviation = value - means[s]!;
    means[s]! += deviation / count;
    squares[s]! += deviation * (value - means[s]!);
  }
}

function finishGroup(op: Aggregate["op"], group: Group): void {
  const { values, present, second, counts, incremental } = group;
  if (op !== "sum" && op !== "avg" && op !== "stddev" && op !== "stdvar") return;
  for (let s = 0; s < values.length; s++) {
    if (present[s] === 0) continue;
    const value = values[s]!;
    if (op === "sum") {
      if (Math.abs(value) !== Number.POSITIVE_INFINITY) values[s] = value + second[s]!;
    } else if (op === "stdvar") values[s] = value / counts[s]!;
    else if (op === "stddev") values[s] = Math.sqrt(value / counts[s]!);
    else if (incremental[s] === 1) values[s] = value + second[s]!;
    else values[s] = value / counts[s]! + second[s]! / counts[s]!;
  }
}

function groupKey(expr: Aggregate, labels: Labels): string {
  return expr.without ? keyWithout(labels, expr.grouping) : keyOf(labels, expr.grouping);
}

function groupLabels(expr: Aggregate, labels: Labels): Labels {
  return expr.without
    ? dropLabels(labels, [METRIC_NAME, ...expr.grouping])
    : keepLabels(labels, expr.grouping);
}

function grouped(expr: Aggregate, series: readonly Series[]): Series[][] {
  const groups = new Map<string, Series[]>();
  for (const one of series) {
    const key = groupKey(expr, one.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return [...groups.values()];
}

/** topk, bottomk and limitk: the series themselves, present at the steps where they are among the k. */
function selectK(context: EvalContext, expr: Aggregate, grid: Grid, emit: Emit): void {
  const counts = context.scalar(expr.param!, grid);
  withMaterialized(context, expr.expr, grid, (all) => {
    // Ties are broken by the order of labels, so that the same query answers the same.
    all.sort((a, b) => compareLabels(a.labels, b.labels));
    const groups = grouped(expr, all);
    const chosen = new Map<Series, Uint8Array>();
    for (let s = 0; s < grid.count; s++) {
      if (!all.some(({ present }) => present[s] === 1)) continue;
      const wanted = counts[s]!;
      if (!(Math.abs(wanted) < 2 ** 63)) {
        throw executionError(`Scalar value ${formatShort(wanted)} overflows int64`);
      }
      const k = Math.min(Math.trunc(wanted), all.length);
      if (k < 1) continue;
      for (const group of groups) {
        for (const series of bestOf(expr.op, group, s, k)) {
          let mask = chosen.get(series);
          if (mask === undefined) {
            mask = new Uint8Array(grid.count);
            chosen.set(series, mask);
          }
          mask[s] = 1;
        }
      }
    }
    // In an instant query the order of choice is the order of the answer.
    for (const [series, present] of chosen) emit({ ...series, present });
  });
}

/** limit_ratio: a share of the series, chosen by the hash of their labels; a negative ratio is the rest of them. */
function limitRatio(context: EvalContext, expr: Aggregate, grid: Grid, emit: Emit): void {
  const ratios = context.scalar(expr.param!, grid);
  const greatest = ratios.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const least = ratios.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  for (const [ratio, bound] of [
    [greatest, 1],
    [least, -1],
  ] as const) {
    if (ratio * bound <= 1 || Number.isNaN(ratio)) continue;
    context.annotations.warn(
      `ratio value should be between -1 and 1, got ${formatShort(ratio)}, capping to ${bound}`,
      expr.param!,
    );
  }
  context.vector(expr.expr, grid, (series) => {
    const place = Number(labelsHash(series.labels)) / Number(2n ** 64n - 1n);
    const { present } = series;
    for (let s = 0; s < present.length; s++) {
      if (present[s] === 0) continue;
      const ratio = ratios[s]!;
      if (Number.isNaN(ratio)) throw executionError(`Ratio value ${formatShort(ratio)} is NaN`);
      const capped = Math.max(-1, Math.min(1, ratio));
      // Zero is neither a share nor a rest.
      const chosen = capped >= 0 ? place < capped : place >= 1 + capped;
      if (!chosen) present[s] = 0;
    }
    if (present.includes(1)) emit(series);
  });
}

/** At most k series of the group at a step, the best first. NaN is worse than everything. */
function bestOf(op: Aggregate["op"], group: readonly Series[], step: number, k: number): Series[] {
  const candidates = group.filter(({ present }) => present[step] === 1);
  if (op === "limitk") return candidates.slice(0, k);
  if (k > INSERTION_MAX) {
    const order = (a: Series, b: Series): number => {
      if (isBetter(op, a.values[step]!, b.values[step]!)) return -1;
      return isBetter(op, b.values[step]!, a.values[step]!) ? 1 : 0;
    };
    return candidates.sort(order).slice(0, k);
  }
  // Insertion into the k best: most candidates are turned away by one comparison. Equals stay in their order.
  const best: Series[] = [];
  for (const candidate of candidates) {
    const value = candidate.values[step]!;
    let at = best.length;
    while (at > 0 && isBetter(op, value, best[at - 1]!.values[step]!)) at--;
    if (at === k) continue;
    if (best.length === k) best.pop();
    best.splice(at, 0, candidate);
  }
  return best;
}

/** Above this many, sorting all is cheaper than inserting one by one. */
const INSERTION_MAX = 32;

function isBetter(op: Aggregate["op"], value: number, other: number): boolean {
  if (Number.isNaN(value)) return false;
  if (Number.isNaN(other)) return true;
  return op === "topk" ? value > other : value < other;
}

function quantile(context: EvalContext, expr: Aggregate, grid: Grid, emit: Emit): void {
  const quantiles = context.scalar(expr.param!, grid);
  for (const q of quantileExtremes(quantiles)) {
    context.annotations.warn(
      `quantile value should be between 0 and 1, got ${formatShort(q)}`,
      expr.param!,
    );
  }
  withMaterialized(context, expr.expr, grid, (all) => {
    for (const group of grouped(expr, all)) {
      const first = group[0]!;
      const values = new Float64Array(grid.count);
      const present = new Uint8Array(grid.count);
      const row = new Float64Array(group.length);
      for (let s = 0; s < grid.count; s++) {
        let size = 0;
        for (const series of group) if (series.present[s] === 1) row[size++] = series.values[s]!;
        if (size === 0) continue;
        present[s] = 1;
        values[s] = quantileOfSorted(quantiles[s]!, sortValues(row.subarray(0, size)));
      }
      emit({ labels: groupLabels(expr, first.labels), dropName: false, values, present });
    }
  });
}

/** The parameters that Prometheus warns of: NaN, the greatest above 1, the least below 0. */
function quantileExtremes(quantiles: Float64Array): number[] {
  const found: number[] = [];
  let least = Number.POSITIVE_INFINITY;
  let greatest = Number.NEGATIVE_INFINITY;
  let hasNaN = false;
  for (const q of quantiles) {
    if (Number.isNaN(q)) hasNaN = true;
    else {
      least = Math.min(least, q);
      greatest = Math.max(greatest, q);
    }
  }
  if (hasNaN) found.push(Number.NaN);
  if (greatest > 1) found.push(greatest);
  if (least < 0) found.push(least);
  return found;
}

function countValues(context: EvalContext, expr: Aggregate, grid: Grid, emit: Emit): void {
  const label = stringValue(expr.param) ?? "";
  if (label === "" || !label.isWellFormed()) {
    throw executionError(`invalid label name ${quoteGo(label)}`);
  }
  const counted: Aggregate = expr.without
    ? expr
    : { ...expr, grouping: [...new Set([...expr.grouping, label])].sort() };
  const rows = new Map<string, Series>();
  let held = 0;
  context.vector(expr.expr, grid, (series) => {
    for (let s = 0; s < grid.count; s++) {
      if (series.present[s] === 0) continue;
      const labels = setLabel(series.labels, label, formatFloat(series.values[s]!));
      const key = groupKey(counted, labels);
      let row = rows.get(key);
      if (row === undefined) {
        context.budget.hold(grid.count);
        held += grid.count;
        row = {
          labels: groupLabels(counted, labels),
          dropName: false,
          values: new Float64Array(grid.count),
          present: new Uint8Array(grid.count),
        };
        rows.set(key, row);
      }
      row.values[s]! += 1;
      row.present[s] = 1;
    }
  });
  const merger = new SeriesMerger();
  for (const row of rows.values()) merger.add(row);
  for (const row of merger.list()) emit(row);
  context.budget.release(held);
}
