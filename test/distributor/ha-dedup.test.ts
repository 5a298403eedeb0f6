import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { subset } from "../../src/distributor/subset.ts";
import type { SeriesBatch } from "../../src/rpc/ingester.ts";
import type { TimeSeries } from "../../src/wire/remote-write.ts";
import { type LabelPairs, namedSeries, wireSeries, writeBody } from "../testkit/remote-write.ts";
import { type DistributorFixture, newFixture } from "./fixture.ts";

const NOW = 1_700_000_000_000;
const FAILOVER_MS = 30_000;
const SCRAPE_MS = 5000;

function ofPair(
  replica: string,
  { cluster = "c", name = "m", timeMs = NOW, value = 1 } = {},
): TimeSeries {
  return namedSeries(name, { cluster, __replica__: replica }, [[timeMs, value]]);
}

function newHaFixture(): DistributorFixture {
  return newFixture({}, { ha: true });
}

test("a pair that sends the same: all is stored once; when one stops, the other takes over without a long gap", async () => {
  const { distributor, ingester, clock, metric } = newHaFixture();
  const scrapes: number[] = [];
  /** A scrape by each of those that run, a little apart, and what became of it. */
  const round = async (replicas: readonly string[]): Promise<string[]> => {
    const kinds: string[] = [];
    for (const replica of replicas) {
      await clock.advance(SCRAPE_MS / 2 / replicas.length);
      const timeMs = clock.nowMs();
      const body = writeBody(
        ofPair(replica, { name: "m1", timeMs, value: timeMs }),
        ofPair(replica, { name: "m2", timeMs, value: timeMs }),
      );
      const { kind, status } = await distributor.push("t", body);
      assert.equal(status, kind === "stored" ? 200 : 202);
      if (kind === "stored") scrapes.push(timeMs);
      kinds.push(kind);
    }
    await clock.advance(SCRAPE_MS / 2);
    return kinds;
  };
  const A_AND_B = ["stored", "deduplicated"];
  for (let i = 0; i < 20; i++) assert.deepEqual(await round(["a", "b"]), A_AND_B);
  const lastOfA = scrapes.at(-1) ?? 0;
  // a stops.
  while (scrapes.at(-1) === lastOfA) await round(["b"]);
  const gapMs = (scrapes.at(-1) ?? 0) - lastOfA;
  assert.ok(gapMs >= FAILOVER_MS && gapMs < FAILOVER_MS + SCRAPE_MS, `a gap of ${gapMs} ms`);
  for (let i = 0; i < 20; i++) assert.deepEqual(await round(["b"]), ["stored"]);
  // a is back.
  for (let i = 0; i < 20; i++)
    assert.deepEqual(await round(["a", "b"]), ["deduplicated", "stored"]);
  const samples = scrapes.map((timeMs) => [timeMs, timeMs]);
  assert.deepEqual(ingester.series("t"), {
    "__name__=m1,cluster=c": samples,
    "__name__=m2,cluster=c": samples,
  });
  assert.equal(new Set(scrapes).size, scrapes.length);
  const dropped = await metric("cortex_distributor_deduped_samples_total", {
    user: "t",
    cluster: "c",
  });
  const sent = await metric("cortex_distributor_samples_in_total", { user: "t" });
  const received = await metric("cortex_distributor_received_samples_total", { user: "t" });
  assert.equal(received, 2 * scrapes.length);
  assert.equal(dropped, (sent ?? 0) - (received ?? 0));
  const changes = "cortex_ha_tracker_elected_replica_changes_total";
  assert.equal(await metric(changes, { user: "t", cluster: "c" }), 2);
});

