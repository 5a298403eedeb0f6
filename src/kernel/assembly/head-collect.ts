/**
 * Answers a select: for a list of refs, the columns of storage/encoded-series.ts, cut to a time range.
 * Chunks that are still here (open ones, side buffers) are copied into the data column; closed ones are named by
 * their place in the head-chunk files, for the host to read.
 *
 *     columns (growable buffers, taken by the host as they are)
 *     0 symbol bytes       1 symbol offsets u32     2 label offsets u32 (in pairs)   3 labels u32 (name, value symbol)
 *     4 chunk offsets u32  5 min times f64          6 max times f64                  7 encodings u8
 *     8 chunk files u32 (0 = the bytes are in the data column)                       9 chunk byte offsets u32
 *    10 chunk byte lengths u32                     11 data                          12 refs u32 of the series kept
 *
 * Pairs and names carry the number of their symbol while a collect runs; `endCollect` clears them.
 */
import {
  bufferAddress,
  bufferLength,
  newBuffer,
  putBytes,
  putF64,
  putU32,
  putU8,
  resetBuffer,
} from "./buffer";
import { CLOSED_BYTES } from "./closed-chunks";
import {
  NAME_LENGTH,
  NAME_SYMBOL,
  nameCount,
  nameRecord,
  PAIR_NAME,
  PAIR_SYMBOL,
  PAIR_VALUE,
  PAIR_VALUE_LENGTH,
  pairRecord,
} from "./label-index";
import { alloc } from "./memory";
import { lateCount, lateSamples, OOO_SAMPLE } from "./out-of-order";
import * as S from "./series";
import { openChunkBytes, sealOpenChunk } from "./xor-append";

const COLUMNS: usize = 13;
const ENCODING_XOR: u32 = 1;
const ENCODING_RAW: u32 = 128;

const TOO_MANY_SERIES: i32 = -1;
const TOO_MANY_CHUNKS: i32 = -2;
const TOO_MANY_BYTES: i32 = -3;

let columns: usize = 0;
/** Pairs that got a symbol, to be cleared. */
let stamped: usize = 0;
let symbols: u32 = 0;
let chunks: u32 = 0;
let bytes: u64 = 0;

// @ts-ignore: decorator
@inline
function column(index: usize): usize {
  return load<u32>(columns + (index << 2));
}

export function columnAddress(index: u32): usize {
  return bufferAddress(column(index));
}

export function columnLength(index: u32): usize {
  return bufferLength(column(index));
}

/**
 * Collects the series `refs` (count of them) with samples in [minTime, maxTime]. `wanted` is a byte per name id
 * (1 = give this label), or 0 for all labels. Limits of 0 are no limits.
 * Returns the number of series, or TOO_MANY_…
 */
export function collect(
  refs: usize,
  count: u32,
  minTime: i64,
  maxTime: i64,
  wanted: usize,
  seriesMax: u32,
  chunksMax: u32,
  bytesMax: f64,
): i32 {
  begin();
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const ref = load<u32>(refs + (<usize>i << 2));
    const record = S.tryRecord(ref);
    if (record == 0) continue;
    const before = chunks;
    putChunks(record, minTime, maxTime);
    if (chunks == before) continue;
    kept++;
    if (seriesMax != 0 && kept > seriesMax) return TOO_MANY_SERIES;
    if (chunksMax != 0 && chunks > chunksMax) return TOO_MANY_CHUNKS;
    if (bytesMax != 0 && <f64>bytes > bytesMax) return TOO_MANY_BYTES;
    putLabels(record, wanted);
    putU32(column(4), chunks);
    putU32(column(12), ref);
  }
  return <i32>kept;
}

/** Labels alone, of all `refs` that have samples in the range. */
export function collectLabels(refs: usize, count: u32, minTime: i64, maxTime: i64, seriesMax: u32): i32 {
  begin();
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const ref = load<u32>(refs + (<usize>i << 2));
    const record = S.tryRecord(ref);
    if (record == 0 || !overlaps(record, minTime, maxTime)) continue;
    kept++;
    if (seriesMax != 0 && kept > seriesMax) return TOO_MANY_SERIES;
    putLabels(record, 0);
    putU32(column(12), ref);
  }
  return <i32>kept;
}

