/**
 * Label index of one tenant's head: every (name, value) pair is stored once, a series is a list of pair ids,
 * and each pair has its postings: the refs of its series, ascending because refs only grow.
 *
 *     name record (24 bytes)                    pair record (32 bytes, in pages of 1024)
 *      0  u32 bytes address                      0  u32 name id
 *      4  u32 length                             4  u32 value address (0 = pair removed)
 *      8  u32 first pair + 1 (0 = none)          8  u32 value length
 *     12  u32 live pairs                        12  u32 postings address
 *     16  u32 hash                              16  u32 postings count (area: next power of two, at least 4)
 *     20  u32 symbol of the current collect     20  u32 next pair of the name + 1 (0 = last)
 *                                               24  u32 hash
 *                                               28  u32 symbol of the current collect + 1
 *
 *     name table: u32 name id + 1 by hash        pair table: u32 hash, u32 pair id + 1 by hash
 *
 * A pair is found by the hash of its bytes, so a known pair costs no string. The hash is seeded per head:
 * who sends labels cannot choose collisions. Pair ids are not reused.
 */
import { alloc, allocArea, releaseArea } from "./memory";
import { putBytes, putU8, putVarint } from "./buffer";
import { grownWords, tryRecord } from "./series";

const NAME_BYTES: usize = 24;
const PAIR_BYTES: usize = 32;
const PAGE_LOG2: u32 = 10;
const PAGE_PAIRS: u32 = 1024;

export const PAIR_NAME: usize = 0;
export const PAIR_VALUE: usize = 4;
export const PAIR_VALUE_LENGTH: usize = 8;
export const POSTINGS: usize = 12;
export const POSTINGS_COUNT: usize = 16;
const NEXT_PAIR: usize = 20;
const PAIR_HASH: usize = 24;
export const PAIR_SYMBOL: usize = 28;

export const NAME_LENGTH: usize = 4;
const FIRST_PAIR: usize = 8;
const LIVE_PAIRS: usize = 12;
const NAME_HASH: usize = 16;
export const NAME_SYMBOL: usize = 20;

export const ENTRY_PAIR: u32 = 1;
export const ENTRY_SERIES: u32 = 2;

let seed: u64 = 0;
let names: usize = 0;
let namesCapacity: u32 = 0;
let namesCount: u32 = 0;
let nameTable: usize = 0;
let nameTableCapacity: u32 = 0;

let pairDirectory: usize = 0;
let pairDirectoryCapacity: u32 = 0;
let pairsEnd: u32 = 0;
let pairsLive: u32 = 0;
let pairTable: usize = 0;
let pairTableCapacity: u32 = 0;
/** Bytes of names and values, for cortex_ingester_tsdb_symbol_table_size_bytes. */
let symbolBytes: usize = 0;

export function setIndexSeed(value: u64): void {
  seed = value;
}

export function nameCount(): u32 {
  return namesCount;
}

export function pairEnd(): u32 {
  return pairsEnd;
}

export function pairLive(): u32 {
  return pairsLive;
}

export function symbolTableBytes(): usize {
  return symbolBytes;
}

// @ts-ignore: decorator
@inline
export function nameRecord(nameId: u32): usize {
  return names + <usize>nameId * NAME_BYTES;
}

// @ts-ignore: decorator
@inline
export function pairRecord(pairId: u32): usize {
  return (
    <usize>load<u32>(pairDirectory + (<usize>(pairId >> PAGE_LOG2) << 2)) +
    <usize>(pairId & (PAGE_PAIRS - 1)) * PAIR_BYTES
  );
}

const M1: u64 = 0x9e3779b185ebca87;
const M2: u64 = 0xc2b2ae3d27d4eb4f;

function hashBytes(at: usize, length: usize, start: u64): u64 {
  let hash = start ^ (<u64>length * M1);
  const end = at + length;
  while (at + 8 <= end) {
    hash = rotl<u64>((hash ^ load<u64>(at)) * M2, 29) * M1;
    at += 8;
  }
  let tail: u64 = 0;
  let shift: u64 = 0;
  while (at < end) {
    tail |= <u64>load<u8>(at++) << shift;
    shift += 8;
  }
  hash = (hash ^ tail) * M2;
  hash ^= hash >> 32;
  hash *= M1;
  return hash ^ (hash >> 29);
}

