import { OpError } from "../../base/errors.ts";
import {
  type AppendOptions,
  type AppendReport,
  type CollectedSeries,
  type CollectFailure,
  type HeadBatch,
  HeadKernel,
} from "../../kernel/host/head-kernel.ts";
import {
  type CompiledMatcher,
  compileMatcher,
  type PatternCache,
} from "../../model/compiled-matcher.ts";
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matchers.ts";
import { type EncodedSeriesSet, emptySeriesSet } from "../../storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../../storage/queryable.ts";
import type { HeadChunkFiles } from "../head-chunks/head-chunk-files.ts";
import { labelNames, labelValues, seriesLabels } from "./label-queries.ts";
import { selectRefs } from "./select-refs.ts";

export interface HeadOptions {
  readonly chunkRangeMs: number;
  /** Seeds the hash of the label index, so that senders cannot choose collisions. */
  readonly seed: bigint;
  /** Kernel memory beyond which new samples are refused; a WebAssembly memory ends at 4 GiB. */
  readonly memoryBytesMax: number;
}

export type AppendLimits = Pick<AppendOptions, "seriesMax" | "outOfOrderWindowMs">;

/** Truncation works through this many series at a time, so that pushes wait milliseconds at most. */
const TRUNCATE_SLICE_SERIES = 65536;

/** A slice of closing idle chunks makes some 100 bytes a series for the chunk file. */
const CLOSE_IDLE_SLICE_SERIES = 8192;

/**
 * The recent samples of one tenant: open chunks and the label index in a kernel memory, closed chunks in files.
 * Not durable by itself: the ingester writes what `append` reports to the WAL before it acknowledges.
 * Every method but `select`, the truncation and closing idle chunks is synchronous, so the order of calls is the order of the log.
 */
export class Head {
  readonly #options: HeadOptions;
  #kernel: HeadKernel;
  readonly #files: HeadChunkFiles;
  readonly #patterns: PatternCache;

  constructor(options: HeadOptions, files: HeadChunkFiles, patterns: PatternCache) {
    this.#options = options;
    this.#patterns = patterns;
    this.#kernel = new HeadKernel(options);
    this.#files = files;
  }

  get files(): HeadChunkFiles {
    return this.#files;
  }

  get stats(): HeadStats {
    const kernel = this.#kernel;
    return {
      seriesCount: kernel.seriesCount,
      labelPairCount: kernel.labelPairCount,
      symbolTableBytes: kernel.symbolTableBytes,
      memoryBytes: kernel.memoryBytes,
      minTimeMs: kernel.minTimeMs,
      maxTimeMs: kernel.maxTimeMs,
    };
  }

  get seriesCount(): number {
    return this.#kernel.seriesCount;
  }

  get maxTimeMs(): number | undefined {
    return this.#kernel.maxTimeMs;
  }

  countActive(sinceMs: number): number {
    return this.#kernel.countActive(sinceMs);
  }

  /** The report's byte arrays are views, good until the next call of any method. */
  append(batch: HeadBatch, limits: AppendLimits): AppendReport {
    const report = this.#append(limits, (options) => this.#kernel.append(batch, options));
    if (report) return report;
    throw new OpError("malformed-batch", "a pushed batch has offsets or label bytes out of range");
  }

  /** As `append`, from a push frame; undefined: it is malformed and nothing was appended. */
  appendFrame(frame: Uint8Array, limits: AppendLimits): AppendReport | undefined {
    return this.#append(limits, (options) => this.#kernel.appendFrame(frame, options));
  }

