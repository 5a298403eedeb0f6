/**
 * Series of one tenant's head: records in pages, found by SeriesId through an open-addressing table.
 *
 *     ref  ──► page directory[ref >> 10] ──► page + (ref & 1023) * 80
 *     id   ──► table slot (u32 fingerprint = low half of h1, u32 ref + 1; 0 = empty)
 *
 *     series record (80 bytes, little-endian)
 *      0  u64 SeriesId h1            40  u32 open chunk address (0 = none)
 *      8  u64 SeriesId h2            44  u16 bits written in the open chunk, beyond its 2-byte header
 *     16  i64 last in-order time     46  u8  samples in the open chunk
 *     24  u64 last value (bits)      47  u8  leading zeros of the last XOR window (0xff = none)
 *     32  i64 last time delta        48  u8  trailing zeros of it
 *                                    49  u8  log2 of the open chunk's area
 *                                    50  u8  flags (bit 0 = live, bit 1 = has in-order samples)
 *                                    51  u8  -
 *                                    52  u32 label pair ids address
 *     56  i64 open chunk min time    64  u16 label count
 *                                    66  u16 -
 *                                    68  u32 closed chunk records address
 *                                    72  u32 out-of-order buffer address (0 = none)
 *                                    76  u32 closed chunk count
 *
 * Refs are never reused in the life of a head; a page whose series are all gone is given back.
 */
import { alloc, allocArea, releaseArea } from "./memory";

export const RECORD_BYTES: usize = 80;
const PAGE_SERIES_LOG2: u32 = 10;
const PAGE_SERIES: u32 = 1024;
const PAGE_BYTES: usize = 81920;

export const ID_HIGH: usize = 8;
export const LAST_TIME: usize = 16;
export const LAST_VALUE: usize = 24;
export const LAST_DELTA: usize = 32;
export const OPEN_CHUNK: usize = 40;
export const OPEN_BITS: usize = 44;
export const OPEN_SAMPLES: usize = 46;
export const LEADING: usize = 47;
export const TRAILING: usize = 48;
export const OPEN_AREA_LOG2: usize = 49;
export const FLAGS: usize = 50;
export const PAIRS: usize = 52;
export const OPEN_MIN_TIME: usize = 56;
export const PAIR_COUNT: usize = 64;
export const CLOSED: usize = 68;
export const OUT_OF_ORDER: usize = 72;
export const CLOSED_COUNT: usize = 76;

/** `findSeries` answers with an i32. Only damaged log entries ask for more. */
export const REFS_MAX: u32 = 0x7fffffff;

export const FLAG_LIVE: u32 = 1;
export const FLAG_HAS_SAMPLES: u32 = 2;

let directory: usize = 0;
let directoryCapacity: u32 = 0;
/** Per page: live series in it. */
let pageLive: usize = 0;
let nextRef: u32 = 0;
let liveCount: u32 = 0;

let table: usize = 0;
let tableCapacity: u32 = 0;
let tableUsed: u32 = 0;

export function seriesEnd(): u32 {
  return nextRef;
}

export function seriesLive(): u32 {
  return liveCount;
}

/** The record of `ref`, or 0 where there is none (never created, removed). */
export function tryRecord(ref: u32): usize {
  if (ref >= nextRef) return 0;
  const page = <usize>load<u32>(directory + (<usize>(ref >> PAGE_SERIES_LOG2) << 2));
  if (page == 0) return 0;
  const record = page + <usize>(ref & (PAGE_SERIES - 1)) * RECORD_BYTES;
  return load<u8>(record, FLAGS) & FLAG_LIVE ? record : 0;
}

