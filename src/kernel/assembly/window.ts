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

let firstEnd: f64 = 0;
let endStep: f64 = 0;
let range: f64 = 0;
let steps: u32 = 0;
/** Evaluation times, for predict_linear. */
let evalStart: f64 = 0;
let evalStep: f64 = 0;

/** Compensated sum: total and compensation. */
let kahanTotal: f64 = 0;
let kahanRest: f64 = 0;

// @ts-ignore: decorator
@inline
function timeAt(base: usize, i: u32): f64 {
  return load<f64>(base + (<usize>i << 3));
}

// @ts-ignore: decorator
@inline
function finite(x: f64): bool {
  return x - x == 0;
}

// @ts-ignore: decorator
@inline
function infinite(x: f64): bool {
  return abs(x) == Infinity;
}

/** Neumaier's sum, as Prometheus has it. */
// @ts-ignore: decorator
@inline
function kahanAdd(value: f64): void {
  const total = kahanTotal + value;
  if (infinite(total)) kahanRest = 0;
  else if (abs(kahanTotal) >= abs(value)) kahanRest += kahanTotal - total + value;
  else kahanRest += value - total + kahanTotal;
  kahanTotal = total;
}

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
  steps = stepCount;
  firstEnd = firstEndMs;
  endStep = endStepMs;
  range = rangeMs;
  evalStart = evalStartMs;
  evalStep = evalStepMs;
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

/** rate, increase and delta: the difference of a window, extrapolated to its bounds. */
function extrapolated(isCounter: bool, isRate: bool): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  const rangeSeconds = range / 1000;
  const rangeFactor = isRate ? rangeSeconds : 1;
  // Indexes of samples below their predecessor, in order; those not above `low` have left the window.
  const resets = isCounter ? scratchArea(<usize>count * 4) : 0;
  let resetsFrom: u32 = 0;
  let resetsTo: u32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  let previous: f64 = NaN;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    while (high < count && timeAt(times, high) <= end) {
      if (isCounter) {
        const value = timeAt(values, high);
        if (value < previous) store<u32>(resets + (<usize>(resetsTo++) << 2), high);
        previous = value;
      }
      high++;
    }
    while (low < high && timeAt(times, low) <= begin) low++;
    if (high < low + 2) {
      store<u8>(presence + s, 0);
      continue;
    }
    const first = timeAt(values, low);
    let result = timeAt(values, high - 1) - first;
    if (resetsFrom < resetsTo) {
      while (resetsFrom < resetsTo && load<u32>(resets + (<usize>resetsFrom << 2)) <= low) resetsFrom++;
      for (let r = resetsFrom; r < resetsTo; r++) {
        result += timeAt(values, load<u32>(resets + (<usize>r << 2)) - 1);
      }
    }
    const firstTime = timeAt(times, low);
    const lastTime = timeAt(times, high - 1);
    const toStart = firstTime - begin;
    const toEnd = end - lastTime;
    const sampled = lastTime - firstTime;
    const intervals = <f64>(high - low - 1);
    // The ordinary case needs one division: samples reach clearly to both bounds, and the counter's zero is clearly
    // further away than the start. Whatever is near one of these limits is calculated exactly as Prometheus does.
    let factor: f64;
    if (
      max<f64>(toStart, toEnd) * intervals < sampled * 1.09 &&
      (!isCounter || !(result > 0 && first >= 0) || sampled * first > toStart * result * 1.000001)
    ) {
      factor = (sampled + toStart + toEnd) / (sampled * rangeFactor);
    } else {
      factor = extrapolationFactor(toStart, toEnd, sampled, intervals, isCounter ? first : -1, result);
      if (isRate) factor /= rangeSeconds;
    }
    store<f64>(out + (<usize>s << 3), result * factor);
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

