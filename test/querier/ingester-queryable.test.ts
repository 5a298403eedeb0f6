/** Reads from a ring: whom a request asks, when it ends, what it says when it cannot. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { OpError } from "../../src/base/errors.ts";
import {
  decodeSeries,
  labelsOf,
  type TestSeries,
  testSeries,
} from "../testkit/memory-queryable.ts";
import { settle } from "../testkit/test-clock.ts";
import { queryFixture, STAND_IN } from "./query-fixture.ts";
import {
  LABELS_ALL,
  type RingFixture,
  type RingFixtureOptions,
  ringFixture,
  SELECT_ALL,
  type TestMember,
} from "./ring-fixture.ts";

const UP = testSeries({ __name__: "up", job: "a" }, 1000, 15, [1, 2, 3]);
const OTHER = testSeries({ __name__: "up", job: "b" }, 1000, 15, [4, 5, 6]);
const HANGS = { kind: "hangs" } as const;
const FAILS = { kind: "fails", afterMs: 0 } as const;

function three(changes: readonly Partial<TestMember>[] = []): TestMember[] {
  return ["a", "b", "c"].map((id, i) => ({ id, series: [UP], ...changes[i] }));
}

/** The answer, after so much virtual time; nothing is left of the request then. */
async function selected(ring: RingFixture, afterMs = 0): Promise<TestSeries[]> {
  const answer = ring.queryable.select("t", SELECT_ALL);
  await ring.clock.advance(afterMs);
  const set = await answer;
  await settle();
  assert.equal(ring.clock.timersWaiting, 0);
  assert.equal(ring.runningCount(), 0);
  return decodeSeries(set);
}

async function refused(ring: RingFixture, afterMs = 0): Promise<OpError> {
  const answer = ring.queryable.select("t", SELECT_ALL);
  // Before time passes: a rejection without a listener would end the process.
  const outcome = answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  await ring.clock.advance(afterMs);
  const error = await outcome;
  await settle();
  assert.equal(ring.clock.timersWaiting, 0);
  assert.equal(ring.runningCount(), 0);
  assert.ok(error instanceof OpError, String(error));
  return error;
}

async function requestsByReason(ring: RingFixture): Promise<Record<string, number>> {
  const metric = ring.registry.getSingleMetric("muninn_querier_ingester_requests_total");
  const { values } = await must(metric, "it is registered").get();
  return Object.fromEntries(
    values.map(({ labels, value }) => [String((labels as { reason: string }).reason), value]),
  );
}

test("two of three are asked, and what both hold is there once", async () => {
  const ring = ringFixture(three([{ series: [UP, OTHER] }]));
  assert.deepEqual(await selected(ring), [UP, OTHER]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 0]);
  assert.deepEqual(await requestsByReason(ring), { first: 2 });
});

test("without minimizing all are asked at once, and two answers suffice", async () => {
  const ring = ringFixture(three([{ behaviour: HANGS }]), {
    queryable: { minimizeRequests: false },
  });
  assert.deepEqual(await selected(ring), [UP]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 1]);
});

test("one that is dead from the start is not asked", async () => {
  const ring = ringFixture(three([{ isAlive: false }]));
  assert.deepEqual(await selected(ring), [UP]);
  assert.deepEqual(ring.requestCounts(), [0, 1, 1]);
});

test("when one fails the third is asked at once", async () => {
  const ring = ringFixture(three([{ behaviour: FAILS }]));
  assert.deepEqual(await selected(ring), [UP]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 1]);
  assert.deepEqual(await requestsByReason(ring), { first: 2, failure: 1 });
});

test("when one hangs the third is asked after the hedging delay", async () => {
  const ring = ringFixture(three([{ behaviour: HANGS }]));
  const answer = ring.queryable.select("t", SELECT_ALL);
  await ring.clock.advance(499);
  assert.deepEqual(ring.requestCounts(), [1, 1, 0]);
  await ring.clock.advance(1);
  assert.deepEqual(decodeSeries(await answer), [UP]);
  await settle();
  assert.deepEqual(ring.requestCounts(), [1, 1, 1]);
  assert.equal(ring.runningCount(), 0);
  assert.equal(ring.clock.timersWaiting, 0);
  assert.deepEqual(await requestsByReason(ring), { first: 2, hedge: 1 });
});

