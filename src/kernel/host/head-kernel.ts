import { assert } from "../../base/assert.ts";
import { instantiateKernel } from "./module.ts";

/**
 * One tenant's head in a kernel memory of its own (src/kernel/assembly/head.ts). The only code that knows its
 * addresses. Views that a method returns are good until the next call of any method of the same instance.
 */
interface HeadExports {
  alloc(size: number): number;
  allocArea(size: number): number;
  releaseArea(at: number, size: number): void;
  memoryUsed(): number;
  newBuffer(): number;
  resetBuffer(buffer: number, keepBytes: number): void;
  bufferAddress(buffer: number): number;
  bufferLength(buffer: number): number;
  initHead(chunkRangeMs: bigint): void;
  setIndexSeed(seed: bigint): void;
  appendBatch(
    seriesCount: number,
    ids: number,
    offsets: number,
    times: number,
    values: number,
    labels: number,
    labelOffsets: number,
    seriesMax: number,
    lateWindowMs: bigint,
  ): number;
  appendFrame(at: number, length: number, seriesMax: number, lateWindowMs: bigint): number;
  appendFrameGuardsIntact(): number;
  resetOutput(): void;
  rowsAddress(): number;
  rowsLength(): number;
  entriesAddress(): number;
  entriesLength(): number;
  unknownAddress(): number;
  unknownLength(): number;
  framesAddress(): number;
  framesLength(): number;
  resetFrames(): void;
  setFramePosition(file: number, offsetBytes: number): void;
  reportAddress(): number;
  maxTime(): bigint;
  minTime(): bigint;
  replayRows(at: number, length: number): number;
  replayEntries(at: number, length: number): number;
  takeSkippedRows(): number;
  truncateSlice(beforeTime: bigint, fromRef: number, toRef: number): number;
  finishTruncate(removed: number, used: number, firstFile: number, files: number): void;
  closeIdleSlice(before: bigint, fromRef: number, toRef: number): number;
  countActive(since: bigint): number;
  exportPairs(log: number, from: number, bytesMax: number): number;
  exportSeries(log: number, from: number, bytesMax: number): number;
  pairEnd(): number;
  pairLive(): number;
  seriesEnd(): number;
  seriesLive(): number;
  symbolTableBytes(): number;
  nameCount(): number;
  nameRecord(nameId: number): number;
  findName(at: number, length: number): number;
  findPair(nameId: number, at: number, length: number): number;
  pairRecord(pairId: number): number;
  listPairs(nameId: number, out: number): number;
  namePairCount(nameId: number): number;
  collect(
    refs: number,
    count: number,
    minTime: bigint,
    maxTime: bigint,
    wanted: number,
    seriesMax: number,
    chunksMax: number,
    bytesMax: number,
  ): number;
  collectLabels(
    refs: number,
    count: number,
    minTime: bigint,
    maxTime: bigint,
    seriesMax: number,
  ): number;
  columnAddress(index: number): number;
  columnLength(index: number): number;
  endCollect(): void;
}

/** The shape of rpc/ingester.ts' SeriesBatch. */
export interface HeadBatch {
  readonly seriesCount: number;
  readonly ids: Uint8Array;
  readonly sampleOffsets: Uint32Array;
  readonly timestampsMs: BigInt64Array;
  readonly values: Float64Array;
  readonly labels?: { readonly bytes: Uint8Array; readonly offsets: Uint32Array };
}

export interface AppendOptions {
  /** 0 = unlimited. */
  readonly seriesMax: number;
  /** 0 = late samples are refused. */
  readonly outOfOrderWindowMs: number;
  /** Where the next head-chunk frame will lie. */
  readonly frameFile: number;
  readonly frameOffsetBytes: number;
}

/** The order of the kernel's reason numbers. */
export const REFUSALS = [
  "sample-out-of-order",
  "sample-timestamp-too-old",
  "sample-duplicate-timestamp",
  "max-series-per-user",
] as const;

