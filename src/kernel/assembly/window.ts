/**
 * Functions over sliding windows of the decoded columns (columns.ts): one value a step.
 *
 *     window of step s: samples with  end - range < time <= end,   end = firstEnd + s * endStep
 *     output            values f64[steps] | parameters f64[steps], written by the host | presence u8[steps]
 *
 * `endStep` 0 is a window that stands still (the @ modifier). Both ends only move forward, so a run is linear in
 * samples and steps, except for the few functions that look at every sample of every window (marked "direct");
 * sums and variances do that only while windows overlap little, and use two stacks of partial results otherwise
 * (see `slidingSums`): partial results are merged, never subtracted, so nothing is lost to cancellation.
 *
 * The arithmetic is Prometheus' own, operation by operation, because results are compared with it.
 */
import {
  columnCount,
  columnTimes,
  columnValues,
  isStale,
  outputParameters,
  outputPresence,
  outputValues,
  scratchArea,
} from "./columns";
import { extremes, medianDeviation, quantiles } from "./window-order";
import { extrapolated } from "./window-rate";
import {
  endStep,
  evalStart,
  evalStep,
  firstEnd,
  infinite,
  kahanAdd,
  kahanRest,
  kahanTotal,
  range,
  setKahan,
  setWindows,
  steps,
  timeAt,
} from "./window-state";
import { average, slidingSums, slidingVariances, sum, varianceOf } from "./window-sums";

/** Numbers are known to src/kernel/host/query-kernel.ts. */
const FN_RATE: u32 = 0;
const FN_INCREASE: u32 = 1;
const FN_DELTA: u32 = 2;
const FN_IRATE: u32 = 3;
const FN_IDELTA: u32 = 4;
const FN_SUM: u32 = 5;
const FN_AVG: u32 = 6;
const FN_MIN: u32 = 7;
const FN_MAX: u32 = 8;
const FN_COUNT: u32 = 9;
const FN_LAST: u32 = 10;
const FN_FIRST: u32 = 11;
const FN_PRESENT: u32 = 12;
const FN_STDDEV: u32 = 13;
const FN_STDVAR: u32 = 14;
const FN_CHANGES: u32 = 15;
const FN_RESETS: u32 = 16;
const FN_DERIV: u32 = 17;
const FN_PREDICT_LINEAR: u32 = 18;
const FN_QUANTILE: u32 = 19;
const FN_TIME_OF_LAST: u32 = 20;
const FN_TIME_OF_MIN: u32 = 21;
const FN_TIME_OF_MAX: u32 = 22;
const FN_MAD: u32 = 23;
/** Instant vector selectors: the last sample of the window, absent if it is a staleness marker. */
const FN_INSTANT: u32 = 24;
/** The same, giving the time of the sample in seconds. */
const FN_INSTANT_TIME: u32 = 25;

/** Windows that overlap more than this many times are summed by two stacks. */
const DIRECT_OVERLAP_MAX: f64 = 4;

/** Runs `fn` for every step over the columns. Gives the number of steps that have a value. */
export function runWindow(
  fn: u32,
  stepCount: u32,
  firstEndMs: f64,
  endStepMs: f64,
  rangeMs: f64,
  evalStartMs: f64,
  evalStepMs: f64,
): u32 {
  setWindows(stepCount, firstEndMs, endStepMs, rangeMs, evalStartMs, evalStepMs);
  if (fn == FN_RATE) return extrapolated(true, true);
  if (fn == FN_INCREASE) return extrapolated(true, false);
  if (fn == FN_DELTA) return extrapolated(false, false);
  if (fn == FN_INSTANT || fn == FN_INSTANT_TIME) return instant(fn);
  if (fn == FN_MIN || fn == FN_MAX) return extremes(fn == FN_MAX);
  if (fn == FN_CHANGES || fn == FN_RESETS) return transitions(fn == FN_RESETS);
  if (fn == FN_QUANTILE) return quantiles();
  const overlap = endStep > 0 ? range / endStep : Infinity;
  if (steps > 8 && overlap > DIRECT_OVERLAP_MAX) {
    if (fn == FN_SUM || fn == FN_AVG) return slidingSums(fn == FN_AVG);
    if (fn == FN_STDDEV || fn == FN_STDVAR) return slidingVariances(fn == FN_STDDEV);
  }
  return direct(fn);
}

function instant(fn: u32): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    while (high < count && timeAt(times, high) <= end) high++;
    if (high == 0 || timeAt(times, high - 1) <= end - range) {
      store<u8>(presence + s, 0);
      continue;
    }
    const bits = load<u64>(values + (<usize>(high - 1) << 3));
    if (isStale(bits)) {
      store<u8>(presence + s, 0);
      continue;
    }
    if (fn == FN_INSTANT_TIME) {
      store<f64>(out + (<usize>s << 3), timeAt(times, high - 1) / 1000);
    } else {
      store<u64>(out + (<usize>s << 3), bits);
    }
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

// @ts-ignore: decorator
@inline
function isTransition(values: usize, i: u32, resetsOnly: bool): u32 {
  const before = timeAt(values, i - 1);
  const value = timeAt(values, i);
  if (resetsOnly) return value < before ? 1 : 0;
  // NaN after NaN is no change.
  return value != before && !(value != value && before != before) ? 1 : 0;
}

