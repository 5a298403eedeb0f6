/**
 * The chunks of merged series (merge.ts): those of all sets by minimum time, without repeats.
 *
 * Replicas mostly hold the same bytes, so the work is arranged for that: the chunks of a series are compared as one run where
 * they lie side by side, and `data` of the first set stays as it is, with what the others add behind it.
 */
import { Buffer } from "node:buffer";
import { OpError } from "../base/errors.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";

/** Which series of which sets a merged series is made of. */
export interface SeriesMembers {
  readonly count: number;
  /** Members of merged series i, in the order of the sets: memberOffsets[i] .. memberOffsets[i+1]. */
  readonly memberOffsets: Uint32Array;
  readonly memberSets: Uint32Array;
  readonly memberSeries: Uint32Array;
}

export type MergedChunks = Pick<
  EncodedSeriesSet,
  | "chunkOffsets"
  | "chunkMinTimesMs"
  | "chunkMaxTimesMs"
  | "chunkEncodings"
  | "chunkByteOffsets"
  | "chunkByteLengths"
  | "data"
>;

/** `data` is that of the first set itself if the others add nothing. Throws OpError "max-chunks-bytes-per-query" above 4 GiB. */
export function mergeChunks(
  sets: readonly EncodedSeriesSet[],
  series: SeriesMembers,
): MergedChunks {
  const kept = new KeptChunks(sets);
  const chunkOffsets = new Uint32Array(series.count + 1);
  const next = new Uint32Array(series.memberSets.length);
  for (let i = 0; i < series.count; i++) {
    const begin = series.memberOffsets[i] as number;
    const end = series.memberOffsets[i + 1] as number;
    if (areReplicas(kept, series, begin, end)) keepRun(kept, series, begin);
    else mergeMembers(kept, series, begin, end, next);
    chunkOffsets[i + 1] = kept.count;
  }
  return { chunkOffsets, ...kept.columns() };
}

/** All members have the chunks of the first, and no others. */
function areReplicas(
  kept: KeptChunks,
  { memberSets, memberSeries }: SeriesMembers,
  begin: number,
  end: number,
): boolean {
  for (let member = begin + 1; member < end; member++) {
    const isSame = kept.isSameRun(
      memberSets[begin] as number,
      memberSeries[begin] as number,
      memberSets[member] as number,
      memberSeries[member] as number,
    );
    if (!isSame) return false;
  }
  return true;
}

function keepRun(kept: KeptChunks, { memberSets, memberSeries }: SeriesMembers, at: number): void {
  const setIndex = memberSets[at] as number;
  const { chunkOffsets } = kept.sets[setIndex] as EncodedSeriesSet;
  const index = memberSeries[at] as number;
  const end = chunkOffsets[index + 1] as number;
  for (let chunk = chunkOffsets[index] as number; chunk < end; chunk++) kept.keep(setIndex, chunk);
}

/** The lists of the members are sorted: always the earliest of their heads, and of equal ones the first. */
function mergeMembers(
  kept: KeptChunks,
  { memberSets, memberSeries }: SeriesMembers,
  begin: number,
  end: number,
  next: Uint32Array,
): void {
  const start = kept.count;
  const setOf = (member: number): EncodedSeriesSet =>
    kept.sets[memberSets[member] as number] as EncodedSeriesSet;
  for (let member = begin; member < end; member++) {
    next[member] = setOf(member).chunkOffsets[memberSeries[member] as number] as number;
  }
  for (;;) {
    let earliest = -1;
    let earliestMs = 0;
    for (let member = begin; member < end; member++) {
      const set = setOf(member);
      const chunk = next[member] as number;
      if (chunk >= (set.chunkOffsets[(memberSeries[member] as number) + 1] as number)) continue;
      const minTimeMs = set.chunkMinTimesMs[chunk] as number;
      if (earliest >= 0 && !(minTimeMs < earliestMs)) continue;
      earliest = member;
      earliestMs = minTimeMs;
    }
    if (earliest < 0) return;
    const chunk = next[earliest] as number;
    next[earliest] = chunk + 1;
    kept.keepUnlessRepeated(start, memberSets[earliest] as number, chunk);
  }
}

class KeptChunks {
  readonly sets: readonly EncodedSeriesSet[];
  readonly #data: readonly Buffer[];
  readonly #setIndices: Uint32Array;
  readonly #chunks: Uint32Array;
  count = 0;

  constructor(sets: readonly EncodedSeriesSet[]) {
    this.sets = sets;
    this.#data = sets.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    const chunksMax = sets.reduce((sum, set) => sum + set.chunkByteLengths.length, 0);
    this.#setIndices = new Uint32Array(chunksMax);
    this.#chunks = new Uint32Array(chunksMax);
  }

  keep(setIndex: number, chunk: number): void {
    this.#setIndices[this.count] = setIndex;
    this.#chunks[this.count] = chunk;
    this.count++;
  }

