import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { OpError } from "../../src/base/errors.ts";
import { GUARD_DEFAULTS, GuardedIngester, type GuardOptions } from "../../src/rpc/guard.ts";
import { newGuardCounts, registerGuardMetrics } from "../../src/rpc/metrics.ts";
import type { LabelsRequest } from "../../src/storage/queryable.ts";
import { MemoryLogger } from "../http/http-fixture.ts";
import { MemoryIngester } from "../testkit/memory-ingester.ts";
import { TestClock } from "../testkit/test-clock.ts";

const LABELS: LabelsRequest = { matcherSets: [], minTimeMs: 0, maxTimeMs: 1, limit: 0 };
const TIMEOUT = new OpError("ingester-timeout", "it did not answer");

class GuardFixture {
  readonly clock = new TestClock();
  readonly logger = new MemoryLogger();
  readonly registry = new Registry();
  readonly ingester = new MemoryIngester();
  readonly guarded: GuardedIngester;

  constructor(options: Partial<GuardOptions> = {}) {
    const counts = newGuardCounts();
    this.guarded = new GuardedIngester(
      "ingester-1",
      this.ingester,
      { ...GUARD_DEFAULTS, ...options },
      { clock: this.clock, logger: this.logger, counts },
    );
    registerGuardMetrics(this.registry, counts, () => [
      { push: this.guarded.pushGuard, read: this.guarded.readGuard },
    ]);
  }

  push(sizeBytes = 1): Promise<unknown> {
    return this.guarded.pushFrame("t", new Uint8Array(sizeBytes));
  }

  async pushes(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.push().catch(() => undefined);
  }

  async value(line: string): Promise<number> {
    const text = await this.registry.metrics();
    const found = text.split("\n").find((one) => one.startsWith(`${line} `));
    return Number(found?.slice(line.length + 1));
  }
}

test("so many calls to one ingester are under way, and no more", async () => {
  const fixture = new GuardFixture({ inflightRequestsMax: 3 });
  let openGate = (): void => {};
  fixture.ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const under = [fixture.push(), fixture.push(), fixture.push()];
  await assert.rejects(fixture.push(), {
    code: "ingester-overloaded",
    message: /ingester-1 .*3 calls.*-ingester\.client\.max-inflight-requests/,
  });
  const read = fixture.guarded.labelNames("t", LABELS);
  assert.equal(fixture.ingester.signals.length, 4, "reads have room of their own");
  assert.equal(
    await fixture.value('muninn_ingester_client_inflight_requests{request_type="push"}'),
    3,
  );
  assert.equal(await fixture.value('muninn_ingester_client_overloaded_total{limit="requests"}'), 1);
  openGate();
  await Promise.all([...under, read]);
  await fixture.push();
  assert.equal(fixture.guarded.pushGuard.inflightRequests, 0);
});

test("so many bytes to one ingester are under way; a single call goes whatever its size", async () => {
  const fixture = new GuardFixture({ inflightBytesMax: 100 });
  let openGate = (): void => {};
  fixture.ingester.gate = new Promise((resolve) => {
    openGate = resolve;
  });
  const first = fixture.push(60);
  await assert.rejects(fixture.push(41), {
    code: "ingester-overloaded",
    message: /60 bytes.*-ingester\.client\.max-inflight-bytes allows 100/,
  });
  const second = fixture.push(40);
  assert.equal(await fixture.value("muninn_ingester_client_inflight_bytes"), 100);
  openGate();
  await Promise.all([first, second]);
  await fixture.push(1000);
  assert.equal(fixture.guarded.pushGuard.inflightBytes, 0);
});

test("a call that fails or throws at once gives its room back", async () => {
  const fixture = new GuardFixture({ inflightRequestsMax: 1 });
  fixture.ingester.failure = TIMEOUT;
  await assert.rejects(fixture.push(), { code: "ingester-timeout" });
  await assert.rejects(fixture.push(), { code: "ingester-timeout" });
  assert.deepEqual(
    [fixture.guarded.pushGuard.inflightRequests, fixture.guarded.pushGuard.inflightBytes],
    [0, 0],
  );
});

