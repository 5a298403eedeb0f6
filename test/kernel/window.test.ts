/** The kernel's window functions against plain twins that look at each window by itself. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import {
  QueryKernel,
  type WindowFunction,
  type Windows,
} from "../../src/kernel/host/query-kernel.ts";
import { bitsOf, STALE_NAN_BITS } from "../testkit/xor.ts";

interface Sample {
  readonly time: number;
  readonly value: number;
}

/** Value of a function for the samples of one window; undefined: none. */
type Twin = (
  window: readonly Sample[],
  place: { begin: number; end: number; evalMs: number; parameter: number },
) => number | undefined;

const kahan = (values: readonly number[]): number => {
  let sum = 0;
  let rest = 0;
  for (const value of values) {
    const total = sum + value;
    if (Math.abs(total) === Infinity) rest = 0;
    else rest += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sum = total;
  }
  return Math.abs(sum) === Infinity ? sum : sum + rest;
};

const valuesOf = (window: readonly Sample[]) => window.map(({ value }) => value);

const variance = (values: readonly number[]): number => {
  const mean = kahan(values) / values.length;
  return kahan(values.map((value) => (value - mean) ** 2)) / values.length;
};

const sortedNaNFirst = (values: readonly number[]): number[] =>
  [...values].sort((a, b) =>
    Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b,
  );

const quantile = (q: number, values: readonly number[]): number => {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = sortedNaNFirst(values);
  const rank = q * (sorted.length - 1);
  const lower = Math.floor(rank);
  const weight = rank - lower;
  return sorted[lower]! * (1 - weight) + sorted[Math.min(lower + 1, sorted.length - 1)]! * weight;
};

function extrapolated(isCounter: boolean, isRate: boolean): Twin {
  return (window, { begin, end }) => {
    const first = window[0];
    const last = window.at(-1);
    if (first === undefined || last === undefined || window.length < 2) return undefined;
    let result = last.value - first.value;
    if (isCounter) {
      window.forEach(({ value }, i) => {
        const before = window[i - 1]?.value ?? value;
        if (value < before) result += before;
      });
    }
    let toStart = (first.time - begin) / 1000;
    let toEnd = (end - last.time) / 1000;
    const sampled = (last.time - first.time) / 1000;
    const average = sampled / (window.length - 1);
    if (toStart >= average * 1.1) toStart = average / 2;
    if (isCounter && result > 0 && first.value >= 0) {
      toStart = Math.min(toStart, sampled * (first.value / result));
    }
    if (toEnd >= average * 1.1) toEnd = average / 2;
    const increase = (result * (sampled + toStart + toEnd)) / sampled;
    return isRate ? increase / ((end - begin) / 1000) : increase;
  };
}

const pair = (window: readonly Sample[]) => (window.length < 2 ? undefined : window.slice(-2));

/** Least squares around the means: the slope, and the value at `origin` seconds + ahead. */
function line(
  window: readonly Sample[],
  originMs: number,
  ahead: number,
): { slope: number; value: number } {
  const values = valuesOf(window);
  if (values.every((value) => value === values[0])) return { slope: 0, value: values[0]! };
  const xs = window.map(({ time }) => (time - originMs) / 1000);
  const meanX = kahan(xs) / xs.length;
  const meanY = kahan(values) / values.length;
  const covariance = kahan(xs.map((x, i) => (x - meanX) * (values[i]! - meanY)));
  const slope = covariance / kahan(xs.map((x) => (x - meanX) ** 2));
  return { slope, value: meanY + slope * (ahead - meanX) };
}

const some =
  (of: (values: number[], window: readonly Sample[]) => number): Twin =>
  (window) =>
    window.length === 0 ? undefined : of(valuesOf(window), window);

const numbers = (values: readonly number[]) => values.filter((value) => !Number.isNaN(value));

