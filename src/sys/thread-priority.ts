import { readlinkSync } from "node:fs";
import { setPriority } from "node:os";

/** Ten steps of niceness: a tenth of the weight of a thread that is not nice, when both want the same core. */
const BACKGROUND_NICENESS = 10;

/**
 * Lets the other threads of the process go first when cores are short: a query worker may take all that is idle,
 * but a push on the main thread does not wait for it. Linux gives each thread its own niceness; elsewhere nothing
 * happens, since it would be the whole process's.
 *
 * @returns whether the thread is in the background now
 */
export function moveThreadToBackground(): boolean {
  if (process.platform !== "linux") return false;
  try {
    const threadId = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(threadId, BACKGROUND_NICENESS);
    return true;
  } catch {
    // No /proc, or a sandbox that forbids it: queries are then as important as pushes.
    return false;
  }
}
