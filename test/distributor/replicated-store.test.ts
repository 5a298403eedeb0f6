import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OpError } from "../../src/base/errors.ts";
import { alive, grow, viewOf } from "../ring/fixture.ts";
import { namedSeries, writeBody } from "../testkit/remote-write.ts";
import { type Behaviour, type Replica, ReplicaFixture, TIMEOUT_MS } from "./replica-fixture.ts";

const NOW = 1_700_000_000_000;

function body(count: number, timeMs = NOW): Buffer {
  const names = Array.from({ length: count }, (_, index) => `m${index}`);
  return writeBody(...names.map((name) => namedSeries(name, { job: "x" }, [[timeMs, 1]])));
}

function names(replica: Replica, tenant = "t"): string[] {
  return Object.keys(replica.series(tenant)).sort();
}

/** Copies of each series that came with `body(count)`, over all replicas. */
function copies(fixture: ReplicaFixture, count: number, timeMs = NOW): number[] {
  return Array.from({ length: count }, (_, index) => {
    const holders = [...fixture.replicas.values()].filter((replica) =>
      replica.series("t")[`__name__=m${index},job=x`]?.some(([time]) => time === timeMs),
    );
    return holders.length;
  });
}

test("answered when two have it; the third gets it in the background", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "stores", { does: "stores", afterMs: 1_500 });
  const outcome = await fixture.push(body(5));
  assert.deepEqual([outcome.status, outcome.tookMs], [200, 0]);
  assert.deepEqual(copies(fixture, 5), [2, 2, 2, 2, 2]);
  assert.equal(fixture.clock.timersWaiting, 2, "the third's answer, and the end of its time");
  await fixture.clock.advance(1_500);
  assert.deepEqual(copies(fixture, 5), [3, 3, 3, 3, 3]);
  assert.equal(fixture.clock.timersWaiting, 0);
});

test("each row is at its three of five; each has only what is its own", async () => {
  const fixture = new ReplicaFixture({ count: 5 });
  assert.equal((await fixture.push(body(200))).status, 200);
  assert.deepEqual(new Set(copies(fixture, 200)), new Set([3]));
  for (const [id, replica] of fixture.replicas) {
    assert.ok(names(replica).length < 200, "not all rows are everybody's");
    assert.equal(await fixture.metric("cortex_distributor_ingester_appends_total", id), 1);
  }
});

test("who does not know series gets those again with labels, and nobody else", async () => {
  const fixture = new ReplicaFixture();
  await fixture.push(body(4));
  const [first, second, third] = [...fixture.replicas.values()] as [Replica, Replica, Replica];
  second.forgetAllBut("t", 1);
  for (const replica of [first, second, third]) replica.calls.splice(0);
  assert.equal((await fixture.push(body(4, NOW + 1))).status, 200);
  assert.deepEqual(first.calls, [{ series: 4, withLabels: false }]);
  assert.deepEqual(third.calls, [{ series: 4, withLabels: false }]);
  assert.deepEqual(second.calls, [
    { series: 4, withLabels: false },
    { series: 3, withLabels: true },
  ]);
  assert.deepEqual(copies(fixture, 4, NOW + 1), [3, 3, 3, 3]);
  assert.equal(await fixture.metric("muninn_distributor_series_resent_total"), 3);
});

test("one that does not even know what came with labels has failed", async () => {
  const fixture = new ReplicaFixture();
  for (const replica of fixture.replicas.values()) replica.amnesia = true;
  const { status, message } = await fixture.push(body(1));
  assert.equal(status, 503);
  assert.match(message, /i-00\d does not know series that came with labels/);
});

test("what two of three reject is a 400 that says why; what one rejects is stored by quorum", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "rejects", "rejects");
  const refused = await fixture.push(body(1));
  assert.equal(refused.status, 400);
  assert.match(refused.message, /series: 'm0\{job="x"\}' \(err-mimir-sample-out-of-order\)/);
  fixture.behave("stores", "rejects", "stores");
  const stored = await fixture.push(body(1));
  assert.deepEqual([stored.status, stored.message], [200, ""]);
});