test("who hung is asked last by the next request, and again after some minutes", async () => {
  const ring = ringFixture(three([{ behaviour: HANGS }]));
  await selected(ring, 500);
  ring.ingester("a").behaviour = { kind: "answers", afterMs: 1 };
  ring.ingester("b").behaviour = { kind: "answers", afterMs: 100 };
  ring.ingester("c").behaviour = { kind: "answers", afterMs: 100 };
  await selected(ring, 100);
  assert.deepEqual(ring.requestCounts(), [1, 2, 2]);
  await ring.clock.advance(10 * 60_000);
  for (let i = 0; i < 5; i++) await selected(ring, 100);
  assert.ok((ring.requestCounts()[0] ?? 0) > 1, "it got another chance");
});

test("who fails is asked last by the next request", async () => {
  const ring = ringFixture(three([{ behaviour: FAILS }]));
  for (let i = 0; i < 3; i++) await selected(ring);
  assert.deepEqual(ring.requestCounts(), [1, 3, 3]);
});

test("two that fail: the error names both and why", async () => {
  const ring = ringFixture(three([{ behaviour: FAILS }, { behaviour: FAILS }]));
  const error = await refused(ring);
  assert.equal(error.code, "too-many-unhealthy-instances");
  assert.equal(
    error.message,
    "too many unhealthy instances in the ring: the answer would be incomplete without these instances - " +
      "a (a.example:9095, ACTIVE): connection refused; b (b.example:9095, ACTIVE): connection refused",
  );
});

test("one dead and one failing: the error names both", async () => {
  const ring = ringFixture(three([{ isAlive: false }, { behaviour: FAILS }]));
  assert.equal(
    (await refused(ring)).message,
    "too many unhealthy instances in the ring: the answer would be incomplete without these instances - " +
      "b (b.example:9095, ACTIVE): connection refused; a (a.example:9095, UNHEALTHY): not asked",
  );
});

test("two dead: nobody is asked", async () => {
  const ring = ringFixture(three([{ isAlive: false }, { isAlive: false }]));
  const error = await refused(ring);
  assert.match(
    error.message,
    /^too many unhealthy instances in the ring: .*a \(a\.example:9095, UNHEALTHY\), b \(b\.example:9095, UNHEALTHY\) - the answer would be incomplete$/,
  );
  assert.deepEqual(ring.requestCounts(), [0, 0, 0]);
});

test("an empty ring", async () => {
  assert.equal((await refused(ringFixture([]))).code, "empty-ring");
});

test("text of unknown errors stays inside, and is the cause", async () => {
  const secret = new TypeError("secret");
  const behaviour = { ...FAILS, error: secret };
  const ring = ringFixture(three([{ behaviour }, { behaviour }, { behaviour }]));
  const error = await refused(ring);
  assert.match(error.message, /a \(a\.example:9095, ACTIVE\): internal error; b/);
  assert.equal(error.cause, secret);
});

test("a limit that one ingester reports ends the request at once", async () => {
  const limit = new OpError("max-series-per-query", "too many series");
  const ring = ringFixture(
    three([{ behaviour: { ...FAILS, error: limit } }, { behaviour: HANGS }]),
  );
  assert.equal(await refused(ring), limit);
  assert.deepEqual(ring.requestCounts(), [1, 1, 0]);
});

test("refusals between querier and ingester count as failures of the ingester", async () => {
  const busy = new OpError("too-many-requests", "busy");
  const ring = ringFixture(three([{ behaviour: { ...FAILS, error: busy } }]));
  assert.deepEqual(await selected(ring), [UP]);
});

