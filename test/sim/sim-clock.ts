/**
 * Virtual time for whole clusters: as test-clock.ts, with a heap for its timers, and clocks of single machines on it that
 * may be wrong, stand still, and end with their process.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock, Timer } from "../../src/base/clock.ts";

interface Due {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | undefined;
}

export class SimClock implements Clock {
  readonly #startMs: number;
  #nowMs: number;
  #order = 0;
  readonly #heap: Due[] = [];

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
    this.#push(due);
    return {
      cancel: () => {
        due.run = undefined;
      },
    };
  }

  /** Runs what comes due until then; promises that each timer sets off settle before the next. */
  async advance(byMs: number): Promise<void> {
    const untilMs = this.#nowMs + byMs;
    await setImmediate();
    for (;;) {
      const next = this.#heap[0];
      if (next === undefined || next.atMs > untilMs) break;
      this.#pop();
      if (next.run === undefined) continue;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.run();
      await setImmediate();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass until the promise settles. */
  async during<T>(work: Promise<T>): Promise<T> {
    let isSettled = false;
    const settled = work.finally(() => {
      isSettled = true;
    });
    settled.catch(() => {});
    while (!isSettled) await this.advance(20);
    return await work;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent] as Due, due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const moved = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (isBefore(moved, heap[child] as Due)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = moved;
  }
}

function isBefore(left: Due, right: Due): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);
}

/** The clock of one process on a machine whose wall clock is wrong by `skewMs`. */
export class ProcessClock implements Clock {
  readonly #world: SimClock;
  readonly #startMs: number;
  #state: "runs" | "frozen" | "dead" = "runs";
  #held: (() => void)[] = [];
  skewMs: number;

  constructor(world: SimClock, skewMs: number) {
    this.#world = world;
    this.#startMs = world.monotonicMs();
    this.skewMs = skewMs;
  }

  nowMs(): number {
    return this.#world.nowMs() + this.skewMs;
  }

  monotonicMs(): number {
    return this.#world.monotonicMs() - this.#startMs;
  }

  get isDead(): boolean {
    return this.#state === "dead";
  }

  after(delayMs: number, run: () => void): Timer {
    let isCancelled = false;
    const timer = this.#world.after(delayMs, () =>
      this.run(() => {
        if (!isCancelled) run();
      }),
    );
    return {
      cancel: () => {
        isCancelled = true;
        timer.cancel();
      },
    };
  }

  /** Now, or when the process goes on; never, if it is dead. */
  run(work: () => void): void {
    if (this.#state === "runs") work();
    else if (this.#state === "frozen") this.#held.push(work);
  }

  /** As SIGSTOP. */
  freeze(): void {
    if (this.#state === "runs") this.#state = "frozen";
  }

  thaw(): void {
    if (this.#state !== "frozen") return;
    this.#state = "runs";
    const held = this.#held;
    this.#held = [];
    // Timers that were due, and packets that waited in the sockets, one after the other.
    for (const work of held) this.#world.after(0, () => this.run(work));
  }

  kill(): void {
    this.#state = "dead";
    this.#held = [];
  }
}