test("one of each kind is for the sender to repeat", async () => {
  for (const order of [
    ["stores", "rejects", "fails"],
    ["fails", "rejects", "stores"],
    ["rejects", "fails", "hangs"],
  ] as const) {
    const fixture = new ReplicaFixture();
    fixture.behave(...order);
    const { status, message } = await fixture.push(body(1));
    assert.ok(status >= 500, `${order.join()}: ${status}`);
    assert.match(message, /failed pushing to ingester i-00\d \(i-00\d\.example:9095, ACTIVE\)/);
  }
});

test("one that hangs delays nobody, and is let go when the time is over", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "hangs", "stores");
  const outcome = await fixture.push(body(1));
  assert.deepEqual([outcome.status, outcome.tookMs], [200, 0]);
  await fixture.clock.advance(TIMEOUT_MS);
  assert.equal(fixture.clock.timersWaiting, 0);
  const failures = "cortex_distributor_ingester_append_failures_total";
  assert.equal(await fixture.metric(failures, "i-001"), 1);
  assert.equal(await fixture.metric(failures), 1);
});

test("two that hang: 500 after the timeout with their names, and nothing is tried again", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "hangs", "hangs");
  const { status, message, tookMs } = await fixture.push(body(1));
  assert.equal(status, 500);
  assert.equal(tookMs, TIMEOUT_MS);
  assert.match(
    message,
    /^send data to ingesters: failed pushing to ingester i-00[12] \(i-00[12]\.example:9095, ACTIVE\): no answer within 2000 ms/,
  );
  assert.equal(await fixture.metric("muninn_distributor_replication_retries_total"), 0);
  assert.equal(fixture.clock.timersWaiting, 0);
});

test("an instance limit is not tried again: the ingester protects itself", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "fails", "fails");
  for (const replica of fixture.replicas.values()) {
    replica.error = () => new OpError("ingester-max-inflight-push-requests", "too many pushes");
  }
  const { status, kind, tookMs } = await fixture.push(body(1));
  assert.deepEqual([status, kind, tookMs], [500, "instance-limit", 0]);
  assert.equal(await fixture.metric("muninn_distributor_replication_retries_total"), 0);
});

test("a failure is tried again a little later within the same time, and then said", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "fails", "fails");
  const outcome = await fixture.push(body(1));
  assert.equal(outcome.status, 503);
  assert.match(outcome.message, /the disk is on fire/);
  assert.equal(outcome.tookMs, 500, "waits of 100 and 400 ms");
  for (const { needed } of fixture.replicas.values()) {
    assert.deepEqual(needed, [false, true, true], "past a circuit breaker if it must be");
  }
  assert.equal(await fixture.metric("muninn_distributor_replication_retries_total"), 2);
  await fixture.clock.advance(TIMEOUT_MS);
  assert.equal(fixture.clock.timersWaiting, 0);
});

test("too few in the ring: waited for, stored as soon as the ring has enough", async () => {
  const fixture = new ReplicaFixture();
  const whole = fixture.view;
  const [first, ...others] = whole.members;
  assert.ok(first !== undefined);
  const leaving = others.map(({ instance }) => ({
    instance: { ...instance, state: "LEAVING" as const },
    isAlive: true,
  }));
  fixture.changeRing(viewOf([first, ...leaving]));
  const failed = await fixture.push(body(3));
  assert.equal(failed.status, 500);
  assert.match(failed.message, /at least 2 live replicas required.*i-001 .*LEAVING.*i-002/);
  assert.deepEqual(copies(fixture, 3), [0, 0, 0], "nothing is sent that cannot succeed");

  fixture.clock.after(50, () => fixture.changeRing(whole));
  const stored = await fixture.push(body(3, NOW + 1));
  assert.deepEqual([stored.status, stored.tookMs], [200, 50]);
  assert.deepEqual(copies(fixture, 3, NOW + 1), [3, 3, 3]);
});

