import { assert } from "../../base/assert.ts";
import type { FileHandle, FileSystem } from "../../base/file-system.ts";
import { encodeHeader, HEADER_BYTES, segmentName } from "./format.ts";
import type { LogEnd } from "./replay.ts";

/** A failed fdatasync (or a write given up because of one). It carries the disk's `code`. */
export class SyncError extends Error {
  override name = "SyncError";
  readonly code: string | undefined;

  constructor(cause: unknown) {
    super(`fdatasync failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.code = (cause as { code?: string } | undefined)?.code;
  }
}

/**
 * The segment that is being written. Every step may fail and be called again. Positions are those of the pending
 * bytes; `origin` is the position that byte 0 of the file would have.
 */
export class SegmentFile {
  readonly #directory: string;
  readonly #files: FileSystem;
  #file: FileHandle | undefined;
  #segment: number;
  #origin = 0;
  /** Where the segment before the next one ends, for its header. */
  #previousEndBytes: number;

  constructor(directory: string, deps: { readonly files: FileSystem }, end: LogEnd) {
    this.#directory = directory;
    this.#files = deps.files;
    this.#segment = end.segment;
    this.#previousEndBytes = end.endBytes;
  }

  get isOpen(): boolean {
    return this.#file !== undefined;
  }

  /** The open segment, or the last one before the next. */
  get segment(): number {
    return this.#segment;
  }

  /** A new file with a synced header, for bytes from `position` on. */
  async create(segment: number, position: number): Promise<void> {
    const file = await this.#files.open(this.#path(segment), "write");
    try {
      await file.write(this.#header(segment), 0);
      await file.sync();
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    this.#begin(file, segment, position - HEADER_BYTES);
  }

  /** A new file with all of `bytes`, which end at `endPosition`, synced before it takes its name. */
  async createWhole(
    segment: number,
    bytes: readonly Uint8Array[],
    endPosition: number,
  ): Promise<void> {
    const path = this.#path(segment);
    const temporary = `${path}.tmp`;
    // An older attempt's file may have a failed sync behind it; only a new one starts clean.
    await this.#files.remove(temporary);
    const file = await this.#files.open(temporary, "write");
    try {
      await file.write([this.#header(segment), ...bytes], 0);
      await file.sync();
      await this.#files.rename(temporary, path);
      await this.#files.syncDirectory(this.#directory);
    } catch (error) {
      await file.close();
      throw error;
    }
    const sizeBytes = bytes.reduce((sum, part) => sum + part.length, HEADER_BYTES);
    this.#begin(file, segment, endPosition - sizeBytes);
  }

  async write(bytes: readonly Uint8Array[], position: number): Promise<void> {
    assert(this.#file !== undefined, "writes go to an open segment");
    await this.#file.write(bytes, position - this.#origin);
  }

  async sync(): Promise<void> {
    assert(this.#file !== undefined, "an open segment is synced");
    await this.#file.sync();
  }

  /** The segment ends at `position`. */
  async finish(position: number): Promise<void> {
    assert(this.#file !== undefined, "an open segment is finished");
    const file = this.#file;
    this.#previousEndBytes = position - this.#origin;
    this.#file = undefined;
    await file.close();
  }

  /** Only what lies before `position` is trusted; the rest of the file is not touched, and not read any more. */
  abandon(position: number): void {
    assert(this.#file !== undefined, "an open segment is abandoned");
    this.#previousEndBytes = position - this.#origin;
    // The file is given up because its disk fails: that closing fails too would be no news.
    this.#file.close().catch(() => undefined);
    this.#file = undefined;
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  #header(segment: number): Uint8Array {
    return encodeHeader({ segment, previousEndBytes: this.#previousEndBytes });
  }

  #begin(file: FileHandle, segment: number, origin: number): void {
    this.#file = file;
    this.#segment = segment;
    this.#origin = origin;
  }

  #path(segment: number): string {
    return `${this.#directory}/${segmentName(segment)}`;
  }
}
