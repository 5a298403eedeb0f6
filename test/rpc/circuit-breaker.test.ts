import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type BreakerState,
  CIRCUIT_BREAKER_DEFAULTS,
  CircuitBreaker,
  type CircuitBreakerOptions,
  type Outcome,
  PERIOD_SLICES,
  type Permit,
} from "../../src/rpc/circuit-breaker.ts";

class HandClock {
  nowMs = 0;

  monotonicMs(): number {
    return this.nowMs;
  }
}

function fixture(options: Partial<CircuitBreakerOptions> = {}): {
  clock: HandClock;
  breaker: CircuitBreaker;
  states: BreakerState[];
} {
  const clock = new HandClock();
  const states: BreakerState[] = [];
  const breaker = new CircuitBreaker({ ...CIRCUIT_BREAKER_DEFAULTS, ...options }, clock, (state) =>
    states.push(state),
  );
  return { clock, breaker, states };
}

function run(breaker: CircuitBreaker, count: number, outcome: Outcome): void {
  for (let i = 0; i < count; i++) breaker.record(breaker.admit() as Permit, outcome);
}

test("it opens at 10 % of failures, and not below 100 executions", () => {
  const { breaker, clock } = fixture();
  run(breaker, 99, "failure");
  assert.equal(breaker.state, "closed");
  run(breaker, 1, "success");
  assert.equal(breaker.state, "open");
  assert.equal(breaker.admit(), undefined);
  assert.equal(breaker.remainingDelayMs, 10_000);
  clock.nowMs += 9_999;
  assert.equal(breaker.admit(), undefined);
  assert.equal(breaker.remainingDelayMs, 1);
});

test("9 % are no reason", () => {
  const { breaker } = fixture();
  run(breaker, 91, "success");
  run(breaker, 9, "failure");
  run(breaker, 1000, "ignored");
  assert.equal(breaker.state, "closed");
  run(breaker, 1, "failure");
  // 10 of 101.
  assert.equal(breaker.state, "closed");
  run(breaker, 1, "failure");
  assert.equal(breaker.state, "open");
});

test("failures of more than a minute ago are forgotten", () => {
  const { breaker, clock } = fixture();
  run(breaker, 99, "failure");
  clock.nowMs += 60_000;
  run(breaker, 100, "success");
  assert.equal(breaker.state, "closed");
});

test("after the cooldown ten probes go at a time; ten that are well close it", () => {
  const { breaker, clock, states } = fixture();
  run(breaker, 100, "failure");
  clock.nowMs += 10_000;
  assert.equal(breaker.remainingDelayMs, 0);
  const probes = Array.from({ length: 10 }, () => breaker.admit() as Permit);
  assert.ok(probes.every((probe) => probe !== undefined));
  assert.equal(breaker.admit(), undefined);
  breaker.record(probes.pop() as Permit, "ignored");
  probes.push(breaker.admit() as Permit);
  for (const probe of probes) breaker.record(probe, "success");
  assert.equal(breaker.state, "closed");
  run(breaker, 99, "failure");
  assert.equal(breaker.state, "closed", "the count begins anew");
  assert.deepEqual(states, ["open", "half-open", "closed"]);
});

test("one probe that fails opens it again; late answers of the others do not count", () => {
  const { breaker, clock } = fixture();
  const old = breaker.admit() as Permit;
  run(breaker, 100, "failure");
  clock.nowMs += 10_000;
  const probes = Array.from({ length: 10 }, () => breaker.admit() as Permit);
  breaker.record(old, "failure");
  assert.equal(breaker.state, "half-open", "that call was made before it opened");
  breaker.record(probes[0] as Permit, "failure");
  assert.equal(breaker.state, "open");
  for (const probe of probes.slice(1)) breaker.record(probe, "success");
  assert.equal(breaker.state, "open");
  clock.nowMs += 10_000;
  assert.notEqual(breaker.admit(), undefined);
});

