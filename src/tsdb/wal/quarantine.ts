import type { FileHandle, FileSystem } from "../../base/file-system.ts";
import type { Logger } from "../../base/logger.ts";
import { type BadBytes, HEADER_BYTES } from "./format.ts";

const COPY_BYTES = 1024 * 1024;

/**
 * Sets damaged rests of segments aside, so that nothing is destroyed and the next replay knows of the loss:
 * the bytes go to NAME.corrupt, then NAME is cut. For a segment that is missing, NAME.corrupt is empty.
 */
export class Quarantine {
  readonly #directory: string;
  readonly #files: FileSystem;
  readonly #logger: Logger;
  count = 0;
  bytes = 0;

  constructor(
    options: { readonly directory: string },
    deps: { readonly files: FileSystem; readonly logger: Logger },
  ) {
    this.#directory = options.directory;
    this.#files = deps.files;
    this.#logger = deps.logger;
  }

  /** The bytes of `path` from `fromBytes` to its end at `sizeBytes`. */
  async setAside(path: string, bad: BadBytes, fromBytes: number, sizeBytes: number): Promise<void> {
    const bytes = sizeBytes - fromBytes;
    this.count++;
    this.bytes += bytes;
    this.#logger.error(
      { file: path, offsetBytes: bad.offsetBytes, bytes, reason: bad.message },
      "WAL corruption: setting the rest of the segment aside; its samples are lost to this process",
    );
    await this.#append(`${path}.corrupt`, path, fromBytes, sizeBytes);
    if (bytes > 0) await this.#cut(path, fromBytes);
    await this.#files.syncDirectory(this.#directory);
  }

  async #append(to: string, from: string, fromBytes: number, sizeBytes: number): Promise<void> {
    const target = await this.#files.open(to, "write");
    try {
      const at = (await this.#files.stat(to)).sizeBytes;
      if (sizeBytes > fromBytes) await this.#copy(target, at, from, fromBytes, sizeBytes);
      await target.sync();
    } finally {
      await target.close();
    }
    await this.#files.syncDirectory(this.#directory);
  }

  async #copy(
    target: FileHandle,
    targetAt: number,
    from: string,
    fromBytes: number,
    sizeBytes: number,
  ): Promise<void> {
    const source = await this.#files.open(from, "read");
    try {
      const block = new Uint8Array(Math.min(COPY_BYTES, sizeBytes - fromBytes));
      for (let at = fromBytes; at < sizeBytes; ) {
        const length = await source.read(block, at);
        if (length === 0) break;
        await target.write(block.subarray(0, length), targetAt + at - fromBytes);
        at += length;
      }
    } finally {
      await source.close();
    }
  }

  /** A segment without a whole header is none: its name goes. */
  async #cut(path: string, fromBytes: number): Promise<void> {
    if (fromBytes < HEADER_BYTES) return await this.#files.remove(path);
    const file = await this.#files.open(path, "write");
    try {
      await file.truncate(fromBytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