test("LEAVING: asked while it serves, missing when it does not", async () => {
  const serving = { state: "LEAVING" } as const;
  const gone = { state: "LEAVING", serving: false } as const;
  const both = ringFixture(three([{ changes: serving }, { behaviour: FAILS }]));
  assert.deepEqual(await selected(both), [UP]);
  assert.deepEqual(both.requestCounts(), [1, 1, 1]);
  const one = ringFixture(three([{ changes: gone }]));
  assert.deepEqual(await selected(one), [UP]);
  assert.deepEqual(one.requestCounts(), [0, 1, 1]);
  const none = ringFixture(three([{ changes: gone }, { behaviour: FAILS }]));
  assert.match((await refused(none)).message, /a \(a\.example:9095, LEAVING\): not asked$/);
});

test("a member that never held data is neither asked nor missed", async () => {
  const fresh = { state: "JOINING", serving: false, hasData: false } as const;
  const ring = ringFixture([...three([{ isAlive: false }]), { id: "d", changes: fresh }]);
  assert.deepEqual(await selected(ring), [UP]);
  assert.deepEqual(ring.requestCounts(), [0, 1, 1, 0]);
});

// ------------------------------------------------------------------------------------------------------- zones

/** Two members in each of the zones x, y, z: x1, x2, y1, … The zone's rows lie in both of its members. */
function sixInZones(changes: Readonly<Record<string, Partial<TestMember>>> = {}): TestMember[] {
  return ["x", "y", "z"].flatMap((zone) => [
    { id: `${zone}1`, changes: { zone }, series: [UP], ...changes[`${zone}1`] },
    { id: `${zone}2`, changes: { zone }, series: [OTHER], ...changes[`${zone}2`] },
  ]);
}

const ZONES: RingFixtureOptions = { ring: { zoneAware: true } };

test("zones: two whole zones are asked", async () => {
  const ring = ringFixture(sixInZones(), ZONES);
  assert.deepEqual(await selected(ring), [UP, OTHER]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 1, 1, 0, 0]);
});

test("zones: a whole zone may be down, from the start or in the end", async () => {
  const dead = { isAlive: false };
  const down = ringFixture(sixInZones({ x1: dead, x2: dead }), ZONES);
  assert.deepEqual(await selected(down), [UP, OTHER]);
  assert.deepEqual(down.requestCounts(), [0, 0, 1, 1, 1, 1]);
  const failing = ringFixture(
    sixInZones({ x1: { behaviour: FAILS }, x2: { behaviour: FAILS } }),
    ZONES,
  );
  assert.deepEqual(await selected(failing), [UP, OTHER]);
  assert.deepEqual(failing.requestCounts(), [1, 1, 1, 1, 1, 1]);
});

test("zones: a zone with one dead member is left out", async () => {
  const ring = ringFixture(sixInZones({ y2: { isAlive: false } }), ZONES);
  assert.deepEqual(await selected(ring), [UP, OTHER]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 0, 0, 1, 1]);
});

test("zones: two that each lack one member are too many", async () => {
  const ring = ringFixture(
    sixInZones({ x1: { behaviour: FAILS }, y2: { behaviour: FAILS } }),
    ZONES,
  );
  const error = await refused(ring);
  assert.equal(
    error.message,
    "too many unhealthy instances in the ring: the answer would be incomplete without these zones - " +
      "x1 (x1.example:9095, ACTIVE): connection refused; y2 (y2.example:9095, ACTIVE): connection refused",
  );
  const dead = { isAlive: false };
  const down = ringFixture(sixInZones({ x1: dead, y2: dead }), ZONES);
  assert.match((await refused(down)).message, /x1 .*UNHEALTHY.*y2 .*UNHEALTHY/);
});

test("zones: a hedge asks a whole zone", async () => {
  const ring = ringFixture(sixInZones({ x2: { behaviour: HANGS } }), ZONES);
  assert.deepEqual(await selected(ring, 500), [UP, OTHER]);
  assert.deepEqual(ring.requestCounts(), [1, 1, 1, 1, 1, 1]);
});

test("the local zone and the local instance go first", async () => {
  const zone = ringFixture(sixInZones(), { ...ZONES, queryable: { localZone: "z" } });
  await selected(zone);
  assert.deepEqual(zone.requestCounts(), [1, 1, 0, 0, 1, 1]);
  const own = ringFixture(three(), { queryable: { localInstanceId: "c" } });
  await selected(own);
  assert.deepEqual(own.requestCounts(), [1, 0, 1]);
});

