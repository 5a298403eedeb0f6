import { OpError } from "../base/errors.ts";
import { METRIC_NAME } from "../model/labels.ts";
import type { Matcher } from "../model/matchers.ts";
import type { Aggregate, AtModifier, Call, Expr, Subquery, VectorSelector } from "./ast.ts";
import { isComparison, unwrapParens } from "./ast.ts";
import { TIME_DEPENDENT_FUNCTIONS, valueType } from "./functions.ts";

export interface QueryOptions {
  readonly startMs: number;
  /** Equal to `startMs` for an instant query. */
  readonly endMs: number;
  /** 0: an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number;
  /** Resolution of `[1h:]`: Prometheus' evaluation interval. */
  readonly subqueryStepMs: number;
  /** Metric names are dropped at the end of the query (Prometheus' promql-delayed-name-removal), not by each function. */
  readonly delayedNameRemoval: boolean;
}

/** What a storage has to select before the query can be evaluated; one set per entry, in this order. */
export interface SelectorPlan {
  readonly matchers: readonly Matcher[];
  /** Inclusive bounds: no sample outside of them can change the result. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Present where all other labels can be left out without changing the result. Sorted. */
  readonly labelsWanted?: readonly string[];
}

export interface QueryPlan {
  readonly expr: Expr;
  readonly options: QueryOptions;
  readonly isInstant: boolean;
  readonly grid: Grid;
  readonly selectors: readonly SelectorPlan[];
  /** Which entry of `selectors` a node of the tree reads. */
  readonly selectorIndexes: ReadonlyMap<VectorSelector, number>;
}

/** Evaluation times: startMs + i * stepMs for i < count. */
export interface Grid {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** Window ends of a selector or subquery on a grid: firstEndMs + i * endStepMs. */
export interface WindowEnds {
  readonly firstEndMs: number;
  /** 0 under an @ modifier: the windows stand still. */
  readonly endStepMs: number;
  readonly lastEndMs: number;
}

/** Aggregations that only look at grouping labels and values. */
const LABEL_BLIND_AGGREGATIONS = new Set(
  "sum avg min max count group stddev stdvar quantile".split(" "),
);

/** Functions that look at no label of their vector argument and give at most one series. */
const ABSENCE_FUNCTIONS = new Set("absent absent_over_time scalar".split(" "));

const LABEL_READING_FUNCTIONS = new Set(
  "histogram_quantile histogram_fraction label_replace label_join sort_by_label sort_by_label_desc info".split(
    " ",
  ),
);

/** Throws OpError "bad-data" if the expression cannot be asked over a range. */
export function planQuery(expr: Expr, options: QueryOptions): QueryPlan {
  const isInstant = options.stepMs === 0;
  const type = valueType(expr);
  if (!isInstant && (type === "string" || type === "matrix")) {
    const name = type === "matrix" ? "range vector" : type;
    throw new OpError(
      "bad-data",
      `invalid expression type ${JSON.stringify(name)} for range query, must be Scalar or instant Vector`,
    );
  }
  const grid: Grid = isInstant
    ? { startMs: options.startMs, stepMs: 1, count: 1 }
    : {
        startMs: options.startMs,
        stepMs: options.stepMs,
        count: Math.max(0, Math.floor((options.endMs - options.startMs) / options.stepMs) + 1),
      };
  const planner = new Planner(options);
  planner.visit(expr, grid, ALL_LABELS);
  return {
    expr,
    options,
    isInstant,
    grid,
    selectors: planner.selectors,
    selectorIndexes: planner.indexes,
  };
}

export function windowEnds(
  node: { readonly offsetMs: number; readonly at: AtModifier | undefined },
  grid: Grid,
  options: QueryOptions,
): WindowEnds {
  const fixedMs = atTimeMs(node.at, options);
  if (fixedMs !== undefined) {
    const endMs = fixedMs - node.offsetMs;
    return { firstEndMs: endMs, endStepMs: 0, lastEndMs: endMs };
  }
  const firstEndMs = grid.startMs - node.offsetMs;
  const lastEndMs = firstEndMs + (grid.count - 1) * grid.stepMs;
  return { firstEndMs, endStepMs: grid.stepMs, lastEndMs };
}

/** The grid on which the inside of a subquery is evaluated: multiples of its step within all of its windows. */
export function subqueryGrid(subquery: Subquery, grid: Grid, options: QueryOptions): Grid {
  const ends = windowEnds(subquery, grid, options);
  const stepMs = subquery.stepMs === 0 ? options.subqueryStepMs : subquery.stepMs;
  const afterMs = ends.firstEndMs - subquery.rangeMs;
  let startMs = stepMs * Math.trunc(afterMs / stepMs);
  if (startMs <= afterMs) startMs += stepMs;
  return {
    startMs,
    stepMs,
    count: Math.max(0, Math.floor((ends.lastEndMs - startMs) / stepMs) + 1),
  };
}

/** The same value at every evaluation time: evaluated once. */
export function isStepInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case "number":
    case "string":
      return true;
    case "vector-selector":
      return expr.at !== undefined;
    case "matrix-selector":
      return expr.selector.at !== undefined;
    case "subquery":
      return expr.at !== undefined;
    case "paren":
    case "unary":
      return isStepInvariant(expr.expr);
    case "aggregate":
      return (
        isStepInvariant(expr.expr) && (expr.param === undefined || isStepInvariant(expr.param))
      );
    case "binary":
      return isStepInvariant(expr.left) && isStepInvariant(expr.right);
    case "call":
      return !TIME_DEPENDENT_FUNCTIONS.has(expr.name) && expr.args.every(isStepInvariant);
  }
}

