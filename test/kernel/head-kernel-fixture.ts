/**
 * What the head kernel's tests share: batches from plain series, a store for the frames of closed chunks, a log, and
 * reading everything back.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { crc32c } from "../../src/kernel/host/crc32c.ts";
import {
  type AppendOptions,
  type AppendReport,
  type HeadBatch,
  HeadKernel,
} from "../../src/kernel/host/head-kernel.ts";
import { bitsOf, decodeXor } from "../testkit/xor.ts";

export const CHUNK_RANGE_MS = 7_200_000;

/** A value is its bits, so that NaNs and the sign of zero count. */
export interface Sample {
  readonly time: bigint;
  readonly bits: bigint;
}

export interface SeriesSamples {
  /** Number of the series: see `labelsOf`. */
  readonly series: number;
  readonly samples: readonly Sample[];
}

export function bitsOfNumber(value: number): bigint {
  return bitsOf(Float64Array.of(value))[0]!;
}

/**
 * Ids that collide on purpose: few fingerprints (low half of h1), and all within a few slots (high half), so that
 * probe sequences are long and removals have something to shift.
 */
export function idOf(series: number): Uint8Array {
  const id = new Uint8Array(16);
  const view = new DataView(id.buffer);
  view.setUint32(0, series % 3, true);
  view.setUint32(4, 62 + (series % 4), true);
  view.setBigUint64(8, BigInt(series), true);
  return id;
}

export function labelsOf(series: number): [string, string][] {
  const labels: [string, string][] = [
    ["__name__", `metric_${series % 2}`],
    ["job", "müller"],
    ["pod", `p${series}`],
  ];
  // One series without the label that the others share.
  return series % 5 === 4 ? labels.filter(([name]) => name !== "job") : labels;
}

export function canonicalBytes(labels: readonly (readonly [string, string])[]): Uint8Array {
  const out: number[] = [];
  for (const text of labels.flat()) {
    const bytes = new TextEncoder().encode(text);
    let length = bytes.length;
    for (; length >= 0x80; length >>>= 7) out.push((length & 0x7f) | 0x80);
    out.push(length);
    for (const byte of bytes) out.push(byte);
  }
  return Uint8Array.from(out);
}

export function batchOf(
  rows: readonly SeriesSamples[],
  withLabels: boolean,
  labels = labelsOf,
): HeadBatch {
  const total = rows.reduce((sum, row) => sum + row.samples.length, 0);
  const ids = new Uint8Array(rows.length * 16);
  const sampleOffsets = new Uint32Array(rows.length + 1);
  const timestampsMs = new BigInt64Array(total);
  const values = new Float64Array(total);
  const bits = bitsOf(values);
  const bytes: number[] = [];
  const offsets = new Uint32Array(rows.length + 1);
  let at = 0;
  for (const [index, row] of rows.entries()) {
    ids.set(idOf(row.series), index * 16);
    for (const sample of row.samples) {
      timestampsMs[at] = sample.time;
      bits[at] = sample.bits;
      at++;
    }
    sampleOffsets[index + 1] = at;
    for (const byte of canonicalBytes(labels(row.series))) bytes.push(byte);
    offsets[index + 1] = bytes.length;
  }
  const batch = { seriesCount: rows.length, ids, sampleOffsets, timestampsMs, values };
  return withLabels ? { ...batch, labels: { bytes: Uint8Array.from(bytes), offsets } } : batch;
}

/** Plays the head-chunk files: several small ones, every frame checked as it comes. */
export class FrameStore {
  readonly #files = new Map<number, Uint8Array>();
  file = 1;
  frameCount = 0;

  get offset(): number {
    return this.#files.get(this.file)?.length ?? 0;
  }

  append(frames: Uint8Array): void {
    if (frames.length === 0) return;
    const view = new DataView(frames.buffer, frames.byteOffset, frames.length);
    for (let at = 0; at < frames.length; this.frameCount++) {
      const dataBytes = view.getUint16(at + 22, true);
      const crcAt = at + 24 + dataBytes;
      assert.equal(view.getUint32(crcAt, true), crc32c(frames.slice(at, crcAt)), "frame CRC");
      at = crcAt + 4;
    }
    const before = this.#files.get(this.file) ?? new Uint8Array(0);
    const file = new Uint8Array(before.length + frames.length);
    file.set(before);
    file.set(frames, before.length);
    this.#files.set(this.file, file);
    if (file.length > 4096) this.file++;
  }

  read(file: number, offset: number, length: number): Uint8Array {
    const bytes = this.#files.get(file)?.subarray(offset, offset + length);
    assert.ok(bytes?.length === length, `chunk in file ${file} at ${offset}`);
    return bytes;
  }
}

export interface LogRecord {
  readonly type: "entries" | "rows";
  readonly payload: Uint8Array;
}