const TWINS: Partial<Record<WindowFunction, Twin>> = {
  rate: extrapolated(true, true),
  increase: extrapolated(true, false),
  delta: extrapolated(false, false),
  irate: (window) => {
    const [before, last] = pair(window) ?? [];
    if (before === undefined || last === undefined) return undefined;
    const rise = last.value < before.value ? last.value : last.value - before.value;
    return rise / ((last.time - before.time) / 1000);
  },
  idelta: (window) => {
    const [before, last] = pair(window) ?? [];
    return before === undefined || last === undefined ? undefined : last.value - before.value;
  },
  sum_over_time: some(kahan),
  avg_over_time: some((values) => kahan(values) / values.length),
  min_over_time: some((values) =>
    numbers(values).length === 0 ? Number.NaN : Math.min(...numbers(values)),
  ),
  max_over_time: some((values) =>
    numbers(values).length === 0 ? Number.NaN : Math.max(...numbers(values)),
  ),
  count_over_time: some((values) => values.length),
  last_over_time: some((values) => values.at(-1) ?? 0),
  first_over_time: some((values) => values[0]!),
  present_over_time: some(() => 1),
  stddev_over_time: some((values) => Math.sqrt(variance(values))),
  stdvar_over_time: some(variance),
  changes: some(
    (values) => values.filter((value, i) => i > 0 && !same(value, values[i - 1]!)).length,
  ),
  resets: some((values) => values.filter((value, i) => i > 0 && value < values[i - 1]!).length),
  deriv: (window) => (window.length < 2 ? undefined : line(window, window[0]!.time, 0).slope),
  predict_linear: (window, { evalMs, parameter }) =>
    window.length < 2 ? undefined : line(window, evalMs, parameter).value,
  quantile_over_time: (window, { parameter }) =>
    window.length === 0 ? undefined : quantile(parameter, valuesOf(window)),
  ts_of_last_over_time: some((_, window) => window.at(-1)!.time / 1000),
  ts_of_min_over_time: some(
    (values, window) => window[values.lastIndexOf(Math.min(...values))]!.time / 1000,
  ),
  ts_of_max_over_time: some(
    (values, window) => window[values.lastIndexOf(Math.max(...values))]!.time / 1000,
  ),
  mad_over_time: some((values) => {
    const median = quantile(0.5, values);
    return quantile(
      0.5,
      values.map((value) => Math.abs(value - median)),
    );
  }),
};

function same(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

/** Relative to the size of the inputs: a sum of large terms cannot be exact to its own size. */
function assertClose(got: number, wanted: number, scale: number, what: string): void {
  if (same(got, wanted)) return;
  assert.ok(
    Math.abs(got - wanted) <= 1e-9 * Math.max(Math.abs(wanted), scale),
    `${what}: ${got}, wanted ${wanted}`,
  );
}

function compare(
  fn: WindowFunction,
  samples: readonly Sample[],
  windows: Windows & { steps: number },
  scale: number,
): void {
  const kernel = new QueryKernel();
  const parameters = Float64Array.from({ length: windows.steps }, (_, s) => (s % 12) / 10);
  kernel.loadColumns(
    samples.map(({ time }) => time),
    Float64Array.from(samples, ({ value }) => value),
    samples.length,
  );
  kernel.prepare(windows.steps);
  kernel.setParameters(parameters);
  const count = kernel.run(fn, windows);
  const { values, presence } = kernel;
  let present = 0;
  for (let s = 0; s < windows.steps; s++) {
    const end = windows.firstEndMs + s * windows.endStepMs;
    const begin = end - windows.rangeMs;
    const window = samples.filter(({ time }) => time > begin && time <= end);
    const evalMs = windows.evalStartMs + s * windows.evalStepMs;
    const wanted = TWINS[fn]!(window, { begin, end, evalMs, parameter: parameters[s]! });
    assert.equal(presence[s], wanted === undefined ? 0 : 1, `${fn} step ${s}`);
    if (wanted === undefined) continue;
    present++;
    assertClose(values[s]!, wanted, scale, `${fn} step ${s}`);
  }
  assert.equal(count, present);
}

const gaps = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 80 });

