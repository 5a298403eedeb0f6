export interface HeadChunkOptions {
  /** After this size the next append goes to a new file; a file is deleted as a whole. At most 1 GiB. */
  readonly fileSizeBytes: number;
  /** Bytes that may wait for the disk before `admit` says no. Higher rides out a longer stall, at the cost of memory. */
  readonly pendingBytesMax: number;
  /** How often a write that the disk refused is tried again. */
  readonly retryMs: number;
}

export const DEFAULT_HEAD_CHUNK_OPTIONS: HeadChunkOptions = {
  fileSizeBytes: 128 * 1024 * 1024,
  pendingBytesMax: 64 * 1024 * 1024,
  retryMs: 1000,
};
