/**
 * rate, increase and delta. The arithmetic is Prometheus', operation by operation; where no limit of the
 * extrapolation is near, the same is calculated with one division in place of six.
 */
import { columnCount, columnTimes, columnValues, outputPresence, outputValues, scratchArea } from "./columns";
import { endStep, firstEnd, range, steps, timeAt } from "./window-state";

/** rate, increase and delta: the difference of a window, extrapolated to its bounds. */
export function extrapolated(isCounter: bool, isRate: bool): u32 {
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
