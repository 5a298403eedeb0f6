import { must } from "../base/assert.ts";
import { type Labels, labelValue } from "../model/labels.ts";
import type { Call, Expr } from "./ast.ts";
import { stringValue, unwrapParens } from "./ast.ts";
import {
  droppingNames,
  type EvalContext,
  executionError,
  notImplemented,
  stepTimesMs,
  withMaterialized,
} from "./eval-context.ts";
import { evaluateHistogramFunction } from "./histogram.ts";
import { compareLabels, setLabel } from "./label-ops.ts";
import { naturalCompare } from "./natural-order.ts";
import type { Grid } from "./plan.ts";
import { rangeSelector } from "./plan.ts";
import { compileAnchored } from "./regex.ts";
import { countPresent, DuplicateGuard, type Emit, type Series } from "./series.ts";

/** Functions of instant vectors (range functions are in range-functions.ts). */
export function evaluateVectorFunction(
  context: EvalContext,
  call: Call,
  grid: Grid,
  emit: Emit,
): void {
  const { name, args } = call;
  const math = MATH_FUNCTIONS[name];
  if (math !== undefined) {
    mapValues(context, must(args[0], "one argument"), grid, emit, (value) => math(value));
    return;
  }
  const date = DATE_FUNCTIONS[name];
  if (date !== undefined) {
    dateFunction(context, call, grid, emit, date);
    return;
  }
  switch (name) {
    case "round":
      return round(context, call, grid, emit);
    case "clamp":
    case "clamp_min":
    case "clamp_max":
      return clamp(context, call, grid, emit);
    case "vector":
      return emit({
        labels: [],
        dropName: false,
        values: context.scalar(args[0]!, grid).slice(),
        present: new Uint8Array(grid.count).fill(1),
      });
    case "timestamp":
      return timestamp(context, args[0]!, grid, emit);
    case "absent":
      return absent(context, args[0]!, grid, emit);
    case "sort":
    case "sort_desc":
      return sortByValue(context, call, grid, emit);
    case "sort_by_label":
    case "sort_by_label_desc":
      return sortByLabel(context, call, grid, emit);
    case "label_replace":
      return labelReplace(context, call, grid, emit);
    case "label_join":
      return labelJoin(context, call, grid, emit);
    case "histogram_quantile":
    case "histogram_fraction":
      return evaluateHistogramFunction(context, call, grid, emit);
    default:
      throw notImplemented(name);
  }
}

const MATH_FUNCTIONS: Readonly<Record<string, ((value: number) => number) | undefined>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  rad: (value) => (value * Math.PI) / 180,
  deg: (value) => (value * 180) / Math.PI,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
};