test("the local zone goes first only while it answers", async () => {
  const ring = ringFixture(sixInZones({ z1: { behaviour: HANGS } }), {
    ...ZONES,
    queryable: { localZone: "z" },
  });
  await selected(ring, 500);
  assert.deepEqual(ring.requestCounts(), [1, 1, 1, 1, 1, 1]);
  await selected(ring);
  assert.deepEqual(ring.requestCounts(), [2, 2, 2, 2, 1, 1]);
  ring.ingester("z1").behaviour = { kind: "answers", afterMs: 0 };
  await ring.clock.advance(61_000);
  await selected(ring);
  assert.deepEqual(ring.requestCounts().slice(4), [2, 2]);
});

// ----------------------------------------------------------------------------------------------- ring of one

test("a ring of one gets the request as it is, and its answer is passed on", async () => {
  const ring = ringFixture([{ id: "a", series: [UP] }], { ring: { replicationFactor: 1 } });
  const request = { ...SELECT_ALL, labelsWanted: ["job"] };
  await ring.queryable.select("t", request);
  const { signal: _, ...seen } = must(ring.ingester("a").requests[0], "it was asked");
  assert.deepEqual(seen, request);
  const replicas = ringFixture(three());
  await replicas.queryable.select("t", request);
  assert.ok(!("labelsWanted" in must(replicas.ingester("a").requests[0], "it was asked")));
});

test("a ring with fewer members than a quorum is not believed: the others are not known here", async () => {
  const ring = ringFixture([{ id: "a", series: [UP] }]);
  assert.match(
    (await refused(ring)).message,
    /too few instances in the ring: 1 may hold samples, and every sample is on at least 2/,
  );
});

// ---------------------------------------------------------------------------------------------------- merging

test("chunks that differ are all there; limits are checked after the merge", async () => {
  const gap: TestSeries = { labels: UP.labels, chunks: [[[1000, 1]], [[1030, 3]]] };
  const ring = ringFixture(three([{ series: [gap] }]));
  assert.deepEqual(await selected(ring), [
    {
      labels: UP.labels,
      chunks: [...gap.chunks.slice(0, 1), ...UP.chunks, ...gap.chunks.slice(1)],
    },
  ]);
  const limited = ringFixture(three([{ series: [OTHER] }]));
  const limits = { ...SELECT_ALL.limits, seriesMax: 1 };
  await assert.rejects(limited.queryable.select("t", { ...SELECT_ALL, limits }), {
    code: "max-series-per-query",
  });
  const replicas = ringFixture(three());
  assert.equal((await replicas.queryable.select("t", { ...SELECT_ALL, limits })).seriesCount, 1);
});

test("label names, values and series are merged, sorted, and limited after that", async () => {
  const zone = testSeries({ __name__: "up", zone: "z" }, 1000, 15, [1]);
  const ring = ringFixture(three([{ series: [OTHER, zone] }]));
  const { queryable } = ring;
  assert.deepEqual(await queryable.labelNames("t", LABELS_ALL), ["__name__", "job", "zone"]);
  assert.deepEqual(await queryable.labelNames("t", { ...LABELS_ALL, limit: 2 }), [
    "__name__",
    "job",
  ]);
  assert.deepEqual(await queryable.labelValues("t", "job", LABELS_ALL), ["a", "b"]);
  assert.deepEqual(await queryable.labelValues("t", "job", { ...LABELS_ALL, limit: 1 }), ["a"]);
  const everything = { ...LABELS_ALL, seriesMax: 0 };
  const all = [UP.labels, OTHER.labels, labelsOf({ __name__: "up", zone: "z" })];
  assert.deepEqual(await queryable.series("t", everything), all);
  assert.deepEqual(await queryable.series("t", { ...everything, limit: 2 }), all.slice(0, 2));
  await assert.rejects(queryable.series("t", { ...everything, seriesMax: 2 }), {
    code: "max-series-per-query",
  });
});

test("tenants see their own", async () => {
  const ring = ringFixture(three());
  assert.equal((await ring.queryable.select("other", SELECT_ALL)).seriesCount, 0);
});

