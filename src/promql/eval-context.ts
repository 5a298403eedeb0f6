import { OpError } from "../base/errors.ts";
import type { QueryKernel } from "../kernel/host/query-kernel.ts";
import type { Annotations } from "./annotations.ts";
import type { Expr } from "./ast.ts";
import { isComparison, isSetOp, unwrapParens } from "./ast.ts";
import { valueType } from "./functions.ts";
import { dropMetadata } from "./label-ops.ts";
import type { Grid, QueryPlan } from "./plan.ts";
import { hasFixedName } from "./plan.ts";
import { copySeries, type Emit, type Series, SeriesMerger } from "./series.ts";

export interface EvaluateLimits {
  /** Samples that may be held in memory at a time; 0 = unlimited. Series that only stream through are not held. */
  readonly samplesMax: number;
}

/** What operators see of the evaluation that they are a part of. */
export interface EvalContext {
  readonly plan: QueryPlan;
  readonly kernel: QueryKernel;
  readonly annotations: Annotations;
  readonly budget: SampleBudget;
  /** Pushes the series of an instant vector expression. */
  vector(expr: Expr, grid: Grid, emit: Emit): void;
  /** Values of a scalar expression, one per step. */
  scalar(expr: Expr, grid: Grid): Float64Array;
}

/** Counts the samples that are held, so that a query fails before the process does. */
export class SampleBudget {
  readonly #samplesMax: number;
  #held = 0;
  #peak = 0;

  constructor(samplesMax: number) {
    this.#samplesMax = samplesMax === 0 ? Number.POSITIVE_INFINITY : samplesMax;
  }

  get peak(): number {
    return this.#peak;
  }

  hold(samples: number): void {
    this.#held += samples;
    if (this.#held > this.#peak) this.#peak = this.#held;
    if (this.#held > this.#samplesMax) throw tooManySamples();
  }

  release(samples: number): void {
    this.#held -= samples;
  }

  /** Before arrays of `steps` are made. */
  checkSteps(steps: number): void {
    if (steps > this.#samplesMax || steps > STEPS_MAX) throw tooManySamples();
  }
}

/** A row of steps longer than this is refused whatever the limit: 100 million values are 0.8 GB. */
const STEPS_MAX = 100_000_000;

function tooManySamples(): OpError<"execution"> {
  return new OpError(
    "execution",
    "query processing would load too many samples into memory in query execution",
  );
}

export function executionError(message: string): OpError<"execution"> {
  return new OpError("execution", message);
}

export function notImplemented(name: string): OpError<"not-implemented"> {
  return new OpError("not-implemented", `not implemented: ${name}`);
}

/** Runs `use` on all series of an expression, held in memory for that long. */
export function withMaterialized<Result>(
  context: EvalContext,
  expr: Expr,
  grid: Grid,
  use: (series: Series[]) => Result,
): Result {
  const { budget } = context;
  const all: Series[] = [];
  let held = 0;
  context.vector(expr, grid, (series) => {
    // Rows are held whole, whatever is present in them.
    budget.hold(grid.count);
    held += grid.count;
    all.push(copySeries(series));
  });
  const result = use(all);
  budget.release(held);
  return result;
}

export function stepTimesMs(grid: Grid): Float64Array {
  return Float64Array.from({ length: grid.count }, (_, step) => grid.startMs + step * grid.stepMs);
}

/**
 * Passes series on without their metric names. Without delayed name removal two series may become equal by that:
 * then they are gathered and merged, which is where Prometheus finds duplicate label sets.
 */
export function droppingNames(
  context: EvalContext,
  input: Expr,
  emit: Emit,
): { emit: Emit; finish: () => void } {
  if (context.plan.options.delayedNameRemoval) {
    return { emit: (series) => emit({ ...series, dropName: true }), finish: () => {} };
  }
  const drop = (series: Series): Series => ({ ...series, labels: dropMetadata(series.labels) });
  if (isDistinctWithoutNames(input))
    return { emit: (series) => emit(drop(series)), finish: () => {} };
  const merger = new SeriesMerger();
  return {
    emit: (series) => merger.add(copySeries(drop(series))),
    finish: () => {
      for (const series of merger.list()) emit(series);
    },
  };
}

/** False where series of the expression may differ in their metric names alone. */
export function isDistinctWithoutNames(expr: Expr): boolean {
  const inner = unwrapParens(expr);
  switch (inner.kind) {
    case "vector-selector":
      return hasFixedName(inner);
    case "matrix-selector":
      return hasFixedName(inner.selector);
    case "subquery":
    case "unary":
      return isDistinctWithoutNames(inner.expr);
    case "aggregate":
      return inner.op === "topk" || inner.op === "bottomk" || inner.op.startsWith("limit")
        ? isDistinctWithoutNames(inner.expr)
        : !inner.grouping.includes("__name__");
    case "binary": {
      if (isSetOp(inner.op)) return inner.op !== "or" && isDistinctWithoutNames(inner.left);
      if (inner.matching?.include.includes("__name__") === true) return false;
      if (!isComparison(inner.op) || inner.returnBool) return true;
      return [inner.left, inner.right].every(
        (side) => valueType(side) === "scalar" || isDistinctWithoutNames(side),
      );
    }
    case "call":
      if (inner.name === "label_replace" || inner.name === "label_join") return false;
      if (
        inner.name.startsWith("sort") ||
        inner.name === "last_over_time" ||
        inner.name === "first_over_time"
      ) {
        return inner.args[0] === undefined || isDistinctWithoutNames(inner.args[0]);
      }
      return true;
    default:
      return true;
  }
}
