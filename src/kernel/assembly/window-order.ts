/** Window functions that are about the order of values: extremes, quantiles, the median deviation. */
import {
  columnCount,
  columnTimes,
  columnValues,
  outputParameters,
  outputPresence,
  outputValues,
  scratchArea,
} from "./columns";
import { endStep, firstEnd, range, steps, timeAt } from "./window-state";

/** min_over_time and max_over_time by a deque of candidates whose values are monotonic. NaN counts only if alone. */
export function extremes(isMax: bool): u32 {
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

/** quantile_over_time: the window's values are kept sorted, NaN first, as samples come and go. */
export function quantiles(): u32 {
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

/** Median of the absolute deviations from the median. */
export function medianDeviation(values: usize, low: u32, high: u32): f64 {
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