type Limits = Omit<AppendOptions, "frameFile" | "frameOffsetBytes">;

export const NO_LIMITS = { seriesMax: 0, outOfOrderWindowMs: 0 };

/** A kernel with its files and its log, as the ingester keeps them. */
export class LoggedHead {
  readonly kernel: HeadKernel;
  readonly frames: FrameStore;
  readonly log: LogRecord[] = [];

  /** A head that takes over another one's state takes its files too. */
  constructor(seed = 7n, frames = new FrameStore()) {
    this.frames = frames;
    this.kernel = new HeadKernel({ chunkRangeMs: CHUNK_RANGE_MS, seed });
  }

  /** The report's views are copied. */
  append(batch: HeadBatch, options: Limits = NO_LIMITS): AppendReport {
    return this.#keep(this.kernel.append(batch, this.#placed(options)));
  }

  appendFrame(frame: Uint8Array, options: Limits = NO_LIMITS): AppendReport {
    return this.#keep(this.kernel.appendFrame(frame, this.#placed(options)));
  }

  #placed(options: Limits): AppendOptions {
    const { file: frameFile, offset: frameOffsetBytes } = this.frames;
    return { ...options, frameFile, frameOffsetBytes };
  }

  #keep(views: AppendReport | undefined): AppendReport {
    assert.ok(views, "well-formed");
    const report = { ...views, entries: views.entries.slice(), rows: views.rows.slice() };
    this.frames.append(views.frames.slice());
    this.#log("entries", report.entries);
    this.#log("rows", report.rows);
    return report;
  }

  #log(type: "entries" | "rows", payload: Uint8Array): void {
    if (payload.length > 0) this.log.push({ type, payload: payload.slice() });
  }

  /** As the ingester truncates: slice by slice, then the index. Returns how many series went. */
  truncate(beforeMs: number, sliceSeries = 2): number {
    let removed = 0;
    for (let from = 0; from < this.kernel.refEnd; from += sliceSeries) {
      const slice = this.kernel.truncateSlice(beforeMs, from, from + sliceSeries);
      this.#log("entries", slice.entries);
      removed += slice.removedSeries;
    }
    this.kernel.finishTruncate(removed > 0, 1, this.frames.file);
    return removed;
  }

  replay(record: LogRecord): number | undefined {
    if (record.type === "entries") return this.kernel.replayEntries(record.payload);
    const { file, offset } = this.frames;
    const rows = this.kernel.replayRows(record.payload, file, offset);
    this.frames.append(this.kernel.frames.slice());
    return rows;
  }

  mustReplay(records: readonly LogRecord[]): this {
    for (const record of records) {
      assert.notEqual(this.replay(record), undefined, `${record.type} are well-formed`);
    }
    return this;
  }

  /** The whole state as entries records of about `sliceBytes`. */
  *exportState(sliceBytes: number): Generator<LogRecord> {
    for (const exported of ["exportPairs", "exportSeries"] as const) {
      for (let from: number | undefined = 0; from !== undefined; ) {
        const slice: { entries: Uint8Array; next: number | undefined } = this.kernel[exported](
          from,
          sliceBytes,
        );
        from = slice.next;
        yield { type: "entries", payload: slice.entries.slice() };
      }
    }
  }

  /** Everything that `collect` gives for a time range, by label set. */
  readAll(minTimeMs = -Infinity, maxTimeMs = Infinity): Map<string, Chunk[]> {
    const refs = Uint32Array.from({ length: this.kernel.refEnd }, (_, ref) => ref);
    const limits = { seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 };
    const set = this.kernel.collect(refs, { minTimeMs, maxTimeMs, ...limits });
    assert.ok(typeof set === "object", "no limit is passed");
    const symbol = (index: number): string =>
      new TextDecoder().decode(
        set.symbolBytes.subarray(set.symbolOffsets[index], set.symbolOffsets[index + 1]),
      );
    const answer = new Map<string, Chunk[]>();
    for (let i = 0; i < set.seriesCount; i++) {
      const labels = [
        ...set.labels.subarray(set.labelOffsets[i]! * 2, set.labelOffsets[i + 1]! * 2),
      ];
      const chunks: Chunk[] = [];
      for (let c = set.chunkOffsets[i]!; c < set.chunkOffsets[i + 1]!; c++) {
        const file = set.chunkFiles[c]!;
        const from = set.chunkByteOffsets[c]!;
        const length = set.chunkByteLengths[c]!;
        const bytes =
          file === 0
            ? set.data.subarray(from, from + length)
            : this.frames.read(file, from, length);
        chunks.push({
          minTime: set.chunkMinTimesMs[c]!,
          maxTime: set.chunkMaxTimesMs[c]!,
          closed: file !== 0,
          samples: decodeChunk(set.chunkEncodings[c]!, bytes),
        });
      }
      const key = labelKey(pairUp(labels.map(symbol)));
      assert.ok(!answer.has(key), `one series per label set: ${key}`);
      answer.set(key, chunks);
    }
    return answer;
  }
}

