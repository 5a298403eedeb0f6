/**
 * Encoded chunks of one series into the columns (columns.ts).
 *
 * XOR chunk (Prometheus' bit layout, most significant bit first):
 *
 *     u16 big-endian count | sample 0: zigzag varint time, 64 bits value | sample 1: uvarint delta, value | ...
 *     delta of delta: 0 | 10 + 14 | 110 + 17 | 1110 + 20 | 1111 + 64 bits
 *     value: 0 | 10 + meaningful bits in the last window | 11 + 5 leading zeros + 6 length + meaningful bits
 *
 * The stream is read through 64-bit windows. A sample takes 145 bits at most and a window read touches 9 bytes, so the
 * fast loop runs on the chunk itself only while 160 bits are left; the rest of the chunk (20 bytes at most) is copied
 * into a zeroed tail area first. So no byte outside of a chunk is ever read, and a stream that ends early is noticed
 * after the sample that passed the end. Times must grow strictly: everything after relies on it.
 */

import {
  columnCount,
  columnTimes,
  columnValues,
  dropStaleMarkers,
  ERROR_BITS,
  ERROR_ENCODING,
  ERROR_ORDER,
  ERROR_TRUNCATED,
  isStale,
  mergeTail,
  reserveColumns,
  setColumnCount,
  tableBase,
} from "./columns";
import { alloc } from "./memory";

const ENCODING_XOR: u32 = 1;
const ENCODING_RAW: u32 = 128;
const SAMPLE_BITS_MAX: u32 = 160;
/** What a load at any bit position holds for certain. */
const WINDOW_BITS: u32 = 57;
const TAIL_BYTES: usize = 64;

let tailAt: usize = 0;
let sawStale: bool = false;

/**
 * Decodes the `chunkCount` chunks that the table describes (sorted by minimum time) into the columns, from empty.
 * `keepStale` 0 drops staleness markers. Gives the number of samples, or an error code.
 */
export function decodeSeries(input: usize, inputLength: u32, chunkCount: u32, keepStale: u32): i32 {
  setColumnCount(0);
  sawStale = false;
  let entry = tableBase();
  for (let i: u32 = 0; i < chunkCount; i++) {
    const offset = load<u32>(entry);
    const length = load<u32>(entry, 4);
    const encoding = load<u32>(entry, 8);
    entry += 12;
    if (offset > inputLength || length > inputLength - offset) return ERROR_TRUNCATED;
    const before = columnCount();
    let result: i32;
    if (encoding == ENCODING_XOR) result = decodeXor(input + offset, length);
    else if (encoding == ENCODING_RAW) result = decodeRaw(input + offset, length);
    else return ERROR_ENCODING;
    if (result < 0) return result;
    if (result == 0) continue;
    setColumnCount(before + <u32>result);
    if (before != 0) {
      const times = columnTimes() + (<usize>before << 3);
      if (load<f64>(times) <= load<f64>(times - 8)) mergeTail(before);
    }
  }
  if (sawStale && keepStale == 0) dropStaleMarkers();
  return <i32>columnCount();
}

function decodeRaw(base: usize, length: u32): i32 {
  if ((length & 15) != 0) return ERROR_TRUNCATED;
  const samples = length >> 4;
  const before = columnCount();
  reserveColumns(before + samples);
  const times = columnTimes() + (<usize>before << 3);
  const values = columnValues() + (<usize>before << 3);
  let previous: i64 = i64.MIN_VALUE;
  for (let i: u32 = 0; i < samples; i++) {
    const at = base + (<usize>i << 4);
    const time = load<i64>(at);
    if (i != 0 && time <= previous) return ERROR_ORDER;
    previous = time;
    const bits = load<u64>(at, 8);
    if (isStale(bits)) sawStale = true;
    store<f64>(times + (<usize>i << 3), <f64>time);
    store<u64>(values + (<usize>i << 3), bits);
  }
  return <i32>samples;
}

/** 64 bits from bit `bit` on. Touches 9 bytes. */
// @ts-ignore: decorator
@inline
function peek(base: usize, bit: u32): u64 {
  const at = base + (bit >> 3);
  const shift = <u64>(bit & 7);
  return (bswap<u64>(load<u64>(at)) << shift) | (<u64>load<u8>(at, 8) >> (8 - shift));
}

