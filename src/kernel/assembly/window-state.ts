/**
 * What the window functions share: the windows of the run (written by `runWindow`, read by all), access to columns,
 * and the compensated sum.
 */

/** Window of step s: (end - range, end], end = firstEnd + s * endStep. Milliseconds. */
export let firstEnd: f64 = 0;
export let endStep: f64 = 0;
export let range: f64 = 0;
export let steps: u32 = 0;
/** Evaluation times, for predict_linear. */
export let evalStart: f64 = 0;
export let evalStep: f64 = 0;

/** Compensated sum: total and compensation. */
export let kahanTotal: f64 = 0;
export let kahanRest: f64 = 0;

export function setWindows(
  stepCount: u32,
  firstEndMs: f64,
  endStepMs: f64,
  rangeMs: f64,
  evalStartMs: f64,
  evalStepMs: f64,
): void {
  steps = stepCount;
  firstEnd = firstEndMs;
  endStep = endStepMs;
  range = rangeMs;
  evalStart = evalStartMs;
  evalStep = evalStepMs;
}

/** Starts a compensated sum, or goes on with one. */
// @ts-ignore: decorator
@inline
export function setKahan(total: f64, rest: f64): void {
  kahanTotal = total;
  kahanRest = rest;
}

// @ts-ignore: decorator
@inline
export function timeAt(base: usize, i: u32): f64 {
  return load<f64>(base + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
export function finite(x: f64): bool {
  return x - x == 0;
}

// @ts-ignore: decorator
@inline
export function infinite(x: f64): bool {
  return abs(x) == Infinity;
}

/** Neumaier's sum, as Prometheus has it. */
// @ts-ignore: decorator
@inline
export function kahanAdd(value: f64): void {
  const total = kahanTotal + value;
  if (infinite(total)) kahanRest = 0;
  else if (abs(kahanTotal) >= abs(value)) kahanRest += kahanTotal - total + value;
  else kahanRest += value - total + kahanTotal;
  kahanTotal = total;
}
