import { OpError } from "../base/errors.ts";
import type { Labels } from "../model/labels.ts";
import { labelKey } from "./label-ops.ts";

/**
 * One series on a grid of steps: a value where `present` is 1. Operators push series to an `Emit`; arrays of a pushed
 * series belong to the callee until it returns (it may write to them) and to the operator again afterwards.
 */
export interface Series {
  readonly labels: Labels;
  /** The metric name is to go at the end of the query (delayed name removal). */
  readonly dropName: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export type Emit = (series: Series) => void;

export function copySeries(series: Series): Series {
  return { ...series, values: series.values.slice(), present: series.present.slice() };
}

export function countPresent(present: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < present.length; i++) count += present[i]!;
  return count;
}

export function duplicateLabels(): OpError<"execution"> {
  return new OpError("execution", "vector cannot contain metrics with the same labelset");
}

/**
 * Series by label set, in the order of their first arrival. A series that arrives again with the same labels fills the
 * gaps of the first; two values for one step are Prometheus' duplicate labelset error.
 */
export class SeriesMerger {
  readonly #byKey = new Map<string, Series>();

  /** Takes the series over: its arrays must be the caller's to give. */
  add(series: Series): void {
    const key = labelKey(series.labels);
    const known = this.#byKey.get(key);
    if (known === undefined) {
      this.#byKey.set(key, series);
      return;
    }
    for (let step = 0; step < series.present.length; step++) {
      if (series.present[step] === 0) continue;
      if (known.present[step] === 1) throw duplicateLabels();
      known.present[step] = 1;
      known.values[step] = series.values[step]!;
    }
  }

  list(): Series[] {
    return [...this.#byKey.values()];
  }
}

/** Refuses a second series with the same labels, whatever its steps. */
export class DuplicateGuard {
  readonly #keys = new Set<string>();

  check(labels: Labels): void {
    const before = this.#keys.size;
    this.#keys.add(labelKey(labels));
    if (this.#keys.size === before) throw duplicateLabels();
  }
}