function sameBytes(a: usize, b: usize, length: usize): bool {
  let i: usize = 0;
  while (i + 8 <= length) {
    if (load<u64>(a + i) != load<u64>(b + i)) return false;
    i += 8;
  }
  while (i < length) {
    if (load<u8>(a + i) != load<u8>(b + i)) return false;
    i++;
  }
  return true;
}

function findNameHashed(at: usize, length: usize, hash: u32): i32 {
  if (nameTableCapacity == 0) return -1;
  const mask = nameTableCapacity - 1;
  let slot = hash & mask;
  while (true) {
    const idPlusOne = load<u32>(nameTable + (<usize>slot << 2));
    if (idPlusOne == 0) return -1;
    const record = nameRecord(idPlusOne - 1);
    if (
      load<u32>(record, NAME_HASH) == hash &&
      <usize>load<u32>(record, NAME_LENGTH) == length &&
      sameBytes(load<u32>(record), at, length)
    ) {
      return <i32>(idPlusOne - 1);
    }
    slot = (slot + 1) & mask;
  }
}

/** Id of a label name, or -1. */
export function findName(at: usize, length: usize): i32 {
  return findNameHashed(at, length, <u32>hashBytes(at, length, seed));
}

function findPairHashed(nameId: u32, at: usize, length: usize, hash: u32): i32 {
  if (pairTableCapacity == 0) return -1;
  const mask = pairTableCapacity - 1;
  let slot = hash & mask;
  while (true) {
    const entry = pairTable + (<usize>slot << 3);
    const idPlusOne = load<u32>(entry, 4);
    if (idPlusOne == 0) return -1;
    if (load<u32>(entry) == hash) {
      const record = pairRecord(idPlusOne - 1);
      if (
        load<u32>(record, PAIR_NAME) == nameId &&
        <usize>load<u32>(record, PAIR_VALUE_LENGTH) == length &&
        sameBytes(load<u32>(record, PAIR_VALUE), at, length)
      ) {
        return <i32>(idPlusOne - 1);
      }
    }
    slot = (slot + 1) & mask;
  }
}

// @ts-ignore: decorator
@inline
function pairHash(nameHash: u32, at: usize, length: usize): u32 {
  return <u32>hashBytes(at, length, seed ^ (<u64>nameHash * M1));
}

/** Id of the pair (nameId, value), or -1. */
export function findPair(nameId: u32, at: usize, length: usize): i32 {
  return findPairHashed(nameId, at, length, pairHash(load<u32>(nameRecord(nameId), NAME_HASH), at, length));
}

/**
 * The pair of a name and a value, made if it is new; a new one is also written to `log` (0 = no log).
 * Entry: u8 ENTRY_PAIR, varint id, varint length, name, varint length, value.
 */
export function internPair(
  nameAt: usize,
  nameLength: usize,
  valueAt: usize,
  valueLength: usize,
  log: usize,
): u32 {
  const nameHash = <u32>hashBytes(nameAt, nameLength, seed);
  const nameFound = findNameHashed(nameAt, nameLength, nameHash);
  const nameId = nameFound >= 0 ? <u32>nameFound : addName(nameAt, nameLength, nameHash);
  const hash = pairHash(nameHash, valueAt, valueLength);
  const pairFound = findPairHashed(nameId, valueAt, valueLength, hash);
  if (pairFound >= 0) return <u32>pairFound;
  const pairId = pairsEnd;
  addPair(pairId, nameId, valueAt, valueLength, hash);
  if (log != 0) logPair(log, pairId);
  return pairId;
}

/** 4 GiB hold fewer. Only damaged log entries ask for more. */
export const PAIRS_MAX: u64 = 1 << 27;

/**
 * Replay: the pair under the id it had. Defining the same pair twice is fine. When the head cleaned its index and the
 * pair came back under another id, the new one takes the place of the old one, which has no live series any more;
 * if it has, the log is not one of ours: false.
 */
