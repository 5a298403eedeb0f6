import { assert } from "../../base/assert.ts";
import { OpError } from "../../base/errors.ts";
import { instantiateKernel } from "./module.ts";

/**
 * The query side of the kernel: decodes the chunks of one series at a time into columns and runs functions over
 * sliding windows of them. One instance per query worker; its memory holds one series and one row of steps.
 *
 *     load(chunks of a series) ─► columns ─► run(function, windows) ─► values and presence of every step
 *
 * Views that methods give are of kernel memory: they are valid until the next call of any method that may grow
 * it (`load`, `loadColumns`, `prepare`, `run`), and the caller may write to them.
 */
export class QueryKernel {
  readonly #exports = instantiateKernel<QueryExports>();
  readonly #held = new Map<Uint8Array, HeldBytes>();
  #heldBytes = 0;
  #decodedSamples = 0;
  #steps = 0;
  #outputAt = 0;
  #bytes: Uint8Array;
  #words: Uint32Array;
  #doubles: Float64Array;
  #values = new Float64Array(0);
  #parameters = new Float64Array(0);
  #presence = new Uint8Array(0);

  constructor() {
    const { buffer } = this.#exports.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
  }

  /** Size of the memory. It never shrinks: drop the kernel to free it. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Samples in the columns now. */
  get sampleCount(): number {
    return this.#exports.columnCount();
  }

  /**
   * Decodes chunks [fromChunk, toChunk) that may hold samples in [minTimeMs, maxTimeMs] and gives the number of
   * samples. Staleness markers are dropped unless `keepStale`. Throws OpError "corruption" on malformed chunks.
   */
  load(source: ChunkSource, range: ChunkRange): number {
    const held = this.#hold(source.data);
    return held === undefined
      ? this.#loadCopied(source, range)
      : this.#loadHeld(source, range, held);
  }

  /** Lets go of the chunk bytes that `load` holds. Call when a query is done. */
  release(): void {
    for (const { at, sizeBytes } of this.#held.values()) this.#exports.releaseArea(at, sizeBytes);
    this.#held.clear();
    this.#heldBytes = 0;
  }

  /**
   * The bytes of a set are copied here whole, when its first series is loaded: one copy in place of one per chunk.
   * Undefined where that would take too much memory for good (a WebAssembly memory does not shrink).
   */
  #hold(data: Uint8Array): HeldBytes | undefined {
    const known = this.#held.get(data);
    if (known !== undefined) return known;
    const sizeBytes = data.length + SLACK_BYTES;
    if (this.#heldBytes + sizeBytes > HELD_BYTES_MAX) return undefined;
    const at = this.#exports.allocArea(sizeBytes) >>> 0;
    this.#refresh();
    this.#bytes.set(data, at);
    const held = { at, sizeBytes };
    this.#held.set(data, held);
    this.#heldBytes += sizeBytes;
    return held;
  }

  #loadHeld(source: ChunkSource, range: ChunkRange, held: HeldBytes): number {
    const { chunkByteOffsets, chunkByteLengths, chunkEncodings, data } = source;
    const tableAt = this.#exports.tableArea(range.toChunk - range.fromChunk) >>> 0;
    this.#refresh();
    const words = this.#words;
    const start = tableAt >>> 2;
    let at = start;
    for (let chunk = range.fromChunk; chunk < range.toChunk; chunk++) {
      if (isOutside(source, chunk, range)) continue;
      words[at] = chunkByteOffsets[chunk]!;
      words[at + 1] = chunkByteLengths[chunk]!;
      words[at + 2] = chunkEncodings[chunk]!;
      at += 3;
    }
    // The kernel checks that each chunk lies inside of the data.
    return this.#decode(held.at, data.length, (at - start) / 3, range.keepStale);
  }

