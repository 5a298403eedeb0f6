/**
 * The head of one tenant: takes samples, decides what becomes of each, and says what must go to the WAL.
 *
 *     input of appendBatch       ids 16*i, sample offsets u32 (count + 1), times i64, values f64 (see rpc/ingester.ts),
 *                                optionally canonical label bytes with offsets (none for a series: not sent)
 *     rows buffer                WAL rows of the accepted samples (wal-rows.ts)
 *     entries buffer             WAL entries: new pairs, new series, removals (label-index.ts, entries below)
 *     frames buffer              closed chunks for the head-chunk file (closed-chunks.ts)
 *     unknown buffer             u32 indices of series whose id is not known
 *     report (120 bytes)         0 u32 accepted  4 u32 duplicates  8 u32 out-of-order stored  12 u32 series created
 *                                16 i64 newest time accepted
 *                                24 + 16*reason: u32 samples refused, u32 first series index, i64 first time
 *
 * What becomes of a sample of a known series (as in Prometheus):
 *
 *     later than the series' last one, and not older than the in-order floor  ──► open chunk
 *     the last one's time: same value ──► silent duplicate; another value ──► refused
 *     else, within the out-of-order window below the newest time of the head ──► side buffer
 *     else ──► refused: too old, or out of order where the window is off
 *
 * In-order floor: the newest time of the head less half the chunk range, and never below what was truncated.
 */
import { bufferAddress, bufferLength, newBuffer, putBytes, putU32, putU8, putVarint, resetBuffer } from "./buffer";
import { closeChunk, markFiles, minClosedTime, releaseClosed, truncateClosed } from "./closed-chunks";
import { addPosting, ENTRY_SERIES, internPair, purgePostings } from "./label-index";
import { alloc, allocArea, releaseArea } from "./memory";
import { CONFLICT, insertLate, lateCount, lateSamples, releaseLate, SAME, truncateLate } from "./out-of-order";
import * as R from "./reader";
import * as S from "./series";
import { beginRows, nextRow, openRows, putRow, rowRef, rowTime, rowValue } from "./wal-rows";
import { appendSample, findInOpenChunk, openChunk, releaseOpenChunk } from "./xor-append";

export const ENTRY_REMOVE: u32 = 4;

const REASON_OUT_OF_ORDER: u32 = 0;
const REASON_TOO_OLD: u32 = 1;
const REASON_DUPLICATE: u32 = 2;
const REASON_SERIES_LIMIT: u32 = 3;
const REPORT_BYTES: usize = 120;

const NO_TIME: i64 = i64.MIN_VALUE;
export const CHUNK_SAMPLES: u32 = 120;

let rows: usize = 0;
let entries: usize = 0;
let unknown: usize = 0;
let report: usize = 0;

let headMaxTime: i64 = NO_TIME;
let headMinTime: i64 = i64.MAX_VALUE;
let minValidTime: i64 = NO_TIME;
let inOrderFloor: i64 = NO_TIME;
let lateFloor: i64 = NO_TIME;
let lateWindow: i64 = 0;
let chunkRange: i64 = 7200000;
/** The chunk range that the last append fell into: saves a division a sample. */
let rangeStart: i64 = 0;
let rangeEnd: i64 = 0;

export function initHead(chunkRangeMs: i64): void {
  rows = newBuffer();
  entries = newBuffer();
  unknown = newBuffer();
  report = alloc(REPORT_BYTES);
  block = alloc(<usize>BLOCK * BLOCK_ROW_BYTES);
  chunkRange = chunkRangeMs;
}

export function reportAddress(): usize {
  return report;
}
export function rowsAddress(): usize {
  return bufferAddress(rows);
}
export function rowsLength(): usize {
  return bufferLength(rows);
}
export function entriesAddress(): usize {
  return bufferAddress(entries);
}
export function entriesLength(): usize {
  return bufferLength(entries);
}
export function unknownAddress(): usize {
  return bufferAddress(unknown);
}
export function unknownLength(): usize {
  return bufferLength(unknown);
}
/** i64.MIN while the head is empty. */
export function maxTime(): i64 {
  return headMaxTime;
}
/** Lower bound of what is stored; i64.MAX while the head is empty. */
export function minTime(): i64 {
  return headMinTime;
}
export function truncatedBefore(): i64 {
  return minValidTime;
}

/** Empties the output buffers; call when the host has copied them. */
export function resetOutput(): void {
  resetBuffer(rows, 1 << 18);
  resetBuffer(entries, 1 << 18);
  resetBuffer(unknown, 1 << 16);
}

