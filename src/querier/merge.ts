/**
 * One EncodedSeriesSet out of several: the answers of replicas (ingesters), or of an ingester and a
 * store-gateway, to the same request. Nothing is decoded.
 *
 * Invariants of the result:
 *   - series with equal labels in any of the sets are one series, which stands where it was first met;
 *   - its chunks are sorted by minimum time, and chunks with the same minimum time keep the order of the sets;
 *   - a chunk that repeats one of another set byte for byte (same times, same encoding) is dropped: that is what
 *     replicas mostly hold. What is left may overlap; the reader merges it sample by sample.
 *
 * Every set must carry all labels of its series: with labels left out, two different series could look equal.
 */
import { Buffer } from "node:buffer";
import { type EncodedSeriesSet, emptySeriesSet } from "../storage/encoded-series.ts";
import { mergeChunks, type SeriesMembers } from "./merge-chunks.ts";

/** May return one of the sets as it is; the caller gives all of them away. */
export function mergeSeriesSets(sets: readonly EncodedSeriesSet[]): EncodedSeriesSet {
  const filled = sets.filter((set) => set.seriesCount > 0);
  const [first] = filled;
  if (first === undefined) return emptySeriesSet();
  if (filled.length === 1) return first;
  const symbols = mergeSymbols(filled);
  const series = mergeSeries(filled, symbols.globalOf);
  const chunks = mergeChunks(filled, series);
  // Perfect replicas, the usual case: the first one is the answer.
  const isFirst = series.count === first.seriesCount && chunks.data === first.data;
  if (isFirst && chunks.chunkByteLengths.length === first.chunkByteLengths.length) return first;
  return {
    seriesCount: series.count,
    symbolBytes: symbols.bytes,
    symbolOffsets: symbols.offsets,
    labelOffsets: series.labelOffsets,
    labels: series.labels,
    ...chunks,
  };
}

interface MergedSymbols {
  readonly bytes: Uint8Array;
  readonly offsets: Uint32Array;
  /** Per set: the number in the merged table of each of its symbols. */
  readonly globalOf: readonly Uint32Array[];
}

function mergeSymbols(sets: readonly EncodedSeriesSet[]): MergedSymbols {
  // The bytes one by one as a (Latin-1) string: a cheap key without a loss, also for what is not UTF-8.
  const numbers = new Map<string, number>();
  const globalOf = sets.map((set) => {
    const bytes = asBuffer(set.symbolBytes);
    const count = set.symbolOffsets.length - 1;
    const mapped = new Uint32Array(count);
    for (let symbol = 0; symbol < count; symbol++) {
      const key = bytes.toString(
        "latin1",
        set.symbolOffsets[symbol],
        set.symbolOffsets[symbol + 1],
      );
      let number = numbers.get(key);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(key, number);
      }
      mapped[symbol] = number;
    }
    return mapped;
  });
  const offsets = new Uint32Array(numbers.size + 1);
  let sizeBytes = 0;
  let next = 0;
  for (const key of numbers.keys()) {
    sizeBytes += key.length;
    offsets[++next] = sizeBytes;
  }
  const bytes = Buffer.alloc(sizeBytes);
  let offset = 0;
  for (const key of numbers.keys()) offset += bytes.write(key, offset, "latin1");
  return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, sizeBytes), offsets, globalOf };
}

interface MergedSeries extends SeriesMembers {
  readonly labelOffsets: Uint32Array;
  readonly labels: Uint32Array;
}

function mergeSeries(
  sets: readonly EncodedSeriesSet[],
  globalOf: readonly Uint32Array[],
): MergedSeries {
  const memberCount = sets.reduce((sum, set) => sum + set.seriesCount, 0);
  const labelCount = sets.reduce((sum, set) => sum + set.labels.length, 0);
  const table = new LabelTable(memberCount, labelCount);
  const mergedOf = new Uint32Array(memberCount);
  let member = 0;
  for (const [setIndex, set] of sets.entries()) {
    const mapped = globalOf[setIndex] as Uint32Array;
    for (let index = 0; index < set.seriesCount; index++) {
      mergedOf[member++] = table.intern(set, index, mapped);
    }
  }
  const memberOffsets = new Uint32Array(table.count + 1);
  for (const merged of mergedOf) at(memberOffsets, merged + 1, 1);
  for (let i = 0; i < table.count; i++) at(memberOffsets, i + 1, memberOffsets[i] as number);
  const memberSets = new Uint32Array(memberCount);
  const memberSeries = new Uint32Array(memberCount);
  const next = memberOffsets.slice(0, table.count);
  member = 0;
  for (const [setIndex, set] of sets.entries()) {
    for (let index = 0; index < set.seriesCount; index++) {
      const merged = mergedOf[member++] as number;
      const place = next[merged] as number;
      next[merged] = place + 1;
      memberSets[place] = setIndex;
      memberSeries[place] = index;
    }
  }
  const { count, labelOffsets, labels } = table.finish();
  return { count, labelOffsets, labels, memberOffsets, memberSets, memberSeries };
}

function at(array: Uint32Array, index: number, plus: number): void {
  array[index] = (array[index] as number) + plus;
}

/** Open addressing over label pairs of merged symbol numbers; its capacity is known beforehand. */
class LabelTable {
  count = 0;
  readonly #slots: Int32Array;
  readonly #labels: Uint32Array;
  readonly #labelOffsets: Uint32Array;

  constructor(seriesMax: number, labelsMax: number) {
    let slots = 16;
    while (slots < seriesMax * 2) slots *= 2;
    this.#slots = new Int32Array(slots).fill(-1);
    this.#labels = new Uint32Array(labelsMax);
    this.#labelOffsets = new Uint32Array(seriesMax + 1);
  }

  /** The number of the merged series that has the labels of series `index` of `set`. */
  intern(set: EncodedSeriesSet, index: number, globalOf: Uint32Array): number {
    // The candidate's labels are written behind the last series and stay there only if it is new.
    const start = this.#labelOffsets[this.count] as number;
    const from = 2 * (set.labelOffsets[index] as number);
    const to = 2 * (set.labelOffsets[index + 1] as number);
    let hash = 0x811c9dc5;
    for (let i = from; i < to; i++) {
      const symbol = globalOf[set.labels[i] as number] as number;
      this.#labels[2 * start + i - from] = symbol;
      hash = Math.imul(hash ^ symbol, 0x01000193);
      hash ^= hash >>> 15;
    }
    const pairs = (to - from) / 2;
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot] as number;
      if (found >= 0 && !this.#equal(found, start, pairs)) continue;
      if (found >= 0) return found;
      this.#slots[slot] = this.count;
      this.#labelOffsets[this.count + 1] = start + pairs;
      return this.count++;
    }
  }

  finish(): { count: number; labelOffsets: Uint32Array; labels: Uint32Array } {
    const pairs = this.#labelOffsets[this.count] as number;
    return {
      count: this.count,
      labelOffsets: this.#labelOffsets.slice(0, this.count + 1),
      labels: this.#labels.slice(0, 2 * pairs),
    };
  }

  #equal(series: number, start: number, pairs: number): boolean {
    const other = this.#labelOffsets[series] as number;
    if ((this.#labelOffsets[series + 1] as number) - other !== pairs) return false;
    for (let i = 0; i < 2 * pairs; i++) {
      if (this.#labels[2 * other + i] !== this.#labels[2 * start + i]) return false;
    }
    return true;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
