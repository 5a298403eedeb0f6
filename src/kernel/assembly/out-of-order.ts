/**
 * Samples that came late: a sorted side buffer per series, which becomes a chunk of its own when it is full.
 *
 *     buffer   0 u8 samples   1 u8 log2 of the area   16 + 16*i: i64 time, u64 value bits; ascending, unique times
 */
import { closeChunk, OUT_OF_ORDER_CHUNK } from "./closed-chunks";
import { alloc, allocArea, releaseArea } from "./memory";
import * as S from "./series";
import { appendSample, openChunk } from "./xor-append";

export const OOO_HEADER: usize = 16;
export const OOO_SAMPLE: usize = 16;
const FULL: u32 = 120;
const FIRST_AREA_LOG2: u32 = 6;

export const STORED: u32 = 0;
export const SAME: u32 = 1;
export const CONFLICT: u32 = 2;

/** A series record without a series, for encoding a side buffer with the code that encodes open chunks. */
let scratch: usize = 0;

// @ts-ignore: decorator
@inline
export function lateCount(record: usize): u32 {
  const buffer = <usize>load<u32>(record, S.OUT_OF_ORDER);
  return buffer == 0 ? 0 : load<u8>(buffer);
}

// @ts-ignore: decorator
@inline
export function lateSamples(record: usize): usize {
  return <usize>load<u32>(record, S.OUT_OF_ORDER) + OOO_HEADER;
}

/** STORED, SAME (time and value are there) or CONFLICT (the time is there with another value). */
export function insertLate(record: usize, ref: u32, time: i64, value: u64): u32 {
  if (lateCount(record) == FULL) flushLate(record, ref);
  const buffer = roomForOne(record);
  const samples = buffer + OOO_HEADER;
  const count: u32 = load<u8>(buffer);
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<i64>(samples + <usize>middle * OOO_SAMPLE) < time) low = middle + 1;
    else high = middle;
  }
  const at = samples + <usize>low * OOO_SAMPLE;
  if (low < count && load<i64>(at) == time) return load<u64>(at, 8) == value ? SAME : CONFLICT;
  memory.copy(at + OOO_SAMPLE, at, <usize>(count - low) * OOO_SAMPLE);
  store<i64>(at, time);
  store<u64>(at, value, 8);
  store<u8>(buffer, <u8>(count + 1));
  return STORED;
}

function roomForOne(record: usize): usize {
  const old = <usize>load<u32>(record, S.OUT_OF_ORDER);
  if (old == 0) {
    const area = allocArea(<usize>1 << FIRST_AREA_LOG2);
    memory.fill(area, 0, OOO_HEADER);
    store<u8>(area, <u8>FIRST_AREA_LOG2, 1);
    store<u32>(record, <u32>area, S.OUT_OF_ORDER);
    return area;
  }
  const count = <usize>load<u8>(old);
  const log2 = <usize>load<u8>(old, 1);
  if (OOO_HEADER + (count + 1) * OOO_SAMPLE <= <usize>1 << log2) return old;
  const area = allocArea(<usize>1 << (log2 + 1));
  memory.copy(area, old, OOO_HEADER + count * OOO_SAMPLE);
  store<u8>(area, <u8>(log2 + 1), 1);
  releaseArea(old, <usize>1 << log2);
  store<u32>(record, <u32>area, S.OUT_OF_ORDER);
  return area;
}

/** Encodes the side buffer as an out-of-order chunk and empties it. */
function flushLate(record: usize, ref: u32): void {
  const count = lateCount(record);
  if (scratch == 0) scratch = alloc(S.RECORD_BYTES);
  memory.fill(scratch, 0, S.RECORD_BYTES);
  const samples = lateSamples(record);
  for (let i: u32 = 0; i < count; i++) {
    const time = load<i64>(samples + <usize>i * OOO_SAMPLE);
    const value = load<u64>(samples + <usize>i * OOO_SAMPLE, 8);
    if (i == 0) openChunk(scratch, time, value);
    else appendSample(scratch, time, value);
    store<i64>(scratch, time, S.LAST_TIME);
    store<u64>(scratch, value, S.LAST_VALUE);
  }
  closeChunk(record, ref, scratch, OUT_OF_ORDER_CHUNK);
  releaseLate(record);
}

export function releaseLate(record: usize): void {
  const buffer = <usize>load<u32>(record, S.OUT_OF_ORDER);
  if (buffer != 0) releaseArea(buffer, <usize>1 << load<u8>(buffer, 1));
  store<u32>(record, 0, S.OUT_OF_ORDER);
}

/** Forgets late samples before `minTime`. */
export function truncateLate(record: usize, minTime: i64): void {
  const count = lateCount(record);
  if (count == 0) return;
  const samples = lateSamples(record);
  let first: u32 = 0;
  while (first < count && load<i64>(samples + <usize>first * OOO_SAMPLE) < minTime) first++;
  if (first == count) return releaseLate(record);
  if (first == 0) return;
  memory.copy(samples, samples + <usize>first * OOO_SAMPLE, <usize>(count - first) * OOO_SAMPLE);
  store<u8>(load<u32>(record, S.OUT_OF_ORDER), <u8>(count - first));
}

/** Whether exported samples are what a side buffer can hold. */
export function lateIsWhole(source: usize, count: u32): bool {
  if (count > FULL) return false;
  for (let i: u32 = 1; i < count; i++) {
    const at = source + <usize>i * OOO_SAMPLE;
    if (load<i64>(at - OOO_SAMPLE) >= load<i64>(at)) return false;
  }
  return true;
}

/** Takes over `count` samples as they were exported. */
export function restoreLate(record: usize, source: usize, count: u32): void {
  releaseLate(record);
  if (count == 0) return;
  let log2: u32 = FIRST_AREA_LOG2;
  while (<usize>1 << log2 < OOO_HEADER + <usize>count * OOO_SAMPLE) log2++;
  const area = allocArea(<usize>1 << log2);
  memory.fill(area, 0, OOO_HEADER);
  store<u8>(area, <u8>count);
  store<u8>(area, <u8>log2, 1);
  memory.copy(area + OOO_HEADER, source, <usize>count * OOO_SAMPLE);
  store<u32>(record, <u32>area, S.OUT_OF_ORDER);
}