/**
 * Appends a batch. `labels` and `labelOffsets` are 0 when labels did not come along.
 * Returns 0, or -1 if the offsets or label bytes are malformed (then nothing was appended).
 */
export function appendBatch(
  seriesCount: u32,
  ids: usize,
  offsets: usize,
  times: usize,
  values: usize,
  labels: usize,
  labelOffsets: usize,
  seriesMax: u32,
  lateWindowMs: i64,
): i32 {
  if (labels != 0 && !labelsAreWhole(seriesCount, labels, labelOffsets)) return -1;
  memory.fill(report, 0, REPORT_BYTES);
  store<i64>(report, NO_TIME, 16);
  lateWindow = lateWindowMs;
  setFloors();
  beginRows();
  let newest = headMaxTime;
  for (let first: u32 = 0; first < seriesCount; first += BLOCK) {
    const end = min<u32>(first + BLOCK, seriesCount);
    for (let i = first; i < end; i++) {
      const from = load<u32>(offsets + (<usize>i << 2));
      const h1 = load<u64>(ids + (<usize>i << 4));
      const h2 = load<u64>(ids + (<usize>i << 4), 8);
      let ref = S.findSeries(h1, h2);
      if (ref < 0 && labels == 0) {
        putU32(unknown, i);
      } else if (ref < 0) {
        const samples = load<u32>(offsets + (<usize>i << 2), 4) - from;
        const time = samples == 0 ? 0 : load<i64>(times + (<usize>from << 3));
        const labelsAt = labels + load<u32>(labelOffsets + (<usize>i << 2));
        const labelsEnd = labels + load<u32>(labelOffsets + (<usize>i << 2), 4);
        ref = meetSeries(i, h1, h2, labelsAt, labelsEnd, seriesMax, samples, time);
      }
      setBlockRecord(i - first, ref < 0 ? 0 : S.recordOf(ref), ref);
    }
    warmBlock(end - first);
    for (let i = first; i < end; i++) {
      const record = blockRecord(i - first);
      if (record == 0) continue;
      const ref = blockRef(i - first);
      const to = load<u32>(offsets + (<usize>i << 2), 4);
      for (let s = load<u32>(offsets + (<usize>i << 2)); s < to; s++) {
        const time = load<i64>(times + (<usize>s << 3));
        const value = load<u64>(values + (<usize>s << 3));
        if (appendOne(record, ref, i, time, value)) newest = max<i64>(newest, time);
      }
    }
  }
  headMaxTime = newest;
  store<i64>(report, newest, 16);
  return 0;
}

/** The ref of a series that the head does not know, made from its labels; -1 if it may not be or they were not sent. */
function meetSeries(
  index: u32,
  h1: u64,
  h2: u64,
  labels: usize,
  labelsEnd: usize,
  seriesMax: u32,
  samples: u32,
  time: i64,
): i32 {
  if (labels == labelsEnd) {
    putU32(unknown, index);
    return -1;
  }
  if (seriesMax != 0 && S.seriesLive() >= seriesMax) {
    if (samples != 0) refuse(REASON_SERIES_LIMIT, index, time, samples);
    return -1;
  }
  count(12, 1);
  return <i32>createFromLabels(h1, h2, labels, labelsEnd);
}

// ---------------------------------------------------------------------------------------- blocks of rows

/**
 * Samples are appended in blocks: first the records of all are looked up, then the ends of their open chunks are
 * touched, then the samples are written. Each series' chunk is a cache miss; touched one after the other the misses
 * overlap, while between two appends the processor would wait for each (measured: a replay 1.7 times as fast).
 */
const BLOCK: u32 = 64;
/** Per row of the block: 0 u32 record, 4 u32 ref, 8 i64 time, 16 u64 value. */
const BLOCK_ROW_BYTES: usize = 24;
let block: usize = 0;
/** Keeps the touching loads from being optimised away. */
let touched: u32 = 0;

// @ts-ignore: decorator
@inline
function blockRow(index: u32): usize {
  return block + <usize>index * BLOCK_ROW_BYTES;
}

// @ts-ignore: decorator
@inline
function setBlockRecord(index: u32, record: usize, ref: u32): void {
  const row = blockRow(index);
  store<u32>(row, <u32>record);
  store<u32>(row, ref, 4);
}

// @ts-ignore: decorator
@inline
function blockRecord(index: u32): usize {
  return <usize>load<u32>(blockRow(index));
}

