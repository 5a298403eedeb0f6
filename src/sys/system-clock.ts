import type { Clock, Timer } from "../base/clock.ts";

/** The longest delay that setTimeout takes; it runs longer ones at once. */
const TIMEOUT_MS_MAX = 0x7fff_ffff;

/** The machine's clock. */
export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  after(delayMs: number, run: () => void): Timer {
    const timeout = setTimeout(run, Math.min(Math.max(delayMs, 0), TIMEOUT_MS_MAX));
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  }
}
