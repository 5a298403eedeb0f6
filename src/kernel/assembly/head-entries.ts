/**
 * Entries of the WAL that say what a head consists of (docs/formats/wal-records.md), and the state of whole series:
 * a rolling checkpoint writes the pairs and then every series once more, and what is older can be deleted.
 *
 *     1 pair     varint id, varint length, name, varint length, value                     (label-index.ts)
 *     2 series   varint ref, 16 bytes SeriesId, varint count, varint pair ids             (head.ts)
 *     3 state    as 2, then varint closed chunks, 32 bytes each (closed-chunks.ts), u8 flags (bit 0: a sample was taken),
 *                i64 last time, u64 last value, i64 last delta, u8 samples of the open chunk, and if not 0:
 *                i64 min time, u8 leading, u8 trailing, u16 bits, the chunk's bytes; u8 late samples, 16 bytes each
 *     4 remove   varint ref
 */
import { bufferLength, putBytes, putU8, putVarint, reserve, setBufferLength } from "./buffer";
import { CLOSED_BYTES, minClosedTime, restoreClosed } from "./closed-chunks";
import { CHUNK_SAMPLES, dropSeries, ENTRY_REMOVE, noteTimes, putSeriesHead } from "./head";
import { addPosting, definePair, ENTRY_PAIR, ENTRY_SERIES, logPair, pairEnd, pairExists, PAIRS_MAX } from "./label-index";
import { allocArea, releaseArea } from "./memory";
import { lateCount, lateSamples, lateIsWhole, OOO_SAMPLE, restoreLate } from "./out-of-order";
import * as R from "./reader";
import { Reader } from "./reader";
import * as S from "./series";
import { openChunkBytes, openChunkIsWhole, releaseOpenChunk, sealOpenChunk } from "./xor-append";

const ENTRY_STATE: u32 = 3;
/** A chunk area has this much slack behind its bytes (xor-append.ts). */
const CHUNK_SLACK: usize = 9;

/** Applies the entries of one WAL record. Returns how many, or -1 if they are malformed. */
export function replayEntries(at: usize, length: usize): i32 {
  const reader = R.open(at, at + length);
  let read: i32 = 0;
  while (!R.atEnd(reader)) {
    const tag = R.readU8(reader);
    let good = false;
    if (tag == ENTRY_PAIR) good = readPair(reader);
    else if (tag == ENTRY_SERIES) good = readSeries(reader) != MALFORMED;
    else if (tag == ENTRY_STATE) good = readSeriesState(reader);
    else if (tag == ENTRY_REMOVE) good = readRemoval(reader);
    if (!good) return -1;
    read++;
  }
  return read;
}

function readPair(reader: Reader): bool {
  const pairId = R.readVarint(reader);
  const nameLength = R.readSlice(reader);
  const name = R.sliceAddress;
  const valueLength = R.readSlice(reader);
  if (R.failed(reader) || pairId >= PAIRS_MAX) return false;
  return definePair(<u32>pairId, name, nameLength, R.sliceAddress, valueLength);
}

const MALFORMED: i64 = -1;
const NOT_YET: i64 = -2;

/**
 * The ref of a series as `putSeriesHead` wrote it; the series is made if it is not there.
 * NOT_YET: it has pairs that nothing has defined. A log that begins behind their definition has their names in the
 * state that a checkpoint writes, and behind them the state of this series; until then it is passed over.
 */
function readSeries(reader: Reader): i64 {
  const wideRef = R.readVarint(reader);
  const id = R.readFixed(reader, 16);
  const pairCount = <u32>R.readVarint(reader);
  if (R.failed(reader) || wideRef >= S.REFS_MAX || pairCount > 0xffff || <usize>pairCount > R.left(reader)) {
    return MALFORMED;
  }
  const ref = <u32>wideRef;
  const pairs = allocArea(<usize>pairCount << 2);
  let defined = true;
  for (let i: u32 = 0; i < pairCount; i++) {
    const pair = R.readVarint(reader);
    store<u32>(pairs + (<usize>i << 2), <u32>pair);
    if (pair >= PAIRS_MAX || !pairExists(<u32>pair)) defined = false;
  }
  const broken = R.failed(reader);
  if (broken || !defined || S.tryRecord(ref) != 0) {
    releaseArea(pairs, <usize>pairCount << 2);
    return broken ? MALFORMED : defined ? ref : NOT_YET;
  }
  const record = S.createSeriesAt(ref, load<u64>(id), load<u64>(id, 8));
  store<u32>(record, <u32>pairs, S.PAIRS);
  store<u16>(record, <u16>pairCount, S.PAIR_COUNT);
  for (let i: u32 = 0; i < pairCount; i++) addPosting(load<u32>(pairs + (<usize>i << 2)), ref);
  return ref;
}

/** Entry: u8 ENTRY_REMOVE, varint ref. A ref that is not there is fine: its definition was in a deleted segment. */
function readRemoval(reader: Reader): bool {
  const ref = R.readVarint(reader);
  if (R.failed(reader) || ref >= S.REFS_MAX) return false;
  const record = S.tryRecord(<u32>ref);
  if (record != 0) dropSeries(record, <u32>ref);
  return true;
}