export function definePair(
  pairId: u32,
  nameAt: usize,
  nameLength: usize,
  valueAt: usize,
  valueLength: usize,
): bool {
  if (pairExists(pairId)) return true;
  if (pairId < pairsEnd && wasReplaced(pairId)) return false;
  const nameHash = <u32>hashBytes(nameAt, nameLength, seed);
  const nameFound = findNameHashed(nameAt, nameLength, nameHash);
  const nameId = nameFound >= 0 ? <u32>nameFound : addName(nameAt, nameLength, nameHash);
  const hash = pairHash(nameHash, valueAt, valueLength);
  const old = findPairHashed(nameId, valueAt, valueLength, hash);
  if (old < 0) addPair(pairId, nameId, valueAt, valueLength, hash);
  else if (!replacePair(<u32>old, pairId, nameId, valueAt, valueLength, hash)) return false;
  return true;
}

const REPLACED: u32 = 0xffffffff;

/** Still linked in its name's list, so that the record cannot be used anew. */
function wasReplaced(pairId: u32): bool {
  const page = load<u32>(pairDirectory + (<usize>(pairId >> PAGE_LOG2) << 2));
  return page != 0 && load<u32>(pairRecord(pairId), PAIR_SYMBOL) == REPLACED;
}

function replacePair(
  oldId: u32,
  pairId: u32,
  nameId: u32,
  valueAt: usize,
  valueLength: usize,
  hash: u32,
): bool {
  const old = pairRecord(oldId);
  purgePair(old);
  if (load<u32>(old, POSTINGS_COUNT) != 0) return false;
  const slot = hash & (pairTableCapacity - 1);
  let entry = pairTable + (<usize>slot << 3);
  for (let at = slot; load<u32>(entry, 4) != oldId + 1; ) {
    at = (at + 1) & (pairTableCapacity - 1);
    entry = pairTable + (<usize>at << 3);
  }
  // The old one stays in its name's list, without a value, until the next purge.
  dropPair(nameRecord(nameId), old);
  store<u32>(old, REPLACED, PAIR_SYMBOL);
  putPair(pairId, nameId, valueAt, valueLength, hash);
  store<u32>(entry, pairId + 1, 4);
  return true;
}

export function pairExists(pairId: u32): bool {
  if (pairId >= pairsEnd) return false;
  const page = load<u32>(pairDirectory + (<usize>(pairId >> PAGE_LOG2) << 2));
  return page != 0 && load<u32>(pairRecord(pairId), PAIR_VALUE) != 0;
}

export function logPair(log: usize, pairId: u32): void {
  const pair = pairRecord(pairId);
  const name = nameRecord(load<u32>(pair, PAIR_NAME));
  putU8(log, ENTRY_PAIR);
  putVarint(log, pairId);
  putVarint(log, load<u32>(name, NAME_LENGTH));
  putBytes(log, load<u32>(name), load<u32>(name, NAME_LENGTH));
  putVarint(log, load<u32>(pair, PAIR_VALUE_LENGTH));
  putBytes(log, load<u32>(pair, PAIR_VALUE), load<u32>(pair, PAIR_VALUE_LENGTH));
}

function addName(at: usize, length: usize, hash: u32): u32 {
  if (namesCount == namesCapacity) growNames();
  const nameId = namesCount++;
  const bytes = alloc(length + 1);
  memory.copy(bytes, at, length);
  symbolBytes += length;
  const record = nameRecord(nameId);
  memory.fill(record, 0, NAME_BYTES);
  store<u32>(record, <u32>bytes);
  store<u32>(record, <u32>length, NAME_LENGTH);
  store<u32>(record, hash, NAME_HASH);
  putNameSlot(nameId, hash);
  return nameId;
}

function growNames(): void {
  const capacity: u32 = namesCapacity == 0 ? 16 : namesCapacity << 1;
  const area = allocArea(<usize>capacity * NAME_BYTES);
  if (namesCapacity != 0) {
    memory.copy(area, names, <usize>namesCount * NAME_BYTES);
    releaseArea(names, <usize>namesCapacity * NAME_BYTES);
    releaseArea(nameTable, <usize>nameTableCapacity << 2);
  }
  names = area;
  namesCapacity = capacity;
  nameTableCapacity = capacity << 1;
  nameTable = allocArea(<usize>nameTableCapacity << 2);
  memory.fill(nameTable, 0, <usize>nameTableCapacity << 2);
  for (let i: u32 = 0; i < namesCount; i++) putNameSlot(i, load<u32>(nameRecord(i), NAME_HASH));
}