function begin(): void {
  if (columns == 0) {
    columns = alloc(COLUMNS << 2);
    for (let i: usize = 0; i < COLUMNS; i++) store<u32>(columns + (i << 2), <u32>newBuffer());
    stamped = newBuffer();
  }
  symbols = 0;
  chunks = 0;
  bytes = 0;
  putU32(column(1), 0);
  putU32(column(2), 0);
  putU32(column(4), 0);
}

/** Empties the columns. Must follow each collect, whatever it returned. */
export function endCollect(): void {
  const count = bufferLength(stamped) >> 2;
  const list = bufferAddress(stamped);
  for (let i: usize = 0; i < count; i++) store<u32>(pairRecord(load<u32>(list + (i << 2))), 0, PAIR_SYMBOL);
  const names = nameCount();
  for (let i: u32 = 0; i < names; i++) store<u32>(nameRecord(i), 0, NAME_SYMBOL);
  resetBuffer(stamped, 1 << 16);
  for (let i: usize = 0; i < COLUMNS; i++) resetBuffer(column(i), 1 << 16);
}

function overlaps(record: usize, minTime: i64, maxTime: i64): bool {
  if (
    load<u32>(record, S.OPEN_CHUNK) != 0 &&
    load<i64>(record, S.OPEN_MIN_TIME) <= maxTime &&
    load<i64>(record, S.LAST_TIME) >= minTime
  ) {
    return true;
  }
  const closed = <usize>load<u32>(record, S.CLOSED_COUNT);
  const at = <usize>load<u32>(record, S.CLOSED);
  for (let i: usize = 0; i < closed; i++) {
    const chunk = at + i * CLOSED_BYTES;
    if (load<i64>(chunk) <= maxTime && load<i64>(chunk, 8) >= minTime) return true;
  }
  const late = lateCount(record);
  if (late == 0) return false;
  const samples = lateSamples(record);
  return (
    load<i64>(samples) <= maxTime && load<i64>(samples + <usize>(late - 1) * OOO_SAMPLE) >= minTime
  );
}

function putChunks(record: usize, minTime: i64, maxTime: i64): void {
  const first = chunks;
  putClosed(record, minTime, maxTime, 0);
  if (
    load<u32>(record, S.OPEN_CHUNK) != 0 &&
    load<i64>(record, S.OPEN_MIN_TIME) <= maxTime &&
    load<i64>(record, S.LAST_TIME) >= minTime
  ) {
    const length = openChunkBytes(record);
    putHere(load<i64>(record, S.OPEN_MIN_TIME), load<i64>(record, S.LAST_TIME), ENCODING_XOR, sealOpenChunk(record), length);
  }
  const inOrder = chunks;
  // In-order chunks before late ones: the sort below is stable, so they win where both begin at the same time.
  putClosed(record, minTime, maxTime, 1);
  const late = lateCount(record);
  if (late != 0) {
    const samples = lateSamples(record);
    const start = load<i64>(samples);
    const end = load<i64>(samples + <usize>(late - 1) * OOO_SAMPLE);
    if (start <= maxTime && end >= minTime) putHere(start, end, ENCODING_RAW, samples, <usize>late * OOO_SAMPLE);
  }
  if (chunks > inOrder && chunks - first > 1) sortChunks(first);
}

function putClosed(record: usize, minTime: i64, maxTime: i64, flags: u32): void {
  const closed = <usize>load<u32>(record, S.CLOSED_COUNT);
  const at = <usize>load<u32>(record, S.CLOSED);
  for (let i: usize = 0; i < closed; i++) {
    const chunk = at + i * CLOSED_BYTES;
    const start = load<i64>(chunk);
    const end = load<i64>(chunk, 8);
    if (start > maxTime || end < minTime || <u32>load<u8>(chunk, 26) != flags) continue;
    const length = <u32>load<u16>(chunk, 24);
    putChunk(start, end, load<u8>(chunk, 27), load<u32>(chunk, 16), load<u32>(chunk, 20), length);
  }
}

