/** Waiting for other processes: the one place of the end-to-end tests where time passes by itself. */
import { setTimeout as delay } from "node:timers/promises";

export { delay };

const POLL_MS = 25;

/** Runs `probe` until it gives something other than undefined; a probe that throws counts as "not yet". */
export async function pollUntil<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const result = await probe();
      if (result !== undefined) return result;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}`, { cause: last });
    }
    await delay(POLL_MS);
  }
}