function putNameSlot(nameId: u32, hash: u32): void {
  const mask = nameTableCapacity - 1;
  let slot = hash & mask;
  while (load<u32>(nameTable + (<usize>slot << 2)) != 0) slot = (slot + 1) & mask;
  store<u32>(nameTable + (<usize>slot << 2), nameId + 1);
}

function addPair(pairId: u32, nameId: u32, valueAt: usize, valueLength: usize, hash: u32): void {
  putPair(pairId, nameId, valueAt, valueLength, hash);
  if (pairsLive * 4 > pairTableCapacity * 3) growPairTable();
  else putPairSlot(pairId, hash);
}

/** The pair's record and its place in the name's list. */
function putPair(pairId: u32, nameId: u32, valueAt: usize, valueLength: usize, hash: u32): void {
  const pageIndex = pairId >> PAGE_LOG2;
  if (pageIndex >= pairDirectoryCapacity) {
    let capacity: u32 = pairDirectoryCapacity == 0 ? 16 : pairDirectoryCapacity;
    while (capacity <= pageIndex) capacity <<= 1;
    pairDirectory = grownWords(pairDirectory, pairDirectoryCapacity, capacity);
    pairDirectoryCapacity = capacity;
  }
  const slot = pairDirectory + (<usize>pageIndex << 2);
  if (load<u32>(slot) == 0) store<u32>(slot, <u32>alloc(<usize>PAGE_PAIRS * PAIR_BYTES));
  if (pairId >= pairsEnd) pairsEnd = pairId + 1;
  const bytes = allocArea(valueLength + 1);
  memory.copy(bytes, valueAt, valueLength);
  symbolBytes += valueLength;
  const name = nameRecord(nameId);
  const record = pairRecord(pairId);
  store<u32>(record, nameId, PAIR_NAME);
  store<u32>(record, <u32>bytes, PAIR_VALUE);
  store<u32>(record, <u32>valueLength, PAIR_VALUE_LENGTH);
  store<u32>(record, 0, POSTINGS);
  store<u32>(record, 0, POSTINGS_COUNT);
  store<u32>(record, load<u32>(name, FIRST_PAIR), NEXT_PAIR);
  store<u32>(record, hash, PAIR_HASH);
  store<u32>(record, 0, PAIR_SYMBOL);
  store<u32>(name, pairId + 1, FIRST_PAIR);
  store<u32>(name, load<u32>(name, LIVE_PAIRS) + 1, LIVE_PAIRS);
  pairsLive++;
}

/** Doubles the table and fills it from the pairs themselves (the new one included). */
function growPairTable(): void {
  const oldBytes = <usize>pairTableCapacity << 3;
  if (oldBytes != 0) releaseArea(pairTable, oldBytes);
  pairTableCapacity = pairTableCapacity == 0 ? 64 : pairTableCapacity << 1;
  pairTable = allocArea(<usize>pairTableCapacity << 3);
  rebuildPairTable();
}

function rebuildPairTable(): void {
  memory.fill(pairTable, 0, <usize>pairTableCapacity << 3);
  for (let id: u32 = 0; id < pairsEnd; id++) {
    if (pairExists(id)) putPairSlot(id, load<u32>(pairRecord(id), PAIR_HASH));
  }
}

function putPairSlot(pairId: u32, hash: u32): void {
  const mask = pairTableCapacity - 1;
  let slot = hash & mask;
  while (load<u32>(pairTable + (<usize>slot << 3), 4) != 0) slot = (slot + 1) & mask;
  const entry = pairTable + (<usize>slot << 3);
  store<u32>(entry, hash);
  store<u32>(entry, pairId + 1, 4);
}

// @ts-ignore: decorator
@inline
function postingsArea(count: u32): usize {
  return count <= 4 ? 16 : <usize>1 << (34 - clz<u32>(count - 1));
}

