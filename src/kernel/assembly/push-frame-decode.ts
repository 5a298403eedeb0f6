/**
 * A push frame (push-frame.ts) into a head. The frame lies in the memory as it came: ids, values and label bytes are used
 * where they are; the columns of varints are decoded into
 *
 *     sampleOffsets u32/series + 1 · times i64/sample · labelOffsets u32/series + 1
 *
 * The bytes may come from anybody: everything is checked before the first sample is appended.
 */
import { crc32c } from "./crc32c";
import { addressOf, guardIntact, newBuffer, releaseLarge, reserve } from "./guarded-buffer";
import { appendBatch } from "./head";
import { CRC_BYTES, FLAG_ONE_SAMPLE, HEADER_BYTES, MAGIC, VERSION } from "./push-frame";

const KEEP_BYTES: u32 = 1 << 18;

let sampleOffsets: usize = 0;
let times: usize = 0;
let labelOffsets: usize = 0;

/** Of the frame that `decode` has read. */
let series: u32 = 0;
let samples: u32 = 0;
let labelBytes: u32 = 0;
let labels: usize = 0;

/**
 * Appends the rows of the frame of `length` bytes at `at`. Eight readable bytes follow it.
 * Returns 0, or -1 if it is malformed (then nothing was appended).
 */
export function appendFrame(at: usize, length: u32, seriesMax: u32, lateWindowMs: i64): i32 {
  if (sampleOffsets == 0) {
    sampleOffsets = newBuffer();
    times = newBuffer();
    labelOffsets = newBuffer();
  }
  if (!decode(at, length)) return -1;
  const ids = at + HEADER_BYTES;
  const values = ids + ((<usize>series) << 4);
  const result = appendBatch(
    series,
    ids,
    addressOf(sampleOffsets),
    addressOf(times),
    values,
    labelBytes == 0 ? 0 : labels,
    labelBytes == 0 ? 0 : addressOf(labelOffsets),
    seriesMax,
    lateWindowMs,
  );
  releaseLarge(sampleOffsets, KEEP_BYTES);
  releaseLarge(times, KEEP_BYTES);
  releaseLarge(labelOffsets, KEEP_BYTES);
  return result;
}

/** 1 when no guard around the buffers was written. */
export function appendFrameGuardsIntact(): u32 {
  if (sampleOffsets == 0) return 1;
  return guardIntact(sampleOffsets) && guardIntact(times) && guardIntact(labelOffsets) ? 1 : 0;
}

function decode(at: usize, length: u32): bool {
  if (length < HEADER_BYTES + CRC_BYTES) return false;
  const flags: u32 = load<u16>(at, 6);
  if (load<u32>(at) != MAGIC || <u32>load<u16>(at, 4) != VERSION || (flags & ~FLAG_ONE_SAMPLE) != 0) return false;
  series = load<u32>(at, 8);
  samples = load<u32>(at, 12);
  labelBytes = load<u32>(at, 16);
  const oneSampleEach = (flags & FLAG_ONE_SAMPLE) != 0;
  if (oneSampleEach && series != samples) return false;
  if (bytesMin(oneSampleEach) > <u64>length) return false;
  const end = at + <usize>(length - CRC_BYTES);
  if (load<u32>(end) != crc32c(at, length - CRC_BYTES, 0)) return false;

  let p = at + HEADER_BYTES + ((<usize>series) << 4) + ((<usize>samples) << 3);
  const offsetsAt = reserve(sampleOffsets, 0, (series + 1) << 2);
  if (oneSampleEach) countUp(offsetsAt);
  else p = readOffsets(p, end, offsetsAt, samples);
  if (p == 0) return false;
  p = readTimes(p, end, reserve(times, 0, samples << 3));
  if (p == 0) return false;
  if (labelBytes != 0) {
    p = readOffsets(p, end, reserve(labelOffsets, 0, (series + 1) << 2), labelBytes);
    if (p == 0) return false;
  }
  labels = p;
  return <u32>(end - p) == labelBytes;
}

/** No frame with this header is shorter: what a header claims cannot make us take more memory than its frame did. */
function bytesMin(oneSampleEach: bool): u64 {
  const perSeries: u64 = 16 + (oneSampleEach ? 0 : 1) + (labelBytes == 0 ? 0 : 1);
  return HEADER_BYTES + perSeries * series + 9 * <u64>samples + labelBytes + CRC_BYTES;
}

function countUp(offsetsAt: usize): void {
  for (let i: u32 = 0; i <= series; i++) store<u32>(offsetsAt + ((<usize>i) << 2), i);
}

/** Counts, one a series, as offsets into a column of `total`. The address behind them, or 0. */
function readOffsets(p: usize, end: usize, offsetsAt: usize, total: u32): usize {
  let sum: u32 = 0;
  store<u32>(offsetsAt, 0);
  for (let i: u32 = 1; i <= series; i++) {
    p = readVarint(p, end);
    if (p == 0 || varint > <u64>(total - sum)) return 0;
    sum += <u32>varint;
    store<u32>(offsetsAt + ((<usize>i) << 2), sum);
  }
  return sum == total ? p : 0;
}

/** The address behind the times, or 0. Ordinarily they are all the same, or near each other: one byte each. */
function readTimes(p: usize, end: usize, timesAt: usize): usize {
  let time: i64 = 0;
  let i: u32 = 0;
  while (i < samples) {
    if (samples - i >= 8 && end - p >= 8 && load<u64>(p) == 0) {
      const same = i64x2.splat(time);
      const at = timesAt + ((<usize>i) << 3);
      v128.store(at, same);
      v128.store(at, same, 16);
      v128.store(at, same, 32);
      v128.store(at, same, 48);
      p += 8;
      i += 8;
      continue;
    }
    // Past the zeros, if there are some: another eight are looked for when these are through.
    const stop = min<u32>(i + 8, samples);
    for (; i < stop; i++) {
      p = readVarint(p, end);
      if (p == 0) return 0;
      time += <i64>(varint >> 1) ^ -(<i64>(varint & 1));
      store<i64>(timesAt + ((<usize>i) << 3), time);
    }
  }
  return p;
}

let varint: u64 = 0;

/** Address behind the varint at `p`, or 0 when it is cut off or takes more than 64 bits. */
// @ts-ignore: decorator
@inline
function readVarint(p: usize, end: usize): usize {
  if (p < end) {
    const byte = load<u8>(p);
    if (byte < 0x80) {
      varint = byte;
      return p + 1;
    }
  }
  return readLongVarint(p, end);
}

function readLongVarint(p: usize, end: usize): usize {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 64; shift += 7) {
    if (p >= end) return 0;
    const byte = <u64>load<u8>(p++);
    if (shift == 63 && byte > 1) return 0;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varint = value;
      return p;
    }
  }
  return 0;
}
