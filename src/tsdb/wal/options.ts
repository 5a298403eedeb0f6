export interface WalOptions {
  /** The folder of the segments; made if it is missing. */
  readonly directory: string;
  /** A segment that would grow over this is followed by a new one; larger: fewer files, coarser deletion. At most 1 GiB. */
  readonly segmentBytes: number;
  /**
   * When `fdatasync` runs, and so what a power cut or a kernel crash can lose of what was acknowledged. (The end of
   * the process alone, kill -9 included, loses nothing under any of them.) "none": what the kernel has not written by
   * itself, typically 30 s; "interval": the last `syncIntervalMs`; "commit": nothing, for one fdatasync a group.
   */
  readonly sync: "none" | "interval" | "commit";
  readonly syncIntervalMs: number;
  /**
   * Bytes that wait for the disk (for a write, or for an fdatasync that would allow to forget them). More are
   * refused with "wal-overloaded". Higher rides out a longer stall of the disk, at the cost of memory.
   */
  readonly pendingBytesMax: number;
  /** How often a blocked log tries again. */
  readonly retryMs: number;
  /** Reading size of a replay; the event loop gets a turn after each. */
  readonly replayBlockBytes: number;
  /** "quarantine": damaged rests of segments are set aside as NAME.corrupt and replay goes on; "fail": it does not. */
  readonly onCorruption: "fail" | "quarantine";
}

export const DEFAULT_WAL_OPTIONS = {
  segmentBytes: 128 * 1024 * 1024,
  sync: "interval",
  syncIntervalMs: 1000,
  pendingBytesMax: 64 * 1024 * 1024,
  retryMs: 1000,
  replayBlockBytes: 1024 * 1024,
  onCorruption: "fail",
} as const satisfies Omit<WalOptions, "directory">;
