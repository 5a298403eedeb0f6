import { assert, must } from "../../base/assert.ts";
import type { Clock, Timer } from "../../base/clock.ts";
import { errorMessage, OpError } from "../../base/errors.ts";
import type { FileHandle, FileSystem } from "../../base/file-system.ts";
import type { Logger } from "../../base/logger.ts";
import { PendingBytes } from "../wal/pending-bytes.ts";
import {
  encodeFileHeader,
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  fileName,
  frameLength,
  frameMaxTimeMs,
  type HeadChunk,
  parseFileName,
} from "./format.ts";
import type { HeadChunkMetrics } from "./metrics.ts";
import type { HeadChunkOptions } from "./options.ts";
import { type ByteRanges, type RangeBytes, type RangeSource, readRanges } from "./range-reader.ts";
import { verifyFile } from "./verify.ts";

export type { HeadChunk } from "./format.ts";
export type { ByteRanges, RangeBytes } from "./range-reader.ts";

export interface HeadChunkDependencies {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly metrics: HeadChunkMetrics;
}

export interface HeadChunkFile {
  readonly file: number;
  /** Pending bytes included. */
  readonly sizeBytes: number;
  /** Unknown (undefined) for files of an earlier process. */
  readonly maxTimeMs: number | undefined;
}

/** A known file. `origin`: the pending position that its byte 0 would have; only of files of this process. */
interface KnownFile {
  sizeBytes: number;
  writtenBytes: number;
  maxTimeMs: number | undefined;
  origin: number;
}

/** Blocks are small and not kept when idle: a process may hold thousands of tenants. */
const BLOCK_BYTES = 64 * 1024;

/**
 * The closed chunks of one tenant's head (format.ts has the layout), in files that are only appended to.
 *
 * `append` copies frames to memory and a loop in the background writes them in order, a buffer full at a time; reads get what is not
 * written yet from memory. Nothing is appended to a file of an earlier process. When the disk refuses a write the
 * bytes stay in memory and the write is tried again, at the same offset, until it succeeds.
 */
export class HeadChunkFiles {
  readonly #directory: string;
  readonly #options: HeadChunkOptions;
  readonly #deps: HeadChunkDependencies;
  readonly #pending = new PendingBytes({ blockBytes: BLOCK_BYTES, spareBlocksMax: 0 });
  readonly #known = new Map<number, KnownFile>();
  readonly #source: RangeSource;

  /** The append side. */
  #file: number;
  #current: KnownFile;

  /** The disk side: files that have pending bytes, oldest first, and the one that is open. */
  #queue: number[] = [];
  #open: { readonly file: number; readonly handle: FileHandle } | undefined;
  #writing: Promise<void> | undefined;
  #blocked: OpError | undefined;
  #retryTimer: Timer | undefined;
  #delayTimer: Timer | undefined;
  /** Files whose bytes are written and not synced. */
  readonly #unsynced = new Set<number>();
  #syncFailure: OpError | undefined;
  #isClosed = false;

