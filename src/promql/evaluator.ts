import { must } from "../base/assert.ts";
import type { QueryKernel, Windows } from "../kernel/host/query-kernel.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import { evaluateAggregate } from "./aggregate.ts";
import { Annotations } from "./annotations.ts";
import type { Call, Expr, VectorSelector } from "./ast.ts";
import { unwrapParens } from "./ast.ts";
import { evaluateBinary, scalarBinary } from "./binary.ts";
import {
  droppingNames,
  type EvalContext,
  type EvaluateLimits,
  notImplemented,
  SampleBudget,
  stepTimesMs,
} from "./eval-context.ts";
import { valueType } from "./functions.ts";
import { type Grid, isStepInvariant, type QueryPlan, windowEnds } from "./plan.ts";
import { evaluateRangeFunction } from "./range-functions.ts";
import type { Emit } from "./series.ts";
import { SetReader } from "./set-reader.ts";
import { evaluateVectorFunction } from "./vector-functions.ts";

/**
 * Walks the tree of one query. Vectors are pushed series by series, each with all of its steps; scalars are rows of
 * steps. Selectors decode one series at a time in the kernel, so what is held is what operators gather.
 */
export class Evaluator implements EvalContext {
  readonly plan: QueryPlan;
  readonly kernel: QueryKernel;
  readonly annotations: Annotations;
  readonly budget: SampleBudget;
  readonly #readers: readonly SetReader[];

  constructor(
    query: string,
    plan: QueryPlan,
    sets: readonly EncodedSeriesSet[],
    kernel: QueryKernel,
    limits: EvaluateLimits,
  ) {
    this.plan = plan;
    this.kernel = kernel;
    this.annotations = new Annotations(query);
    this.budget = new SampleBudget(limits.samplesMax);
    this.#readers = plan.selectors.map(
      (selector, i) => new SetReader(must(sets[i], "one set per selector"), selector.labelsWanted),
    );
  }

  readerOf(selector: VectorSelector): SetReader {
    const index = must(this.plan.selectorIndexes.get(selector), "the selector was planned");
    return must(this.#readers[index], "one reader per selector");
  }

  vector(expr: Expr, grid: Grid, emit: Emit): void {
    if (grid.count === 0) return;
    this.budget.checkSteps(grid.count);
    if (grid.count > 1 && isStepInvariant(expr)) {
      this.#onceForAll(expr, grid, emit);
      return;
    }
    switch (expr.kind) {
      case "paren":
        this.vector(expr.expr, grid, emit);
        return;
      case "vector-selector":
        this.#selector(expr, grid, emit, false);
        return;
      case "unary":
        this.#negate(expr.expr, grid, emit, expr.op === "-");
        return;
      case "binary":
        evaluateBinary(this, expr, grid, emit);
        return;
      case "aggregate":
        evaluateAggregate(this, expr, grid, emit);
        return;
      case "call":
        this.#call(expr, grid, emit);
        return;
      default:
        throw notImplemented(`${expr.kind} as an instant vector`);
    }
  }

  scalar(expr: Expr, grid: Grid): Float64Array {
    this.budget.checkSteps(grid.count);
    switch (expr.kind) {
      case "number":
        return new Float64Array(grid.count).fill(expr.value);
      case "paren":
        return this.scalar(expr.expr, grid);
      case "unary": {
        const values = this.scalar(expr.expr, grid);
        return expr.op === "-" ? values.map((value) => -value) : values;
      }
      case "binary":
        return scalarBinary(expr.op, this.scalar(expr.left, grid), this.scalar(expr.right, grid));
      case "call":
        if (expr.name === "pi") return new Float64Array(grid.count).fill(Math.PI);
        if (expr.name === "time") return stepTimesMs(grid).map((timeMs) => timeMs / 1000);
        if (expr.name === "scalar")
          return this.#scalarOf(must(expr.args[0], "scalar has a vector"), grid);
        break;
      default:
        break;
    }
    throw notImplemented(`${expr.kind} as a scalar`);
  }

  /** A row of the value of the only series at each step, NaN where there is none or more than one. */
  #scalarOf(expr: Expr, grid: Grid): Float64Array {
    const values = new Float64Array(grid.count);
    const counts = new Uint32Array(grid.count);
    this.vector(expr, grid, (series) => {
      for (let s = 0; s < grid.count; s++) {
        if (series.present[s] === 0) continue;
        counts[s]! += 1;
        values[s] = series.values[s]!;
      }
    });
    return values.map((value, step) => (counts[step] === 1 ? value : Number.NaN));
  }

  /** A step-invariant expression: evaluated at the first step, repeated at the others. */
  #onceForAll(expr: Expr, grid: Grid, emit: Emit): void {
    this.vector(expr, { ...grid, count: 1 }, (series) => {
      if (series.present[0] === 0) return;
      emit({
        ...series,
        values: new Float64Array(grid.count).fill(series.values[0]!),
        present: new Uint8Array(grid.count).fill(1),
      });
    });
  }

  #selector(selector: VectorSelector, grid: Grid, emit: Emit, wantTimes: boolean): void {
    const { kernel } = this;
    const reader = this.readerOf(selector);
    const { set } = reader;
    const rangeMs = this.plan.options.lookbackMs;
    const ends = windowEnds(selector, grid, this.plan.options);
    const windows: Windows = {
      firstEndMs: ends.firstEndMs,
      endStepMs: ends.endStepMs,
      rangeMs,
      evalStartMs: grid.startMs,
      evalStepMs: grid.stepMs,
    };
    const minTimeMs = ends.firstEndMs - rangeMs + 1;
    kernel.prepare(grid.count);
    for (let i = 0; i < set.seriesCount; i++) {
      const range = {
        fromChunk: set.chunkOffsets[i]!,
        toChunk: set.chunkOffsets[i + 1]!,
        minTimeMs,
        maxTimeMs: ends.lastEndMs,
        keepStale: true,
      };
      if (kernel.load(set, range) === 0) continue;
      if (kernel.run(wantTimes ? "instant_time" : "instant", windows) === 0) continue;
      emit({
        labels: reader.labels(i),
        dropName: false,
        values: kernel.values,
        present: kernel.presence,
      });
    }
  }

  #negate(input: Expr, grid: Grid, emit: Emit, negative: boolean): void {
    if (!negative) {
      this.vector(input, grid, emit);
      return;
    }
    const dropping = droppingNames(this, input, emit);
    this.vector(input, grid, (series) => {
      const { values } = series;
      for (let s = 0; s < values.length; s++) values[s] = -values[s]!;
      dropping.emit(series);
    });
    dropping.finish();
  }

  #call(call: Call, grid: Grid, emit: Emit): void {
    if (call.args.some((arg) => valueType(arg) === "matrix")) {
      evaluateRangeFunction(this, call, grid, emit);
      return;
    }
    const [input] = call.args;
    if (call.name === "timestamp" && input !== undefined) {
      const inner = unwrapParens(input);
      if (inner.kind === "vector-selector") {
        const dropping = droppingNames(this, inner, emit);
        this.#selector(inner, grid, dropping.emit, true);
        dropping.finish();
        return;
      }
    }
    evaluateVectorFunction(this, call, grid, emit);
  }
}
