/**
 * Series that were valid when they were last seen, by the hash of their label bytes as they came.
 *
 *     slots      power of two × u64, open addressing, linear probing:
 *                low half  entry number + 1 (0 = free) · high half  upper 32 bits of the raw hash's h1 ("mark");
 *                the home of a slot is mark & mask, so growing and deleting never look at entries
 *     entries    in segments of 16,384 × 48 bytes, addressed through a directory (they never move):
 *                0 raw h1 u64 · 8 raw h2 u64 · 16 id h1 u64 · 24 id h2 u64 · 32 ring token u32
 *                36 tenant u32 (0 = free) · 40 touched u32 · 44 HA pair u32 (ha-pairs.ts; 0 = none)
 *                in a free entry: 16 next free entry + 1 u32
 *
 * Entries lie in order of insertion, and senders repeat their series in the same order, so the entry after the
 * one found last is tried before the slots: in the ordinary case a lookup is one sequential read.
 *
 * The raw hash is seeded with the tenant, so tenants share nothing; the tenant number is compared as well.
 */
import { alloc, allocArea, releaseArea } from "./memory";

const ENTRY_BYTES: usize = 48;
const SEGMENT_SHIFT: u32 = 14;
const SEGMENT_ENTRIES: u32 = 1 << SEGMENT_SHIFT;
const SEGMENTS_MAX: u32 = 4096;
const SLOTS_MIN: u32 = 1024;

let directory: usize = 0;
let slots: usize = 0;
let slotCount: u32 = 0;
/** Entries ever handed out: numbers below it are used or in the free list. */
let entryEnd: u32 = 0;
let segmentCount: u32 = 0;
let freeEntry: u32 = 0;
let liveCount: u32 = 0;
let entriesMax: u32 = SEGMENTS_MAX * SEGMENT_ENTRIES;
/** Guess for the next lookup: the entry after the last one found. */
let nextGuess: u32 = 0;

export function knownSeriesLimit(max: u32): void {
  entriesMax = min<u32>(max, SEGMENTS_MAX * SEGMENT_ENTRIES);
}

export function knownSeriesCount(): u32 {
  return liveCount;
}

// @ts-ignore: decorator
@inline
function entryAt(entry: u32): usize {
  return (
    <usize>load<u32>(directory + ((<usize>(entry >> SEGMENT_SHIFT)) << 2)) +
    (<usize>(entry & (SEGMENT_ENTRIES - 1))) * ENTRY_BYTES
  );
}

// @ts-ignore: decorator
@inline
function isEntry(at: usize, low: u64, high: u64, tenant: u32): bool {
  return load<u64>(at) == low && load<u64>(at, 8) == high && load<u32>(at, 36) == tenant;
}

/** Address of the entry (id at +16, token at +32, HA pair at +44), or 0. */
export function findSeries(low: u64, high: u64, tenant: u32): usize {
  if (nextGuess < entryEnd) {
    const at = entryAt(nextGuess);
    if (isEntry(at, low, high, tenant)) {
      nextGuess++;
      store<u32>(at, 1, 40);
      return at;
    }
  }
  if (slotCount == 0) return 0;
  const mark = <u32>(low >> 32);
  const mask = slotCount - 1;
  let position = mark & mask;
  while (true) {
    const slot = load<u64>(slots + ((<usize>position) << 3));
    if (slot == 0) return 0;
    if (<u32>(slot >> 32) == mark) {
      const entry = <u32>slot - 1;
      const at = entryAt(entry);
      if (isEntry(at, low, high, tenant)) {
        nextGuess = entry + 1;
        store<u32>(at, 1, 40);
        return at;
      }
    }
    position = (position + 1) & mask;
  }
}

/** Remembers a series that `findSeries` did not find. Nothing happens when the table is full. */
export function insertSeries(
  low: u64,
  high: u64,
  tenant: u32,
  idLow: u64,
  idHigh: u64,
  token: u32,
  haPair: u32,
): void {
  if (liveCount >= entriesMax) return;
  if ((<u64>liveCount + 1) * 4 > (<u64>slotCount) * 3) growSlots();
  const entry = takeEntry();
  const at = entryAt(entry);
  store<u64>(at, low);
  store<u64>(at, high, 8);
  store<u64>(at, idLow, 16);
  store<u64>(at, idHigh, 24);
  store<u32>(at, token, 32);
  store<u32>(at, tenant, 36);
  store<u32>(at, 1, 40);
  store<u32>(at, haPair, 44);
  placeSlot((<u64>(<u32>(low >> 32)) << 32) | (entry + 1));
  liveCount++;
  nextGuess = entry + 1;
}