  private constructor(
    directory: string,
    options: HeadChunkOptions,
    deps: HeadChunkDependencies,
    known: Map<number, KnownFile>,
  ) {
    assert(options.fileSizeBytes <= 2 ** 30, "a file is at most 1 GiB: offsets in it are 32 bits");
    this.#directory = directory;
    this.#options = options;
    this.#deps = deps;
    this.#known = known;
    this.#file = Math.max(0, ...known.keys()) + 1;
    this.#current = this.#newFile();
    this.#source = {
      writtenBytes: (file) => this.#mustKnow(file).writtenBytes,
      copyPending: (file, offset, length, target, at) => {
        this.#pending.copy(this.#mustKnow(file).origin + offset, length, target, at);
      },
      open: async (file) => await deps.files.open(this.path(file), "read"),
      path: (file) => this.path(file),
    };
  }

  /** Makes the folder if it is missing, and finds the files of earlier processes. */
  static async open(
    directory: string,
    options: HeadChunkOptions,
    deps: HeadChunkDependencies,
  ): Promise<HeadChunkFiles> {
    await deps.files.makeDirectory(directory);
    const known = new Map<number, KnownFile>();
    for (const name of await deps.files.list(directory)) {
      const file = parseFileName(name);
      if (file === undefined) continue;
      const { sizeBytes } = await deps.files.stat(`${directory}/${name}`);
      known.set(file, { sizeBytes, writtenBytes: sizeBytes, maxTimeMs: undefined, origin: 0 });
    }
    return new HeadChunkFiles(directory, options, deps, known);
  }

  /** The file that the next frame goes to. It changes only at the end of an `append`. */
  get currentFile(): number {
    return this.#file;
  }

  /** Where in the current file the next frame will begin. */
  get currentOffsetBytes(): number {
    return this.#current.sizeBytes;
  }

  get pendingBytes(): number {
    return this.#pending.filled - this.#pending.released;
  }

  /** Why the disk refuses writes, while it does. */
  get blocked(): OpError | undefined {
    return this.#blocked;
  }

  /**
   * Why a head should not close `sizeBytes` more of chunks now. Ask before appending to the head: `append` itself
   * always takes its frames, since the head has let go of those samples.
   */
  admit(sizeBytes: number): OpError | undefined {
    if (this.pendingBytes + sizeBytes <= this.#options.pendingBytesMax) return undefined;
    const reason = this.#blocked?.message ?? "the disk is too slow";
    return new OpError(
      "head-chunks-overloaded",
      `${this.#directory} has ${this.pendingBytes} bytes of chunks waiting for the disk and takes at most ${this.#options.pendingBytesMax}: ${reason}`,
    );
  }

  /** Copies whole frames; they are written in the background, all to the current file. */
  append(frames: Uint8Array): void {
    assert(!this.#isClosed, "closed chunk files take no frames");
    if (frames.length === 0) return;
    const maxTimeMs = maxTimeOf(frames);
    const current = this.#current;
    if (current.sizeBytes === FILE_HEADER_BYTES) this.#beginFile();
    const block = this.#pending.reserve(frames.length);
    block.bytes.set(frames, block.fill);
    this.#pending.take(frames.length);
    current.sizeBytes += frames.length;
    current.maxTimeMs = Math.max(current.maxTimeMs ?? Number.NEGATIVE_INFINITY, maxTimeMs);
    if (current.sizeBytes >= this.#options.fileSizeBytes) {
      this.#file++;
      this.#current = this.#newFile();
    }
    if (this.#blocked === undefined) this.#writeWhenFull();
  }

  /**
   * The bytes of many ranges, from disk and from memory, with `tailBytes` of room behind them for the caller's own.
   * Checksums are not verified: see `verify`.
   */
  async readRanges(ranges: ByteRanges, tailBytes = 0): Promise<RangeBytes> {
    const { metrics } = this.#deps;
    return await readRanges(ranges, this.#source, tailBytes, ({ reads, bytes }) => {
      metrics.reads.inc(reads);
      metrics.readBytes.inc(bytes);
    });
  }

  /** All that was appended before the call is written (not synced); throws "head-chunks-blocked" if it cannot be. */
  async flush(): Promise<void> {
    const until = this.#pending.filled;
    while (this.#pending.written < until) {
      if (this.#blocked !== undefined) throw this.#blocked;
      this.#startWriting();
      await this.#writing;
    }
  }

  /**
   * All that was appended before the call survives a power cut. After it has failed once it fails for ever: the
   * kernel may have dropped the bytes and would report success the next time. The samples are in the write-ahead log,
   * which the caller must keep; a restart reads them from there.
   */
  async sync(): Promise<void> {
    await this.flush();
    for (const file of this.#unsynced) {
      if (this.#syncFailure !== undefined) throw this.#syncFailure;
      await this.#syncFile(file);
    }
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    await this.#deps.files.syncDirectory(this.#directory);
  }

  /** False for the current file and for those that wait for the disk. */
  canDelete(file: number): boolean {
    return file !== this.#file && !this.#queue.includes(file);
  }

  /** Reads under way go on. */
  async deleteFile(file: number): Promise<void> {
    assert(this.canDelete(file), "only files that are written to their end go");
    this.#known.delete(file);
    this.#unsynced.delete(file);
    await this.#deps.files.remove(this.path(file));
  }

  /** Files that hold frames, oldest first. */
  files(): HeadChunkFile[] {
    return [...this.#known]
      .map(([file, { sizeBytes, maxTimeMs }]) => ({ file, sizeBytes, maxTimeMs }))
      .sort((left, right) => left.file - right.file);
  }

  path(file: number): string {
    return `${this.#directory}/${fileName(file)}`;
  }

  /** Every chunk of a file in order, with its checksum verified. Throws CorruptionError at the first damage. */
  async *verify(file: number): AsyncGenerator<HeadChunk> {
    await this.flush();
    const { writtenBytes } = this.#mustKnow(file);
    yield* verifyFile(this.#deps.files, { path: this.path(file), file, sizeBytes: writtenBytes });
  }

  /** Writes what is pending; throws "head-chunks-blocked" if it cannot. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    this.#delayTimer?.cancel();
    await this.#writing;
    if (this.#pending.written < this.#pending.filled) await this.#write();
    this.#retryTimer?.cancel();
    await this.#open?.handle.close();
    this.#open = undefined;
    if (this.#blocked !== undefined) throw this.#blocked;
  }

  #newFile(): KnownFile {
    return { sizeBytes: FILE_HEADER_BYTES, writtenBytes: 0, maxTimeMs: undefined, origin: 0 };
  }

  /** The first frame of the current file: from now on the file exists for readers. */
  #beginFile(): void {
    this.#current.origin = this.#pending.filled - FILE_HEADER_BYTES;
    this.#known.set(this.#file, this.#current);
    this.#queue.push(this.#file);
  }

  #mustKnow(file: number): KnownFile {
    return must(this.#known.get(file), `head-chunk file ${file} of ${this.#directory} exists`);
  }

  /** Many small appends become one write: at the latest after the delay. */
  #writeWhenFull(): void {
    const { writeBufferBytes, writeDelayMs } = this.#options;
    if (this.#pending.filled - this.#pending.written >= writeBufferBytes) this.#startWriting();
    else this.#delayTimer ??= this.#deps.clock.after(writeDelayMs, () => this.#startWriting());
  }

  #startWriting(): void {
    this.#delayTimer?.cancel();
    this.#delayTimer = undefined;
    // The write starts after the current task's appends, so that they go out together.
    this.#writing ??= Promise.resolve().then(() => this.#write());
  }

  /** Never rejects: a failure blocks, and is retried. */
  async #write(): Promise<void> {
    try {
      while (this.#pending.written < this.#pending.filled) await this.#writeToFile();
      if (this.#blocked !== undefined) {
        this.#deps.logger.info({ directory: this.#directory }, "the disk takes head chunks again");
      }
      this.#blocked = undefined;
    } catch (error) {
      this.#block(error);
    } finally {
      this.#writing = undefined;
    }
  }

  /** All that is pending for the oldest file of the queue. */
  async #writeToFile(): Promise<void> {
    const file = must(this.#queue[0], "pending bytes have a file");
    const known = this.#mustKnow(file);
    const handle = await this.#openFor(file);
    const from = this.#pending.written;
    const until = known.origin + known.sizeBytes;
    await handle.write(this.#pending.slices(from, until), from - known.origin);
    this.#deps.metrics.writtenBytes.inc(until - from);
    this.#unsynced.add(file);
    known.writtenBytes = until - known.origin;
    this.#pending.markWritten(until);
    this.#pending.release(until);
    // Appends went on during the write: the file is done only if nothing was added and it is not the current one.
    if (known !== this.#current && known.writtenBytes === known.sizeBytes) this.#queue.shift();
  }

  async #openFor(file: number): Promise<FileHandle> {
    if (this.#open?.file === file) return this.#open.handle;
    const previous = this.#open?.handle;
    this.#open = undefined;
    await previous?.close();
    const handle = await this.#deps.files.open(this.path(file), "write");
    try {
      await handle.write(encodeFileHeader(file), 0);
    } catch (error) {
      await handle.close();
      throw error;
    }
    this.#open = { file, handle };
    return handle;
  }

  async #syncFile(file: number): Promise<void> {
    const handle = await this.#deps.files.open(this.path(file), "write");
    this.#unsynced.delete(file);
    try {
      await handle.sync();
    } catch (error) {
      this.#syncFailure = new OpError(
        "head-chunks-sync-failed",
        `${this.path(file)} could not be synced: ${errorMessage(error)}; restart to read its samples from the write-ahead log`,
        {},
        { cause: error },
      );
      this.#deps.logger.error({ err: error }, this.#syncFailure.message);
      throw this.#syncFailure;
    } finally {
      await handle.close();
    }
  }

  #block(error: unknown): void {
    this.#deps.metrics.writesFailed.inc();
    if (this.#blocked === undefined) {
      this.#blocked = new OpError(
        "head-chunks-blocked",
        `the disk refuses chunks for ${this.#directory}: ${errorMessage(error)}; they stay in memory, and the write is tried again`,
        { errno: (error as { code?: string }).code },
        { cause: error },
      );
      this.#deps.logger.error(
        { err: error, pendingBytes: this.pendingBytes },
        this.#blocked.message,
      );
    }
    if (this.#isClosed) return;
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#deps.clock.after(this.#options.retryMs, () => this.#startWriting());
  }
}

/** The highest maximum time of some frames. Frames that do not fill `frames` exactly are a bug of the kernel. */
function maxTimeOf(frames: Uint8Array): number {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.length);
  let maxTimeMs = Number.NEGATIVE_INFINITY;
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= frames.length) {
    maxTimeMs = Math.max(maxTimeMs, frameMaxTimeMs(view, at));
    at += frameLength(view, at);
  }
  assert(at === frames.length, "appended bytes are whole frames");
  return maxTimeMs;
}