/** `first` is negative where zero is no bound. Times in milliseconds. */
function extrapolationFactor(
  toStartMs: f64,
  toEndMs: f64,
  sampledMs: f64,
  intervals: f64,
  first: f64,
  result: f64,
): f64 {
  let toStart = toStartMs / 1000;
  let toEnd = toEndMs / 1000;
  const sampled = sampledMs / 1000;
  const average = sampled / intervals;
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  if (result > 0 && first >= 0) {
    const toZero = sampled * (first / result);
    if (toZero < toStart) toStart = toZero;
  }
  if (toEnd >= threshold) toEnd = average / 2;
  return (sampled + toStart + toEnd) / sampled;
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

/** min_over_time and max_over_time by a deque of candidates whose values are monotonic. NaN counts only if alone. */
function extremes(isMax: bool): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  const deque = scratchArea(<usize>count * 4);
  let head: usize = 0;
  let tail: usize = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    while (high < count && timeAt(times, high) <= end) {
      const value = timeAt(values, high);
      if (value == value) {
        while (tail > head) {
          const last = timeAt(values, load<u32>(deque + ((tail - 1) << 2)));
          if (isMax ? last >= value : last <= value) break;
          tail--;
        }
        store<u32>(deque + (tail << 2), high);
        tail++;
      }
      high++;
    }
    while (low < high && timeAt(times, low) <= begin) low++;
    while (head < tail && load<u32>(deque + (head << 2)) < low) head++;
    if (low == high) {
      store<u8>(presence + s, 0);
      continue;
    }
    store<f64>(
      out + (<usize>s << 3),
      head < tail ? timeAt(values, load<u32>(deque + (head << 2))) : NaN,
    );
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

/** quantile_over_time: the window's values are kept sorted, NaN first, as samples come and go. */
function quantiles(): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const parameters = outputParameters();
  const presence = outputPresence();
  const count = columnCount();
  const sorted = scratchArea(<usize>count * 8);
  let size: u32 = 0;
  let low: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    // Samples that no window of this step on can hold are not inserted at all.
    while (low < count && timeAt(times, low) <= begin) {
      if (low < high) {
        const at = sortedPosition(sorted, size, timeAt(values, low));
        memory.copy(sorted + (<usize>at << 3), sorted + (<usize>(at + 1) << 3), <usize>(size - at - 1) << 3);
        size--;
      }
      low++;
    }
    if (high < low) high = low;
    while (high < count && timeAt(times, high) <= end) {
      const value = timeAt(values, high);
      const at = sortedPosition(sorted, size, value);
      memory.copy(sorted + (<usize>(at + 1) << 3), sorted + (<usize>at << 3), <usize>(size - at) << 3);
      store<f64>(sorted + (<usize>at << 3), value);
      size++;
      high++;
    }
    if (size == 0) {
      store<u8>(presence + s, 0);
      continue;
    }
    store<f64>(out + (<usize>s << 3), quantileOf(load<f64>(parameters + (<usize>s << 3)), sorted, size));
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

/** First index whose value is not below `value`; NaN is below everything. */
function sortedPosition(sorted: usize, size: u32, value: f64): u32 {
  if (value != value) return 0;
  let low: u32 = 0;
  let high: u32 = size;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = timeAt(sorted, middle);
    if (other != other || other < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function quantileOf(q: f64, sorted: usize, size: u32): f64 {
  if (q != q) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const rank = q * (<f64>size - 1);
  const lower = floor(rank);
  const lowerIndex = <u32>max<f64>(0, lower);
  const upperIndex = <u32>min<f64>(<f64>size - 1, <f64>lowerIndex + 1);
  const weight = rank - lower;
  return timeAt(sorted, lowerIndex) * (1 - weight) + timeAt(sorted, upperIndex) * weight;
}

/**
 * sum_over_time and avg_over_time by two stacks. `suffix[i]` is the sum of samples i up to `middle`, kept for
 * i in [low, middle); `back` is the sum of [middle, high). A window's sum is suffix[low] + back. When `low` reaches
 * `middle`, the back becomes suffixes. Each sample is added twice in all. A sum that is not finite is done again
 * sample by sample, in order, because infinities do not survive merging.
 */
function slidingSums(isAverage: bool): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  const suffixTotals = scratchArea(<usize>count * 16);
  const suffixRests = suffixTotals + <usize>count * 8;
  let backTotal: f64 = 0;
  let backRest: f64 = 0;
  let low: u32 = 0;
  let middle: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    kahanTotal = backTotal;
    kahanRest = backRest;
    while (high < count && timeAt(times, high) <= end) kahanAdd(timeAt(values, high++));
    backTotal = kahanTotal;
    backRest = kahanRest;
    while (low < high && timeAt(times, low) <= begin) low++;
    if (low == high) {
      middle = high;
      backTotal = 0;
      backRest = 0;
      store<u8>(presence + s, 0);
      continue;
    }
    if (low >= middle) {
      kahanTotal = 0;
      kahanRest = 0;
      for (let i = high; i > low; i--) {
        kahanAdd(timeAt(values, i - 1));
        store<f64>(suffixTotals + (<usize>(i - 1) << 3), kahanTotal);
        store<f64>(suffixRests + (<usize>(i - 1) << 3), kahanRest);
      }
      middle = high;
      backTotal = 0;
      backRest = 0;
    }
    kahanTotal = timeAt(suffixTotals, low);
    kahanRest = timeAt(suffixRests, low);
    kahanAdd(backTotal);
    kahanRest += backRest;
    let result: f64;
    if (!finite(kahanTotal) || !finite(kahanRest)) {
      result = isAverage ? average(values, low, high) : sum(values, low, high);
    } else if (isAverage) {
      const samples = <f64>(high - low);
      result = kahanTotal / samples + kahanRest / samples;
    } else {
      result = kahanTotal + kahanRest;
    }
    store<f64>(out + (<usize>s << 3), result);
    store<u8>(presence + s, 1);
    present++;
  }
  return present;
}

/**
 * stddev_over_time and stdvar_over_time by two stacks of (mean, sum of squared deviations), merged with Chan's
 * formula, which is as stable as Welford's.
 */
function slidingVariances(isDeviation: bool): u32 {
  const times = columnTimes();
  const values = columnValues();
  const out = outputValues();
  const presence = outputPresence();
  const count = columnCount();
  const suffixMeans = scratchArea(<usize>count * 16);
  const suffixSquares = suffixMeans + <usize>count * 8;
  let backMean: f64 = 0;
  let backSquares: f64 = 0;
  let low: u32 = 0;
  let middle: u32 = 0;
  let high: u32 = 0;
  let present: u32 = 0;
  for (let s: u32 = 0; s < steps; s++) {
    const end = firstEnd + endStep * <f64>s;
    const begin = end - range;
    while (high < count && timeAt(times, high) <= end) {
      const value = timeAt(values, high++);
      const deviation = value - backMean;
      backMean += deviation / <f64>(high - middle);
      backSquares += deviation * (value - backMean);
    }
    while (low < high && timeAt(times, low) <= begin) low++;
    if (low == high) {
      middle = high;
      backMean = 0;
      backSquares = 0;
      store<u8>(presence + s, 0);
      continue;
    }
    if (low >= middle) {
      let mean: f64 = 0;
      let squares: f64 = 0;
      for (let i = high; i > low; i--) {
        const value = timeAt(values, i - 1);
        const deviation = value - mean;
        mean += deviation / <f64>(high - i + 1);
        squares += deviation * (value - mean);
        store<f64>(suffixMeans + (<usize>(i - 1) << 3), mean);
        store<f64>(suffixSquares + (<usize>(i - 1) << 3), squares);
      }
      middle = high;
      backMean = 0;
      backSquares = 0;
    }
    const frontCount = <f64>(middle - low);
    const backCount = <f64>(high - middle);
    const all = frontCount + backCount;
    const apart = backMean - timeAt(suffixMeans, low);
    let squares = timeAt(suffixSquares, low);
    if (backCount > 0) squares += backSquares + apart * apart * ((frontCount * backCount) / all);
    let variance = squares / all;
    if (!finite(variance)) variance = varianceOf(values, low, high);
    store<f64>(out + (<usize>s << 3), isDeviation ? sqrt(variance) : variance);
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

function sum(values: usize, low: u32, high: u32): f64 {
  // kahanAdd with locals: this loop is the hot one.
  let total: f64 = 0;
  let rest: f64 = 0;
  for (let i = low; i < high; i++) {
    const value = timeAt(values, i);
    const next = total + value;
    if (infinite(next)) rest = 0;
    else if (abs(total) >= abs(value)) rest += total - next + value;
    else rest += value - next + total;
    total = next;
  }
  return infinite(total) ? total : total + rest;
}

/** The plain mean, and an incremental one from the sample on that would overflow the sum. */
function average(values: usize, low: u32, high: u32): f64 {
  kahanTotal = timeAt(values, low);
  kahanRest = 0;
  let incremental = false;
  let count: f64 = 1;
  for (let i = low + 1; i < high; i++) {
    const value = timeAt(values, i);
    count = <f64>(i - low + 1);
    if (!incremental) {
      const total = kahanTotal;
      const rest = kahanRest;
      kahanAdd(value);
      if (!infinite(kahanTotal)) continue;
      incremental = true;
      kahanTotal = total / (count - 1);
      kahanRest = rest / (count - 1);
    }
    const weight = (count - 1) / count;
    kahanTotal *= weight;
    kahanRest *= weight;
    kahanAdd(value / count);
  }
  return incremental ? kahanTotal + kahanRest : kahanTotal / count + kahanRest / count;
}

function varianceOf(values: usize, low: u32, high: u32): f64 {
  let mean: f64 = 0;
  let meanRest: f64 = 0;
  let squares: f64 = 0;
  let squaresRest: f64 = 0;
  let count: f64 = 0;
  for (let i = low; i < high; i++) {
    const value = timeAt(values, i);
    count += 1;
    const deviation = value - (mean + meanRest);
    kahanTotal = mean;
    kahanRest = meanRest;
    kahanAdd(deviation / count);
    mean = kahanTotal;
    meanRest = kahanRest;
    kahanTotal = squares;
    kahanRest = squaresRest;
    kahanAdd(deviation * (value - (mean + meanRest)));
    squares = kahanTotal;
    squaresRest = kahanRest;
  }
  return (squares + squaresRest) / count;
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
    kahanTotal = sumX;
    kahanRest = restX;
    kahanAdd(x);
    sumX = kahanTotal;
    restX = kahanRest;
    kahanTotal = sumY;
    kahanRest = restY;
    kahanAdd(y);
    sumY = kahanTotal;
    restY = kahanRest;
    kahanTotal = sumXY;
    kahanRest = restXY;
    kahanAdd(x * y);
    sumXY = kahanTotal;
    restXY = kahanRest;
    kahanTotal = sumXX;
    kahanRest = restXX;
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

/** Median of the absolute deviations from the median. */
function medianDeviation(values: usize, low: u32, high: u32): f64 {
  const sorted = scratchArea(<usize>(high - low) * 8);
  let size: u32 = 0;
  for (let i = low; i < high; i++) size = insertSorted(sorted, size, timeAt(values, i));
  const median = quantileOf(0.5, sorted, size);
  size = 0;
  for (let i = low; i < high; i++) size = insertSorted(sorted, size, abs(timeAt(values, i) - median));
  return quantileOf(0.5, sorted, size);
}

function insertSorted(sorted: usize, size: u32, value: f64): u32 {
  const at = sortedPosition(sorted, size, value);
  memory.copy(sorted + (<usize>(at + 1) << 3), sorted + (<usize>at << 3), <usize>(size - at) << 3);
  store<f64>(sorted + (<usize>at << 3), value);
  return size + 1;
}