export interface AppendReport {
  readonly acceptedSamples: number;
  readonly duplicateSamples: number;
  readonly outOfOrderSamples: number;
  readonly createdSeries: number;
  readonly refused: readonly Refusal[];
  readonly unknownSeries: Uint32Array;
  /** WAL payloads; empty if there is nothing to log. Entries go to the log before rows. */
  readonly entries: Uint8Array;
  readonly rows: Uint8Array;
  /** Frames for the head-chunk files. */
  readonly frames: Uint8Array;
}

export interface Refusal {
  readonly reason: (typeof REFUSALS)[number];
  readonly count: number;
  readonly seriesIndex: number;
  readonly timestampMs: number;
}

/** Columns of storage/encoded-series.ts, but for closed chunks, whose bytes lie in file `chunkFiles[c]` (0 = in data). */
export interface CollectedSeries {
  readonly seriesCount: number;
  readonly symbolBytes: Uint8Array;
  readonly symbolOffsets: Uint32Array;
  readonly labelOffsets: Uint32Array;
  readonly labels: Uint32Array;
  readonly chunkOffsets: Uint32Array;
  readonly chunkMinTimesMs: Float64Array;
  readonly chunkMaxTimesMs: Float64Array;
  readonly chunkEncodings: Uint8Array;
  readonly chunkFiles: Uint32Array;
  readonly chunkByteOffsets: Uint32Array;
  readonly chunkByteLengths: Uint32Array;
  readonly data: Uint8Array;
}

export interface CollectRequest {
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly labelsWanted?: readonly string[];
  readonly seriesMax: number;
  readonly chunksMax: number;
  readonly chunkBytesMax: number;
}

export type CollectFailure = "too-many-series" | "too-many-chunks" | "too-many-bytes";

const FAILURES: readonly CollectFailure[] = [
  "too-many-series",
  "too-many-chunks",
  "too-many-bytes",
];

