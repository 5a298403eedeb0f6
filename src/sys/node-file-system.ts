import { constants } from "node:fs";
import {
  mkdir,
  type FileHandle as NodeFileHandle,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
} from "node:fs/promises";
import { dirname } from "node:path";
import type { FileHandle, FileStat, FileSystem } from "../base/file-system.ts";

/**
 * The machine's disk. Short reads and writes, which the operating system may make at any time, are
 * continued here, so that callers see all or an error.
 */
export class NodeFileSystem implements FileSystem {
  async makeDirectory(path: string): Promise<void> {
    await mkdir(path, { recursive: true });
  }

  async list(path: string): Promise<string[]> {
    return (await readdir(path)).toSorted();
  }

  async stat(path: string): Promise<FileStat> {
    const found = await stat(path);
    return {
      sizeBytes: found.size,
      isDirectory: found.isDirectory(),
      modifiedMs: Math.trunc(found.mtimeMs),
    };
  }

  async open(path: string, mode: "read" | "write"): Promise<FileHandle> {
    // Not "a" (Linux then ignores positions) and not "w" (it would empty the file).
    const flags = mode === "read" ? constants.O_RDONLY : constants.O_RDWR | constants.O_CREAT;
    return new NodeHandle(await open(path, flags, 0o644));
  }

  async readFile(path: string): Promise<Uint8Array> {
    return await readFile(path);
  }

  async writeFileAtomic(path: string, bytes: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`;
    try {
      const file = await open(temporary, "w", 0o644);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      // The old content stays; half of the new one must not lie about.
      await rm(temporary, { force: true });
      throw error;
    }
    await this.syncDirectory(dirname(path));
  }

  async rename(from: string, to: string): Promise<void> {
    await rename(from, to);
  }

  async remove(path: string): Promise<void> {
    await rm(path, { force: true });
  }

  async removeDirectory(path: string): Promise<void> {
    await rm(path, { recursive: true, force: true });
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows cannot open a folder for syncing; NTFS journals names by itself.
    if (process.platform === "win32") return;
    const directory = await open(path, constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

/** The most buffers that one writev takes (IOV_MAX of Linux and macOS). */
const BUFFERS_MAX = 1024;

class NodeHandle implements FileHandle {
  readonly #file: NodeFileHandle;

  constructor(file: NodeFileHandle) {
    this.#file = file;
  }

  async read(target: Uint8Array, offset: number): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.#file.read(
        target,
        done,
        target.length - done,
        offset + done,
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  async write(bytes: Uint8Array | readonly Uint8Array[], offset: number): Promise<void> {
    if (bytes instanceof Uint8Array) return await this.#writeOne(bytes, offset);
    if (bytes.length === 1) return await this.#writeOne(bytes[0] as Uint8Array, offset);
    let rest = bytes.filter((part) => part.length > 0);
    let at = offset;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest.slice(0, BUFFERS_MAX), at);
      if (bytesWritten === 0) throw noProgress();
      at += bytesWritten;
      rest = without(rest, bytesWritten);
    }
  }

  async #writeOne(bytes: Uint8Array, offset: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        done,
        bytes.length - done,
        offset + done,
      );
      if (bytesWritten === 0) throw noProgress();
      done += bytesWritten;
    }
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#file.truncate(sizeBytes);
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

function noProgress(): Error {
  return Object.assign(new Error("EIO: the disk took no byte of a write"), { code: "EIO" });
}

/** What is left of `parts` after their first `count` bytes. */
function without(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const left: Uint8Array[] = [];
  let skip = count;
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      left.push(skip === 0 ? part : part.subarray(skip));
      skip = 0;
    }
  }
  return left;
}