// ------------------------------------------------------------------------------------------------------ endings

test("abort ends all requests, and the reason is the answer", async () => {
  const ring = ringFixture(three([{ behaviour: HANGS }, { behaviour: HANGS }]));
  const client = new AbortController();
  const reason = new OpError("canceled", "gone");
  const answer = ring.queryable.select("t", { ...SELECT_ALL, signal: client.signal });
  await ring.clock.advance(100);
  assert.equal(ring.runningCount(), 2);
  client.abort(reason);
  await assert.rejects(answer, (error) => error === reason);
  await settle();
  assert.equal(ring.runningCount(), 0);
  assert.equal(ring.clock.timersWaiting, 0);
  const late = ring.queryable.select("t", { ...SELECT_ALL, signal: client.signal });
  await assert.rejects(late, (error) => error === reason);
  assert.deepEqual(ring.requestCounts(), [1, 1, 0]);
});

test("over HTTP: 500 with the text that names who is missing", async () => {
  const ring = ringFixture(three([{ behaviour: FAILS }, { isAlive: false }]));
  await using api = queryFixture([ring.queryable], { workerFile: STAND_IN });
  const { status, body } = await api.get("query?query=up");
  assert.equal(status, 500);
  assert.match(body.error ?? "", /^too many unhealthy instances in the ring: .*a \(.*b \(/);
  ring.ingester("a").behaviour = { kind: "answers", afterMs: 0 };
  assert.equal((await api.get("query?query=up")).status, 200);
});

test("after a loss all are asked and waited for; an answer without one of them says what it may lack", async () => {
  const lost = { changes: { lostDataAtMs: 1_700_000_000_000 } };
  const whole = ringFixture(three([lost]));
  const answer = await whole.queryable.select("t", SELECT_ALL);
  assert.deepEqual([whole.requestCounts(), answer.warnings], [[1, 1, 1], undefined]);

  const cut = ringFixture(three([lost, { behaviour: FAILS }]));
  await using api = queryFixture([cut.queryable], { workerFile: STAND_IN });
  const { status, body } = await api.get("query?query=up");
  assert.equal(status, 200);
  assert.match(
    body.warnings?.[0] ?? "",
    /^samples from before 2023-11-14T22:13:20.000Z may be missing: a left the ring .* no answer from b$/,
  );
  const before = { changes: { lostDataAtMs: 1_600_000_000_000 } };
  const old = ringFixture(three([before, { behaviour: FAILS }]));
  assert.equal((await old.queryable.select("t", SELECT_ALL)).warnings, undefined, "long ago");
});

test("how long reads took, by outcome", async () => {
  const ring = ringFixture(three([{ behaviour: HANGS }]));
  await selected(ring, 500);
  await ring.queryable.labelNames("t", LABELS_ALL);
  await refused(ringFixture([]));
  const text = await ring.registry.metrics();
  const name = "cortex_distributor_query_duration_seconds";
  const line = (method: string): string => `${name}_count{method="${method}",status_code="200"} 1`;
  assert.ok(text.includes(line("Distributor.QueryStream")), text);
  assert.ok(text.includes(line("Distributor.LabelNames")), text);
  assert.match(text, /_sum\{method="Distributor.QueryStream",status_code="200"\} 0\.5/);
});

test("the shard of the tenant is asked for, with its look-back", async () => {
  const ring = ringFixture(three(), { limits: { ingestionTenantShardSize: 3 } });
  await selected(ring);
  const nowMs = ring.clock.nowMs();
  const lookBack = { nowMs, lookBackMs: 13 * 3600_000 };
  assert.deepEqual(ring.shardRequests, [{ tenant: "t", size: 3, lookBack }]);
  const off = ringFixture(three(), {
    limits: { ingestionTenantShardSize: 3, queryIngestersWithinMs: 0 },
    queryable: { shuffleShardingEnabled: false, lookBackMs: 1000 },
  });
  await selected(off);
  const short = { nowMs, lookBackMs: 1000 };
  assert.deepEqual(off.shardRequests, [{ tenant: "t", size: 0, lookBack: short }]);
});
