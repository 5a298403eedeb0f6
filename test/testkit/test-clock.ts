import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../../src/base/clock.ts";

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly run: () => void;
}

/**
 * Virtual time: it stands still until `advance`, which runs the timers that come due, in order of their time,
 * and lets the promises that each one sets off settle before the next.
 */
export class TestClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  #order = 0;
  #timers: Due[] = [];

  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return Math.trunc(this.#nowMs);
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const due: Due = { atMs: this.#nowMs + Math.max(delayMs, 0), order: this.#order++, run };
    this.#timers.push(due);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((timer) => timer !== due);
      },
    };
  }

  /** How many timers wait: a test of a closed component expects 0. */
  get timersWaiting(): number {
    return this.#timers.length;
  }

  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      const next = this.#first();
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await settle();
    }
    this.#nowMs = untilMs;
    await settle();
  }

  /** The one that comes due first. In one pass: simulated clusters have hundreds. */
  #first(): Due | undefined {
    let first: Due | undefined;
    for (const due of this.#timers) {
      const isSooner =
        first === undefined ||
        due.atMs < first.atMs ||
        (due.atMs === first.atMs && due.order < first.order);
      if (isSooner) first = due;
    }
    return first;
  }
}

/** Lets promises that wait for nothing but other promises settle (two turns of the event loop). */
export async function settle(): Promise<void> {
  await setImmediate();
  await setImmediate();
}