  #append(
    limits: AppendLimits,
    append: (options: AppendOptions) => AppendReport | undefined,
  ): AppendReport | undefined {
    if (this.#kernel.memoryBytes > this.#options.memoryBytesMax) {
      throw new OpError(
        "head-full",
        `the tenant's head takes ${this.#kernel.memoryBytes} bytes, over the ${this.#options.memoryBytesMax} that one ingester can hold; add ingesters or lower -ingester.max-global-series-per-user`,
      );
    }
    const refusal = this.#files.admit(0);
    if (refusal) throw refusal;
    const report = append({
      ...limits,
      frameFile: this.#files.currentFile,
      frameOffsetBytes: this.#files.currentOffsetBytes,
    });
    if (report) this.#files.append(report.frames);
    return report;
  }

  /** Rows of a WAL record; undefined if they are malformed. */
  replayRows(payload: Uint8Array): number | undefined {
    const { currentFile, currentOffsetBytes } = this.#files;
    const rows = this.#kernel.replayRows(payload, currentFile, currentOffsetBytes);
    this.#files.append(this.#kernel.frames);
    return rows;
  }

  replayEntries(payload: Uint8Array): number | undefined {
    return this.#kernel.replayEntries(payload);
  }

  takeSkippedRows(): number {
    return this.#kernel.takeSkippedRows();
  }

  /**
   * The whole state as WAL entries, in slices of about `sliceBytes`. Each slice is a view that the caller must
   * write to the log before anything else is appended to this head.
   */
  *exportState(sliceBytes: number): Generator<Uint8Array> {
    for (let from: number | undefined = 0; from !== undefined; ) {
      const slice = this.#kernel.exportPairs(from, sliceBytes);
      from = slice.next;
      if (slice.entries.length > 0) yield slice.entries;
    }
    for (let from: number | undefined = 0; from !== undefined; ) {
      const slice = this.#kernel.exportSeries(from, sliceBytes);
      from = slice.next;
      if (slice.entries.length > 0) yield slice.entries;
    }
  }

  /**
   * Forgets chunks that end before `beforeMs` and the series that have nothing left. `log` gets the entries of each
   * slice (views) in the same tick; `pause` lets other work in between slices.
   */
  async truncate(
    beforeMs: number,
    log: (entries: Uint8Array) => void,
    pause: () => Promise<void>,
  ): Promise<{ removedSeries: number }> {
    let removedSeries = 0;
    const end = this.#kernel.refEnd;
    for (let from = 0; from < end; from += TRUNCATE_SLICE_SERIES) {
      const slice = this.#kernel.truncateSlice(beforeMs, from, from + TRUNCATE_SLICE_SERIES);
      removedSeries += slice.removedSeries;
      if (slice.entries.length > 0) log(slice.entries);
      // Postings may name series that are gone until `finishTruncate`; collecting passes over those.
      await pause();
    }
    await this.#cleanUp(removedSeries > 0);
    return { removedSeries };
  }

  /**
   * Moves the open chunks of series whose last sample is older than `beforeMs` to the chunk file: memory for series
   * that rest. Stops early while that file waits for the disk. Nothing goes to the log, see the kernel.
   */
  async closeIdleChunks(beforeMs: number, pause: () => Promise<void>): Promise<number> {
    let closed = 0;
    const end = this.#kernel.refEnd;
    for (let fromRef = 0; fromRef < end; fromRef += CLOSE_IDLE_SLICE_SERIES) {
      if (this.#files.admit(0) !== undefined) break;
      closed += this.#kernel.closeIdleSlice(
        beforeMs,
        { fromRef, toRef: fromRef + CLOSE_IDLE_SLICE_SERIES },
        {
          frameFile: this.#files.currentFile,
          frameOffsetBytes: this.#files.currentOffsetBytes,
        },
      );
      this.#files.append(this.#kernel.frames);
      await pause();
    }
    return closed;
  }

  /** After a replay: cleans the index of what it removed, and deletes the files that no series refers to. */
  finishReplay(): Promise<void> {
    return this.#cleanUp(true);
  }

  async #cleanUp(seriesWereRemoved: boolean): Promise<void> {
    const files = this.#files.files().map((file) => file.file);
    const firstFile = files[0] ?? 0;
    const count = files.length === 0 ? 0 : (files.at(-1) as number) - firstFile + 1;
    const used = this.#kernel.finishTruncate(seriesWereRemoved, firstFile, count);
    for (const file of files) {
      if (used[file - firstFile] !== 0 || !this.#files.canDelete(file)) continue;
      await this.#files.deleteFile(file);
    }
  }

  /** Back to an empty head. */
  clear(): void {
    this.#kernel = new HeadKernel(this.#options);
  }

  /** Files are opened before the first await, so a truncation that deletes one meanwhile does no harm. */
  async select(request: SelectRequest): Promise<EncodedSeriesSet> {
    const refs = selectRefs(this.#kernel, this.#compile(request.matchers));
    if (refs.length === 0) return emptySeriesSet();
    const collected = this.#kernel.collect(refs, {
      minTimeMs: request.minTimeMs,
      maxTimeMs: request.maxTimeMs,
      ...(request.labelsWanted ? { labelsWanted: request.labelsWanted } : {}),
      ...request.limits,
    });
    if (typeof collected === "string") throw limitError(collected, request.limits);
    return this.#withClosedChunks(collected);
  }

  /** Reads the closed chunks from their files, in front of the bytes that the kernel gave. */
  async #withClosedChunks(collected: CollectedSeries): Promise<EncodedSeriesSet> {
    const { chunkFiles, data: openData, ...set } = collected;
    const closed = indicesOfClosed(chunkFiles);
    if (closed.length === 0) return { ...set, data: openData };
    const ranges = {
      files: pick(chunkFiles, closed),
      offsets: pick(set.chunkByteOffsets, closed),
      lengths: pick(set.chunkByteLengths, closed),
    };
    const { data, starts } = await this.#files.readRanges(ranges, openData.length);
    const openAt = data.length - openData.length;
    data.set(openData, openAt);
    const offsets = set.chunkByteOffsets;
    for (let chunk = 0; chunk < chunkFiles.length; chunk++) {
      if (chunkFiles[chunk] === 0) offsets[chunk] = (offsets[chunk] as number) + openAt;
    }
    for (let i = 0; i < closed.length; i++) offsets[closed[i] as number] = starts[i] as number;
    return { ...set, data };
  }

  labelNames(request: LabelsRequest): string[] {
    return labelNames(this.#kernel, this.#compileSets(request), request);
  }

  labelValues(name: string, request: LabelsRequest): string[] {
    return labelValues(this.#kernel, name, this.#compileSets(request), request);
  }

  series(request: SeriesRequest): Labels[] {
    return seriesLabels(this.#kernel, this.#compileSets(request), request);
  }

  #compileSets(request: LabelsRequest) {
    return request.matcherSets.map((set) => this.#compile(set));
  }

  #compile(matchers: readonly Matcher[]): CompiledMatcher[] {
    return matchers.map((matcher) => compileMatcher(matcher, this.#patterns));
  }
}

export interface HeadStats {
  readonly seriesCount: number;
  readonly labelPairCount: number;
  readonly symbolTableBytes: number;
  readonly memoryBytes: number;
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
}

function indicesOfClosed(chunkFiles: Uint32Array): Uint32Array {
  let count = 0;
  for (const file of chunkFiles) if (file !== 0) count++;
  const indices = new Uint32Array(count);
  let at = 0;
  for (let chunk = 0; chunk < chunkFiles.length; chunk++) {
    if (chunkFiles[chunk] !== 0) indices[at++] = chunk;
  }
  return indices;
}

function pick(column: Uint32Array, indices: Uint32Array): Uint32Array {
  const picked = new Uint32Array(indices.length);
  for (let i = 0; i < indices.length; i++) picked[i] = column[indices[i] as number] as number;
  return picked;
}

function limitError(failure: CollectFailure, limits: SelectRequest["limits"]): OpError {
  switch (failure) {
    case "too-many-series":
      return new OpError(
        "max-series-per-query",
        `the query exceeded the maximum number of series (limit: ${limits.seriesMax} series) (err-mimir-max-series-per-query). Narrow the selectors or the time range, or raise the per-tenant limit with -querier.max-fetched-series-per-query`,
      );
    case "too-many-chunks":
      return new OpError(
        "max-chunks-per-query",
        `the query exceeded the maximum number of chunks (limit: ${limits.chunksMax} chunks) (err-mimir-max-chunks-per-query). Narrow the selectors or the time range, or raise the per-tenant limit with -querier.max-fetched-chunks-per-query`,
      );
    case "too-many-bytes":
      return new OpError(
        "max-chunks-bytes-per-query",
        `the query exceeded the aggregated chunks size limit (limit: ${limits.chunkBytesMax} bytes) (err-mimir-max-chunks-bytes-per-query). Narrow the selectors or the time range, or raise the per-tenant limit with -querier.max-fetched-chunk-bytes-per-query`,
      );
  }
}
