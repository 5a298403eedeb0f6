import { must } from "../base/assert.ts";
import type { Labels } from "../model/labels.ts";
import { labelValue, METRIC_NAME } from "../model/labels.ts";
import type { Binary, BinaryOp, Expr, VectorMatching } from "./ast.ts";
import { isComparison, isSetOp } from "./ast.ts";
import {
  droppingNames,
  type EvalContext,
  executionError,
  withMaterialized,
} from "./eval-context.ts";
import { valueType } from "./functions.ts";
import {
  dropLabels,
  dropMetadata,
  keepLabels,
  keyOf,
  keyWithout,
  labelKey,
  printLabels,
  setLabel,
} from "./label-ops.ts";
import type { Grid } from "./plan.ts";
import { countPresent, type Emit, type Series, SeriesMerger } from "./series.ts";

/** Operators between a vector and a scalar, and between two vectors. */
export function evaluateBinary(context: EvalContext, expr: Binary, grid: Grid, emit: Emit): void {
  const leftIsScalar = valueType(expr.left) === "scalar";
  const rightIsScalar = valueType(expr.right) === "scalar";
  if (leftIsScalar || rightIsScalar) {
    withScalar(context, expr, grid, emit, leftIsScalar);
  } else if (isSetOp(expr.op)) {
    setOperation(context, expr, grid, emit);
  } else {
    const merger = new SeriesMerger();
    withMaterialized(context, expr.left, grid, (left) =>
      withMaterialized(context, expr.right, grid, (right) => {
        matchVectors(context, expr, grid, left, right, merger);
      }),
    );
    for (const series of merger.list()) emit(series);
  }
}

export function scalarBinary(op: BinaryOp, left: Float64Array, right: Float64Array): Float64Array {
  if (isComparison(op)) {
    const compare = comparison(op);
    return left.map((value, step) => (compare(value, right[step]!) ? 1 : 0));
  }
  const calculate = arithmetic(op);
  return left.map((value, step) => calculate(value, right[step]!));
}

function arithmetic(op: BinaryOp): (a: number, b: number) => number {
  switch (op) {
    case "+":
      return (a, b) => a + b;
    case "-":
      return (a, b) => a - b;
    case "*":
      return (a, b) => a * b;
    case "/":
      return (a, b) => a / b;
    case "%":
      return (a, b) => a % b;
    case "^":
      return power;
    default:
      return Math.atan2;
  }
}

/** Go's math.Pow: 1 to any power and -1 to an infinite one are 1, where JavaScript says NaN. */
function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY)) return 1;
  return base ** exponent;
}

function comparison(op: BinaryOp): (a: number, b: number) => boolean {
  switch (op) {
    case "==":
      return (a, b) => a === b;
    case "!=":
      return (a, b) => a !== b;
    case ">":
      return (a, b) => a > b;
    case "<":
      return (a, b) => a < b;
    case ">=":
      return (a, b) => a >= b;
    default:
      return (a, b) => a <= b;
  }
}

function withScalar(
  context: EvalContext,
  expr: Binary,
  grid: Grid,
  emit: Emit,
  scalarIsLeft: boolean,
): void {
  const scalarSide = scalarIsLeft ? expr.left : expr.right;
  const vectorSide = scalarIsLeft ? expr.right : expr.left;
  const scalars = context.scalar(scalarSide, grid);
  if (isComparison(expr.op)) {
    compareWithScalar(context, expr, { vectorSide, scalars, scalarIsLeft }, grid, emit);
    return;
  }
  const calculate = arithmetic(expr.op);
  const dropping = droppingNames(context, vectorSide, emit);
  context.vector(vectorSide, grid, (series) => {
    const { values, present } = series;
    for (let s = 0; s < present.length; s++) {
      if (present[s] === 0) continue;
      values[s] = scalarIsLeft
        ? calculate(scalars[s]!, values[s]!)
        : calculate(values[s]!, scalars[s]!);
    }
    dropping.emit(series);
  });
  dropping.finish();
}