const anyWindows = fc.record({
  firstEndMs: fc.integer({ min: -100, max: 1500 }),
  endStepMs: fc.integer({ min: 0, max: 200 }),
  rangeMs: fc.integer({ min: 1, max: 800 }),
  evalStartMs: fc.integer({ min: -100, max: 1500 }),
  evalStepMs: fc.integer({ min: 0, max: 200 }),
  steps: fc.integer({ min: 1, max: 40 }),
});

function samplesOf(spaces: readonly number[], values: readonly number[]): Sample[] {
  let time = 0;
  return spaces.map((space, i) => {
    time += space;
    return { time, value: values[i % values.length]! };
  });
}

const FINITE = fc.array(fc.double({ min: -1000, max: 1000, noNaN: true }), {
  minLength: 1,
  maxLength: 80,
});
const INTEGERS = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 80 });
const SPECIAL = fc.array(fc.constantFrom(0, 1, 5, -3, Infinity, -Infinity, NaN), {
  minLength: 1,
  maxLength: 40,
});

/**
 * Least squares lose digits when all xs are nearly equal, in Prometheus' formula too: compared on integers, and with
 * evaluation times near the samples.
 */
const ILL_CONDITIONED: readonly WindowFunction[] = ["deriv", "predict_linear"];

for (const fn of Object.keys(TWINS) as WindowFunction[]) {
  test(`${fn} equals its twin`, () => {
    const values = ILL_CONDITIONED.includes(fn) ? INTEGERS : fc.oneof(FINITE, INTEGERS);
    fc.assert(
      fc.property(gaps, values, anyWindows, (spaces, list, any) => {
        const near = { ...any, evalStartMs: any.firstEndMs, evalStepMs: any.endStepMs };
        const windows = ILL_CONDITIONED.includes(fn) ? near : any;
        compare(fn, samplesOf(spaces, list), windows, fn.startsWith("stdd") ? 1e3 : 1e5);
      }),
      { numRuns: 150 },
    );
  });
}

const ORDER_FREE: readonly WindowFunction[] = [
  ...([
    "sum_over_time",
    "min_over_time",
    "max_over_time",
    "count_over_time",
    "last_over_time",
  ] as const),
  ...(["changes", "resets", "idelta", "quantile_over_time"] as const),
];

test("infinities and NaN", () => {
  for (const fn of ORDER_FREE) {
    fc.assert(
      fc.property(gaps, SPECIAL, anyWindows, (spaces, list, windows) => {
        compare(fn, samplesOf(spaces, list), windows, 1);
      }),
      { numRuns: 60 },
    );
  }
});

test("long overlapping windows keep small terms beside large ones", () => {
  const kernel = new QueryKernel();
  const count = 500;
  const values = Float64Array.from({ length: count }, (_, i) =>
    i % 2 === 0 ? 1 : i % 4 === 1 ? 1e17 : -1e17,
  );
  kernel.loadColumns(
    Float64Array.from({ length: count }, (_, i) => i * 10),
    values,
    count,
  );
  kernel.prepare(200);
  const windows = { firstEndMs: 2000, endStepMs: 10, rangeMs: 800, evalStartMs: 0, evalStepMs: 0 };
  kernel.run("sum_over_time", windows);
  for (let s = 0; s < 200; s++) {
    const first = 200 + s - 79;
    const wanted = kahan([...values.subarray(first, first + 80)]);
    assert.equal(kernel.values[s], wanted, `step ${s}`);
  }
});

test("an instant lookup takes the last sample, unless it is a staleness marker or too old", () => {
  const kernel = new QueryKernel();
  const values = Float64Array.of(1, 0, 3);
  bitsOf(values)[1] = STALE_NAN_BITS;
  kernel.loadColumns([100, 200, 300], values, 3);
  kernel.prepare(6);
  const windows = { firstEndMs: 50, endStepMs: 100, rangeMs: 120, evalStartMs: 0, evalStepMs: 0 };
  assert.equal(kernel.run("instant", windows), 2);
  assert.deepEqual([...kernel.presence], [0, 1, 0, 1, 0, 0]);
  assert.equal(kernel.values[1], 1);
  assert.equal(kernel.values[3], 3);
  kernel.run("instant_time", windows);
  assert.equal(kernel.values[3], 0.3);
});