/** The least live ref from `ref` on, or `end`: pages that are gone cost one step each. */
export function nextLive(ref: u32, end: u32): u32 {
  while (ref < end) {
    const page = <usize>load<u32>(directory + (<usize>(ref >> PAGE_SERIES_LOG2) << 2));
    if (page == 0) {
      ref = ((ref >> PAGE_SERIES_LOG2) + 1) << PAGE_SERIES_LOG2;
      continue;
    }
    if (load<u8>(page + <usize>(ref & (PAGE_SERIES - 1)) * RECORD_BYTES, FLAGS) & FLAG_LIVE) return ref;
    ref++;
  }
  return end;
}

/** As tryRecord, for refs that are known to live. */
// @ts-ignore: decorator
@inline
export function recordOf(ref: u32): usize {
  return (
    <usize>load<u32>(directory + (<usize>(ref >> PAGE_SERIES_LOG2) << 2)) +
    <usize>(ref & (PAGE_SERIES - 1)) * RECORD_BYTES
  );
}

/** Guess for the next lookup: the ref after the one found last. */
let nextGuess: u32 = 0;

/**
 * The ref of a SeriesId, or -1. Senders repeat their series in the order in which they came first, so the record
 * behind the one found last is tried before the table: as a rule a lookup reads memory in sequence.
 */
// @ts-ignore: decorator
@inline
export function findSeries(h1: u64, h2: u64): i32 {
  const guessed = tryRecord(nextGuess);
  if (guessed != 0 && load<u64>(guessed) == h1 && load<u64>(guessed, ID_HIGH) == h2) {
    return <i32>(nextGuess++);
  }
  const ref = findInTable(h1, h2);
  nextGuess = ref + 1;
  return ref;
}

function findInTable(h1: u64, h2: u64): i32 {
  if (tableCapacity == 0) return -1;
  const mask = tableCapacity - 1;
  const fingerprint = <u32>h1;
  let slot = <u32>(h1 >> 32) & mask;
  while (true) {
    const at = table + (<usize>slot << 3);
    const refPlusOne = load<u32>(at, 4);
    if (refPlusOne == 0) return -1;
    if (load<u32>(at) == fingerprint) {
      const record = recordOf(refPlusOne - 1);
      if (load<u64>(record) == h1 && load<u64>(record, ID_HIGH) == h2) return <i32>(refPlusOne - 1);
    }
    slot = (slot + 1) & mask;
  }
}

/** A new series under the next ref. The caller has checked that the id is not there. */
export function createSeries(h1: u64, h2: u64): u32 {
  const ref = nextRef;
  createSeriesAt(ref, h1, h2);
  return ref;
}

/** As createSeries with a given ref (replay). `ref` must not be live. */
export function createSeriesAt(ref: u32, h1: u64, h2: u64): usize {
  const pageIndex = ref >> PAGE_SERIES_LOG2;
  if (pageIndex >= directoryCapacity) growDirectory(pageIndex + 1);
  const slot = directory + (<usize>pageIndex << 2);
  let page = <usize>load<u32>(slot);
  if (page == 0) {
    page = newPage();
    store<u32>(slot, <u32>page);
  }
  const live = pageLive + (<usize>pageIndex << 2);
  store<u32>(live, load<u32>(live) + 1);
  const record = page + <usize>(ref & (PAGE_SERIES - 1)) * RECORD_BYTES;
  memory.fill(record, 0, RECORD_BYTES);
  store<u64>(record, h1);
  store<u64>(record, h2, ID_HIGH);
  store<i64>(record, i64.MIN_VALUE, LAST_TIME);
  store<u8>(record, <u8>FLAG_LIVE, FLAGS);
  if (ref >= nextRef) nextRef = ref + 1;
  liveCount++;
  insertId(h1, ref);
  return record;
}

let freePages: usize = 0;

function newPage(): usize {
  let page: usize;
  if (freePages != 0) {
    page = freePages;
    freePages = load<u32>(page);
  } else {
    page = alloc(PAGE_BYTES);
  }
  memory.fill(page, 0, PAGE_BYTES);
  return page;
}