function compareWithScalar(
  context: EvalContext,
  expr: Binary,
  sides: { vectorSide: Expr; scalars: Float64Array; scalarIsLeft: boolean },
  grid: Grid,
  emit: Emit,
): void {
  const { vectorSide, scalars, scalarIsLeft } = sides;
  const compare = comparison(expr.op);
  const dropping = expr.returnBool ? droppingNames(context, vectorSide, emit) : undefined;
  context.vector(vectorSide, grid, (series) => {
    const { values, present } = series;
    for (let s = 0; s < present.length; s++) {
      if (present[s] === 0) continue;
      const value = values[s]!;
      const holds = scalarIsLeft ? compare(scalars[s]!, value) : compare(value, scalars[s]!);
      if (dropping !== undefined) values[s] = holds ? 1 : 0;
      else if (!holds) present[s] = 0;
    }
    if (dropping !== undefined) dropping.emit(series);
    else if (countPresent(present) > 0) emit(series);
  });
  dropping?.finish();
}

function signature(matching: VectorMatching, labels: Labels): string {
  return matching.on ? keyOf(labels, matching.labels) : keyWithout(labels, matching.labels);
}

/** and, or, unless: which series of one side have a partner with the same signature on the other, step by step. */
function setOperation(context: EvalContext, expr: Binary, grid: Grid, emit: Emit): void {
  const matching = must(expr.matching, "set operators stand between vectors");
  const merger = new SeriesMerger();
  if (expr.op === "or") {
    const taken = new Map<string, Uint8Array>();
    context.vector(expr.left, grid, (series) => {
      markSteps(taken, signature(matching, series.labels), series.present);
      merger.add({ ...series, values: series.values.slice(), present: series.present.slice() });
    });
    context.vector(expr.right, grid, (series) => {
      const mask = taken.get(signature(matching, series.labels));
      const present = series.present.slice();
      if (mask !== undefined) for (let s = 0; s < present.length; s++) present[s]! &= 1 - mask[s]!;
      if (countPresent(present) > 0)
        merger.add({ ...series, values: series.values.slice(), present });
    });
    for (const series of merger.list()) emit(series);
    return;
  }
  const partners = new Map<string, Uint8Array>();
  context.vector(expr.right, grid, (series) => {
    markSteps(partners, signature(matching, series.labels), series.present);
  });
  const keepMatched = expr.op === "and";
  context.vector(expr.left, grid, (series) => {
    const mask = partners.get(signature(matching, series.labels));
    const { present } = series;
    for (let s = 0; s < present.length; s++) {
      const matched = mask === undefined ? 0 : mask[s]!;
      present[s]! &= keepMatched ? matched : 1 - matched;
    }
    if (countPresent(present) > 0) emit(series);
  });
}

function markSteps(masks: Map<string, Uint8Array>, key: string, present: Uint8Array): void {
  const mask = masks.get(key);
  if (mask === undefined) masks.set(key, present.slice());
  else for (let s = 0; s < mask.length; s++) mask[s]! |= present[s]!;
}

/** Series of both sides that share a signature. */
interface MatchGroup {
  readonly ones: Series[];
  readonly manys: Series[];
}

/** Arithmetic and comparison of two vectors: a series of the "many" side meets the one partner of its signature. */
function matchVectors(
  context: EvalContext,
  expr: Binary,
  grid: Grid,
  left: readonly Series[],
  right: readonly Series[],
  merger: SeriesMerger,
): void {
  const matching = must(expr.matching, "vectors are matched");
  const swapped = matching.card === "one-to-many";
  const manys = swapped ? right : left;
  const ones = swapped ? left : right;
  const groups = new Map<string, MatchGroup>();
  const groupOf = (series: Series): MatchGroup => {
    const key = signature(matching, series.labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { ones: [], manys: [] };
      groups.set(key, group);
    }
    return group;
  };
  for (const series of ones) groupOf(series).ones.push(series);
  for (const series of manys) groupOf(series).manys.push(series);
  const active = bothSides(grid, left, right, [...groups.values()]);
  for (const group of groups.values()) {
    if (group.ones.length > 1) refuseDuplicates(matching, group.ones, active);
    if (group.ones.length > 0 && group.manys.length > 0) {
      matchGroup(context, expr, matching, grid, group, merger);
    }
  }
}

