/**
 * Sums, means and variances of windows, in two ways: sample by sample, and by two stacks of partial results for windows
 * that overlap much. Partial results are merged, never subtracted, so nothing is lost to cancellation.
 */
import { columnCount, columnTimes, columnValues, outputPresence, outputValues, scratchArea } from "./columns";
import {
  endStep,
  finite,
  firstEnd,
  infinite,
  kahanAdd,
  kahanRest,
  kahanTotal,
  range,
  setKahan,
  steps,
  timeAt,
} from "./window-state";

/**
 * sum_over_time and avg_over_time by two stacks. `suffix[i]` is the sum of samples i up to `middle`, kept for
 * i in [low, middle); `back` is the sum of [middle, high). A window's sum is suffix[low] + back. When `low` reaches
 * `middle`, the back becomes suffixes. Each sample is added twice in all. A sum that is not finite is done again
 * sample by sample, in order, because infinities do not survive merging.
 */
export function slidingSums(isAverage: bool): u32 {
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
    setKahan(backTotal, backRest);
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
      setKahan(0, 0);
      for (let i = high; i > low; i--) {
        kahanAdd(timeAt(values, i - 1));
        store<f64>(suffixTotals + (<usize>(i - 1) << 3), kahanTotal);
        store<f64>(suffixRests + (<usize>(i - 1) << 3), kahanRest);
      }
      middle = high;
      backTotal = 0;
      backRest = 0;
    }
    setKahan(timeAt(suffixTotals, low), timeAt(suffixRests, low));
    kahanAdd(backTotal);
    setKahan(kahanTotal, kahanRest + backRest);
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
export function slidingVariances(isDeviation: bool): u32 {
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

export function sum(values: usize, low: u32, high: u32): f64 {
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
export function average(values: usize, low: u32, high: u32): f64 {
  setKahan(timeAt(values, low), 0);
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
      setKahan(total / (count - 1), rest / (count - 1));
    }
    const weight = (count - 1) / count;
    setKahan(kahanTotal * weight, kahanRest * weight);
    kahanAdd(value / count);
  }
  return incremental ? kahanTotal + kahanRest : kahanTotal / count + kahanRest / count;
}

export function varianceOf(values: usize, low: u32, high: u32): f64 {
  let mean: f64 = 0;
  let meanRest: f64 = 0;
  let squares: f64 = 0;
  let squaresRest: f64 = 0;
  let count: f64 = 0;
  for (let i = low; i < high; i++) {
    const value = timeAt(values, i);
    count += 1;
    const deviation = value - (mean + meanRest);
    setKahan(mean, meanRest);
    kahanAdd(deviation / count);
    mean = kahanTotal;
    meanRest = kahanRest;
    setKahan(squares, squaresRest);
    kahanAdd(deviation * (value - (mean + meanRest)));
    squares = kahanTotal;
    squaresRest = kahanRest;
  }
  return (squares + squaresRest) / count;
}