export interface Chunk {
  readonly minTime: number;
  readonly maxTime: number;
  readonly closed: boolean;
  readonly samples: readonly Sample[];
}

function decodeChunk(encoding: number, bytes: Uint8Array): Sample[] {
  if (encoding === 1) {
    const { timestampsMs, values } = decodeXor(bytes);
    const bits = bitsOf(values);
    return Array.from(timestampsMs, (time, i) => ({ time, bits: bits[i]! }));
  }
  assert.equal(encoding, 128);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 16 }, (_, i) => ({
    time: view.getBigInt64(i * 16, true),
    bits: view.getBigUint64(i * 16 + 8, true),
  }));
}

function pairUp(texts: readonly string[]): [string, string][] {
  return Array.from({ length: texts.length / 2 }, (_, i) => [texts[i * 2]!, texts[i * 2 + 1]!]);
}

export function labelKey(labels: readonly (readonly [string, string])[]): string {
  return JSON.stringify(labels);
}

/** What a reader makes of the chunks: one value per time, the earlier chunk wins. */
function mergedSamples(all: ReadonlyMap<string, readonly Chunk[]>): Map<string, Sample[]> {
  const merged = new Map<string, Sample[]>();
  for (const [key, chunks] of all) {
    const byTime = new Map<bigint, bigint>();
    for (const { samples } of chunks) {
      for (const { time, bits } of samples) if (!byTime.has(time)) byTime.set(time, bits);
    }
    const samples = [...byTime].map(([time, bits]) => ({ time, bits }));
    merged.set(
      key,
      samples.sort((a, b) => (a.time < b.time ? -1 : 1)),
    );
  }
  return new Map([...merged].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * The same series with the same times from `fromTime` on. A late sample may have met a closed chunk that has its time with
 * another value: both are kept, and which one a reader sees depends on where chunks begin, so either will do.
 */
export function assertSameSamples(
  actual: LoggedHead,
  expected: LoggedHead,
  fromTime: bigint,
): void {
  const seen = mergedSamples(actual.readAll());
  const stored = expected.readAll();
  const wanted = mergedSamples(stored);
  assert.deepEqual([...seen.keys()], [...wanted.keys()]);
  for (const [key, samples] of wanted) {
    const recent = (all: readonly Sample[] = []): Sample[] =>
      all.filter(({ time }) => time >= fromTime);
    const times = (all: readonly Sample[]): bigint[] => all.map(({ time }) => time);
    const got = recent(seen.get(key));
    assert.deepEqual(times(got), times(recent(samples)), key);
    const values = new Set(
      stored.get(key)?.flatMap((chunk) => chunk.samples.map(({ time, bits }) => `${time} ${bits}`)),
    );
    for (const { time, bits } of got) assert.ok(values.has(`${time} ${bits}`), `${key} at ${time}`);
  }
}

/** Pairs of the index with their postings, by text. */
export function indexOf(kernel: HeadKernel): Map<string, number[]> {
  const index = new Map<string, number[]>();
  for (const { id, name } of kernel.labelNames()) {
    const { ids, values, postingsCounts } = kernel.pairsOf(id);
    for (const [i, value] of values.entries()) {
      const key = `${name}=${value}`;
      assert.ok(!index.has(key), `${key} is there once`);
      const pairId = kernel.tryPairId(id, value);
      assert.equal(pairId, ids[i], `${key} is found under its id`);
      const postings = [...kernel.postings(ids[i]!)];
      assert.equal(postings.length, postingsCounts[i]);
      index.set(key, postings);
    }
  }
  return new Map([...index].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const valueBits: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(
    0x7ff0000000000002n, // staleness marker
    0x7ff8000000000001n,
    0xfff8000000000000n,
    bitsOfNumber(0),
    bitsOfNumber(-0),
    bitsOfNumber(Infinity),
    bitsOfNumber(-Infinity),
    bitsOfNumber(2 ** 53),
    bitsOfNumber(-(2 ** 53)),
    bitsOfNumber(2 ** 53 - 1),
    bitsOfNumber(Number.MIN_VALUE),
    bitsOfNumber(Number.MAX_VALUE),
  ),
  fc.integer({ min: -300, max: 70_000 }).map(bitsOfNumber),
  fc.integer({ min: -99_999, max: 999_999 }).map((value) => bitsOfNumber(value / 100)),
  fc.integer({ min: -99_999, max: 999_999 }).map((value) => bitsOfNumber(value / 1000)),
  fc.double().map(bitsOfNumber),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