function decodeXor(base: usize, length: u32): i32 {
  if (length < 2) return ERROR_TRUNCATED;
  const samples = <u32>bswap<u16>(load<u16>(base));
  if (samples == 0) return 0;
  // Each sample after the first takes two bits at least: a count that the bytes cannot hold is refused early.
  if (<u64>samples > <u64>length * 4) return ERROR_TRUNCATED;
  const before = columnCount();
  reserveColumns(before + samples);
  const times = columnTimes() + (<usize>before << 3);
  const values = columnValues() + (<usize>before << 3);

  // Sample 0: byte by byte.
  const end = base + length;
  let at = base + 2;
  let raw: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    if (at >= end || shift > 63) return ERROR_TRUNCATED;
    const byte = <u64>load<u8>(at++);
    raw |= (byte & 127) << shift;
    if (byte < 128) break;
    shift += 7;
  }
  let time = <i64>(raw >> 1) ^ -(<i64>(raw & 1));
  if (at + 8 > end) return ERROR_TRUNCATED;
  let value = bswap<u64>(load<u64>(at));
  at += 8;
  let stale = isStale(value);
  store<f64>(times, <f64>time);
  store<u64>(values, value);
  if (samples == 1) {
    if (stale) sawStale = true;
    return 1;
  }

  // Sample 1: its delta is still byte-aligned.
  raw = 0;
  shift = 0;
  while (true) {
    if (at >= end || shift > 63) return ERROR_TRUNCATED;
    const byte = <u64>load<u8>(at++);
    raw |= (byte & 127) << shift;
    if (byte < 128) break;
    shift += 7;
  }
  let delta = <i64>raw;

  let stream = base;
  let bit: u32 = <u32>(at - base) << 3;
  let endBit: u32 = length << 3;
  let safeBit: u32 = endBit > SAMPLE_BITS_MAX ? endBit - SAMPLE_BITS_MAX : 0;
  let significant: u32 = 64;
  let trailing: u32 = 0;

  for (let i: u32 = 1; i < samples; i++) {
    if (bit > safeBit) {
      // At most 160 bits and a part of a byte are left: continue in a copy with zeros behind.
      if (bit > endBit) return ERROR_TRUNCATED;
      if (tailAt == 0) tailAt = alloc(TAIL_BYTES);
      memory.fill(tailAt, 0, TAIL_BYTES);
      const rest = <usize>(bit >> 3);
      memory.copy(tailAt, stream + rest, <usize>length - rest);
      stream = tailAt;
      endBit -= <u32>rest << 3;
      bit &= 7;
      safeBit = u32.MAX_VALUE;
    }
    // At least 57 bits, zeros behind.
    let window = bswap<u64>(load<u64>(stream + (bit >> 3))) << <u64>(bit & 7);
    let used: u32 = 0;
    if (i != 1) {
      if (<i64>window >= 0) {
        used = 1;
      } else if (window >> 62 == 2) {
        let change = <i64>((window << 2) >> 50);
        if (change > 8192) change -= 16384;
        delta += change;
        used = 16;
      } else if (window >> 61 == 6) {
        let change = <i64>((window << 3) >> 47);
        if (change > 65536) change -= 131072;
        delta += change;
        used = 20;
      } else if (window >> 60 == 14) {
        let change = <i64>((window << 4) >> 44);
        if (change > 524288) change -= 1048576;
        delta += change;
        used = 24;
      } else {
        delta += <i64>peek(stream, bit + 4);
        bit += 68;
        window = bswap<u64>(load<u64>(stream + (bit >> 3))) << <u64>(bit & 7);
      }
    }
    const newTime = time + delta;
    if (newTime <= time) return bit > endBit ? ERROR_TRUNCATED : ERROR_ORDER;
    time = newTime;

    const rest = window << used;
    if (<i64>rest >= 0) {
      bit += used + 1;
    } else {
      let header: u32 = 2;
      if (rest >> 62 == 3) {
        const leading = <u32>((rest << 2) >> 59);
        significant = <u32>((rest << 7) >> 58);
        if (significant == 0) significant = 64;
        if (leading + significant > 64) return ERROR_BITS;
        trailing = 64 - leading - significant;
        header = 13;
      }
      const need = used + header + significant;
      // One window holds the whole sample in the ordinary case.
      const bits =
        need <= WINDOW_BITS
          ? (rest << header) >> (64 - significant)
          : peek(stream, bit + used + header) >> (64 - significant);
      value ^= bits << trailing;
      bit += need;
      if (isStale(value)) stale = true;
    }
    if (bit > endBit) return ERROR_TRUNCATED;
    store<f64>(times + (<usize>i << 3), <f64>time);
    store<u64>(values + (<usize>i << 3), value);
  }
  if (stale) sawStale = true;
  return <i32>samples;
}
