import type { FileHandle, FileStat, FileSystem } from "../../src/base/file-system.ts";
import type { Random } from "../../src/base/random.ts";

/**
 * A disk in memory that can lose power, run full and fail.
 *
 * What a program sees and what would survive a crash are kept apart. A file's bytes survive once `sync` returned;
 * a name (creation, rename, removal) survives once its folder was synced. `crash` gives the disk after a power
 * cut: all of that, and of the rest a random prefix in the order of writing, its last write possibly torn.
 * A failed `sync` loses what was not yet synced for ever, though reads still show it until the crash: so
 * behaves Linux' page cache (the "fsyncgate" of 2018). New folders are durable at once: a simplification.
 */
export class MemoryFileSystem implements FileSystem {
  readonly #folders = new Map<string, Folder>([["", new Folder()]]);
  readonly #rules = new Set<FailRule>();
  /** Bytes that all files together may hold; a write beyond writes what fits and throws ENOSPC. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /**
   * Awaited by every read, write and sync of a file, to let operations overlap: a write happens after the pause; a sync
   * covers what was written before it, and answers after the pause.
   */
  pause: () => Promise<void> = async () => undefined;
  /** The most syncs of files that were under way at the same time. */
  syncsAtOnceMax = 0;
  #syncsNow = 0;