/** changes and resets: neighbours within the window that differ, or fall. */
function transitions(resetsOnly: bool): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  let low: u32 = 0;
  let high: u32 = 0;
  let inside: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    while (high < count && timeAt(times, high) <= end) {
      if (high > low) inside += isTransition(values, high, resetsOnly);
      high++;
    }
    while (low < high && timeAt(times, low) <= begin) {
      if (low + 1 < high) inside -= isTransition(values, low + 1, resetsOnly);
      low++;
    }
    if (low == high) {
      store<u8>(presence + s, 0);
      continue;
    }
    store<f64>(out + (<usize>s << 3), <f64>inside);
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

/** Functions that look at each window by itself. */
function direct(fn: u32): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  const leastSamples: u32 =
    fn == FN_IRATE || fn == FN_IDELTA || fn == FN_DERIV || fn == FN_PREDICT_LINEAR ? 2 : 1;
  if (fn == FN_MAD) scratchArea(<usize>count * 8);
  let low: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    while (high < count && timeAt(times, high) <= end) high++;
    while (low < high && timeAt(times, low) <= begin) low++;
    if (high < low + leastSamples) {
      store<u8>(presence + s, 0);
      continue;
    }
    store<f64>(out + (<usize>s << 3), evaluate(fn, times, values, low, high, s));
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

function evaluate(fn: u32, times: usize, values: usize, low: u32, high: u32, step: u32): f64 {
  switch (fn) {
    case FN_SUM:
      return sum(values, low, high);
    case FN_AVG:
      return average(values, low, high);
    case FN_COUNT:
      return <f64>(high - low);
    case FN_LAST:
      return timeAt(values, high - 1);
    case FN_FIRST:
      return timeAt(values, low);
    case FN_PRESENT:
      return 1;
    case FN_STDDEV:
      return sqrt(varianceOf(values, low, high));
    case FN_STDVAR:
      return varianceOf(values, low, high);
    case FN_IRATE:
      return instantRate(times, values, high, true);
    case FN_IDELTA:
      return instantRate(times, values, high, false);
    case FN_DERIV:
      return regression(times, values, low, high, timeAt(times, low), 0, false);
    case FN_PREDICT_LINEAR:
      return regression(
        times,
        values,
        low,
        high,
        evalStart + evalStep * <f64>step,
        timeAt(outputParameters(), step),
        true,
      );
    case FN_TIME_OF_LAST:
      return timeAt(times, high - 1) / 1000;
    case FN_TIME_OF_MIN:
    case FN_TIME_OF_MAX:
      return timeOfExtreme(times, values, low, high, fn == FN_TIME_OF_MAX);
    case FN_MAD:
      return medianDeviation(values, low, high);
    default:
      return NaN;
  }
}

function instantRate(times: usize, values: usize, high: u32, isRate: bool): f64 {
  const last = timeAt(values, high - 1);
  const before = timeAt(values, high - 2);
  let result = last;
  if (!isRate || !(last < before)) result = last - before;
  if (isRate) result /= (timeAt(times, high - 1) - timeAt(times, high - 2)) / 1000;
  return result;
}

/** Least squares through the window: its slope, or its value `ahead` seconds after `origin`. */
function regression(
  times: usize,
  values: usize,
  low: u32,
  high: u32,
  origin: f64,
  ahead: f64,
  predict: bool,
): f64 {
  let sumX: f64 = 0;
  let restX: f64 = 0;
  let sumY: f64 = 0;
  let restY: f64 = 0;
  let sumXY: f64 = 0;
  let restXY: f64 = 0;
  let sumXX: f64 = 0;
  let restXX: f64 = 0;
  const firstY = timeAt(values, low);
  let constant = true;
  for (let i = low; i < high; i++) {
    const y = timeAt(values, i);
    if (constant && i > low && y != firstY) constant = false;
    const x = (timeAt(times, i) - origin) / 1000;
    setKahan(sumX, restX);
    kahanAdd(x);
    sumX = kahanTotal;
    restX = kahanRest;
    setKahan(sumY, restY);
    kahanAdd(y);
    sumY = kahanTotal;
    restY = kahanRest;
    setKahan(sumXY, restXY);
    kahanAdd(x * y);
    sumXY = kahanTotal;
    restXY = kahanRest;
    setKahan(sumXX, restXX);
    kahanAdd(x * x);
    sumXX = kahanTotal;
    restXX = kahanRest;
  }
  let slope: f64;
  let intercept: f64;
  if (constant) {
    slope = infinite(firstY) ? NaN : 0;
    intercept = infinite(firstY) ? NaN : firstY;
  } else {
    const count = <f64>(high - low);
    sumX += restX;
    sumY += restY;
    sumXY += restXY;
    sumXX += restXX;
    const covariance = sumXY - (sumX * sumY) / count;
    const variance = sumXX - (sumX * sumX) / count;
    slope = covariance / variance;
    intercept = sumY / count - (slope * sumX) / count;
  }
  return predict ? slope * ahead + intercept : slope;
}

function timeOfExtreme(times: usize, values: usize, low: u32, high: u32, isMax: bool): f64 {
  let best = timeAt(values, low);
  let at = low;
  for (let i = low; i < high; i++) {
    const value = timeAt(values, i);
    if ((isMax ? value >= best : value <= best) || best != best) {
      best = value;
      at = i;
    }
  }
  return timeAt(times, at) / 1000;
}

