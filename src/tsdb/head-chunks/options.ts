export interface HeadChunkOptions {
  /** After this size the next append goes to a new file; a file is deleted as a whole. At most 1 GiB. */
  readonly fileSizeBytes: number;
  /**
   * Frames are gathered in memory until they are this many bytes, or the oldest has waited `writeDelayMs`. Higher: fewer
   * and longer writes, at the cost of memory. A crash loses nothing by it: the log has the samples.
   */
  readonly writeBufferBytes: number;
  readonly writeDelayMs: number;
  /** Bytes that may wait for the disk before `admit` says no. Higher rides out a longer stall, at the cost of memory. */
  readonly pendingBytesMax: number;
  /** How often a write that the disk refused is tried again. */
  readonly retryMs: number;
}

export const DEFAULT_HEAD_CHUNK_OPTIONS: HeadChunkOptions = {
  fileSizeBytes: 128 * 1024 * 1024,
  writeBufferBytes: 4 * 1024 * 1024,
  writeDelayMs: 1000,
  pendingBytesMax: 64 * 1024 * 1024,
  retryMs: 1000,
};

/** The defaults with another buffer, and room for a stall of the disk beyond it. */
export function headChunkOptions(writeBufferBytes: number): HeadChunkOptions {
  const pendingBytesMax = Math.max(
    DEFAULT_HEAD_CHUNK_OPTIONS.pendingBytesMax,
    4 * writeBufferBytes,
  );
  return { ...DEFAULT_HEAD_CHUNK_OPTIONS, writeBufferBytes, pendingBytesMax };
}