test("rows of replicas that are not elected go to nobody", async () => {
  const fixture = new ReplicaFixture({ count: 5, ha: true });
  const rows = Array.from({ length: 20 }, (_, index) =>
    namedSeries(`m${index}`, { job: "x", cluster: "c", __replica__: index % 2 === 0 ? "a" : "b" }, [
      [NOW, 1],
    ]),
  );
  const { status } = await fixture.push(writeBody(...rows));
  assert.equal(status, 200);
  const all = new Set([...fixture.replicas.values()].flatMap((replica) => names(replica)));
  assert.equal(all.size, 10, "those of a");
  assert.ok([...all].every((name) => /^__name__=m\d*[02468],/.test(name)));
  const total = [...fixture.replicas.values()].reduce((sum, one) => sum + names(one).length, 0);
  assert.equal(total, 30);
});

const anyBehaviour: fc.Arbitrary<Behaviour> = fc.record({
  does: fc.constantFrom("stores", "stores", "stores", "fails", "rejects", "hangs"),
  afterMs: fc.constantFrom(0, 0, 50, 500, 3_000),
});

const stores: fc.Arbitrary<Behaviour> = fc.constant({ does: "stores", afterMs: 0 });

test("three replicas in any order and mood: 200, 400 or 5xx as the count of each says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyBehaviour, { minLength: 3, maxLength: 3 }), async (behaviours) => {
      const fixture = new ReplicaFixture();
      fixture.behave(...behaviours);
      const { status } = await fixture.push(body(3));
      const inTime = (does: Behaviour["does"]): number =>
        behaviours.filter((one) => one.does === does && one.afterMs < TIMEOUT_MS).length;
      const expected = inTime("stores") >= 2 ? 200 : inTime("rejects") >= 2 ? 400 : 500;
      assert.equal(status === 503 ? 500 : status, expected, JSON.stringify(behaviours));
      if (status === 200) assert.ok(copies(fixture, 3).every((count) => count >= 2));
      await fixture.clock.advance(2 * TIMEOUT_MS);
      assert.equal(fixture.clock.timersWaiting, 0);
    }),
    { numRuns: 60 },
  );
});

test("never a success without enough copies of every row, whatever replicas do and the ring becomes", async () => {
  let successes = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 3, max: 6 }),
      fc.array(fc.oneof(stores, stores, anyBehaviour), { minLength: 6, maxLength: 6 }),
      fc.array(fc.nat(4), { minLength: 6, maxLength: 6 }),
      async (count, behaviours, stays) => {
        const fixture = new ReplicaFixture({ count });
        fixture.behave(...behaviours.slice(0, count));
        const later = fixture.view.members.map((member, position) => ({
          ...member,
          isAlive: stays[position] !== 0,
        }));
        fixture.clock.after(60, () => fixture.changeRing(viewOf(later)));
        const { status } = await fixture.push(body(12));
        if (status === 200) {
          successes++;
          assert.ok(copies(fixture, 12).every((held) => held >= 2));
        }
        await fixture.clock.advance(2 * TIMEOUT_MS);
        assert.equal(fixture.clock.timersWaiting, 0);
      },
    ),
    { numRuns: 80 },
  );
  assert.ok(successes > 10, `only ${successes} successes`);
});

test("a limit that changes between two attempts sends the push back to the sender", async () => {
  const fixture = new ReplicaFixture();
  fixture.behave("stores", "fails", "fails");
  fixture.clock.after(50, () => fixture.base.setLimits({ maxLabelNamesPerSeries: 1 }));
  const { status, message } = await fixture.push(body(1));
  assert.equal(status, 503);
  assert.match(message, /limits changed/);
});

test("a ring without anybody", async () => {
  const fixture = new ReplicaFixture();
  fixture.changeRing(viewOf([]));
  const { status, message } = await fixture.push(body(1));
  assert.equal(status, 500);
  assert.match(message, /at least 2 live replicas required, could only find 0/);
  fixture.changeRing(viewOf(alive(...grow({ count: 3, tokenCount: 16 }))));
  assert.equal((await fixture.push(body(1))).status, 200);
});