// @ts-ignore: decorator
@inline
function blockRef(index: u32): u32 {
  return load<u32>(blockRow(index), 4);
}

function warmBlock(rowCount: u32): void {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < rowCount; i++) {
    const record = blockRecord(i);
    if (record == 0) continue;
    const chunk = <usize>load<u32>(record, S.OPEN_CHUNK);
    sum += load<u8>(chunk + (<usize>load<u16>(record, S.OPEN_BITS) >> 3));
  }
  touched = sum;
}

function setFloors(): void {
  inOrderFloor = minValidTime;
  lateFloor = minValidTime;
  if (headMaxTime == NO_TIME) return;
  inOrderFloor = max<i64>(minValidTime, earlier(headMaxTime, chunkRange / 2));
  lateFloor = max<i64>(minValidTime, earlier(headMaxTime, lateWindow));
}

/** time - span, where that is a time. */
function earlier(time: i64, span: i64): i64 {
  return time < NO_TIME + span ? NO_TIME : time - span;
}

// @ts-ignore: decorator
@inline
function count(field: usize, by: u32): void {
  store<u32>(report + field, load<u32>(report + field) + by);
}

function refuse(reason: u32, seriesIndex: u32, time: i64, samples: u32): void {
  const at = report + 24 + (<usize>reason << 4);
  if (load<u32>(at) == 0) {
    store<u32>(at, seriesIndex, 4);
    store<i64>(at, time, 8);
  }
  store<u32>(at, load<u32>(at) + samples);
}

/** Whether the sample was stored now. */
// @ts-ignore: decorator
@inline
function appendOne(record: usize, ref: u32, seriesIndex: u32, time: i64, value: u64): bool {
  const last = load<i64>(record, S.LAST_TIME);
  if (time > last && time >= inOrderFloor) {
    appendInOrder(record, ref, time, value);
    putRow(rows, ref, time, value);
    count(0, 1);
    return true;
  }
  return appendLate(record, ref, seriesIndex, time, value, last);
}

function appendLate(record: usize, ref: u32, seriesIndex: u32, time: i64, value: u64, last: i64): bool {
  if (time == last) {
    if (load<u64>(record, S.LAST_VALUE) == value) count(4, 1);
    else refuse(REASON_DUPLICATE, seriesIndex, time, 1);
    return false;
  }
  const found = time < last ? findInOpenChunk(record, time, value) : 0;
  if (found != 0) {
    if (found == SAME) count(4, 1);
    else refuse(REASON_DUPLICATE, seriesIndex, time, 1);
    return false;
  }
  if (lateWindow == 0 || time < lateFloor) {
    const merelyLate = lateWindow == 0 && time >= inOrderFloor;
    refuse(merelyLate ? REASON_OUT_OF_ORDER : REASON_TOO_OLD, seriesIndex, time, 1);
    return false;
  }
  const outcome = insertLate(record, ref, time, value);
  if (outcome == SAME) count(4, 1);
  else if (outcome == CONFLICT) refuse(REASON_DUPLICATE, seriesIndex, time, 1);
  if (outcome != 0) return false;
  headMinTime = min<i64>(headMinTime, time);
  putRow(rows, ref, time, value);
  count(0, 1);
  count(8, 1);
  return true;
}

// @ts-ignore: decorator
@inline
function appendInOrder(record: usize, ref: u32, time: i64, value: u64): void {
  if (load<u32>(record, S.OPEN_CHUNK) != 0) {
    if (<u32>load<u8>(record, S.OPEN_SAMPLES) >= CHUNK_SAMPLES || leavesRange(record, time)) {
      closeChunk(record, ref, record, 0);
      openChunk(record, time, value);
    } else {
      appendSample(record, time, value);
    }
  } else {
    if (time < headMinTime) headMinTime = time;
    openChunk(record, time, value);
  }
  store<i64>(record, time, S.LAST_TIME);
  store<u64>(record, value, S.LAST_VALUE);
}

/** Chunks never span two block ranges, so that a block can be cut from whole chunks. */
// @ts-ignore: decorator
@inline
function leavesRange(record: usize, time: i64): bool {
  const start = load<i64>(record, S.OPEN_MIN_TIME);
  if (start >= rangeStart && time < rangeEnd) return false;
  return crossesRange(start, time);
}

function crossesRange(start: i64, time: i64): bool {
  let index = start / chunkRange;
  if (start < 0 && index * chunkRange != start) index--;
  rangeStart = index * chunkRange;
  rangeEnd = rangeStart + chunkRange;
  return time >= rangeEnd;
}