function growDirectory(needed: u32): void {
  let capacity: u32 = directoryCapacity == 0 ? 16 : directoryCapacity;
  while (capacity < needed) capacity <<= 1;
  directory = grownWords(directory, directoryCapacity, capacity);
  pageLive = grownWords(pageLive, directoryCapacity, capacity);
  directoryCapacity = capacity;
}

/** A word array moved to a larger area, the new part zeroed. */
export function grownWords(old: usize, oldCapacity: u32, capacity: u32): usize {
  const area = allocArea(<usize>capacity << 2);
  const oldBytes = <usize>oldCapacity << 2;
  memory.fill(area + oldBytes, 0, (<usize>capacity << 2) - oldBytes);
  if (oldCapacity != 0) {
    memory.copy(area, old, oldBytes);
    releaseArea(old, oldBytes);
  }
  return area;
}

function insertId(h1: u64, ref: u32): void {
  if ((tableUsed + 1) * 4 > tableCapacity * 3) growTable();
  putSlot(h1, ref);
  tableUsed++;
}

function putSlot(h1: u64, ref: u32): void {
  const mask = tableCapacity - 1;
  let slot = <u32>(h1 >> 32) & mask;
  while (load<u32>(table + (<usize>slot << 3), 4) != 0) slot = (slot + 1) & mask;
  const at = table + (<usize>slot << 3);
  store<u32>(at, <u32>h1);
  store<u32>(at, ref + 1, 4);
}

function growTable(): void {
  const oldTable = table;
  const oldCapacity = tableCapacity;
  tableCapacity = oldCapacity == 0 ? 64 : oldCapacity << 1;
  table = allocArea(<usize>tableCapacity << 3);
  memory.fill(table, 0, <usize>tableCapacity << 3);
  for (let i: u32 = 0; i < oldCapacity; i++) {
    const refPlusOne = load<u32>(oldTable + (<usize>i << 3), 4);
    if (refPlusOne != 0) putSlot(load<u64>(recordOf(refPlusOne - 1)), refPlusOne - 1);
  }
  if (oldCapacity != 0) releaseArea(oldTable, <usize>oldCapacity << 3);
}

/** Takes a series out of the table and of its page. Its chunk areas and labels are the caller's to release. */
export function removeSeries(ref: u32): void {
  const record = recordOf(ref);
  removeSlot(load<u64>(record), ref);
  store<u8>(record, 0, FLAGS);
  liveCount--;
  const pageIndex = ref >> PAGE_SERIES_LOG2;
  const live = pageLive + (<usize>pageIndex << 2);
  const left = load<u32>(live) - 1;
  store<u32>(live, left);
  // The page that still takes new refs stays.
  if (left == 0 && pageIndex < nextRef >> PAGE_SERIES_LOG2) {
    const slot = directory + (<usize>pageIndex << 2);
    const page = <usize>load<u32>(slot);
    store<u32>(page, <u32>freePages);
    freePages = page;
    store<u32>(slot, 0);
  }
}

/** Backward-shift deletion keeps probe sequences whole without tombstones. */
function removeSlot(h1: u64, ref: u32): void {
  const mask = tableCapacity - 1;
  let slot = <u32>(h1 >> 32) & mask;
  while (load<u32>(table + (<usize>slot << 3), 4) != ref + 1) slot = (slot + 1) & mask;
  let hole = slot;
  let next = (slot + 1) & mask;
  while (true) {
    const at = table + (<usize>next << 3);
    const refPlusOne = load<u32>(at, 4);
    if (refPlusOne == 0) break;
    const home = <u32>(load<u64>(recordOf(refPlusOne - 1)) >> 32) & mask;
    // Movable if its home does not lie cyclically in (hole, next].
    if (((next - home) & mask) >= ((next - hole) & mask)) {
      store<u64>(table + (<usize>hole << 3), load<u64>(at));
      hole = next;
    }
    next = (next + 1) & mask;
  }
  store<u64>(table + (<usize>hole << 3), 0);
  tableUsed--;
}