  #loadCopied(source: ChunkSource, range: ChunkRange): number {
    const { chunkByteOffsets, chunkByteLengths, data } = source;
    const { fromChunk, toChunk } = range;
    let total = 0;
    let chunks = 0;
    for (let chunk = fromChunk; chunk < toChunk; chunk++) {
      if (isOutside(source, chunk, range)) continue;
      if (chunkByteOffsets[chunk]! + chunkByteLengths[chunk]! > data.length) {
        throw malformed("its bytes are not there");
      }
      total += chunkByteLengths[chunk]!;
      chunks++;
    }
    const inputAt = this.#exports.inputArea(total) >>> 0;
    const tableAt = this.#exports.tableArea(chunks) >>> 0;
    this.#refresh();
    let copied = 0;
    let at = tableAt >>> 2;
    for (let chunk = fromChunk; chunk < toChunk; chunk++) {
      if (isOutside(source, chunk, range)) continue;
      const offset = chunkByteOffsets[chunk]!;
      const length = chunkByteLengths[chunk]!;
      this.#bytes.set(data.subarray(offset, offset + length), inputAt + copied);
      this.#words[at] = copied;
      this.#words[at + 1] = length;
      this.#words[at + 2] = source.chunkEncodings[chunk]!;
      copied += length;
      at += 3;
    }
    return this.#decode(inputAt, total, chunks, range.keepStale);
  }

  #decode(inputAt: number, inputLength: number, chunks: number, keepStale: boolean): number {
    const samples = this.#exports.decodeSeries(inputAt, inputLength, chunks, keepStale ? 1 : 0);
    this.#refresh();
    if (samples < 0) throw malformed(DECODE_ERRORS[samples] ?? `error ${samples}`);
    this.#decodedSamples += samples;
    return samples;
  }

  /** Samples that `load` has decoded since the last call. */
  takeDecodedSamples(): number {
    const samples = this.#decodedSamples;
    this.#decodedSamples = 0;
    return samples;
  }

  /** Fills the columns with samples made elsewhere (a subquery's points); times must grow strictly. */
  loadColumns(timesMs: ArrayLike<number>, values: Float64Array, count: number): void {
    this.#exports.reserveColumns(count);
    this.#exports.setColumnCount(count);
    this.#refresh();
    const timesAt = this.#exports.columnTimes() >>> 3;
    const valuesAt = this.#exports.columnValues() >>> 3;
    for (let i = 0; i < count; i++) this.#doubles[timesAt + i] = timesMs[i]!;
    this.#doubles.set(values.subarray(0, count), valuesAt);
  }

  /** Times and values of the decoded samples. */
  columns(): { times: Float64Array; values: Float64Array } {
    this.#refresh();
    const count = this.#exports.columnCount();
    const { buffer } = this.#exports.memory;
    return {
      times: new Float64Array(buffer, this.#exports.columnTimes() >>> 0, count),
      values: new Float64Array(buffer, this.#exports.columnValues() >>> 0, count),
    };
  }

  /** Sets the number of steps of the runs that follow. */
  prepare(steps: number): void {
    this.#outputAt = this.#exports.outputArea(steps) >>> 0;
    this.#steps = steps;
    this.#refresh();
    this.#outputViews();
  }

  /** One parameter per step, for functions that take one; read by every `run` until written again. */
  setParameters(parameters: Float64Array): void {
    assert(parameters.length === this.#steps, "one parameter per step");
    this.#parameters.set(parameters);
  }

  /** Runs a function over the windows of the decoded columns. Gives the number of steps that have a value. */
  run(fn: WindowFunction, windows: Windows): number {
    const present = this.#exports.runWindow(
      FUNCTION_NUMBERS[fn],
      this.#steps,
      windows.firstEndMs,
      windows.endStepMs,
      windows.rangeMs,
      windows.evalStartMs,
      windows.evalStepMs,
    );
    this.#refresh();
    return present;
  }

  /** Values of the last run, by step. Meaningless where `presence` is 0. */
  get values(): Float64Array {
    return this.#values;
  }

  /** 1 where the last run gave a value. */
  get presence(): Uint8Array {
    return this.#presence;
  }

  /** Growing the memory detaches all views. */
  #refresh(): void {
    const { buffer } = this.#exports.memory;
    if (buffer === this.#bytes.buffer) return;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer);
    this.#doubles = new Float64Array(buffer);
    this.#outputViews();
  }

  #outputViews(): void {
    const { buffer } = this.#exports.memory;
    const steps = this.#steps;
    this.#values = new Float64Array(buffer, this.#outputAt, steps);
    this.#parameters = new Float64Array(buffer, this.#outputAt + 8 * steps, steps);
    this.#presence = new Uint8Array(buffer, this.#outputAt + 16 * steps, steps);
  }
}