function labelsAreWhole(seriesCount: u32, labels: usize, labelOffsets: usize): bool {
  for (let i: u32 = 0; i < seriesCount; i++) {
    const start = load<u32>(labelOffsets + (<usize>i << 2));
    const end = load<u32>(labelOffsets + (<usize>i << 2), 4);
    if (countLabels(labels + start, labels + end) < 0) return false;
  }
  return true;
}

/** Labels in canonical label bytes, or -1 if they are malformed. */
function countLabels(at: usize, end: usize): i32 {
  const reader = R.open(at, end);
  let labelCount: i32 = 0;
  while (!R.atEnd(reader)) {
    R.readSlice(reader);
    R.readSlice(reader);
    labelCount++;
  }
  return R.failed(reader) || labelCount > 0xffff ? -1 : labelCount;
}

/** A series from canonical label bytes that were checked; its ref. */
function createFromLabels(h1: u64, h2: u64, at: usize, end: usize): u32 {
  const labelCount = countLabels(at, end);
  const ref = S.createSeries(h1, h2);
  const record = S.recordOf(ref);
  const pairs = allocArea(<usize>labelCount << 2);
  store<u32>(record, <u32>pairs, S.PAIRS);
  store<u16>(record, <u16>labelCount, S.PAIR_COUNT);
  const reader = R.open(at, end);
  for (let i = 0; i < labelCount; i++) {
    const nameLength = R.readSlice(reader);
    const name = R.sliceAddress;
    const valueLength = R.readSlice(reader);
    const pair = internPair(name, nameLength, R.sliceAddress, valueLength, entries);
    store<u32>(pairs + (<usize>i << 2), pair);
    addPosting(pair, ref);
  }
  logSeries(record, ref);
  return ref;
}

/** Entry: u8 ENTRY_SERIES, varint ref, 16 bytes SeriesId, varint pair count, varint pair ids. */
function logSeries(record: usize, ref: u32): void {
  putU8(entries, ENTRY_SERIES);
  putSeriesHead(entries, record, ref);
}

export function putSeriesHead(log: usize, record: usize, ref: u32): void {
  putVarint(log, ref);
  putBytes(log, record, 16);
  const pairCount: u32 = load<u16>(record, S.PAIR_COUNT);
  const pairs = <usize>load<u32>(record, S.PAIRS);
  putVarint(log, pairCount);
  for (let i: u32 = 0; i < pairCount; i++) putVarint(log, load<u32>(pairs + (<usize>i << 2)));
}

// ------------------------------------------------------------------------------------------------- replay

/** Samples of refs that no entry has defined; they must turn out to be covered by a later state entry. */
let skippedRows: u32 = 0;

/** Rows of unknown refs since the last call. */
export function takeSkippedRows(): u32 {
  const skipped = skippedRows;
  skippedRows = 0;
  return skipped;
}

/** Appends the rows of one WAL record. Returns how many it held, or -1 if it is malformed. */
export function replayRows(at: usize, length: usize): i32 {
  openRows(at, length);
  // A record holds the rows of one batch: the same floors as then send each sample the same way.
  setFloors();
  let read: i32 = 0;
  let state: i32 = 1;
  while (state > 0) {
    let filled: u32 = 0;
    while (filled < BLOCK) {
      state = nextRow();
      if (state <= 0) break;
      setBlockRecord(filled, S.tryRecord(rowRef), rowRef);
      store<i64>(blockRow(filled), rowTime, 8);
      store<u64>(blockRow(filled), rowValue, 16);
      filled++;
    }
    warmBlock(filled);
    replayBlock(filled);
    read += filled;
  }
  headMaxTime = max<i64>(headMaxTime, replayNewest);
  return state < 0 ? -1 : read;
}

/** Floors stay those of the record while its rows are appended; the newest time counts from the next one on. */
let replayNewest: i64 = NO_TIME;

function replayBlock(rowCount: u32): void {
  for (let i: u32 = 0; i < rowCount; i++) {
    const record = blockRecord(i);
    const time = load<i64>(blockRow(i), 8);
    replayNewest = max<i64>(replayNewest, time);
    if (record == 0) skippedRows++;
    else replayOne(record, blockRef(i), time, load<u64>(blockRow(i), 16));
  }
}