/** The same rules without counters: every execution is remembered. */
class PlainBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #clock: HandClock;
  state: BreakerState = "closed";
  #era = 0;
  #openedMs = 0;
  #executions: { readonly slice: number; readonly failed: boolean }[] = [];
  #probes: Outcome[] = [];
  #admittedProbes = 0;

  constructor(options: CircuitBreakerOptions, clock: HandClock) {
    this.#options = options;
    this.#clock = clock;
  }

  admit(): Permit | undefined {
    const cooledDown = this.#clock.nowMs - this.#openedMs >= this.#options.cooldownPeriodMs;
    if (this.state === "open" && cooledDown) this.#enter("half-open");
    if (this.state === "open") return undefined;
    if (this.state === "closed") return this.#era;
    const underWay = this.#admittedProbes - this.#probes.length;
    if (underWay >= this.#options.probesMax) return undefined;
    this.#admittedProbes++;
    return this.#era;
  }

  record(permit: Permit, outcome: Outcome): void {
    if (permit !== this.#era) return;
    if (this.state === "half-open") {
      this.#probes.push(outcome);
      const well = this.#probes.filter((probe) => probe === "success").length;
      if (outcome === "failure") this.#enter("open");
      else if (outcome === "success" && well === this.#options.probesMax) this.#enter("closed");
      return;
    }
    if (outcome === "ignored") return;
    const sliceMs = this.#options.thresholdingPeriodMs / PERIOD_SLICES;
    const slice = Math.floor(this.#clock.nowMs / sliceMs);
    this.#executions.push({ slice, failed: outcome === "failure" });
    const recent = this.#executions.filter((one) => one.slice > slice - PERIOD_SLICES);
    const rate = (100 * recent.filter(({ failed }) => failed).length) / recent.length;
    const enough = recent.length >= this.#options.failureExecutionThreshold;
    if (enough && rate >= this.#options.failureThresholdPercent) this.#enter("open");
  }

  #enter(state: BreakerState): void {
    this.state = state;
    this.#era++;
    this.#openedMs = this.#clock.nowMs;
    this.#executions = [];
    this.#probes = [];
    this.#admittedProbes = 0;
  }
}

test("the same as a breaker that remembers everything", () => {
  const outcome = fc.constantFrom<Outcome>("success", "success", "failure", "ignored");
  const step = fc.oneof(
    fc.record({ waitMs: fc.integer({ min: 0, max: 3000 }) }),
    fc.record({ count: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ settle: fc.nat(20), outcome }),
  );
  const options = fc.record({
    enabled: fc.constant(true),
    failureThresholdPercent: fc.constantFrom(1, 10, 50, 100),
    failureExecutionThreshold: fc.integer({ min: 1, max: 12 }),
    thresholdingPeriodMs: fc.constantFrom(1000, 10_000),
    cooldownPeriodMs: fc.integer({ min: 0, max: 4000 }),
    probesMax: fc.integer({ min: 1, max: 4 }),
  });
  const seen = new Set<BreakerState>();
  fc.assert(
    fc.property(options, fc.array(step, { maxLength: 120, size: "max" }), (chosen, steps) => {
      const clock = new HandClock();
      const breaker = new CircuitBreaker(chosen, clock);
      const plain = new PlainBreaker(chosen, clock);
      const underWay: [Permit, Permit][] = [];
      for (const one of steps) {
        if ("waitMs" in one) clock.nowMs += one.waitMs;
        for (let i = 0; i < ("count" in one ? one.count : 0); i++) {
          const permits = [breaker.admit(), plain.admit()] as const;
          assert.equal(permits[0] === undefined, permits[1] === undefined);
          if (permits[0] !== undefined) underWay.push(permits as [Permit, Permit]);
        }
        if ("settle" in one && underWay.length > 0) {
          const [[permit, plainPermit]] = underWay.splice(one.settle % underWay.length, 1) as [
            [Permit, Permit],
          ];
          breaker.record(permit, one.outcome);
          plain.record(plainPermit, one.outcome);
        }
        assert.equal(breaker.state, plain.state);
        seen.add(breaker.state);
      }
    }),
    { numRuns: 500 },
  );
  assert.deepEqual([...seen].sort(), ["closed", "half-open", "open"]);
});
