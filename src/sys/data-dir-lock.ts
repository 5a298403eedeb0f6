import { randomUUID } from "node:crypto";
import { link, mkdir, readFile, rename, rm, unlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { OpError } from "../base/errors.ts";

/**
 * A lock file that keeps two processes from one data folder. It holds the process id and what tells this process
 * from a later one with the same id (containers give the same few ids again and again): on Linux the boot id and
 * the start time of the process. A lock whose process is gone is taken over.
 *
 * The file appears whole (it is linked from a finished one, which fails if the name exists). Taking over is itself
 * done under a lock of the same kind, so of several processes that see a stale lock only one replaces it.
 * Processes that do not see each other's ids (two containers with one volume) are not kept apart.
 */
export interface DataDirLock {
  release(): Promise<void>;
}

/** No tenant can have this name: the file may lie among the folders of tenants. */
const NAME = "~muninn.lock";

interface Holder {
  readonly pid: number;
  /** What /proc says of the process; "" where there is no /proc. */
  readonly birth: string;
  /** Tells this lock from all others. */
  readonly token: string;
}

/** Throws OpError "data-dir-locked" if a living process has the folder. Makes the folder if it is missing. */
export async function lockDataDirectory(directory: string): Promise<DataDirLock> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, NAME);
  const mine: Holder = {
    pid: process.pid,
    birth: await birthOf(process.pid),
    token: randomUUID(),
  };
  await hold(path, mine);
  return {
    async release() {
      const holder = await holderOf(path);
      if (holder?.token === mine.token) await rm(path, { force: true });
    },
  };
}

async function hold(path: string, mine: Holder): Promise<void> {
  const prepared = `${path}.${mine.token}`;
  try {
    for (;;) {
      await writeFile(prepared, JSON.stringify(mine));
      if (await linkNew(prepared, path)) return;
      const holder = await holderOf(path);
      if (holder === undefined) continue;
      if (await isAlive(holder)) throw lockedError(path, holder);
      if (await replaceStale(path, holder, prepared, mine)) return;
    }
  } finally {
    await rm(prepared, { force: true });
  }
}

/** False if somebody else replaced or removed the stale lock first. */
async function replaceStale(
  path: string,
  stale: Holder,
  prepared: string,
  mine: Holder,
): Promise<boolean> {
  const takeover = `${path}.takeover`;
  await hold(takeover, mine);
  try {
    const now = await holderOf(path);
    if (now?.token !== stale.token) return false;
    await rename(prepared, path);
    return true;
  } finally {
    await unlink(takeover);
  }
}

async function linkNew(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Undefined if there is no lock. A file that is none of ours is a holder that is gone. */
async function holderOf(path: string): Promise<Holder | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const gone: Holder = { pid: 0, birth: "", token: text };
  try {
    const { pid, birth, token } = (JSON.parse(text) ?? {}) as Partial<Holder>;
    const isOurs = typeof pid === "number" && Number.isInteger(pid) && pid > 0;
    if (!isOurs || typeof birth !== "string" || typeof token !== "string") return gone;
    return { pid, birth, token };
  } catch (error) {
    if (error instanceof SyntaxError) return gone;
    throw error;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.pid === 0) return false;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to another user.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const birth = await birthOf(holder.pid);
  return birth === "" || holder.birth === "" || birth === holder.birth;
}

/** The boot id and the start time of a process in clock ticks since boot; "" where that cannot be known. */
async function birthOf(pid: number): Promise<string> {
  try {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const status = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name of the program, in parentheses, may hold anything; the start time is the 20th field after it.
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return `${boot.trim()} ${fields[19] ?? ""}`;
  } catch {
    return "";
  }
}

function lockedError(path: string, holder: Holder): OpError {
  return new OpError(
    "data-dir-locked",
    `${dirname(path)} is in use by process ${holder.pid} (lock file ${path}): stop that process, or give this one another -data-dir`,
    { path, pid: holder.pid },
  );
}
