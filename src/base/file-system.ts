/**
 * The disk, injected. Paths are plain strings joined with "/". Errors carry Node's `code`
 * ("ENOENT", "ENOSPC", "EEXIST", …) whatever the implementation, so callers can tell them apart.
 * Implementations: sys/node-file-system.ts, test/testkit/memory-file-system.ts (can crash and run full).
 */
export interface FileSystem {
  /** Creates missing parents too; an existing folder is fine. */
  makeDirectory(path: string): Promise<void>;
  /** Names (not paths), sorted. ENOENT if the folder is missing. */
  list(path: string): Promise<string[]>;
  stat(path: string): Promise<FileStat>;
  /** "read": must exist. "write": creates if missing, keeps what is there. */
  open(path: string, mode: "read" | "write"): Promise<FileHandle>;
  readFile(path: string): Promise<Uint8Array>;
  /** Writes to a temporary name beside it, syncs, renames, syncs the folder: all or nothing. */
  writeFileAtomic(path: string, bytes: Uint8Array): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** A missing file is fine. */
  remove(path: string): Promise<void>;
  /** Recursive; a missing folder is fine. */
  removeDirectory(path: string): Promise<void>;
  /** Makes creations, renames and removals in the folder durable. */
  syncDirectory(path: string): Promise<void>;
}

export interface FileStat {
  readonly sizeBytes: number;
  readonly isDirectory: boolean;
  readonly modifiedMs: number;
}

/** An open file; all access is positional, the caller keeps the offset. */
export interface FileHandle {
  /** Reads up to target.length bytes at `offset`; the count is short only at the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>;
  /** Writes all of `bytes` (several buffers go out in one call) or throws; after a throw any part may be there. */
  write(bytes: Uint8Array | readonly Uint8Array[], offset: number): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  /** fdatasync. */
  sync(): Promise<void>;
  close(): Promise<void>;
}
