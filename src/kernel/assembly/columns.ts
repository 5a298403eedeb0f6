/**
 * Decoded samples of one series, as two columns, and the areas through which a query talks to the host.
 *
 *     times     f64[capacity]   milliseconds; exact up to 2^53, and still in order beyond
 *     values    f64[capacity]   bits as they came, so that staleness markers stay what they are
 *     input     bytes           chunks of one series, copied in by the host, 64 bytes of slack behind
 *     table     u32[3 * n]      per chunk: offset in input, length, encoding
 *     output    f64[steps] values, then f64[steps] parameters, then u8[steps] presence
 *     scratch   working memory of the window functions
 *
 * Times in the columns grow strictly. Every area only grows; a grown area's old memory goes back to `memory.ts`.
 */
import { allocArea, releaseArea } from "./memory";

const STALE_BITS: u64 = 0x7ff0000000000002;

export const ERROR_TRUNCATED: i32 = -1;
export const ERROR_ORDER: i32 = -2;
export const ERROR_ENCODING: i32 = -3;
export const ERROR_BITS: i32 = -4;

let timesAt: usize = 0;
let valuesAt: usize = 0;
let capacity: u32 = 0;
let count: u32 = 0;

let inputAt: usize = 0;
let inputBytes: usize = 0;
let tableAt: usize = 0;
let tableBytes: usize = 0;
let outputAt: usize = 0;
let outputBytes: usize = 0;
let outputSteps: u32 = 0;
let scratchAt: usize = 0;
let scratchBytes: usize = 0;

export function columnTimes(): usize {
  return timesAt;
}

export function columnValues(): usize {
  return valuesAt;
}

export function columnCount(): u32 {
  return count;
}

export function setColumnCount(value: u32): void {
  count = value;
}

export function isStale(bits: u64): bool {
  return bits == STALE_BITS;
}

/** Room for `wanted` samples in all; keeps what is there. */
export function reserveColumns(wanted: u32): void {
  if (wanted <= capacity) return;
  let grown: u32 = capacity < 1024 ? 1024 : capacity;
  while (grown < wanted) grown *= 2;
  const newTimes = allocArea(<usize>grown * 8);
  const newValues = allocArea(<usize>grown * 8);
  if (capacity != 0) {
    memory.copy(newTimes, timesAt, <usize>count * 8);
    memory.copy(newValues, valuesAt, <usize>count * 8);
    releaseArea(timesAt, <usize>capacity * 8);
    releaseArea(valuesAt, <usize>capacity * 8);
  }
  timesAt = newTimes;
  valuesAt = newValues;
  capacity = grown;
}

export function inputArea(size: usize): usize {
  const wanted = size + 64;
  if (wanted > inputBytes) {
    if (inputBytes != 0) releaseArea(inputAt, inputBytes);
    inputAt = allocArea(wanted);
    inputBytes = wanted;
  }
  return inputAt;
}

export function tableArea(chunkCount: u32): usize {
  const wanted = <usize>chunkCount * 12 + 12;
  if (wanted > tableBytes) {
    if (tableBytes != 0) releaseArea(tableAt, tableBytes);
    tableAt = allocArea(wanted);
    tableBytes = wanted;
  }
  return tableAt;
}

export function tableBase(): usize {
  return tableAt;
}

/** Values, parameters and presence for `steps` steps. */
export function outputArea(steps: u32): usize {
  const wanted = <usize>steps * 17 + 16;
  if (wanted > outputBytes) {
    if (outputBytes != 0) releaseArea(outputAt, outputBytes);
    outputAt = allocArea(wanted);
    outputBytes = wanted;
  }
  outputSteps = steps;
  return outputAt;
}

export function outputValues(): usize {
  return outputAt;
}

export function outputParameters(): usize {
  return outputAt + ((<usize>outputSteps) << 3);
}

export function outputPresence(): usize {
  return outputAt + ((<usize>outputSteps) << 4);
}

export function scratchArea(size: usize): usize {
  if (size > scratchBytes) {
    if (scratchBytes != 0) releaseArea(scratchAt, scratchBytes);
    let grown: usize = scratchBytes < 4096 ? 4096 : scratchBytes;
    while (grown < size) grown *= 2;
    scratchAt = allocArea(grown);
    scratchBytes = grown;
  }
  return scratchAt;
}

/**
 * Samples [from, count) were appended behind a series whose samples end at or after their first time: brings the
 * columns back in order. At equal times the sample that was there first stays.
 */
export function mergeTail(from: u32): void {
  const first = load<f64>(timesAt + ((<usize>from) << 3));
  // Only samples at or after the first new one move.
  let low: u32 = 0;
  let high: u32 = from;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<f64>(timesAt + ((<usize>middle) << 3)) < first) low = middle + 1;
    else high = middle;
  }
  const start = low;
  const total = count - start;
  const mergedTimes = scratchArea(<usize>total * 16);
  const mergedValues = mergedTimes + <usize>total * 8;
  let old = start;
  let fresh = from;
  let written: usize = 0;
  while (old < from || fresh < count) {
    let take: u32;
    if (fresh >= count) {
      take = old++;
    } else if (old >= from) {
      take = fresh++;
    } else {
      const oldTime = load<f64>(timesAt + ((<usize>old) << 3));
      const freshTime = load<f64>(timesAt + ((<usize>fresh) << 3));
      if (oldTime <= freshTime) {
        if (oldTime == freshTime) fresh++;
        take = old++;
      } else {
        take = fresh++;
      }
    }
    store<f64>(mergedTimes + (written << 3), load<f64>(timesAt + ((<usize>take) << 3)));
    store<u64>(mergedValues + (written << 3), load<u64>(valuesAt + ((<usize>take) << 3)));
    written++;
  }
  memory.copy(timesAt + ((<usize>start) << 3), mergedTimes, written << 3);
  memory.copy(valuesAt + ((<usize>start) << 3), mergedValues, written << 3);
  count = start + <u32>written;
}

/** Removes staleness markers: range vectors do not hold them. */
export function dropStaleMarkers(): void {
  let written: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const bits = load<u64>(valuesAt + ((<usize>i) << 3));
    if (bits == STALE_BITS) continue;
    if (written != i) {
      store<f64>(timesAt + ((<usize>written) << 3), load<f64>(timesAt + ((<usize>i) << 3)));
      store<u64>(valuesAt + ((<usize>written) << 3), bits);
    }
    written++;
  }
  count = written;
}
