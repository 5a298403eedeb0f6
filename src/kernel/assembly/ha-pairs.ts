/**
 * Pairs of senders: each value of the HA cluster label with each value of the replica label that a tenant sends, as a
 * small number of that tenant (1, 2, …), by which the host knows them.
 *
 *     slots         power of two × 24 bytes, open addressing, linear probing, at most half full:
 *                     0 h1 u64 · 8 h2 u64 of the pair's record · 16 tenant u32 (0 = free) · 20 number u32
 *     newHaPairs    records of the pairs first seen in this request, in order of their numbers:
 *                     cluster bytes u32 · replica bytes u32 · cluster · replica
 *
 * The host counts the pairs of a tenant and says how many it may have (control block, intake-report.ts).
 */
import { haCluster, haClusterLength, haReplica, haReplicaLength, writeBytes } from "./canonical";
import { addressOf, guardIntact, newBuffer, reserve } from "./guarded-buffer";
import { hashHigh, hashLow, murmur3 } from "./hash";
import { bump, control } from "./intake-report";
import { allocArea, releaseArea } from "./memory";

/** The tenant has as many pairs as it may. */
export const HA_PAIR_REFUSED: u32 = 0xffffffff;

const SLOT_BYTES: usize = 24;
const SLOTS_MIN: u32 = 256;
/** Of all tenants together: 48 MiB. */
const SLOTS_MAX: u32 = 1 << 21;

export let newHaPairs: usize = 0;
let newBytes: u32 = 0;
let seed: u64 = 0;
let slots: usize = 0;
let slotCount: u32 = 0;
let liveCount: u32 = 0;

export function prepareHaPairs(hashSeed: u64): void {
  seed = hashSeed;
  newHaPairs = newBuffer();
}

export function newHaPairsIntact(): bool {
  return guardIntact(newHaPairs);
}

/** Before each request. */
export function beginHaPairs(): void {
  newBytes = 0;
}

/** Number of the pair that the labels just checked name (canonical.ts), or HA_PAIR_REFUSED. */
export function internHaPair(tenant: u32): u32 {
  const recordBytes = 8 + haClusterLength + haReplicaLength;
  const record = reserve(newHaPairs, newBytes, newBytes + recordBytes) + newBytes;
  store<u32>(record, haClusterLength);
  store<u32>(record, haReplicaLength, 4);
  writeBytes(writeBytes(record + 8, haCluster, haClusterLength), haReplica, haReplicaLength);
  murmur3(record, recordBytes, seed ^ (<u64>tenant * 0x9e3779b97f4a7c15));
  let slot: usize = slotCount == 0 ? 0 : slotOf(hashLow, hashHigh, tenant);
  if (slot != 0 && load<u32>(slot, 16) != 0) return load<u32>(slot, 20);
  const count = <u32>load<u16>(control, 56) + load<u32>(control, 108);
  if (count >= <u32>load<u16>(control, 58)) return HA_PAIR_REFUSED;
  if (liveCount >= slotCount >> 1) {
    if (slotCount >= SLOTS_MAX) return HA_PAIR_REFUSED;
    rebuild(max<u32>(SLOTS_MIN, 2 * slotCount), 0);
    slot = slotOf(hashLow, hashHigh, tenant);
  }
  store<u64>(slot, hashLow);
  store<u64>(slot, hashHigh, 8);
  store<u32>(slot, tenant, 16);
  store<u32>(slot, count + 1, 20);
  liveCount++;
  newBytes += recordBytes;
  bump(108);
  return count + 1;
}

/** The slot of the pair, or the free one where it belongs. */
function slotOf(low: u64, high: u64, tenant: u32): usize {
  const mask = slotCount - 1;
  let position = <u32>low & mask;
  while (true) {
    const slot = slots + <usize>position * SLOT_BYTES;
    const owner = load<u32>(slot, 16);
    if (owner == 0) return slot;
    if (owner == tenant && load<u64>(slot) == low && load<u64>(slot, 8) == high) return slot;
    position = (position + 1) & mask;
  }
}

/** Moves all pairs but those of one tenant into new slots. */
function rebuild(count: u32, forgotten: u32): void {
  const before = slots;
  const beforeCount = slotCount;
  slots = allocArea(<usize>count * SLOT_BYTES);
  slotCount = count;
  liveCount = 0;
  memory.fill(slots, 0, <usize>count * SLOT_BYTES);
  for (let i: u32 = 0; i < beforeCount; i++) {
    const from = before + <usize>i * SLOT_BYTES;
    const tenant = load<u32>(from, 16);
    if (tenant == 0 || tenant == forgotten) continue;
    memory.copy(slotOf(load<u64>(from), load<u64>(from, 8), tenant), from, SLOT_BYTES);
    liveCount++;
  }
  if (before != 0) releaseArea(before, <usize>beforeCount * SLOT_BYTES);
}

/** The number of this tenant is not used any more. */
export function forgetHaPairs(tenant: u32): void {
  if (slotCount != 0) rebuild(slotCount, tenant);
}

export function clearHaPairs(): void {
  if (slotCount != 0) memory.fill(slots, 0, <usize>slotCount * SLOT_BYTES);
  liveCount = 0;
}