test("series of several clusters, of none and of both replicas in one push: each is decided on its own", async () => {
  const { distributor, ingester, metric } = newHaFixture();
  await distributor.push("t", writeBody(ofPair("a", { cluster: "c" })));
  await distributor.push("t", writeBody(ofPair("b", { cluster: "d" })));
  const outcome = await distributor.push(
    "t",
    writeBody(
      ofPair("b", { cluster: "c", timeMs: NOW + 1, value: 2 }),
      ofPair("b", { cluster: "d", timeMs: NOW + 1, value: 3 }),
      namedSeries("plain", {}, [
        [NOW, 4],
        [NOW + 1, 4],
      ]),
      namedSeries("half", { __replica__: "b" }, [[NOW, 5]]),
      ofPair("a", { cluster: "d", timeMs: NOW + 1, value: 6 }),
      ofPair("a", { cluster: "c", timeMs: NOW + 1, value: 7 }),
    ),
  );
  assert.equal(outcome.kind, "stored");
  assert.equal(outcome.status, 200);
  assert.deepEqual(ingester.series("t"), {
    "__name__=m,cluster=c": [
      [NOW, 1],
      [NOW + 1, 7],
    ],
    "__name__=m,cluster=d": [
      [NOW, 1],
      [NOW + 1, 3],
    ],
    "__name__=plain": [
      [NOW, 4],
      [NOW + 1, 4],
    ],
    "__name__=half,__replica__=b": [[NOW, 5]],
  });
  assert.equal(await metric("cortex_distributor_non_ha_samples_received_total", { user: "t" }), 3);
});

test("rows that an ingester does not know, and those it refuses, are named as they stand in the push", async () => {
  const { distributor, ingester } = newHaFixture();
  await distributor.push("t", writeBody(ofPair("a", { name: "first" })));
  const names = ["x", "y", "z"];
  const body = writeBody(
    ...names.flatMap((name) => [ofPair("b", { name }), ofPair("a", { name, value: 2 })]),
  );
  await distributor.push("t", body);
  ingester.forgetAllBut("t", 2);
  assert.equal((await distributor.push("t", body)).status, 200);
  const stored = ingester.series("t");
  for (const name of ["y", "z"]) assert.deepEqual(stored[`__name__=${name},cluster=c`], [[NOW, 2]]);
  ingester.reject = () => [
    { reason: "sample-out-of-order", count: 1, seriesIndex: 2, timestampMs: NOW },
  ];
  assert.match((await distributor.push("t", body)).message, /series: 'z\{cluster="c"\}'/);
});

test("more clusters than the tenant may have: a 400 with Mimir's id, and the rest is stored", async () => {
  const { distributor, ingester, setLimits, metric } = newHaFixture();
  setLimits({ haMaxClusters: 2 });
  const outcome = await distributor.push(
    "t",
    writeBody(...["c1", "c2", "c3"].map((cluster) => ofPair("a", { cluster }))),
  );
  assert.equal(outcome.status, 400);
  assert.match(
    outcome.message,
    /limit of 2 HA clusters .*\(err-mimir-tenant-too-many-ha-clusters\).*-distributor.ha-tracker.max-clusters.* 1 sample \(tenant-too-many-ha-clusters\); stored: 2 samples\.$/,
  );
  assert.deepEqual(Object.keys(ingester.series("t")), [
    "__name__=m,cluster=c1",
    "__name__=m,cluster=c2",
  ]);
  const labels = { user: "t", reason: "too_many_ha_clusters" };
  assert.equal(await metric("cortex_discarded_samples_total", labels), 1);
  // Names of replicas are bounded too.
  const many = Array.from({ length: 40 }, (_, index) => ofPair(`r${index}`, { cluster: "c1" }));
  assert.equal((await distributor.push("t", writeBody(...many))).status, 400);
  assert.equal(
    (await distributor.push("t", writeBody(ofPair("a", { cluster: "c1" })))).status,
    200,
  );
});

test("where the names of replicas change all the time, the old ones make room", async () => {
  const { distributor, clock, setLimits } = newHaFixture();
  setLimits({ haMaxClusters: 1 });
  distributor.start();
  const statusOf = async (replica: string): Promise<number> =>
    (await distributor.push("t", writeBody(ofPair(replica)))).status;
  for (let index = 0; index < 16; index++) await statusOf(`r${index}`);
  assert.equal(await statusOf("r0"), 200);
  assert.equal(await statusOf("new"), 400);
  for (let minute = 0; minute < 31; minute++) {
    await clock.advance(60_000);
    await statusOf("r0");
  }
  assert.equal(await statusOf("r0"), 200);
  assert.equal(await statusOf("new"), 202);
  distributor.stop();
});