const DATE_FUNCTIONS: Readonly<Record<string, ((date: Date) => number) | undefined>> = {
  minute: (date) => date.getUTCMinutes(),
  hour: (date) => date.getUTCHours(),
  day_of_week: (date) => date.getUTCDay(),
  day_of_month: (date) => date.getUTCDate(),
  day_of_year: (date) =>
    (startOfDay(date) - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000 + 1,
  days_in_month: (date) =>
    new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate(),
  month: (date) => date.getUTCMonth() + 1,
  year: (date) => date.getUTCFullYear(),
};

function startOfDay(date: Date): number {
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
}

function mapValues(
  context: EvalContext,
  input: Expr,
  grid: Grid,
  emit: Emit,
  map: (value: number, step: number) => number,
): void {
  const dropping = droppingNames(context, input, emit);
  context.vector(input, grid, (series) => {
    const { values, present } = series;
    for (let s = 0; s < present.length; s++) if (present[s] === 1) values[s] = map(values[s]!, s);
    dropping.emit(series);
  });
  dropping.finish();
}

/** Without an argument: of the evaluation time. */
function dateFunction(
  context: EvalContext,
  call: Call,
  grid: Grid,
  emit: Emit,
  part: (date: Date) => number,
): void {
  const of = (seconds: number): number => part(new Date(Math.trunc(seconds) * 1000));
  const [input] = call.args;
  if (input !== undefined) {
    mapValues(context, input, grid, emit, of);
    return;
  }
  const values = stepTimesMs(grid).map((timeMs) => of(timeMs / 1000));
  emit({ labels: [], dropName: false, values, present: new Uint8Array(grid.count).fill(1) });
}

function round(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const [input, nearestArg] = call.args;
  const nearest = nearestArg === undefined ? undefined : context.scalar(nearestArg, grid);
  mapValues(context, must(input, "round has an argument"), grid, emit, (value, step) => {
    // The inverse has fewer rounding errors, says Prometheus.
    const inverse = 1 / (nearest === undefined ? 1 : nearest[step]!);
    return Math.floor(value * inverse + 0.5) / inverse;
  });
}

function clamp(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const [input, first, second] = call.args;
  const bound = context.scalar(must(first, "clamp has a bound"), grid);
  const infinite = (value: number) => new Float64Array(grid.count).fill(value);
  const least = call.name === "clamp_max" ? infinite(Number.NEGATIVE_INFINITY) : bound;
  let greatest = bound;
  if (call.name === "clamp_min") greatest = infinite(Number.POSITIVE_INFINITY);
  if (call.name === "clamp") greatest = context.scalar(must(second, "clamp has two bounds"), grid);
  const vector = must(input, "clamp has a vector");
  const dropping = droppingNames(context, vector, emit);
  context.vector(vector, grid, (series) => {
    const { values, present } = series;
    for (let s = 0; s < present.length; s++) {
      if (present[s] === 0) continue;
      // Bounds the wrong way round leave nothing; NaN bounds give NaN.
      if (greatest[s]! < least[s]!) present[s] = 0;
      else values[s] = Math.max(least[s]!, Math.min(greatest[s]!, values[s]!));
    }
    if (countPresent(present) > 0) dropping.emit(series);
  });
  dropping.finish();
}

/** The time of the sample for a plain selector (see evaluator.ts), the evaluation time for everything else. */
function timestamp(context: EvalContext, input: Expr, grid: Grid, emit: Emit): void {
  mapValues(context, input, grid, emit, (_, step) => (grid.startMs + step * grid.stepMs) / 1000);
}

function absent(context: EvalContext, input: Expr, grid: Grid, emit: Emit): void {
  const present = new Uint8Array(grid.count).fill(1);
  context.vector(input, grid, (series) => {
    for (let s = 0; s < present.length; s++) if (series.present[s] === 1) present[s] = 0;
  });
  if (countPresent(present) === 0) return;
  emit({
    labels: absentLabels(input),
    dropName: false,
    values: new Float64Array(grid.count).fill(1),
    present,
  });
}

/** Labels that the absent series would have had: those that the selector fixes, once. */
export function absentLabels(input: Expr): Labels {
  const inner = unwrapParens(input);
  const selector = inner.kind === "vector-selector" ? inner : rangeSelector(inner);
  let labels: Labels = [];
  const seen = new Set<string>();
  for (const { type, name, value } of selector?.matchers ?? []) {
    if (name === "__name__") continue;
    const first = type === "=" && !seen.has(name);
    labels = setLabel(labels, name, first ? value : "");
    if (first) seen.add(name);
  }
  return labels;
}

/** Order matters in instant queries only. */
function sortByValue(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const input = must(call.args[0], "sort has an argument");
  if (!context.plan.isInstant || grid.count !== 1) {
    context.vector(input, grid, emit);
    return;
  }
  const sign = call.name === "sort_desc" ? -1 : 1;
  withMaterialized(context, input, grid, (all) => {
    all.sort((a, b) => {
      const left = a.values[0]!;
      const right = b.values[0]!;
      if (Number.isNaN(left) || Number.isNaN(right)) {
        if (Number.isNaN(left) !== Number.isNaN(right)) return Number.isNaN(left) ? 1 : -1;
      } else if (left !== right) {
        return left < right ? -sign : sign;
      }
      return compareLabels(a.labels, b.labels);
    });
    for (const series of all) emit(series);
  });
}

function sortByLabel(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const [input, ...names] = call.args;
  const keys = names.map((name) => stringValue(name) ?? "");
  const sign = call.name === "sort_by_label_desc" ? -1 : 1;
  withMaterialized(context, must(input, "sort has an argument"), grid, (all) => {
    all.sort((a, b) => {
      for (const key of keys) {
        const order = naturalCompare(labelValue(a.labels, key), labelValue(b.labels, key));
        if (order !== 0) return sign * order;
      }
      return sign * compareLabels(a.labels, b.labels);
    });
    for (const series of all) emit(series);
  });
}

function labelReplace(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const [input, ...rest] = call.args;
  const [target = "", replacement = "", source = "", pattern = ""] = rest.map(
    (arg) => stringValue(arg) ?? "",
  );
  let regex: ReturnType<typeof compileAnchored>;
  try {
    regex = compileAnchored(pattern);
  } catch {
    throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
  }
  if (target === "" || !target.isWellFormed()) {
    throw executionError(`invalid destination label name in label_replace(): ${target}`);
  }
  relabel(context, must(input, "label_replace has a vector"), grid, emit, target, (labels) => {
    const matcher = regex.matcher(labelValue(labels, source));
    if (!matcher.find()) return undefined;
    return expandTemplate(replacement, (group) => {
      const index = /^\d+$/.test(group) ? Number(group) : undefined;
      if (index !== undefined)
        return index <= matcher.groupCount() ? (matcher.group(index) ?? "") : "";
      try {
        return matcher.group(group) ?? "";
      } catch {
        // A name that the pattern does not have.
        return "";
      }
    });
  });
}

/** Go's regexp.Expand: $name, $1, ${name}, and $$ for a dollar sign. Names are as long as possible. */
function expandTemplate(template: string, group: (name: string) => string): string {
  return template.replaceAll(
    /\$(?:\$|\{(\w+)\}|(\w+))/g,
    (whole, braced?: string, plain?: string) => {
      if (whole === "$$") return "$";
      return group(braced ?? plain ?? "");
    },
  );
}

function labelJoin(context: EvalContext, call: Call, grid: Grid, emit: Emit): void {
  const [input, ...rest] = call.args;
  const [target = "", separator = "", ...sources] = rest.map((arg) => stringValue(arg) ?? "");
  if (target === "" || !target.isWellFormed()) {
    throw executionError(`invalid destination label name in label_join(): ${target}`);
  }
  for (const source of sources) {
    if (source === "" || !source.isWellFormed()) {
      throw executionError(`invalid source label name in label_join(): ${source}`);
    }
  }
  relabel(context, must(input, "label_join has a vector"), grid, emit, target, (labels) =>
    sources.map((source) => labelValue(labels, source)).join(separator),
  );
}

/** Sets `target` to what `valueFor` gives (undefined: leave it), and refuses label sets that become equal. */
function relabel(
  context: EvalContext,
  input: Expr,
  grid: Grid,
  emit: Emit,
  target: string,
  valueFor: (labels: Labels) => string | undefined,
): void {
  const guard = new DuplicateGuard();
  context.vector(input, grid, (series: Series) => {
    const value = valueFor(series.labels);
    const labels = value === undefined ? series.labels : setLabel(series.labels, target, value);
    const dropName = series.dropName && !(value !== undefined && target === "__name__");
    guard.check(labels);
    emit({ ...series, labels, dropName });
  });
}