function takeEntry(): u32 {
  if (freeEntry != 0) {
    const entry = freeEntry - 1;
    freeEntry = load<u32>(entryAt(entry), 16);
    return entry;
  }
  if (entryEnd >> SEGMENT_SHIFT >= segmentCount) {
    if (directory == 0) directory = alloc(SEGMENTS_MAX * 4);
    store<u32>(
      directory + ((<usize>segmentCount) << 2),
      <u32>alloc((<usize>SEGMENT_ENTRIES) * ENTRY_BYTES),
    );
    segmentCount++;
  }
  return entryEnd++;
}

function placeSlot(slot: u64): void {
  const mask = slotCount - 1;
  let position = <u32>(slot >> 32) & mask;
  while (load<u64>(slots + ((<usize>position) << 3)) != 0) position = (position + 1) & mask;
  store<u64>(slots + ((<usize>position) << 3), slot);
}

function growSlots(): void {
  const before = slots;
  const beforeCount = slotCount;
  slotCount = beforeCount == 0 ? SLOTS_MIN : beforeCount * 2;
  slots = allocArea((<usize>slotCount) << 3);
  memory.fill(slots, 0, (<usize>slotCount) << 3);
  for (let i: u32 = 0; i < beforeCount; i++) {
    const slot = load<u64>(before + ((<usize>i) << 3));
    if (slot != 0) placeSlot(slot);
  }
  if (before != 0) releaseArea(before, (<usize>beforeCount) << 3);
}

/** Forgets all (validation rules changed). Memory is kept for reuse. */
export function clearKnownSeries(): void {
  if (slotCount != 0) memory.fill(slots, 0, (<usize>slotCount) << 3);
  // Guessing reads entries below entryEnd only, and takeEntry hands them out afresh.
  entryEnd = 0;
  freeEntry = 0;
  liveCount = 0;
  nextGuess = 0;
}

/**
 * Looks at the entries of part number `part` of `parts`: one that nothing touched since it was looked at before is
 * dropped. Done in many small parts, one after the other, no call stops the writes for long. Entries that are
 * added in between shift the parts upwards: some may be left out of a turn, none comes twice. Returns how many
 * were dropped.
 */
export function sweepKnownSeries(part: u32, parts: u32): u32 {
  let dropped: u32 = 0;
  const end = <u32>((<u64>entryEnd * (part + 1)) / parts);
  for (let entry = <u32>((<u64>entryEnd * part) / parts); entry < end; entry++) {
    const at = entryAt(entry);
    if (load<u32>(at, 36) == 0) continue;
    if (load<u32>(at, 40) != 0) {
      store<u32>(at, 0, 40);
      continue;
    }
    removeSlot(<u32>(load<u64>(at) >> 32), entry);
    store<u32>(at, 0, 36);
    store<u32>(at, freeEntry, 16);
    freeEntry = entry + 1;
    liveCount--;
    dropped++;
  }
  return dropped;
}

/** Deletion by moving back (Knuth 6.4 R): no tombstones, so probe chains stay short however much churns. */
function removeSlot(mark: u32, entry: u32): void {
  const mask = slotCount - 1;
  let hole = mark & mask;
  while (<u32>load<u64>(slots + ((<usize>hole) << 3)) != entry + 1) hole = (hole + 1) & mask;
  let position = hole;
  while (true) {
    position = (position + 1) & mask;
    const slot = load<u64>(slots + ((<usize>position) << 3));
    if (slot == 0) break;
    const home = <u32>(slot >> 32) & mask;
    // It may move into the hole unless its home lies cyclically after the hole.
    if (((position - home) & mask) >= ((position - hole) & mask)) {
      store<u64>(slots + ((<usize>hole) << 3), slot);
      hole = position;
    }
  }
  store<u64>(slots + ((<usize>hole) << 3), 0);
}