function putHere(start: i64, end: i64, encoding: u32, source: usize, length: usize): void {
  const data = column(11);
  putChunk(start, end, encoding, 0, <u32>bufferLength(data), <u32>length);
  putBytes(data, source, length);
}

function putChunk(start: i64, end: i64, encoding: u32, file: u32, offset: u32, length: u32): void {
  putF64(column(5), <f64>start);
  putF64(column(6), <f64>end);
  putU8(column(7), encoding);
  putU32(column(8), file);
  putU32(column(9), offset);
  putU32(column(10), length);
  chunks++;
  bytes += length;
}

/** Stable insertion sort of the chunks from `first` on by their min time; lists are short and nearly sorted. */
function sortChunks(first: u32): void {
  const starts = bufferAddress(column(5));
  for (let i = first + 1; i < chunks; i++) {
    for (let j = i; j > first && load<f64>(starts + (<usize>(j - 1) << 3)) > load<f64>(starts + (<usize>j << 3)); j--) {
      swapChunks(j - 1);
    }
  }
}

function swapChunks(index: u32): void {
  swap8(bufferAddress(column(5)), index);
  swap8(bufferAddress(column(6)), index);
  swap4(bufferAddress(column(8)), index);
  swap4(bufferAddress(column(9)), index);
  swap4(bufferAddress(column(10)), index);
  const encodings = bufferAddress(column(7)) + index;
  const kept = load<u8>(encodings);
  store<u8>(encodings, load<u8>(encodings, 1));
  store<u8>(encodings, kept, 1);
}

function swap8(at: usize, index: u32): void {
  const slot = at + (<usize>index << 3);
  const kept = load<u64>(slot);
  store<u64>(slot, load<u64>(slot, 8));
  store<u64>(slot, kept, 8);
}

function swap4(at: usize, index: u32): void {
  const slot = at + (<usize>index << 2);
  const kept = load<u32>(slot);
  store<u32>(slot, load<u32>(slot, 4));
  store<u32>(slot, kept, 4);
}

function putLabels(record: usize, wanted: usize): void {
  const count: u32 = load<u16>(record, S.PAIR_COUNT);
  const pairs = <usize>load<u32>(record, S.PAIRS);
  const labels = column(3);
  for (let i: u32 = 0; i < count; i++) {
    const pairId = load<u32>(pairs + (<usize>i << 2));
    const pair = pairRecord(pairId);
    const nameId = load<u32>(pair, PAIR_NAME);
    if (wanted != 0 && load<u8>(wanted + nameId) == 0) continue;
    putU32(labels, nameSymbol(nameId));
    putU32(labels, valueSymbol(pairId, pair));
  }
  putU32(column(2), <u32>(bufferLength(labels) >> 3));
}

function nameSymbol(nameId: u32): u32 {
  const name = nameRecord(nameId);
  const known = load<u32>(name, NAME_SYMBOL);
  if (known != 0) return known - 1;
  const symbol = putSymbol(load<u32>(name), load<u32>(name, NAME_LENGTH));
  store<u32>(name, symbol + 1, NAME_SYMBOL);
  return symbol;
}

function valueSymbol(pairId: u32, pair: usize): u32 {
  const known = load<u32>(pair, PAIR_SYMBOL);
  if (known != 0) return known - 1;
  const symbol = putSymbol(load<u32>(pair, PAIR_VALUE), load<u32>(pair, PAIR_VALUE_LENGTH));
  store<u32>(pair, symbol + 1, PAIR_SYMBOL);
  putU32(stamped, pairId);
  return symbol;
}

function putSymbol(at: usize, length: usize): u32 {
  putBytes(column(0), at, length);
  putU32(column(1), <u32>bufferLength(column(0)));
  return symbols++;
}