/** Adds `ref` (greater than all before it, or in replay possibly not) to the pair's postings. */
export function addPosting(pairId: u32, ref: u32): void {
  const pair = pairRecord(pairId);
  const count = load<u32>(pair, POSTINGS_COUNT);
  let at = <usize>load<u32>(pair, POSTINGS);
  const slot = postingSlot(at, count, ref);
  // Only a damaged log names a pair twice in a series.
  if (slot < count && load<u32>(at + (<usize>slot << 2)) == ref) return;
  if (count == 0) {
    at = allocArea(16);
    store<u32>(pair, <u32>at, POSTINGS);
  } else if (count >= 4 && (count & (count - 1)) == 0) {
    const area = allocArea(<usize>count << 3);
    memory.copy(area, at, <usize>count << 2);
    releaseArea(at, <usize>count << 2);
    at = area;
    store<u32>(pair, <u32>at, POSTINGS);
  }
  const place = at + (<usize>slot << 2);
  memory.copy(place + 4, place, <usize>(count - slot) << 2);
  store<u32>(place, ref);
  store<u32>(pair, count + 1, POSTINGS_COUNT);
}

/** Where `ref` belongs: at the end, but for replays that meet old series after new ones. */
// @ts-ignore: decorator
@inline
function postingSlot(at: usize, count: u32, ref: u32): u32 {
  if (count == 0 || load<u32>(at + (<usize>(count - 1) << 2)) < ref) return count;
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(at + (<usize>middle << 2)) < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Drops refs of removed series from all postings, and pairs and names' lists of what is left without any. */
export function purgePostings(): void {
  let removed = false;
  for (let nameId: u32 = 0; nameId < namesCount; nameId++) {
    const name = nameRecord(nameId);
    let link = name + FIRST_PAIR;
    let idPlusOne = load<u32>(link);
    while (idPlusOne != 0) {
      const pair = pairRecord(idPlusOne - 1);
      const next = load<u32>(pair, NEXT_PAIR);
      purgePair(pair);
      if (load<u32>(pair, POSTINGS_COUNT) == 0) {
        store<u32>(link, next);
        if (load<u32>(pair, PAIR_VALUE) != 0) dropPair(name, pair);
        store<u32>(pair, 0, PAIR_SYMBOL);
        removed = true;
      } else {
        link = pair + NEXT_PAIR;
      }
      idPlusOne = next;
    }
  }
  if (removed) rebuildPairTable();
}

function purgePair(pair: usize): void {
  const count = load<u32>(pair, POSTINGS_COUNT);
  const at = <usize>load<u32>(pair, POSTINGS);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const ref = load<u32>(at + (<usize>i << 2));
    if (tryRecord(ref) == 0) continue;
    store<u32>(at + (<usize>kept << 2), ref);
    kept++;
  }
  if (kept == count) return;
  store<u32>(pair, kept, POSTINGS_COUNT);
  const oldArea = postingsArea(count);
  const newArea = postingsArea(kept);
  if (kept == 0) {
    if (count != 0) releaseArea(at, oldArea);
  } else if (newArea < oldArea) {
    const area = allocArea(newArea);
    memory.copy(area, at, <usize>kept << 2);
    releaseArea(at, oldArea);
    store<u32>(pair, <u32>area, POSTINGS);
  }
}

function dropPair(name: usize, pair: usize): void {
  const length = <usize>load<u32>(pair, PAIR_VALUE_LENGTH);
  releaseArea(load<u32>(pair, PAIR_VALUE), length + 1);
  symbolBytes -= length;
  store<u32>(pair, 0, PAIR_VALUE);
  store<u32>(name, load<u32>(name, LIVE_PAIRS) - 1, LIVE_PAIRS);
  pairsLive--;
}

/** Pairs of a name, newest first: for the host, (u32 pair id, u32 value address, u32 length, u32 postings) each. */
export function listPairs(nameId: u32, out: usize): u32 {
  let count: u32 = 0;
  let idPlusOne = load<u32>(nameRecord(nameId), FIRST_PAIR);
  while (idPlusOne != 0) {
    const pair = pairRecord(idPlusOne - 1);
    if (load<u32>(pair, PAIR_VALUE) != 0) {
      store<u32>(out, idPlusOne - 1);
      store<u32>(out, load<u32>(pair, PAIR_VALUE), 4);
      store<u32>(out, load<u32>(pair, PAIR_VALUE_LENGTH), 8);
      store<u32>(out, load<u32>(pair, POSTINGS_COUNT), 12);
      out += 16;
      count++;
    }
    idPlusOne = load<u32>(pair, NEXT_PAIR);
  }
  return count;
}

export function namePairCount(nameId: u32): u32 {
  return load<u32>(nameRecord(nameId), LIVE_PAIRS);
}