/** Steps at which both sides have something: elsewhere nothing is matched, and duplicates are no error. */
function bothSides(
  grid: Grid,
  left: readonly Series[],
  right: readonly Series[],
  groups: readonly MatchGroup[],
): Uint8Array {
  const active = new Uint8Array(grid.count);
  if (!groups.some(({ ones }) => ones.length > 1)) return active;
  for (let s = 0; s < grid.count; s++) {
    const here = ({ present }: Series) => present[s] === 1;
    if (left.some(here) && right.some(here)) active[s] = 1;
  }
  return active;
}

function refuseDuplicates(
  matching: VectorMatching,
  ones: readonly Series[],
  active: Uint8Array,
): void {
  for (let s = 0; s < active.length; s++) {
    if (active[s] === 0) continue;
    const here = ones.filter(({ present }) => present[s] === 1);
    const [first, second] = here;
    if (first === undefined || second === undefined) continue;
    const group = matching.on
      ? keepLabels(first.labels, matching.labels)
      : dropLabels(first.labels, [METRIC_NAME, ...matching.labels]);
    const side = matching.card === "one-to-many" ? "left" : "right";
    throw executionError(
      `found duplicate series for the match group ${printLabels(group)} on the ${side} hand-side of the operation: ` +
        `[${printLabels(second.labels)}, ${printLabels(first.labels)}]` +
        ";many-to-many matching not allowed: matching labels must be unique on one side",
    );
  }
}

function matchGroup(
  context: EvalContext,
  expr: Binary,
  matching: VectorMatching,
  grid: Grid,
  group: MatchGroup,
  merger: SeriesMerger,
): void {
  const swapped = matching.card === "one-to-many";
  const isOneToOne = matching.card === "one-to-one";
  // Steps at which a result exists: by group for one-to-one, by group and result labels otherwise.
  const taken = new Map<string, Uint8Array>();
  for (const many of group.manys) {
    for (const one of group.ones) {
      const result = combine(expr, many, one, swapped, grid.count);
      if (result === undefined) continue;
      const labels = resultLabels(context, expr, matching, many.labels, one.labels);
      const key = isOneToOne ? "" : labelKey(labels);
      const known = taken.get(key);
      if (known === undefined) {
        taken.set(key, result.present.slice());
      } else {
        for (let s = 0; s < known.length; s++) {
          if (result.present[s] === 0) continue;
          if (known[s] === 1) {
            throw executionError(
              isOneToOne
                ? "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                : "multiple matches for labels: grouping labels must ensure unique matches",
            );
          }
          known[s] = 1;
        }
      }
      merger.add({ labels, dropName: expr.returnBool, ...result });
    }
  }
}

/** undefined if no step has a result. */
function combine(
  expr: Binary,
  many: Series,
  one: Series,
  swapped: boolean,
  steps: number,
): { values: Float64Array; present: Uint8Array } | undefined {
  const left = swapped ? one : many;
  const right = swapped ? many : one;
  const values = new Float64Array(steps);
  const present = new Uint8Array(steps);
  let any = false;
  const compare = isComparison(expr.op) ? comparison(expr.op) : undefined;
  const calculate = compare === undefined ? arithmetic(expr.op) : undefined;
  for (let s = 0; s < steps; s++) {
    if (left.present[s] === 0 || right.present[s] === 0) continue;
    const a = left.values[s]!;
    const b = right.values[s]!;
    if (calculate !== undefined) {
      values[s] = calculate(a, b);
    } else {
      const holds = compare!(a, b);
      if (!holds && !expr.returnBool) continue;
      values[s] = expr.returnBool ? (holds ? 1 : 0) : a;
    }
    present[s] = 1;
    any = true;
  }
  return any ? { values, present } : undefined;
}

function resultLabels(
  context: EvalContext,
  expr: Binary,
  matching: VectorMatching,
  many: Labels,
  one: Labels,
): Labels {
  let labels = many;
  if (!isComparison(expr.op)) labels = dropMetadata(labels);
  if (matching.card === "one-to-one") {
    labels = matching.on
      ? keepLabels(labels, matching.labels)
      : dropLabels(labels, matching.labels);
  }
  for (const name of matching.include) labels = setLabel(labels, name, labelValue(one, name));
  if (expr.returnBool && !context.plan.options.delayedNameRemoval) labels = dropMetadata(labels);
  return labels;
}