// @ts-ignore: decorator
@inline
function replayOne(record: usize, ref: u32, time: i64, value: u64): void {
  const last = load<i64>(record, S.LAST_TIME);
  if (time > last && time >= inOrderFloor) {
    appendInOrder(record, ref, time, value);
  } else if (time != last && time >= minValidTime) {
    if (time < last && findInOpenChunk(record, time, value) != 0) return;
    insertLate(record, ref, time, value);
    if (time < headMinTime) headMinTime = time;
  }
}

/** After replay: what only the samples tell. */
export function noteTimes(lastTime: i64, firstTime: i64): void {
  headMaxTime = max<i64>(headMaxTime, lastTime);
  headMinTime = min<i64>(headMinTime, firstTime);
}

// ---------------------------------------------------------------------------------------- idle open chunks

/**
 * Closes the open chunks of series [fromRef, toRef) whose last sample is older than `before`: their bytes leave as
 * frames, and the series goes on with a new chunk. Nothing of it is logged: a replay builds the open chunk again, and
 * a state entry says what is closed. Returns how many there were.
 */
export function closeIdleSlice(before: i64, fromRef: u32, toRef: u32): u32 {
  let closed: u32 = 0;
  const end = min<u32>(toRef, S.seriesEnd());
  for (let ref = S.nextLive(fromRef, end); ref < end; ref = S.nextLive(ref + 1, end)) {
    const record = S.recordOf(ref);
    if (load<u32>(record, S.OPEN_CHUNK) == 0 || load<i64>(record, S.LAST_TIME) >= before) continue;
    closeChunk(record, ref, record, 0);
    closed++;
  }
  return closed;
}

// --------------------------------------------------------------------------------------------- truncation

/**
 * Forgets what is older than `beforeTime` in series [fromRef, toRef); series with nothing left are removed and
 * logged in the entries buffer. Work in slices, then call `finishTruncate`. Returns how many series went.
 */
export function truncateSlice(beforeTime: i64, fromRef: u32, toRef: u32): u32 {
  minValidTime = max<i64>(minValidTime, beforeTime);
  let removed: u32 = 0;
  const end = min<u32>(toRef, S.seriesEnd());
  for (let ref = S.nextLive(fromRef, end); ref < end; ref = S.nextLive(ref + 1, end)) {
    const record = S.recordOf(ref);
    truncateClosed(record, beforeTime);
    truncateLate(record, beforeTime);
    if (load<u32>(record, S.OPEN_CHUNK) != 0 && load<i64>(record, S.LAST_TIME) < beforeTime) releaseOpenChunk(record);
    if (load<u32>(record, S.OPEN_CHUNK) != 0 || load<u32>(record, S.CLOSED_COUNT) != 0 || lateCount(record) != 0) continue;
    putU8(entries, ENTRY_REMOVE);
    putVarint(entries, ref);
    dropSeries(record, ref);
    removed++;
  }
  return removed;
}

/** A series and everything it holds goes; its postings stay until `finishTruncate`. */
export function dropSeries(record: usize, ref: u32): void {
  if (load<u32>(record, S.OPEN_CHUNK) != 0) releaseOpenChunk(record);
  releaseClosed(record);
  releaseLate(record);
  releaseArea(load<u32>(record, S.PAIRS), <usize>load<u16>(record, S.PAIR_COUNT) << 2);
  S.removeSeries(ref);
}

/** Cleans the index after removals and finds the head's new minimum. Marks the head-chunk files still in use. */
export function finishTruncate(removed: bool, used: usize, firstFile: u32, files: u32): void {
  if (removed) purgePostings();
  headMinTime = i64.MAX_VALUE;
  const end = S.seriesEnd();
  for (let ref = S.nextLive(0, end); ref < end; ref = S.nextLive(ref + 1, end)) {
    const record = S.recordOf(ref);
    if (files != 0) markFiles(record, used, firstFile, files);
    if (load<u32>(record, S.OPEN_CHUNK) != 0) headMinTime = min<i64>(headMinTime, load<i64>(record, S.OPEN_MIN_TIME));
    headMinTime = minClosedTime(record, headMinTime);
    if (lateCount(record) != 0) headMinTime = min<i64>(headMinTime, load<i64>(lateSamples(record)));
  }
}

/** Series whose last in-order sample is not older than `since`. */
export function countActive(since: i64): u32 {
  let active: u32 = 0;
  const end = S.seriesEnd();
  for (let ref = S.nextLive(0, end); ref < end; ref = S.nextLive(ref + 1, end)) {
    if (load<i64>(S.recordOf(ref), S.LAST_TIME) >= since) active++;
  }
  return active;
}
