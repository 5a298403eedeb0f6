/**
 * A circuit breaker by failure rate, with Mimir's rules: pure state, the clock is asked.
 *
 *     closed ──rate of failures ≥ threshold──► open ──cooldown is over──► half-open ──all probes well──► closed
 *                (of enough executions)          ▲                             │
 *                                                └──────one probe fails────────┘
 *
 * Failures are counted over a sliding period of PERIOD_SLICES slices. An execution that was let in under an earlier
 * state says nothing about the present one, and its outcome is dropped.
 */
import type { Clock } from "../base/clock.ts";

export interface CircuitBreakerOptions {
  readonly enabled: boolean;
  /** Opens at this share of failures, in percent of the executions of a period. */
  readonly failureThresholdPercent: number;
  /** The rate means nothing below this number of executions in a period. */
  readonly failureExecutionThreshold: number;
  readonly thresholdingPeriodMs: number;
  /** How long nothing is let through. */
  readonly cooldownPeriodMs: number;
  /** Executions at a time while half open, and successes that close it. */
  readonly probesMax: number;
}

export const CIRCUIT_BREAKER_DEFAULTS: CircuitBreakerOptions = {
  enabled: true,
  failureThresholdPercent: 10,
  failureExecutionThreshold: 100,
  thresholdingPeriodMs: 60_000,
  cooldownPeriodMs: 10_000,
  probesMax: 10,
};

export type BreakerState = "closed" | "open" | "half-open";

/** "ignored": it says nothing about the other side, for example because the caller gave up. */
export type Outcome = "success" | "failure" | "ignored";

/** Under which state an execution was let in. */
export type Permit = number;

export const PERIOD_SLICES = 10;

export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #clock: Pick<Clock, "monotonicMs">;
  readonly #onTransition: (state: BreakerState) => void;
  #state: BreakerState = "closed";
  /** Goes up with every change of state. */
  #era = 0;
  #openUntilMs = 0;
  #probesUnderWay = 0;
  #probesWell = 0;
  #window = new SlidingCounts();

  constructor(
    options: CircuitBreakerOptions,
    clock: Pick<Clock, "monotonicMs">,
    onTransition: (state: BreakerState) => void = () => {},
  ) {
    this.#options = options;
    this.#clock = clock;
    this.#onTransition = onTransition;
  }

  /** "open" until somebody asks after the cooldown. */
  get state(): BreakerState {
    return this.#state;
  }

  /** Until executions are let in again; 0 if they are, or if probes are under way. */
  get remainingDelayMs(): number {
    if (this.#state !== "open") return 0;
    return Math.max(0, this.#openUntilMs - this.#clock.monotonicMs());
  }

  /** Undefined: not now. A permit must come back by `record`. */
  admit(): Permit | undefined {
    if (this.#state === "open" && this.#clock.monotonicMs() >= this.#openUntilMs) {
      this.#enter("half-open");
    }
    if (this.#state === "open") return undefined;
    if (this.#state === "half-open") {
      if (this.#probesUnderWay >= this.#options.probesMax) return undefined;
      this.#probesUnderWay++;
    }
    return this.#era;
  }

  record(permit: Permit, outcome: Outcome): void {
    if (permit !== this.#era) return;
    if (this.#state === "half-open") this.#recordProbe(outcome);
    else if (outcome !== "ignored") this.#recordExecution(outcome === "failure");
  }

  #recordProbe(outcome: Outcome): void {
    this.#probesUnderWay--;
    if (outcome === "failure") this.#open();
    else if (outcome === "success" && ++this.#probesWell >= this.#options.probesMax) {
      this.#enter("closed");
    }
  }

  #recordExecution(isFailure: boolean): void {
    const { thresholdingPeriodMs, failureExecutionThreshold, failureThresholdPercent } =
      this.#options;
    const sliceMs = thresholdingPeriodMs / PERIOD_SLICES;
    this.#window.add(Math.floor(this.#clock.monotonicMs() / sliceMs), isFailure);
    const { executions, failures } = this.#window;
    if (executions < failureExecutionThreshold) return;
    if (100 * failures >= failureThresholdPercent * executions) this.#open();
  }

  #open(): void {
    this.#openUntilMs = this.#clock.monotonicMs() + this.#options.cooldownPeriodMs;
    this.#enter("open");
  }

  #enter(state: BreakerState): void {
    this.#state = state;
    this.#era++;
    this.#probesUnderWay = 0;
    this.#probesWell = 0;
    this.#window = new SlidingCounts();
    this.#onTransition(state);
  }
}

/** Executions and failures of the newest PERIOD_SLICES slices of time. */
class SlidingCounts {
  executions = 0;
  failures = 0;
  readonly #executions = new Float64Array(PERIOD_SLICES);
  readonly #failures = new Float64Array(PERIOD_SLICES);
  #newest = 0;

  add(slice: number, isFailure: boolean): void {
    this.#slideTo(slice);
    const at = slice % PERIOD_SLICES;
    this.#executions[at] = (this.#executions[at] as number) + 1;
    this.executions++;
    if (!isFailure) return;
    this.#failures[at] = (this.#failures[at] as number) + 1;
    this.failures++;
  }

  #slideTo(slice: number): void {
    const first = Math.max(this.#newest + 1, slice - PERIOD_SLICES + 1);
    for (let passed = first; passed <= slice; passed++) {
      const at = passed % PERIOD_SLICES;
      this.executions -= this.#executions[at] as number;
      this.failures -= this.#failures[at] as number;
      this.#executions[at] = 0;
      this.#failures[at] = 0;
    }
    this.#newest = slice;
  }
}