test("an ingester that times out is left alone for a while, then probed", async () => {
  const fixture = new GuardFixture();
  const { ingester, clock } = fixture;
  await fixture.pushes(89);
  ingester.failure = TIMEOUT;
  await fixture.pushes(11);
  assert.equal(ingester.pushes.length, 100);
  assert.equal(fixture.guarded.pushGuard.breakerState, "open", "11 of 100");
  await clock.advance(500);
  await assert.rejects(fixture.push(), {
    code: "ingester-circuit-open",
    message:
      /circuit breaker open on push requests to ingester ingester-1, with remaining delay 9500 ms; last failure: .*did not answer/,
  });
  assert.equal(ingester.pushes.length, 100);
  await fixture.guarded.allUserStats().catch(() => undefined);
  assert.equal(ingester.signals.length, 101, "reads are not concerned");
  const state = "cortex_ingester_client_circuit_breaker_current_state";
  assert.equal(await fixture.value(`${state}{request_type="push",state="open"}`), 1);
  assert.equal(await fixture.value(`${state}{request_type="push",state="closed"}`), 0);
  const results = "cortex_ingester_client_circuit_breaker_results_total";
  assert.equal(await fixture.value(`${results}{request_type="push",result="success"}`), 89);
  assert.equal(await fixture.value(`${results}{request_type="push",result="error"}`), 11);
  assert.equal(
    await fixture.value(`${results}{request_type="push",result="circuit_breaker_open"}`),
    1,
  );
  assert.deepEqual(
    fixture.logger.lines.map(({ level, fields }) => [level, fields["instance"], fields["state"]]),
    [["warn", "ingester-1", "open"]],
  );
  await clock.advance(9_500);
  ingester.failure = undefined;
  await fixture.pushes(10);
  assert.equal(ingester.pushes.length, 110);
  const transitions = "cortex_ingester_client_circuit_breaker_transitions_total";
  assert.equal(await fixture.value(`${transitions}{request_type="push",state="half-open"}`), 1);
  assert.equal(await fixture.value(`${transitions}{request_type="push",state="closed"}`), 1);
});

test("a push that no others can store passes an open breaker, and does not close it", async () => {
  const fixture = new GuardFixture();
  const { ingester, guarded } = fixture;
  ingester.failure = TIMEOUT;
  await fixture.pushes(100);
  ingester.failure = undefined;
  await assert.rejects(fixture.push(), { code: "ingester-circuit-open" });
  await guarded.pushFrame("t", new Uint8Array(1), undefined, true);
  assert.equal(ingester.pushes.length, 101);
  assert.equal(guarded.pushGuard.breakerState, "open");
  await assert.rejects(fixture.push(), { code: "ingester-circuit-open" });
});

test("what counts as a failure of the ingester, and what does not", async () => {
  const opensAfter = async (error: Error): Promise<boolean> => {
    const fixture = new GuardFixture();
    fixture.ingester.failure = error;
    await fixture.pushes(100);
    return fixture.guarded.pushGuard.breakerState === "open";
  };
  assert.ok(await opensAfter(TIMEOUT));
  assert.ok(await opensAfter(new OpError("wal-blocked", "")));
  assert.ok(await opensAfter(new TypeError("a bug")));
  assert.ok(await opensAfter(new OpError("rpc-unauthorized", "", { httpStatus: 500 })));
  assert.equal(await opensAfter(new OpError("canceled", "")), false);
  assert.equal(await opensAfter(new OpError("ingester-unreachable", "")), false, "known at once");
  assert.equal(await opensAfter(new OpError("max-series-per-query", "")), false);
});

test("a breaker that is switched off lets everything through", async () => {
  const fixture = new GuardFixture({
    pushBreaker: { ...GUARD_DEFAULTS.pushBreaker, enabled: false },
  });
  fixture.ingester.failure = TIMEOUT;
  await fixture.pushes(300);
  assert.equal(fixture.ingester.pushes.length, 300);
  assert.equal(fixture.guarded.pushGuard.breakerState, undefined);
});
