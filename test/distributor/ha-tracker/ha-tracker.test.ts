import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { REPLICA_VALUE } from "../../../src/distributor/ha-tracker/replica-value.ts";
import type { KvStore } from "../../../src/gossip/kv/kv-store.ts";
import { TestClock } from "../../testkit/test-clock.ts";
import { LIMITS, newKv, newTracker, type TrackerFixture } from "./fixture.ts";

const UPDATE_MS = 15_000;
const FAILOVER_MS = 30_000;
const NOW = 1_700_000_000_000;

test("the first replica is elected; another one is when that was silent for the failover timeout, and stays", async () => {
  const { decide, clock } = newTracker();
  assert.equal(decide("c", "a"), "accept");
  assert.equal(decide("c", "b"), "drop");
  assert.equal(decide("d", "b"), "accept");
  await clock.advance(10_000);
  assert.equal(decide("c", "a"), "accept");
  await clock.advance(FAILOVER_MS - 1);
  assert.equal(decide("c", "b"), "drop");
  await clock.advance(1);
  assert.equal(decide("c", "b"), "accept");
  // The old one comes back and must wait.
  assert.equal(decide("c", "a"), "drop");
  for (let second = 0; second < 100; second++) {
    await clock.advance(1000);
    assert.equal(decide("c", "b"), "accept");
    assert.equal(decide("c", "a"), "drop");
  }
});

test("tenants and clusters have nothing to do with each other", () => {
  const { tracker, decide, setLimits } = newTracker();
  setLimits({ haMaxClusters: 2 });
  assert.equal(decide("c", "a"), "accept");
  assert.equal(decide("x/y", "a"), "accept");
  assert.equal(decide("e", "a"), "too-many-clusters");
  assert.equal(decide("e", "b"), "too-many-clusters");
  // Those that are followed go on.
  assert.equal(decide("c", "a"), "accept");
  assert.equal(decide("c", "b"), "drop");
  assert.equal(tracker.decide("u", { cluster: "c", replica: "b" }, LIMITS), "accept");
  assert.deepEqual(
    tracker.status().map(({ tenant, cluster, replica }) => [tenant, cluster, replica]),
    [
      ["t", "c", "a"],
      ["t", "x/y", "a"],
      ["u", "c", "b"],
    ],
  );
  setLimits({ haMaxClusters: 3 });
  assert.equal(decide("e", "b"), "accept");
});

test("a tenant without a limit has one after all", () => {
  const { decide, setLimits } = newTracker();
  setLimits({ haMaxClusters: 0 });
  for (let index = 0; index < 10_000; index++) decide(`c${index}`, "a");
  assert.equal(decide("c9999", "a"), "accept");
  assert.equal(decide("another", "a"), "too-many-clusters");
});

test("the store is written when the update timeout has passed, and not more often", async () => {
  const clock = new TestClock();
  const store = newKv(clock);
  const { decide } = newTracker({ clock, store });
  let writes = 0;
  store.watchPrefix("", REPLICA_VALUE, () => writes++);
  for (let second = 0; second <= 60; second++) {
    decide("c", "a");
    decide("c", "b");
    await clock.advance(1000);
  }
  assert.equal(writes, 1 + 60_000 / UPDATE_MS);
  assert.equal(store.get("ha-tracker/t/c", REPLICA_VALUE)?.receivedAtMs, NOW + 60_000);
});

test("the jitter lies within its bounds and differs by distributor", () => {
  const clock = new TestClock();
  const timeouts = Array.from({ length: 50 }, (_, seed) => {
    const { tracker, decide } = newTracker({ clock, seed, jitterMaxMs: 5000 });
    decide("c", "a");
    return tracker.status()[0]?.updateTimeoutMs ?? 0;
  });
  assert.ok(Math.min(...timeouts) >= 10_000 && Math.max(...timeouts) <= 20_000);
  assert.ok(new Set(timeouts).size > 40);
});

const request = fc.record({
  at: fc.nat(1),
  replica: fc.constantFrom("a", "b"),
  afterMs: fc.oneof(fc.nat(5_000), fc.nat(40_000)),
});