function atTimeMs(at: AtModifier | undefined, options: QueryOptions): number | undefined {
  if (at === undefined) return undefined;
  if (at.kind === "time") return at.timeMs;
  return at.kind === "start" ? options.startMs : options.endMs;
}

/** Selects exactly one metric: its series differ in other labels than the name. */
export function hasFixedName(selector: VectorSelector): boolean {
  return selector.matchers.some(
    ({ type, name, value }) => name === METRIC_NAME && type === "=" && value !== "",
  );
}

/** What a parent needs of the series below it. */
interface LabelNeeds {
  /** undefined: all labels. */
  readonly labels: readonly string[] | undefined;
  /** Some operator on the way drops the metric name, by which series may become equal. */
  readonly namesDropped: boolean;
}

const ALL_LABELS: LabelNeeds = { labels: undefined, namesDropped: false };

const NAME_KEEPING_FUNCTIONS = new Set(
  "sort sort_desc last_over_time first_over_time absent absent_over_time scalar".split(" "),
);

class Planner {
  readonly selectors: SelectorPlan[] = [];
  readonly indexes = new Map<VectorSelector, number>();
  readonly #options: QueryOptions;
  readonly #known = new Map<string, number>();

  constructor(options: QueryOptions) {
    this.#options = options;
  }

  visit(expr: Expr, grid: Grid, needs: LabelNeeds): void {
    switch (expr.kind) {
      case "number":
      case "string":
        return;
      case "vector-selector":
        this.#select(expr, grid, this.#options.lookbackMs, needs);
        return;
      case "matrix-selector":
        this.#select(expr.selector, grid, expr.rangeMs, needs);
        return;
      case "subquery":
        this.visit(expr.expr, subqueryGrid(expr, grid, this.#options), needs);
        return;
      case "paren":
        this.visit(expr.expr, grid, needs);
        return;
      case "unary":
        this.visit(expr.expr, grid, expr.op === "-" ? { ...needs, namesDropped: true } : needs);
        return;
      case "binary": {
        const bothVectors = valueType(expr.left) === "vector" && valueType(expr.right) === "vector";
        const keepsNames = isComparison(expr.op) && !expr.returnBool;
        const passed = bothVectors
          ? ALL_LABELS
          : keepsNames
            ? needs
            : { ...needs, namesDropped: true };
        this.visit(expr.left, grid, passed);
        this.visit(expr.right, grid, passed);
        return;
      }
      case "aggregate":
        this.#aggregate(expr, grid);
        return;
      case "call":
        this.#call(expr, grid, needs);
        return;
    }
  }

  #aggregate(expr: Aggregate, grid: Grid): void {
    if (expr.param !== undefined) this.visit(expr.param, grid, ALL_LABELS);
    const blind =
      LABEL_BLIND_AGGREGATIONS.has(expr.op) &&
      !expr.without &&
      !expr.grouping.includes(METRIC_NAME);
    this.visit(
      expr.expr,
      grid,
      blind ? { labels: expr.grouping, namesDropped: false } : ALL_LABELS,
    );
  }

  #call(expr: Call, grid: Grid, needs: LabelNeeds): void {
    for (const arg of expr.args) {
      if (valueType(arg) === "string") continue;
      let passed = needs;
      if (ABSENCE_FUNCTIONS.has(expr.name)) passed = { labels: [], namesDropped: false };
      else if (LABEL_READING_FUNCTIONS.has(expr.name)) passed = ALL_LABELS;
      else if (!NAME_KEEPING_FUNCTIONS.has(expr.name)) passed = { ...needs, namesDropped: true };
      this.visit(arg, grid, passed);
    }
  }

  #select(selector: VectorSelector, grid: Grid, rangeMs: number, needs: LabelNeeds): void {
    const ends = windowEnds(selector, grid, this.#options);
    // Without a fixed metric name, dropping the name may make two series equal, which is an error that must be seen.
    const canDrop = needs.labels !== undefined && (!needs.namesDropped || hasFixedName(selector));
    const labels = canDrop ? { labelsWanted: needs.labels } : {};
    const plan: SelectorPlan = {
      matchers: selector.matchers,
      // Windows are open on the left.
      minTimeMs: ends.firstEndMs - rangeMs + 1,
      maxTimeMs: ends.lastEndMs,
      ...labels,
    };
    const key = JSON.stringify(plan);
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.selectors.push(plan) - 1;
      this.#known.set(key, index);
    }
    this.indexes.set(selector, index);
  }
}

/** The selector under a range vector, if it is no subquery. */
export function rangeSelector(expr: Expr): VectorSelector | undefined {
  const inner = unwrapParens(expr);
  return inner.kind === "matrix-selector" ? inner.selector : undefined;
}