  async makeDirectory(path: string): Promise<void> {
    let at = "";
    for (const part of parts(path)) {
      const parent = this.#folder(at);
      if (parent.live.has(part)) throw failure("EEXIST", path);
      at = at === "" ? part : `${at}/${part}`;
      if (!this.#folders.has(at)) this.#folders.set(at, new Folder());
    }
  }

  async list(path: string): Promise<string[]> {
    const folder = this.#folder(key(path));
    const prefix = key(path) === "" ? "" : `${key(path)}/`;
    const children = [...this.#folders.keys()].filter(
      (name) => name !== "" && name.startsWith(prefix) && !name.slice(prefix.length).includes("/"),
    );
    const names = children.map((name) => name.slice(prefix.length)).filter((name) => name !== "");
    return [...folder.live.keys(), ...names].sort();
  }

  async stat(path: string): Promise<FileStat> {
    if (this.#folders.has(key(path))) return { sizeBytes: 0, isDirectory: true, modifiedMs: 0 };
    return { sizeBytes: this.#file(path).live.length, isDirectory: false, modifiedMs: 0 };
  }

  async open(path: string, mode: "read" | "write"): Promise<FileHandle> {
    const [folder, name] = this.#locate(path);
    let file = folder.live.get(name);
    if (file === undefined) {
      if (this.#folders.has(key(path))) throw failure("EISDIR", path);
      if (mode === "read") throw failure("ENOENT", path);
      this.#check({ kind: "open", path, offset: 0, length: 0 });
      file = new File();
      folder.apply({ name, file });
    }
    return new Handle(this, path, file, mode);
  }

  async readFile(path: string): Promise<Uint8Array> {
    return this.#file(path).live.copy();
  }

  async writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`;
    try {
      const handle = await this.open(temporary, "write");
      await handle.truncate(0);
      await handle.write(bytes, 0);
      await handle.sync();
      await handle.close();
      await this.rename(temporary, path);
    } catch (error) {
      await this.remove(temporary);
      throw error;
    }
    await this.syncDirectory(path.slice(0, Math.max(path.lastIndexOf("/"), 0)));
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, sourceName] = this.#locate(from);
    const [target, targetName] = this.#locate(to);
    if (source !== target) throw failure("EXDEV", from);
    const file = this.#file(from);
    this.#check({ kind: "rename", path: from, offset: 0, length: 0 });
    source.apply({ name: targetName, file, removed: sourceName });
  }

  async remove(path: string): Promise<void> {
    const folder = this.#folders.get(key(dirname(path)));
    const name = last(parts(path));
    if (!folder?.live.has(name)) return;
    this.#check({ kind: "remove", path, offset: 0, length: 0 });
    folder.apply({ name, file: undefined });
  }

  async removeDirectory(path: string): Promise<void> {
    const prefix = `${key(path)}/`;
    for (const name of this.#folders.keys()) {
      if (name === key(path) || name.startsWith(prefix)) this.#folders.delete(name);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    const folder = this.#folder(key(path));
    this.#check({ kind: "sync-directory", path, offset: 0, length: 0 });
    folder.sync();
  }

  /**
   * Until the returned function is called, `rule` is asked before every change of the disk; the failure that it
   * gives is thrown, after `partialBytes` of a write (0 if absent) have been written.
   */
  failWrites(rule: FailRule): () => void {
    this.#rules.add(rule);
    return () => {
      this.#rules.delete(rule);
    };
  }

  /** The disk as it is after a power cut now. This one goes on as if nothing had happened. */
  crash(random: Random): MemoryFileSystem {
    const after = new MemoryFileSystem();
    const files = new Map<File, File>();
    for (const [path, folder] of this.#folders) {
      after.#folders.set(path, folder.crash(random, files));
    }
    return after;
  }

  /**
   * The disk as another process finds it now, the one that wrote having been killed: nothing is lost, and what was not
   * synced still is not.
   */
  copy(): MemoryFileSystem {
    const copy = new MemoryFileSystem();
    const files = new Map<File, File>();
    for (const [path, folder] of this.#folders) copy.#folders.set(path, folder.copy(files));
    return copy;
  }

  /** Changes a stored byte behind everybody's back: `flip` is XORed to it. */
  corrupt(path: string, offset: number, flip: number): void {
    const file = this.#file(path);
    const byte = file.live.copy()[offset];
    if (byte === undefined) throw failure("EINVAL", path);
    file.write(Uint8Array.of(byte ^ flip), offset);
  }

  get usedBytes(): number {
    const files = new Set(
      [...this.#folders.values()].flatMap((folder) => [...folder.live.values()]),
    );
    return [...files].reduce((sum, file) => sum + file.live.length, 0);
  }

  /** For handles: writes what the rules and the capacity allow, throws if that is not all. */
  writeChecked(path: string, file: File, bytes: Uint8Array, offset: number): void {
    const failed = this.#failure({ kind: "write", path, offset, length: bytes.length });
    if (failed !== undefined) {
      file.write(bytes.subarray(0, failed.partialBytes ?? 0), offset);
      throw failure(failed.code, path);
    }
    const growth = Math.max(offset + bytes.length - file.live.length, 0);
    const missing = this.usedBytes + growth - this.capacityBytes;
    if (growth > 0 && missing > 0) {
      file.write(bytes.subarray(0, Math.max(bytes.length - missing, 0)), offset);
      throw failure("ENOSPC", path);
    }
    file.write(bytes, offset);
  }

  /** For handles. */
  async syncSlowly(path: string, file: File): Promise<void> {
    this.#syncsNow++;
    this.syncsAtOnceMax = Math.max(this.syncsAtOnceMax, this.#syncsNow);
    try {
      this.#syncChecked(path, file);
    } finally {
      await this.pause();
      this.#syncsNow--;
    }
  }

  #syncChecked(path: string, file: File): void {
    const failed = this.#failure({ kind: "sync", path, offset: 0, length: 0 });
    if (failed === undefined) return file.sync();
    file.loseUnsynced();
    throw failure(failed.code, path);
  }

  /** For handles. */
  truncateChecked(path: string, file: File, sizeBytes: number): void {
    this.#check({ kind: "truncate", path, offset: sizeBytes, length: 0 });
    file.truncate(sizeBytes);
  }

  #failure(operation: DiskOperation): DiskFailure | undefined {
    for (const rule of this.#rules) {
      const failed = rule(operation);
      if (failed !== undefined) return failed;
    }
    return undefined;
  }

  #check(operation: DiskOperation): void {
    const failed = this.#failure(operation);
    if (failed !== undefined) throw failure(failed.code, operation.path);
  }

  #folder(path: string): Folder {
    const folder = this.#folders.get(path);
    if (folder === undefined) throw failure("ENOENT", path);
    return folder;
  }

  #locate(path: string): [Folder, string] {
    return [this.#folder(key(dirname(path))), last(parts(path))];
  }

  #file(path: string): File {
    const [folder, name] = this.#locate(path);
    const file = folder.live.get(name);
    if (file === undefined) throw failure(this.#folders.has(key(path)) ? "EISDIR" : "ENOENT", path);
    return file;
  }
}

export interface DiskOperation {
  readonly kind: "open" | "write" | "truncate" | "sync" | "rename" | "remove" | "sync-directory";
  readonly path: string;
  readonly offset: number;
  readonly length: number;
}

export interface DiskFailure {
  readonly code: "ENOSPC" | "EIO" | "EDQUOT" | "EROFS";
  readonly partialBytes?: number;
}

export type FailRule = (operation: DiskOperation) => DiskFailure | undefined;

/** A name that came, changed its file or went; `removed` is the old name of a rename, which is one change. */
interface NameChange {
  readonly name: string;
  readonly file: File | undefined;
  readonly removed?: string;
}

class Folder {
  readonly live = new Map<string, File>();
  readonly #durable = new Map<string, File>();
  #changes: NameChange[] = [];

  apply(change: NameChange): void {
    applyChange(this.live, change);
    this.#changes.push(change);
  }

  sync(): void {
    for (const change of this.#changes) applyChange(this.#durable, change);
    this.#changes = [];
  }

  copy(files: Map<File, File>): Folder {
    const copyOf = (file: File): File => {
      const copy = files.get(file) ?? file.copy();
      files.set(file, copy);
      return copy;
    };
    const copy = new Folder();
    for (const [name, file] of this.live) copy.live.set(name, copyOf(file));
    for (const [name, file] of this.#durable) copy.#durable.set(name, copyOf(file));
    copy.#changes = this.#changes.map((change) => ({
      ...change,
      file: change.file === undefined ? undefined : copyOf(change.file),
    }));
    return copy;
  }

  crash(random: Random, files: Map<File, File>): Folder {
    const names = new Map(this.#durable);
    const kept = Math.floor(random.float() * (this.#changes.length + 1));
    for (const change of this.#changes.slice(0, kept)) applyChange(names, change);
    const after = new Folder();
    for (const [name, file] of names) {
      const copy = files.get(file) ?? file.crash(random);
      files.set(file, copy);
      after.apply({ name, file: copy });
    }
    after.sync();
    return after;
  }
}

function applyChange(names: Map<string, File>, change: NameChange): void {
  if (change.removed !== undefined) names.delete(change.removed);
  if (change.file === undefined) names.delete(change.name);
  else names.set(change.name, change.file);
}

type DataChange =
  | { readonly kind: "write"; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: "truncate"; readonly sizeBytes: number };

class File {
  readonly live = new Bytes();
  #durable = new Bytes();
  #changes: DataChange[] = [];

  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return;
    this.#apply({ kind: "write", bytes: bytes.slice(), offset });
  }

  truncate(sizeBytes: number): void {
    this.#apply({ kind: "truncate", sizeBytes });
  }

  sync(): void {
    for (const change of this.#changes) this.#durable.apply(change);
    this.#changes = [];
  }

  copy(): File {
    const copy = new File();
    copy.live.apply({ kind: "write", bytes: this.live.copy(), offset: 0 });
    copy.#durable.apply({ kind: "write", bytes: this.#durable.copy(), offset: 0 });
    copy.#changes = [...this.#changes];
    return copy;
  }

  loseUnsynced(): void {
    this.#changes = [];
  }

  crash(random: Random): File {
    const after = new File();
    after.write(this.#durable.copy(), 0);
    const kept = Math.floor(random.float() * (this.#changes.length + 1));
    for (const change of this.#changes.slice(0, kept)) after.#apply(change);
    const torn = this.#changes[kept];
    if (torn?.kind === "write") {
      const bytes = torn.bytes.subarray(0, Math.floor(random.float() * torn.bytes.length));
      after.write(bytes, torn.offset);
    }
    after.sync();
    return after;
  }

  #apply(change: DataChange): void {
    this.live.apply(change);
    this.#changes.push(change);
  }
}

/** Bytes that grow. */
class Bytes {
  #buffer = new Uint8Array(256);
  length = 0;

  copy(): Uint8Array {
    return this.#buffer.slice(0, this.length);
  }

  view(): Uint8Array {
    return this.#buffer.subarray(0, this.length);
  }

  apply(change: DataChange): void {
    if (change.kind === "write") {
      this.#resize(Math.max(this.length, change.offset + change.bytes.length));
      this.#buffer.set(change.bytes, change.offset);
    } else this.#resize(change.sizeBytes);
  }

  #resize(sizeBytes: number): void {
    if (sizeBytes > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(sizeBytes, this.#buffer.length * 2));
      larger.set(this.view());
      this.#buffer = larger;
    }
    // What a shorter file leaves behind must read as zeros when the file grows again.
    if (sizeBytes < this.length) this.#buffer.fill(0, sizeBytes, this.length);
    this.length = sizeBytes;
  }
}

class Handle implements FileHandle {
  readonly #disk: MemoryFileSystem;
  readonly #path: string;
  readonly #file: File;
  readonly #mode: "read" | "write";
  #closed = false;

  constructor(disk: MemoryFileSystem, path: string, file: File, mode: "read" | "write") {
    this.#disk = disk;
    this.#path = path;
    this.#file = file;
    this.#mode = mode;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    this.#mustBeOpen("read");
    await this.#disk.pause();
    const found = this.#file.live.view().subarray(offset, offset + target.length);
    target.set(found);
    return found.length;
  }

  async write(bytes: Uint8Array | readonly Uint8Array[], offset: number): Promise<void> {
    this.#mustBeOpen("write");
    await this.#disk.pause();
    const all = bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes);
    this.#disk.writeChecked(this.#path, this.#file, all, offset);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#mustBeOpen("write");
    this.#disk.truncateChecked(this.#path, this.#file, sizeBytes);
  }

  async sync(): Promise<void> {
    this.#mustBeOpen("read");
    await this.#disk.syncSlowly(this.#path, this.#file);
  }

  async close(): Promise<void> {
    this.#mustBeOpen("read");
    this.#closed = true;
  }

  #mustBeOpen(need: "read" | "write"): void {
    if (this.#closed || (need === "write" && this.#mode === "read")) {
      throw failure("EBADF", this.#path);
    }
  }
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: '${path}'`), { code });
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

function key(path: string): string {
  return parts(path).join("/");
}

function dirname(path: string): string {
  return parts(path).slice(0, -1).join("/");
}

function last(names: readonly string[]): string {
  const name = names.at(-1);
  if (name === undefined) throw failure("EINVAL", "/");
  return name;
}