test("two trackers over one store: one replica at a time, no early failover, and no late one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 30 }), async (requests) => {
      const clock = new TestClock();
      const store = newKv(clock);
      const both = [newTracker({ clock, store }), newTracker({ clock, store })];
      let elected: string | undefined;
      let acceptedMs = 0;
      for (const { at, replica, afterMs } of requests) {
        await clock.advance(afterMs);
        const verdict = both[at]?.decide("c", replica);
        const silentMs = clock.nowMs() - acceptedMs;
        if (elected !== undefined && replica !== elected) {
          // The other tracker knows of what came there once it is written down.
          if (verdict === "accept") assert.ok(silentMs >= FAILOVER_MS - UPDATE_MS);
          if (silentMs >= FAILOVER_MS) assert.equal(verdict, "accept");
        } else assert.equal(verdict, "accept");
        if (verdict === "accept") [elected, acceptedMs] = [replica, clock.nowMs()];
        for (const { electedOf } of both) assert.equal(electedOf("c"), elected);
      }
    }),
    { numRuns: 60 },
  );
});

/** Two distributors with clocks that disagree, and gossip between them when `exchange` is called. */
class Pair {
  readonly #clocks: readonly TestClock[];
  readonly #stores: readonly KvStore[];
  readonly left: TrackerFixture;
  readonly right: TrackerFixture;

  constructor(skewMs = 0) {
    this.#clocks = [new TestClock(), new TestClock(NOW + skewMs)];
    this.#stores = this.#clocks.map((clock) => newKv(clock));
    const [left, right] = this.#stores.map((store, index) => {
      const clock = this.#clocks[index] ?? assert.fail();
      return newTracker({ clock, store, seed: index, jitterMaxMs: 5000 });
    });
    this.left = left ?? assert.fail();
    this.right = right ?? assert.fail();
  }

  exchange(): void {
    const [left, right] = this.#stores;
    right?.mergeRemoteState(left?.localState() ?? new Uint8Array());
    left?.mergeRemoteState(right?.localState() ?? new Uint8Array());
  }

  async advance(byMs: number): Promise<void> {
    for (const clock of this.#clocks) await clock.advance(byMs);
  }

  elected(cluster: string): (string | undefined)[] {
    return [this.left.electedOf(cluster), this.right.electedOf(cluster)];
  }
}

test("elections at the same time on both sides end in one replica, once they have talked", async () => {
  const pair = new Pair();
  assert.equal(pair.left.decide("c", "a"), "accept");
  assert.equal(pair.right.decide("c", "b"), "accept");
  pair.exchange();
  assert.deepEqual(pair.elected("c"), ["b", "b"]);
  assert.equal(pair.left.decide("c", "a"), "drop");
  // Later elections win.
  assert.equal(pair.right.decide("d", "b"), "accept");
  await pair.advance(1);
  assert.equal(pair.left.decide("d", "a"), "accept");
  pair.exchange();
  assert.deepEqual(pair.elected("d"), ["a", "a"]);
});

for (const skewMs of [-3_600_000, 0, 3_600_000]) {
  test(`a replica that sends to one side only is alive on the other; then it dies (clocks ${skewMs / 60_000} min apart)`, async () => {
    const pair = new Pair(skewMs);
    pair.left.decide("c", "a");
    pair.exchange();
    for (let second = 0; second < 120; second += 5) {
      assert.equal(pair.left.decide("c", "a"), "accept");
      assert.equal(pair.right.decide("c", "b"), "drop");
      await pair.advance(5000);
      pair.exchange();
    }
    let silentMs = 5000;
    while (pair.right.decide("c", "b") === "drop") {
      await pair.advance(1000);
      pair.exchange();
      silentMs += 1000;
    }
    // What came last may not have been written down.
    assert.ok(silentMs >= FAILOVER_MS - 20_000 && silentMs <= FAILOVER_MS + 5000, `${silentMs} ms`);
    pair.exchange();
    assert.deepEqual(pair.elected("c"), ["b", "b"]);
    // And the other way round, by the other clock.
    await pair.advance(FAILOVER_MS + 5000);
    assert.equal(pair.left.decide("c", "a"), "accept");
    pair.exchange();
    assert.deepEqual(pair.elected("c"), ["a", "a"]);
    assert.equal(pair.right.decide("c", "b"), "drop");
  });
}

