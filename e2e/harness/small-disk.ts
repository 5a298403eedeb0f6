/** A file system of a few MiB (tmpfs), and a file that fills it to the last byte and can be taken away. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./folder.ts";

export class SmallDisk implements AsyncDisposable {
  readonly path: string;
  readonly #removeFolder: () => Promise<void>;

  private constructor(path: string, removeFolder: () => Promise<void>) {
    this.path = path;
    this.#removeFolder = removeFolder;
  }

  static async mount(sizeMebibytes: number): Promise<SmallDisk> {
    const folder = await temporaryFolder("disk");
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${sizeMebibytes}m`, "tmpfs", folder.path]);
    return new SmallDisk(folder.path, async () => {
      await folder[Symbol.asyncDispose]();
    });
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.path);
    return bavail * bsize;
  }

  /** Takes all space but about `leaveBytes`. */
  fill(leaveBytes = 0): void {
    const file = openSync(join(this.path, "ballast"), "a");
    const block = Buffer.alloc(64 * 1024, 1);
    try {
      while (this.freeBytes > leaveBytes) writeSync(file, block);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Gives back what `fill` took. */
  free(): void {
    rmSync(join(this.path, "ballast"), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    execFileSync("umount", ["-l", this.path]);
    await this.#removeFolder();
  }
}
