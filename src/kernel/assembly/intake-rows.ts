/**
 * Rows of the intake: what becomes the host's SeriesBatch. Samples are written at the end of `times` and `values` while a
 * series is read, and belong to nobody until `appendRow` takes them; leaving `sampleCount` as it is forgets them.
 *
 *     ids 16 B/row · tokens u32/row · offsets u32/row + 1 · times i64/sample · values f64/sample
 *     haPairs u32/row, while HA is on: number of the row's pair (ha-pairs.ts), 0 = none, 0xffffffff = one too many
 *     labels, labelOffsets u32/row + 1 (in the first pass a row has labels if its series is new to the table)
 *     seen      u32 slots of a hash table over the timestamps of one series, for duplicates
 */
import { canonical, canonicalLength } from "./canonical";
import { addressOf, capacityOf, guardIntact, newBuffer, reserve } from "./guarded-buffer";

export let ids: usize = 0;
export let tokens: usize = 0;
export let offsets: usize = 0;
export let times: usize = 0;
export let values: usize = 0;
export let haPairs: usize = 0;
export let labels: usize = 0;
export let labelOffsets: usize = 0;
let seen: usize = 0;

export let rowCount: u32 = 0;
export let sampleCount: u32 = 0;
let samplesMax: u32 = 0;
let labelBytes: u32 = 0;
/** Of the samples that `dropDuplicates` dropped, the first one's. */
export let firstDuplicate: i64 = 0;

export function newRowBuffers(): void {
  ids = newBuffer();
  tokens = newBuffer();
  offsets = newBuffer();
  times = newBuffer();
  values = newBuffer();
  haPairs = newBuffer();
  labels = newBuffer();
  labelOffsets = newBuffer();
  seen = newBuffer();
}

export function rowGuardsIntact(): bool {
  return (
    guardIntact(ids) &&
    guardIntact(tokens) &&
    guardIntact(offsets) &&
    guardIntact(times) &&
    guardIntact(values) &&
    guardIntact(haPairs) &&
    guardIntact(labels) &&
    guardIntact(labelOffsets) &&
    guardIntact(seen)
  );
}

export function beginRows(decodedBytes: u32): void {
  rowCount = 0;
  sampleCount = 0;
  labelBytes = 0;
  // A sample with a timestamp takes 9 bytes or more: only a body made to fill memory has more than this.
  samplesMax = max<u32>(decodedBytes >> 3, 65536);
  reserve(ids, 0, 16 * 256);
  reserve(tokens, 0, 4 * 256);
  reserve(offsets, 0, 4 * 256);
  reserve(times, 0, 8 * 1024);
  reserve(values, 0, 8 * 1024);
  reserve(labelOffsets, 0, 4 * 256);
}

/** Writes the ends of the last row. */
export function endRows(): void {
  store<u32>(addressOf(offsets) + ((<usize>rowCount) << 2), sampleCount);
  store<u32>(addressOf(labelOffsets) + ((<usize>rowCount) << 2), labelBytes);
}

/** Samples that fit before the buffers must grow or the request is refused. */
export function sampleCapacity(): u32 {
  return min<u32>(samplesMax, min<u32>(capacityOf(times), capacityOf(values)) >> 3);
}

/** Makes room for one more than `count` samples. False when the request has more than it may. */
export function growSamples(count: u32): bool {
  if (count >= samplesMax) return false;
  reserve(times, count << 3, (count + 1) << 3);
  reserve(values, count << 3, (count + 1) << 3);
  return true;
}

/** The samples of [sampleCount, count) become the next row. */
export function appendRow(idLow: u64, idHigh: u64, token: u32, count: u32): void {
  const row = <usize>rowCount;
  const idsAt = reserve(ids, (<u32>row) << 4, (<u32>row + 1) << 4);
  const tokensAt = reserve(tokens, (<u32>row) << 2, (<u32>row + 1) << 2);
  // One more than rows: the end of the last one.
  const offsetsAt = reserve(offsets, (<u32>row) << 2, (<u32>row + 2) << 2);
  store<u64>(idsAt + (row << 4), idLow);
  store<u64>(idsAt + (row << 4), idHigh, 8);
  store<u32>(tokensAt + (row << 2), token);
  store<u32>(offsetsAt + (row << 2), sampleCount);
  sampleCount = count;
  rowCount++;
}

/** Before `appendRow`, for every row of a request or for none. */
export function appendHaPair(pair: u32): void {
  const at = reserve(haPairs, rowCount << 2, (rowCount + 1) << 2);
  store<u32>(at + ((<usize>rowCount) << 2), pair);
}

/** Before `appendRow`: the canonical labels just written (canonical.ts) go with the row, if it is to have labels. */
export function appendLabels(withLabels: bool): void {
  const row = <usize>rowCount;
  const offsetsAt = reserve(labelOffsets, (<u32>row) << 2, (<u32>row + 2) << 2);
  store<u32>(offsetsAt + (row << 2), labelBytes);
  if (!withLabels) return;
  const at = reserve(labels, labelBytes, labelBytes + canonicalLength);
  memory.copy(at + labelBytes, addressOf(canonical), canonicalLength);
  labelBytes += canonicalLength;
}

/**
 * Removes samples of [sampleCount, count) whose timestamp came before in the series; the first stays. Returns the
 * new end.
 * Open addressing over sample numbers, so that a series with a million samples stays linear.
 */
export function dropDuplicates(count: u32): u32 {
  const first = sampleCount;
  const samples = count - first;
  const bits = 32 - clz<u32>(samples * 2 - 1);
  const mask: u32 = (1 << bits) - 1;
  const table = reserve(seen, 0, 4 << bits);
  memory.fill(table, 0, (<usize>4) << bits);
  const timesAt = addressOf(times);
  const valuesAt = addressOf(values);
  let kept = first;
  for (let i = first; i < count; i++) {
    const time = load<i64>(timesAt + ((<usize>i) << 3));
    let position = <u32>((<u64>time * 0x9e3779b97f4a7c15) >> 32) & mask;
    let known = false;
    while (true) {
      const at = load<u32>(table + ((<usize>position) << 2));
      if (at == 0) break;
      if (load<i64>(timesAt + ((<usize>(at - 1)) << 3)) == time) {
        known = true;
        break;
      }
      position = (position + 1) & mask;
    }
    if (known) {
      if (kept == i) firstDuplicate = time;
      continue;
    }
    store<u32>(table + ((<usize>position) << 2), kept + 1);
    store<i64>(timesAt + ((<usize>kept) << 3), time);
    store<u64>(valuesAt + ((<usize>kept) << 3), load<u64>(valuesAt + ((<usize>i) << 3)));
    kept++;
  }
  return kept;
}