  /** `start`: where the chunks of the series begin. Only those with the same minimum time are looked at. */
  keepUnlessRepeated(start: number, setIndex: number, chunk: number): void {
    const minTimeMs = this.#set(setIndex).chunkMinTimesMs[chunk];
    for (let k = this.count - 1; k >= start; k--) {
      const otherSet = this.#setIndices[k] as number;
      const other = this.#chunks[k] as number;
      if (this.#set(otherSet).chunkMinTimesMs[other] !== minTimeMs) break;
      if (!this.#isDescribedAlike(otherSet, other, setIndex, chunk)) continue;
      if (this.#hasSameBytes(otherSet, other, setIndex, chunk, this.#lengthBytes(setIndex, chunk)))
        return;
    }
    this.keep(setIndex, chunk);
  }

  /**
   * Two series have the same chunks, and these lie side by side in both sets. (False if not: then they may be the same all
   * the same.) Bytes are compared, not hashed: that stops at the first difference, while a hash would read all of both.
   */
  isSameRun(leftSet: number, leftSeries: number, rightSet: number, rightSeries: number): boolean {
    const left = this.#set(leftSet);
    const right = this.#set(rightSet);
    const leftFirst = left.chunkOffsets[leftSeries] as number;
    const rightFirst = right.chunkOffsets[rightSeries] as number;
    const count = (left.chunkOffsets[leftSeries + 1] as number) - leftFirst;
    if ((right.chunkOffsets[rightSeries + 1] as number) - rightFirst !== count) return false;
    if (count === 0) return true;
    const leftBytes = left.chunkByteOffsets[leftFirst] as number;
    const rightBytes = right.chunkByteOffsets[rightFirst] as number;
    let runBytes = 0;
    for (let i = 0; i < count; i++) {
      if (!this.#isDescribedAlike(leftSet, leftFirst + i, rightSet, rightFirst + i)) return false;
      if (left.chunkByteOffsets[leftFirst + i] !== leftBytes + runBytes) return false;
      if (right.chunkByteOffsets[rightFirst + i] !== rightBytes + runBytes) return false;
      runBytes += left.chunkByteLengths[leftFirst + i] as number;
    }
    return this.#hasSameBytes(leftSet, leftFirst, rightSet, rightFirst, runBytes);
  }

  columns(): Omit<MergedChunks, "chunkOffsets"> {
    const { count } = this;
    const { data, addedOffsets } = this.#joinData();
    const columns = {
      chunkMinTimesMs: new Float64Array(count),
      chunkMaxTimesMs: new Float64Array(count),
      chunkEncodings: new Uint8Array(count),
      chunkByteOffsets: addedOffsets,
      chunkByteLengths: new Uint32Array(count),
      data,
    };
    for (let k = 0; k < count; k++) {
      const setIndex = this.#setIndices[k] as number;
      const set = this.#set(setIndex);
      const chunk = this.#chunks[k] as number;
      columns.chunkMinTimesMs[k] = set.chunkMinTimesMs[chunk] as number;
      columns.chunkMaxTimesMs[k] = set.chunkMaxTimesMs[chunk] as number;
      columns.chunkEncodings[k] = set.chunkEncodings[chunk] as number;
      columns.chunkByteLengths[k] = set.chunkByteLengths[chunk] as number;
      if (setIndex === 0) columns.chunkByteOffsets[k] = set.chunkByteOffsets[chunk] as number;
    }
    return columns;
  }

  /** The data of the first set, then what is kept of the others, whose places are in `addedOffsets`. */
  #joinData(): { data: Uint8Array; addedOffsets: Uint32Array } {
    const first = this.#set(0).data;
    const addedOffsets = new Uint32Array(this.count);
    let sizeBytes = first.byteLength;
    for (let k = 0; k < this.count; k++) {
      const setIndex = this.#setIndices[k] as number;
      if (setIndex === 0) continue;
      addedOffsets[k] = sizeBytes;
      sizeBytes += this.#lengthBytes(setIndex, this.#chunks[k] as number);
    }
    if (sizeBytes === first.byteLength) return { data: first, addedOffsets };
    // Offsets are 32 bits wide.
    if (sizeBytes > 0xffffffff) {
      throw new OpError(
        "max-chunks-bytes-per-query",
        "the query needs more than 4 GiB of chunks: ask for fewer series or a shorter time range",
        { sizeBytes },
      );
    }
    // Every byte of it is written, so it need not be zeroed first.
    const data = new Uint8Array(Buffer.allocUnsafeSlow(sizeBytes).buffer);
    data.set(first);
    for (let k = 0; k < this.count; k++) {
      const setIndex = this.#setIndices[k] as number;
      if (setIndex === 0) continue;
      const from = this.#offsetBytes(setIndex, this.#chunks[k] as number);
      const to = from + this.#lengthBytes(setIndex, this.#chunks[k] as number);
      (this.#data[setIndex] as Buffer).copy(data, addedOffsets[k] as number, from, to);
    }
    return { data, addedOffsets };
  }

  #set(setIndex: number): EncodedSeriesSet {
    return this.sets[setIndex] as EncodedSeriesSet;
  }

  #offsetBytes(setIndex: number, chunk: number): number {
    return this.#set(setIndex).chunkByteOffsets[chunk] as number;
  }

  #lengthBytes(setIndex: number, chunk: number): number {
    return this.#set(setIndex).chunkByteLengths[chunk] as number;
  }

  #isDescribedAlike(leftSet: number, left: number, rightSet: number, right: number): boolean {
    const a = this.#set(leftSet);
    const b = this.#set(rightSet);
    return (
      a.chunkMinTimesMs[left] === b.chunkMinTimesMs[right] &&
      a.chunkMaxTimesMs[left] === b.chunkMaxTimesMs[right] &&
      a.chunkByteLengths[left] === b.chunkByteLengths[right] &&
      a.chunkEncodings[left] === b.chunkEncodings[right]
    );
  }

  /** From the beginnings of two chunks on. */
  #hasSameBytes(
    leftSet: number,
    left: number,
    rightSet: number,
    right: number,
    sizeBytes: number,
  ): boolean {
    const leftBytes = this.#offsetBytes(leftSet, left);
    const rightBytes = this.#offsetBytes(rightSet, right);
    return (
      (this.#data[leftSet] as Buffer).compare(
        this.#data[rightSet] as Buffer,
        rightBytes,
        rightBytes + sizeBytes,
        leftBytes,
        leftBytes + sizeBytes,
      ) === 0
    );
  }
}