// ------------------------------------------------------------------------------------------------- state

/** Writes pairs from `from` on into `log` until it holds `bytesMax`; returns where to go on (pairEnd() when done). */
export function exportPairs(log: usize, from: u32, bytesMax: usize): u32 {
  const end = pairEnd();
  while (from < end && bufferLength(log) < bytesMax) {
    if (pairExists(from)) logPair(log, from);
    from++;
  }
  return from;
}

/** As exportPairs for the state of series. */
export function exportSeries(log: usize, from: u32, bytesMax: usize): u32 {
  const end = S.seriesEnd();
  from = S.nextLive(from, end);
  while (from < end && bufferLength(log) < bytesMax) {
    putState(log, S.recordOf(from), from);
    from = S.nextLive(from + 1, end);
  }
  return from;
}

function putState(log: usize, record: usize, ref: u32): void {
  putU8(log, ENTRY_STATE);
  putSeriesHead(log, record, ref);
  const closed: u32 = load<u32>(record, S.CLOSED_COUNT);
  putVarint(log, closed);
  putBytes(log, load<u32>(record, S.CLOSED), <usize>closed * CLOSED_BYTES);
  putU8(log, 0);
  putBytes(log, record + S.LAST_TIME, 24);
  const samples: u32 = load<u32>(record, S.OPEN_CHUNK) == 0 ? 0 : load<u8>(record, S.OPEN_SAMPLES);
  putU8(log, samples);
  if (samples != 0) {
    putBytes(log, record + S.OPEN_MIN_TIME, 8);
    putU8(log, load<u8>(record, S.LEADING));
    putU8(log, load<u8>(record, S.TRAILING));
    const bits = reserve(log, 2);
    store<u16>(bits, load<u16>(record, S.OPEN_BITS));
    setBufferLength(log, bufferLength(log) + 2);
    putBytes(log, sealOpenChunk(record), openChunkBytes(record));
  }
  const late = lateCount(record);
  putU8(log, late);
  if (late != 0) putBytes(log, lateSamples(record), <usize>late * OOO_SAMPLE);
}

/** Puts a series into the state it was exported in, whatever it was before. */
function readSeriesState(reader: Reader): bool {
  const found = readSeries(reader);
  if (found < 0) return false;
  const record = S.recordOf(<u32>found);
  const closed = <u32>R.readVarint(reader);
  if (R.failed(reader) || <usize>closed > R.left(reader) / CLOSED_BYTES) return false;
  const closedAt = R.readFixed(reader, <usize>closed * CLOSED_BYTES);
  R.readU8(reader);
  const last = R.readFixed(reader, 24);
  const samples = R.readU8(reader);
  if (R.failed(reader) || samples > CHUNK_SAMPLES) return false;
  restoreClosed(record, closedAt, closed);
  if (load<u32>(record, S.OPEN_CHUNK) != 0) releaseOpenChunk(record);
  memory.copy(record + S.LAST_TIME, last, 24);
  if (samples != 0 && !readOpenChunk(reader, record, samples)) return false;
  const late = R.readU8(reader);
  const lateAt = R.readFixed(reader, <usize>late * OOO_SAMPLE);
  if (R.failed(reader) || !lateIsWhole(lateAt, late)) return false;
  restoreLate(record, lateAt, late);
  let first = minClosedTime(record, i64.MAX_VALUE);
  if (samples != 0) first = min<i64>(first, load<i64>(record, S.OPEN_MIN_TIME));
  if (late != 0) first = min<i64>(first, load<i64>(lateAt));
  noteTimes(load<i64>(record, S.LAST_TIME), first);
  return true;
}

function readOpenChunk(reader: Reader, record: usize, samples: u32): bool {
  const minTime = R.readFixed(reader, 8);
  const leading = R.readU8(reader);
  const trailing = R.readU8(reader);
  const bits = R.readFixed(reader, 2);
  if (R.failed(reader)) return false;
  store<u16>(record, load<u16>(bits), S.OPEN_BITS);
  const length = openChunkBytes(record);
  const bytes = R.readFixed(reader, length);
  if (R.failed(reader)) {
    store<u16>(record, 0, S.OPEN_BITS);
    return false;
  }
  let log2: u32 = 5;
  while (<usize>1 << log2 < length + CHUNK_SLACK) log2++;
  const area = allocArea(<usize>1 << log2);
  memory.copy(area, bytes, length);
  store<u32>(record, <u32>area, S.OPEN_CHUNK);
  store<u8>(record, <u8>log2, S.OPEN_AREA_LOG2);
  store<u8>(record, <u8>samples, S.OPEN_SAMPLES);
  store<u8>(record, <u8>leading, S.LEADING);
  store<u8>(record, <u8>trailing, S.TRAILING);
  store<i64>(record, load<i64>(minTime), S.OPEN_MIN_TIME);
  // Later reads of the open chunk trust it.
  if (openChunkIsWhole(record)) return true;
  releaseOpenChunk(record);
  return false;
}