test("labels that are too long for HA are refused with their series", async () => {
  const { distributor } = newHaFixture();
  const labels: LabelPairs = [
    ["__name__", "m"],
    ["__replica__", "r".repeat(257)],
    ["cluster", "c"],
  ];
  const outcome = await distributor.push("t", writeBody(wireSeries(labels, [[NOW, 1]])));
  assert.equal(outcome.status, 400);
  assert.match(
    outcome.message,
    /longer than 256 bytes, label: '__replica__'.*\(err-mimir-ha-label-value-too-long\)/,
  );
});

test("what is dropped does not count against the ingestion rate", async () => {
  const { distributor, setLimits } = newHaFixture();
  setLimits({ ingestionRate: 1, ingestionBurstSize: 2 });
  assert.equal((await distributor.push("t", writeBody(ofPair("a")))).status, 200);
  for (let i = 0; i < 5; i++) {
    assert.equal((await distributor.push("t", writeBody(ofPair("b")))).status, 202);
  }
  assert.equal((await distributor.push("t", writeBody(ofPair("a"), ofPair("b")))).status, 200);
  assert.equal((await distributor.push("t", writeBody(ofPair("a")))).status, 429);
});

test("HA is on and off with the tenant's limits, and its labels can change, while series are known", async () => {
  const { distributor, ingester, setLimits } = newHaFixture();
  const push = async (): Promise<number> =>
    (await distributor.push("t", writeBody(ofPair("a"), ofPair("b")))).status;
  const stored = (): string[] => Object.keys(ingester.series("t"));
  setLimits({ acceptHaSamples: false });
  assert.equal(await push(), 200);
  assert.deepEqual(stored(), [
    "__name__=m,__replica__=a,cluster=c",
    "__name__=m,__replica__=b,cluster=c",
  ]);
  ingester.forget();
  setLimits({ acceptHaSamples: true });
  assert.equal(await push(), 200);
  assert.deepEqual(stored(), ["__name__=m,cluster=c"]);
  ingester.forget();
  setLimits({ haClusterLabel: "__replica__", haReplicaLabel: "cluster" });
  assert.equal(await push(), 200);
  assert.deepEqual(stored(), ["__name__=m,__replica__=a", "__name__=m,__replica__=b"]);
});

test("without a tracker the tenant's limits change nothing", async () => {
  const { distributor, ingester, setLimits } = newFixture();
  setLimits({ acceptHaSamples: true });
  assert.equal((await distributor.push("t", writeBody(ofPair("a"), ofPair("b")))).status, 200);
  assert.equal(Object.keys(ingester.series("t")).length, 2);
});

test("rows of a batch, as plain code picks them", () => {
  const row = fc.record({
    id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    samples: fc.array(fc.tuple(fc.bigInt({ min: -5n, max: 5n }), fc.double()), { maxLength: 3 }),
    labels: fc.uint8Array({ maxLength: 5 }),
    isKept: fc.boolean(),
  });
  const batchOf = (
    rows: readonly { id: Uint8Array; samples: [bigint, number][]; labels: Uint8Array }[],
    withLabels: boolean,
  ): SeriesBatch => {
    const offsets = (sizes: readonly number[]): Uint32Array => {
      let end = 0;
      return Uint32Array.from([0, ...sizes.map((size) => (end += size))]);
    };
    const samples = rows.flatMap((one) => one.samples);
    const bytes = Uint8Array.from(rows.flatMap(({ labels }) => [...labels]));
    const labels = { bytes, offsets: offsets(rows.map(({ labels: { length } }) => length)) };
    return {
      seriesCount: rows.length,
      ids: Uint8Array.from(rows.flatMap(({ id }) => [...id])),
      sampleOffsets: offsets(rows.map((one) => one.samples.length)),
      timestampsMs: BigInt64Array.from(samples.map(([timeMs]) => timeMs)),
      values: Float64Array.from(samples.map(([, value]) => value)),
      ...(withLabels ? { labels } : {}),
    };
  };
  fc.assert(
    fc.property(fc.array(row, { maxLength: 8 }), fc.boolean(), (rows, withLabels) => {
      const kept = Uint32Array.from([...rows.keys()].filter((index) => rows[index]?.isKept));
      const want = batchOf(
        rows.filter(({ isKept }) => isKept),
        withLabels,
      );
      assert.deepEqual(subset(batchOf(rows, withLabels), kept), want);
    }),
  );
});