/** Chunks [fromChunk, toChunk) of a set, those that may hold samples in [minTimeMs, maxTimeMs]. */
interface ChunkRange {
  readonly fromChunk: number;
  readonly toChunk: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly keepStale: boolean;
}

interface HeldBytes {
  readonly at: number;
  readonly sizeBytes: number;
}

/** The decoder looks this far ahead. */
const SLACK_BYTES = 64;
/** Sets of one query that are held whole; what goes over is copied series by series. */
const HELD_BYTES_MAX = 128 * 1024 * 1024;

/** The part of an EncodedSeriesSet that holds chunks. */
export interface ChunkSource {
  readonly chunkMinTimesMs: Float64Array;
  readonly chunkMaxTimesMs: Float64Array;
  readonly chunkEncodings: Uint8Array;
  readonly chunkByteOffsets: Uint32Array;
  readonly chunkByteLengths: Uint32Array;
  readonly data: Uint8Array;
}

function isOutside(
  source: ChunkSource,
  chunk: number,
  range: { readonly minTimeMs: number; readonly maxTimeMs: number },
): boolean {
  return (
    source.chunkMinTimesMs[chunk]! > range.maxTimeMs ||
    source.chunkMaxTimesMs[chunk]! < range.minTimeMs
  );
}

/** Window of step s: (end - rangeMs, end], end = firstEndMs + s * endStepMs. The eval times matter to predict_linear only. */
export interface Windows {
  readonly firstEndMs: number;
  readonly endStepMs: number;
  readonly rangeMs: number;
  readonly evalStartMs: number;
  readonly evalStepMs: number;
}

/** The same numbers as in src/kernel/assembly/window.ts. */
const FUNCTION_NUMBERS = {
  rate: 0,
  increase: 1,
  delta: 2,
  irate: 3,
  idelta: 4,
  sum_over_time: 5,
  avg_over_time: 6,
  min_over_time: 7,
  max_over_time: 8,
  count_over_time: 9,
  last_over_time: 10,
  first_over_time: 11,
  present_over_time: 12,
  stddev_over_time: 13,
  stdvar_over_time: 14,
  changes: 15,
  resets: 16,
  deriv: 17,
  predict_linear: 18,
  quantile_over_time: 19,
  ts_of_last_over_time: 20,
  ts_of_min_over_time: 21,
  ts_of_max_over_time: 22,
  mad_over_time: 23,
  instant: 24,
  instant_time: 25,
} as const;

export type WindowFunction = keyof typeof FUNCTION_NUMBERS;

export function isWindowFunction(name: string): name is WindowFunction {
  return Object.hasOwn(FUNCTION_NUMBERS, name) && !name.startsWith("instant");
}

/** Error codes of src/kernel/assembly/columns.ts. */
const DECODE_ERRORS: Readonly<Record<number, string>> = {
  [-1]: "it ends early",
  [-2]: "its timestamps do not grow",
  [-3]: "its encoding is not supported",
  [-4]: "a value has more than 64 bits",
};

function malformed(why: string): OpError {
  return new OpError("corruption", `malformed chunk: ${why}`);
}

interface QueryExports {
  columnCount(): number;
  columnTimes(): number;
  columnValues(): number;
  setColumnCount(count: number): void;
  reserveColumns(count: number): void;
  inputArea(size: number): number;
  tableArea(chunkCount: number): number;
  outputArea(steps: number): number;
  allocArea(size: number): number;
  releaseArea(at: number, size: number): void;
  decodeSeries(inputAt: number, inputLength: number, chunkCount: number, keepStale: number): number;
  runWindow(
    fn: number,
    steps: number,
    firstEndMs: number,
    endStepMs: number,
    rangeMs: number,
    evalStartMs: number,
    evalStepMs: number,
  ): number;
}