/** Readers of rows look eight bytes ahead. */
const INPUT_SLACK_BYTES = 16;
const INPUT_KEEP_BYTES = 1 << 20;
const POSTINGS_AT = 12;
const EMPTY = new Uint32Array(0);
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export class HeadKernel {
  readonly #kernel = instantiateKernel<HeadExports>();
  readonly #textEncoder = new TextEncoder();
  readonly #log: number;
  #inputAt = 0;
  #inputBytes = 0;
  #memory: Uint8Array = new Uint8Array(0);
  #view: DataView = new DataView(new ArrayBuffer(0));

  constructor(options: { chunkRangeMs: number; seed: bigint }) {
    this.#kernel.initHead(BigInt(options.chunkRangeMs));
    this.#kernel.setIndexSeed(options.seed);
    this.#log = this.#kernel.newBuffer();
  }

  get memoryBytes(): number {
    return this.#kernel.memory.buffer.byteLength;
  }

  /** False after a write outside of a buffer: a bug. For the fuzzer. */
  get guardsIntact(): boolean {
    return this.#kernel.appendFrameGuardsIntact() === 1;
  }

  get seriesCount(): number {
    return this.#kernel.seriesLive();
  }

  /** One more than the greatest ref there ever was. */
  get refEnd(): number {
    return this.#kernel.seriesEnd() >>> 0;
  }

  get labelPairCount(): number {
    return this.#kernel.pairLive();
  }

  get symbolTableBytes(): number {
    return this.#kernel.symbolTableBytes() >>> 0;
  }

  /** Newest sample time, undefined while nothing was stored. */
  get maxTimeMs(): number | undefined {
    const time = this.#kernel.maxTime();
    return time === INT64_MIN ? undefined : Number(time);
  }

  /** A lower bound of the sample times stored. */
  get minTimeMs(): number | undefined {
    const time = this.#kernel.minTime();
    return time === INT64_MAX ? undefined : Number(time);
  }

  /** undefined: the batch's label bytes or offsets are malformed and nothing was appended. */
  append(batch: HeadBatch, options: AppendOptions): AppendReport | undefined {
    const kernel = this.#kernel;
    const count = batch.seriesCount;
    const samples = batch.sampleOffsets[count] ?? 0;
    if (batch.ids.length < count * 16 || batch.values.length < samples) return undefined;
    if (!offsetsAscend(batch.sampleOffsets, count, batch.timestampsMs.length)) return undefined;
    const labels = batch.labels;
    if (labels && !offsetsAscend(labels.offsets, count, labels.bytes.length)) return undefined;
    const idsAt = this.#input(
      count * 16 + samples * 16 + (count + 1) * 8 + (labels?.bytes.length ?? 0),
    );
    const memory = this.#bytes();
    const timesAt = idsAt + count * 16;
    const valuesAt = timesAt + samples * 8;
    const offsetsAt = valuesAt + samples * 8;
    const labelOffsetsAt = offsetsAt + (count + 1) * 4;
    const labelsAt = labelOffsetsAt + (count + 1) * 4;
    memory.set(batch.ids.subarray(0, count * 16), idsAt);
    memory.set(asBytes(batch.timestampsMs, samples * 8), timesAt);
    memory.set(asBytes(batch.values, samples * 8), valuesAt);
    memory.set(asBytes(batch.sampleOffsets, (count + 1) * 4), offsetsAt);
    if (labels) {
      memory.set(asBytes(labels.offsets, (count + 1) * 4), labelOffsetsAt);
      memory.set(labels.bytes, labelsAt);
    }
    this.#beginAppend(options);
    const result = kernel.appendBatch(
      count,
      idsAt,
      offsetsAt,
      timesAt,
      valuesAt,
      labels ? labelsAt : 0,
      labels ? labelOffsetsAt : 0,
      options.seriesMax,
      BigInt(options.outOfOrderWindowMs),
    );
    return result < 0 ? undefined : this.#report();
  }

  /**
   * As `append`, from a push frame (docs/formats/push-frame.md), which may come from anybody.
   * undefined: it is malformed and nothing was appended.
   */
  appendFrame(frame: Uint8Array, options: AppendOptions): AppendReport | undefined {
    const at = this.#put(frame);
    this.#beginAppend(options);
    const { seriesMax, outOfOrderWindowMs } = options;
    const lateWindowMs = BigInt(outOfOrderWindowMs);
    const result = this.#kernel.appendFrame(at, frame.length, seriesMax, lateWindowMs);
    return result < 0 ? undefined : this.#report();
  }

  #beginAppend({ frameFile, frameOffsetBytes }: AppendOptions): void {
    this.#kernel.resetOutput();
    this.#kernel.resetFrames();
    this.#kernel.setFramePosition(frameFile, frameOffsetBytes);
  }

  #report(): AppendReport {
    const kernel = this.#kernel;
    const view = this.#dataView();
    const at = kernel.reportAddress();
    const unknown = kernel.unknownLength();
    return {
      acceptedSamples: view.getUint32(at, true),
      duplicateSamples: view.getUint32(at + 4, true),
      outOfOrderSamples: view.getUint32(at + 8, true),
      createdSeries: view.getUint32(at + 12, true),
      refused: this.#refusals(view, at + 24),
      unknownSeries:
        unknown === 0
          ? EMPTY
          : new Uint32Array(kernel.memory.buffer, kernel.unknownAddress(), unknown / 4).slice(),
      entries: this.#slice(kernel.entriesAddress(), kernel.entriesLength()),
      rows: this.#slice(kernel.rowsAddress(), kernel.rowsLength()),
      frames: this.#slice(kernel.framesAddress(), kernel.framesLength()),
    };
  }

  #refusals(view: DataView, at: number): Refusal[] {
    const refusals: Refusal[] = [];
    for (const [index, reason] of REFUSALS.entries()) {
      const count = view.getUint32(at + index * 16, true);
      if (count === 0) continue;
      const seriesIndex = view.getUint32(at + index * 16 + 4, true);
      const timestampMs = Number(view.getBigInt64(at + index * 16 + 8, true));
      refusals.push({ reason, count, seriesIndex, timestampMs });
    }
    return refusals;
  }

  /**
   * Appends the rows of a WAL record; undefined if it is malformed. Chunks that close are in `frames`.
   * @returns how many rows there were
   */
  replayRows(payload: Uint8Array, frameFile: number, frameOffsetBytes: number): number | undefined {
    this.#kernel.resetFrames();
    this.#kernel.setFramePosition(frameFile, frameOffsetBytes);
    const at = this.#put(payload);
    const rows = this.#kernel.replayRows(at, payload.length);
    return rows < 0 ? undefined : rows;
  }

  /** Applies the entries of a WAL record; undefined if they are malformed. */
  replayEntries(payload: Uint8Array): number | undefined {
    const entries = this.#kernel.replayEntries(this.#put(payload), payload.length);
    return entries < 0 ? undefined : entries;
  }

  /** Frames that the last call made. */
  get frames(): Uint8Array {
    return this.#slice(this.#kernel.framesAddress(), this.#kernel.framesLength());
  }

  /** Rows that replay could not place because no entry had named their series yet, since the last call. */
  takeSkippedRows(): number {
    return this.#kernel.takeSkippedRows() >>> 0;
  }

  /** Forgets samples before the time in series [fromRef, toRef). The entries to log are a view. */
  truncateSlice(
    beforeMs: number,
    fromRef: number,
    toRef: number,
  ): { removedSeries: number; entries: Uint8Array } {
    this.#kernel.resetOutput();
    const removedSeries = this.#kernel.truncateSlice(BigInt(Math.trunc(beforeMs)), fromRef, toRef);
    const entries = this.#slice(this.#kernel.entriesAddress(), this.#kernel.entriesLength());
    return { removedSeries, entries };
  }

  /** Cleans up after truncateSlice. Says for each head-chunk file from `firstFile` on whether a series refers to it. */
  finishTruncate(removed: boolean, firstFile: number, files: number): Uint8Array {
    const used = this.#input(files);
    this.#bytes().fill(0, used, used + files);
    this.#kernel.finishTruncate(removed ? 1 : 0, used, firstFile, files);
    return this.#bytes().slice(used, used + files);
  }

  /** Closes open chunks of series [fromRef, toRef) without a sample since the time; how many. They are in `frames`. */
  closeIdleSlice(
    beforeMs: number,
    slice: { fromRef: number; toRef: number },
    place: { frameFile: number; frameOffsetBytes: number },
  ): number {
    this.#kernel.resetFrames();
    this.#kernel.setFramePosition(place.frameFile, place.frameOffsetBytes);
    const before = BigInt(Math.trunc(beforeMs));
    return this.#kernel.closeIdleSlice(before, slice.fromRef, slice.toRef) >>> 0;
  }

  countActive(sinceMs: number): number {
    return this.#kernel.countActive(BigInt(Math.trunc(sinceMs)));
  }

  /** State entries of label pairs from `from` on, about `bytesMax` of them; `next` is undefined at the end. */
  exportPairs(from: number, bytesMax: number): { entries: Uint8Array; next: number | undefined } {
    this.#kernel.resetBuffer(this.#log, INPUT_KEEP_BYTES);
    const next = this.#kernel.exportPairs(this.#log, from, bytesMax);
    return this.#exported(next >= this.#kernel.pairEnd() ? undefined : next);
  }

  /** As exportPairs, for series. */
  exportSeries(from: number, bytesMax: number): { entries: Uint8Array; next: number | undefined } {
    this.#kernel.resetBuffer(this.#log, INPUT_KEEP_BYTES);
    const next = this.#kernel.exportSeries(this.#log, from, bytesMax);
    return this.#exported(next >= this.refEnd ? undefined : next);
  }

  #exported(next: number | undefined): { entries: Uint8Array; next: number | undefined } {
    const log = this.#log;
    return {
      entries: this.#slice(this.#kernel.bufferAddress(log), this.#kernel.bufferLength(log)),
      next,
    };
  }

  // ----------------------------------------------------------------------------------- label index

  /** All label names, also those without series left (their pair count is 0). */
  labelNames(): { id: number; name: string; pairCount: number }[] {
    const names: { id: number; name: string; pairCount: number }[] = [];
    const count = this.#kernel.nameCount();
    for (let id = 0; id < count; id++) {
      names.push({ id, name: this.#nameText(id), pairCount: this.#kernel.namePairCount(id) });
    }
    return names;
  }

  #nameText(id: number): string {
    const record = this.#kernel.nameRecord(id);
    const view = this.#dataView();
    return this.#text(view.getUint32(record, true), view.getUint32(record + 4, true));
  }

  tryNameId(name: string): number | undefined {
    const bytes = this.#textEncoder.encode(name);
    const id = this.#kernel.findName(this.#put(bytes), bytes.length);
    return id < 0 ? undefined : id;
  }

  tryPairId(nameId: number, value: string): number | undefined {
    const bytes = this.#textEncoder.encode(value);
    const id = this.#kernel.findPair(nameId, this.#put(bytes), bytes.length);
    return id < 0 ? undefined : id;
  }

  /** Pairs of a name: ids, values and how many series each has. */
  pairsOf(nameId: number): { ids: Uint32Array; postingsCounts: Uint32Array; values: string[] } {
    const count = this.#kernel.namePairCount(nameId);
    const at = this.#input(count * 16);
    const listed = this.#kernel.listPairs(nameId, at);
    assert(listed === count, "a name's pair count differs from its list");
    const quads = new Uint32Array(this.#kernel.memory.buffer, at, count * 4);
    const ids = new Uint32Array(count);
    const postingsCounts = new Uint32Array(count);
    const values: string[] = new Array(count);
    for (let i = 0; i < count; i++) {
      ids[i] = quads[i * 4] as number;
      values[i] = this.#text(quads[i * 4 + 1] as number, quads[i * 4 + 2] as number);
      postingsCounts[i] = quads[i * 4 + 3] as number;
    }
    return { ids, postingsCounts, values };
  }

  /** Refs of the series with this pair, ascending. A view of the kernel's memory. */
  postings(pairId: number): Uint32Array {
    const record = this.#kernel.pairRecord(pairId);
    const view = this.#dataView();
    const count = view.getUint32(record + POSTINGS_AT + 4, true);
    if (count === 0) return EMPTY;
    const at = view.getUint32(record + POSTINGS_AT, true);
    return new Uint32Array(this.#kernel.memory.buffer, at, count);
  }

  // --------------------------------------------------------------------------------------- collect

  /** What a select needs of `refs`, copied out of the kernel. */
  collect(refs: Uint32Array, request: CollectRequest): CollectedSeries | CollectFailure {
    const wantedBytes = request.labelsWanted ? this.#kernel.nameCount() : 0;
    const wantedIds = (request.labelsWanted ?? []).map((name) => this.tryNameId(name));
    const at = this.#input(refs.length * 4 + wantedBytes);
    const wantedAt = at + refs.length * 4;
    const memory = this.#bytes();
    memory.set(asBytes(refs, refs.length * 4), at);
    memory.fill(0, wantedAt, wantedAt + wantedBytes);
    for (const id of wantedIds) if (id !== undefined) memory[wantedAt + id] = 1;
    try {
      const series = this.#kernel.collect(
        at,
        refs.length,
        toInt64(request.minTimeMs),
        toInt64(request.maxTimeMs),
        // A request for no label at all still needs a map to say so.
        request.labelsWanted ? wantedAt : 0,
        request.seriesMax,
        request.chunksMax,
        request.chunkBytesMax,
      );
      if (series < 0) return FAILURES[-series - 1] as CollectFailure;
      return this.#columns(series);
    } finally {
      this.#kernel.endCollect();
    }
  }

  /** Labels of those `refs` that have samples in the range, and which refs those are. */
  collectLabels(
    refs: Uint32Array,
    range: { minTimeMs: number; maxTimeMs: number; seriesMax: number },
  ): CollectedSeries | CollectFailure {
    const at = this.#put(asBytes(refs, refs.length * 4));
    try {
      const series = this.#kernel.collectLabels(
        at,
        refs.length,
        toInt64(range.minTimeMs),
        toInt64(range.maxTimeMs),
        range.seriesMax,
      );
      if (series < 0) return FAILURES[-series - 1] as CollectFailure;
      return this.#columns(series);
    } finally {
      this.#kernel.endCollect();
    }
  }

  #columns(seriesCount: number): CollectedSeries {
    const u32 = (index: number): Uint32Array => new Uint32Array(this.#column(index));
    const f64 = (index: number): Float64Array => new Float64Array(this.#column(index));
    const u8 = (index: number): Uint8Array => new Uint8Array(this.#column(index));
    return {
      seriesCount,
      symbolBytes: u8(0),
      symbolOffsets: u32(1),
      labelOffsets: u32(2),
      labels: u32(3),
      chunkOffsets: u32(4),
      chunkMinTimesMs: f64(5),
      chunkMaxTimesMs: f64(6),
      chunkEncodings: u8(7),
      chunkFiles: u32(8),
      chunkByteOffsets: u32(9),
      chunkByteLengths: u32(10),
      data: u8(11),
    };
  }

  #column(index: number): ArrayBuffer {
    const at = this.#kernel.columnAddress(index);
    return this.#kernel.memory.buffer.slice(at, at + this.#kernel.columnLength(index));
  }

  // ---------------------------------------------------------------------------------------- memory

  /** An input area of at least `sizeBytes`, 16-byte aligned. Large ones are given back with the next smaller use. */
  #input(sizeBytes: number): number {
    const needed = sizeBytes + INPUT_SLACK_BYTES;
    const tooLarge = this.#inputBytes > INPUT_KEEP_BYTES && needed <= INPUT_KEEP_BYTES;
    if (needed > this.#inputBytes || tooLarge) {
      if (this.#inputBytes > 0) this.#kernel.releaseArea(this.#inputAt, this.#inputBytes);
      this.#inputBytes = Math.max(4096, 2 ** Math.ceil(Math.log2(needed)));
      this.#inputAt = this.#kernel.allocArea(this.#inputBytes) >>> 0;
    }
    return this.#inputAt;
  }

  #put(bytes: Uint8Array): number {
    const at = this.#input(bytes.length);
    this.#bytes().set(bytes, at);
    return at;
  }

  #bytes(): Uint8Array {
    if (this.#memory.buffer !== this.#kernel.memory.buffer) this.#refresh();
    return this.#memory;
  }

  #dataView(): DataView {
    if (this.#memory.buffer !== this.#kernel.memory.buffer) this.#refresh();
    return this.#view;
  }

  #refresh(): void {
    this.#memory = new Uint8Array(this.#kernel.memory.buffer);
    this.#view = new DataView(this.#kernel.memory.buffer);
  }

  #slice(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#kernel.memory.buffer, at >>> 0, length);
  }

  #text(at: number, length: number): string {
    return Buffer.from(this.#kernel.memory.buffer, at >>> 0, length).toString("utf8");
  }
}

function asBytes(array: ArrayBufferView, length: number): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, length);
}

function toInt64(timeMs: number): bigint {
  if (timeMs >= Number.MAX_SAFE_INTEGER) return INT64_MAX;
  if (timeMs <= Number.MIN_SAFE_INTEGER) return INT64_MIN;
  return BigInt(Math.trunc(timeMs));
}

/** Offsets come from another process in a cluster: they must ascend and stay inside the data. */
function offsetsAscend(offsets: Uint32Array, count: number, end: number): boolean {
  if (offsets.length < count + 1) return false;
  let previous = 0;
  for (let i = 0; i <= count; i++) {
    const offset = offsets[i] as number;
    if (offset < previous) return false;
    previous = offset;
  }
  return previous <= end;
}