test("distributors that hear of each other's writes now and then agree in the end, whatever was sent where", async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: request },
    { weight: 1, arbitrary: fc.constant("exchange" as const) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: -50_000, max: 50_000 }),
      async (steps, skewMs) => {
        const pair = new Pair(skewMs);
        for (const one of steps) {
          if (one === "exchange") {
            pair.exchange();
            continue;
          }
          await pair.advance(one.afterMs);
          const side = one.at === 0 ? pair.left : pair.right;
          const verdict = side.decide("c", one.replica);
          assert.equal(verdict === "accept", side.electedOf("c") === one.replica);
        }
        pair.exchange();
        pair.exchange();
        const [left, right] = pair.elected("c");
        assert.equal(left, right);
      },
    ),
    { numRuns: 60 },
  );
});

test("a distributor that starts knows whom the others have elected", async () => {
  const clock = new TestClock();
  const store = newKv(clock);
  const { decide } = newTracker({ clock, store });
  decide("c", "a");
  await clock.advance(1000);
  const late = newTracker({ clock, store });
  assert.equal(late.electedOf("c"), "a");
  assert.equal(late.decide("c", "b"), "drop");
  await clock.advance(FAILOVER_MS);
  assert.equal(late.decide("c", "b"), "accept");
});

test("a pair that is silent is removed everywhere, with its metrics, and elected anew when it comes back", async () => {
  const clock = new TestClock();
  const store = newKv(clock);
  const one = newTracker({ clock, store });
  const other = newTracker({ clock, store, seed: 2 });
  one.decide("c", "a");
  one.decide("d", "a");
  const alive = async (forMs: number): Promise<void> => {
    for (let ms = 0; ms < forMs; ms += 10_000) {
      await clock.advance(10_000);
      other.decide("d", "a");
    }
  };
  await alive(70 * 60_000);
  for (const { tracker, electedOf, registry } of [one, other]) {
    assert.equal(electedOf("c"), undefined);
    assert.equal(electedOf("d"), "a");
    assert.equal(tracker.follows("t", "c"), false);
    assert.doesNotMatch(await registry.metrics(), /cluster="c"/);
  }
  assert.ok((store.get("ha-tracker/t/c", REPLICA_VALUE)?.deletedAtMs ?? 0) > 0);
  assert.match(await one.registry.metrics(), /cleanup_started_total [12]/);
  assert.equal(one.decide("c", "b"), "accept");
  assert.equal(other.decide("c", "a"), "drop");
  assert.equal(store.get("ha-tracker/t/c", REPLICA_VALUE)?.deletedAtMs, 0);
  one.tracker.stop();
  other.tracker.stop();
  assert.equal(clock.timersWaiting, 0);
});

test("status and metrics", async () => {
  const { tracker, decide, clock, registry } = newTracker();
  decide("c", "a");
  await clock.advance(1000);
  decide("c", "b");
  await clock.advance(1000);
  decide("c", "x");
  await clock.advance(FAILOVER_MS);
  decide("c", "x");
  assert.deepEqual(tracker.status(), [
    {
      tenant: "t",
      cluster: "c",
      replica: "x",
      receivedAtMs: NOW + 32_000,
      electedAtMs: NOW + 32_000,
      electedChanges: 1,
      updateTimeoutMs: UPDATE_MS,
      failoverTimeoutMs: FAILOVER_MS,
      lastSeenOthers: [
        { replica: "b", seenAtMs: NOW + 1000 },
        { replica: "a", seenAtMs: NOW },
      ],
    },
  ]);
  const text = await registry.metrics();
  const labels = '{user="t",cluster="c"}';
  for (const [name, value] of [
    ["elected_replica_changes_total", 2],
    ["elected_replica_timestamp_seconds", (NOW + 32_000) / 1000],
    ["last_election_timestamp_seconds", (NOW + 32_000) / 1000],
    ["reelections_total", 1],
    ["kv_store_cas_total", 2],
  ] as const) {
    assert.ok(text.includes(`cortex_ha_tracker_${name}${labels} ${value}\n`), name);
  }
});
