/** Time, injected everywhere above `sys` so that tests and the simulator can own it. */
export interface Clock {
  /** Wall clock, integer milliseconds since 1970. */
  nowMs(): number;
  /** Never goes back; for durations. Milliseconds with a fraction. */
  monotonicMs(): number;
  /** Runs `run` once after `delayMs`; the handle cancels it. Timers do not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}

/** Runs `tick` every `periodMs`, never two at once; a slow tick delays the next. `cancel` stops it. */
export function every(clock: Clock, periodMs: number, tick: () => void | Promise<void>): Timer {
  let timer: Timer | undefined;
  let stopped = false;
  const schedule = (): void => {
    timer = clock.after(periodMs, () => {
      // A tick that fails is a bug of its owner: it surfaces as an unhandled rejection.
      void Promise.resolve(tick()).finally(() => {
        if (!stopped) schedule();
      });
    });
  };
  schedule();
  return {
    cancel() {
      stopped = true;
      timer?.cancel();
    },
  };
}
