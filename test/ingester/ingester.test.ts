import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../src/base/random.ts";
import { valueText } from "../testkit/read-series-set.ts";
import type { BatchSeries } from "../testkit/series-batch.ts";
import { FOREVER, IngesterFixture } from "./ingester-fixture.ts";

const T0 = 1_700_000_000_000;
const HOUR = 3600_000;

function series(
  name: string,
  samples: [number, number][],
  more: Record<string, string> = {},
): BatchSeries {
  return { labels: { __name__: name, ...more }, samples };
}

/** `count` samples 15 s apart from `fromMs` on. */
function run(fromMs: number, count: number, value = (i: number): number => i): [number, number][] {
  return Array.from({ length: count }, (_, i) => [fromMs + i * 15_000, value(i)]);
}

function texts(samples: readonly (readonly [number, number])[]): [number, string][] {
  return samples.map(([timeMs, value]) => [timeMs, valueText(value)]);
}

test("a series is unknown until its labels came, then its id is enough", async () => {
  const fixture = await IngesterFixture.start();
  assert.deepEqual((await fixture.push("t", [series("up", [[T0, 1]])])).rejected, []);
  const again = await fixture.push("t", [series("up", [[T0 + 1000, 2]])]);
  assert.equal(again.unknownSeries.length, 0);
  assert.deepEqual(await fixture.read("t"), {
    "__name__=up": [
      [T0, "1"],
      [T0 + 1000, "2"],
    ],
  });
});

test("tenants do not see each other", async () => {
  const fixture = await IngesterFixture.start();
  await fixture.push("a", [series("up", [[T0, 1]])]);
  await fixture.push("b", [series("up", [[T0, 2]])]);
  assert.deepEqual(await fixture.read("a"), { "__name__=up": [[T0, "1"]] });
  assert.deepEqual(await fixture.read("b"), { "__name__=up": [[T0, "2"]] });
  assert.deepEqual(await fixture.read("c"), {});
});

test("chunks that closed are read from their file, with late samples merged in", async () => {
  const fixture = await IngesterFixture.start();
  const samples = run(T0, 500);
  await fixture.push("t", [series("m", samples)]);
  const late: [number, number] = [T0 + 499 * 15_000 - 20 * 60_000 + 7, 99];
  await fixture.push("t", [series("m", [late])]);
  const want = [...samples, late].sort(([a], [b]) => a - b);
  assert.deepEqual((await fixture.read("t"))["__name__=m"], texts(want));
});

test("what a sample is refused for", async () => {
  const fixture = await IngesterFixture.start({ limits: { maxGlobalSeriesPerUser: 1 } });
  await fixture.push("t", [
    series("m", [
      [T0, 1],
      [T0 + HOUR, 2],
    ]),
  ]);
  const refused = async (sample: [number, number], name = "m") =>
    (await fixture.push("t", [series(name, [sample])])).rejected.map(
      ({ reason, count, limit }) => ({
        reason,
        count,
        limit,
      }),
    );
  assert.deepEqual(await refused([T0 + HOUR, 2]), []);
  assert.deepEqual(await refused([T0 + HOUR, 3]), [
    { reason: "sample-duplicate-timestamp", count: 1, limit: undefined },
  ]);
  assert.deepEqual(await refused([T0 - HOUR, 3]), [
    { reason: "sample-timestamp-too-old", count: 1, limit: 30 * 60_000 },
  ]);
  assert.deepEqual(await refused([T0 + HOUR, 3], "other"), [
    { reason: "max-series-per-user", count: 1, limit: 1 },
  ]);
  const strict = await IngesterFixture.start({ limits: { outOfOrderTimeWindowMs: 0 } });
  await strict.push("t", [series("m", [[T0, 1]])]);
  const answer = await strict.push("t", [series("m", [[T0 - 1, 1]])]);
  assert.equal(answer.rejected[0]?.reason, "sample-out-of-order");
});

test("everything acknowledged under sync=commit is there after a power cut at any moment", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.array(fc.nat(3), { minLength: 1, maxLength: 25 }),
      async (seed, steps) => {
        const fixture = await IngesterFixture.start({ wal: { segmentBytes: 4096 } });
        const acknowledged = new Map<string, [number, number][]>();
        const pushes: Promise<void>[] = [];
        let timeMs = T0;
        const disks = [];
        for (const step of steps) {
          timeMs += 15_000;
          const name = `m${step}`;
          const sample: [number, number] = [timeMs, timeMs % 1000];
          const push = fixture.push("t", [series(name, [sample])]).then(() => {
            acknowledged.set(name, [...(acknowledged.get(name) ?? []), sample]);
          });
          pushes.push(push);
          if (step > 0) await Promise.all(pushes);
          const known = new Map(acknowledged);
          disks.push({ disk: fixture.files.crash(new SeededRandom(seed)), known });
        }
        await Promise.all(pushes);
        const { disk, known } = disks[seed % disks.length] as (typeof disks)[number];
        const reborn = await IngesterFixture.start({ files: disk });
        const read = await reborn.read("t");
        for (const [name, samples] of known) {
          const have = new Map(read[`__name__=${name}`]);
          for (const [at, value] of samples) assert.equal(have.get(at), valueText(value));
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a checkpoint shortens the log, and the log alone still gives everything", async () => {
  const fixture = await IngesterFixture.start({ ingester: { checkpointBytes: 1000 } });
  const names = Array.from({ length: 40 }, (_, i) => `m${i}`);
  for (let round = 0; round < 5; round++) {
    await fixture.push(
      "t",
      names.map((name) => series(name, run(T0 + round * 60 * 15_000, 60), { pod: name })),
    );
  }
  await fixture.push("t", [series("m3", [[T0 + (4 * HOUR) / 4 - 1, 5]], { pod: "m3" })]);
  const before = await fixture.read("t");
  const segmentsBefore = (await fixture.files.list("/data/wal")).length;
  await fixture.maintain();
  const names2 = await fixture.files.list("/data/wal");
  assert.ok(!names2.includes("00000001"), `${segmentsBefore} segments, then ${names2.join(" ")}`);
  await fixture.push("t", [
    series("m1", [[T0 + 6 * HOUR, 7]], { pod: "m1" }),
    series("new", [[T0 + 6 * HOUR, 8]]),
  ]);
  const reborn = await IngesterFixture.start({ files: fixture.files.crash(new SeededRandom(7)) });
  const after = await reborn.read("t");
  assert.deepEqual(after["__name__=new"], [[T0 + 6 * HOUR, "8"]]);
  for (const [labels, samples] of Object.entries(before)) {
    const want = labels.startsWith("__name__=m1,") ? [...samples, [T0 + 6 * HOUR, "7"]] : samples;
    assert.deepEqual(after[labels], want);
  }
  assert.deepEqual(
    reborn.logger.lines.filter(({ level }) => level === "error"),
    [],
  );
});

test("a full disk refuses pushes, keeps what it took, and recovers by itself", async () => {
  const fixture = await IngesterFixture.start();
  await fixture.push("t", [series("m", [[T0, 1]])]);
  fixture.files.capacityBytes = 0;
  await assert.rejects(fixture.push("t", [series("m", [[T0 + 1, 2]])]), { code: "wal-blocked" });
  await assert.rejects(fixture.push("t", [series("m", [[T0 + 1, 2]])]), { code: "wal-blocked" });
  assert.notEqual(fixture.ingester.status.blocked, undefined);
  fixture.files.capacityBytes = Number.POSITIVE_INFINITY;
  await fixture.clock.advance(5000);
  assert.equal(fixture.ingester.status.blocked, undefined);
  assert.deepEqual((await fixture.push("t", [series("m", [[T0 + 1, 2]])])).rejected, []);
  const reborn = await IngesterFixture.start({ files: fixture.files.crash(new SeededRandom(1)) });
  assert.deepEqual((await reborn.read("t"))["__name__=m"], [
    [T0, "1"],
    [T0 + 1, "2"],
  ]);
});

test("retention drops old chunks, their files and series, also in the log", async () => {
  const fixture = await IngesterFixture.start({
    ingester: { retentionPeriodMs: 2 * HOUR, chunkRangeMs: 2 * HOUR },
  });
  const gone = series("gone", run(T0, 10));
  await fixture.push("t", [gone, series("m", run(T0, 240))]);
  await fixture.push("t", [series("m", run(T0 + HOUR, 960))]);
  await fixture.clock.advance(5 * HOUR);
  await fixture.maintain();
  const read = await fixture.read("t");
  assert.equal(read["__name__=gone"], undefined);
  const kept = read["__name__=m"] as [number, string][];
  assert.ok((kept[0] as [number, string])[0] > T0 + HOUR);
  assert.equal((kept.at(-1) as [number, string])[0], T0 + HOUR + 959 * 15_000);
  assert.deepEqual(
    await fixture.ingester.labelValues("t", "__name__", { matcherSets: [], limit: 0, ...FOREVER }),
    ["m"],
  );
  const reborn = await IngesterFixture.start({ files: fixture.files });
  assert.equal((await reborn.read("t"))["__name__=gone"], undefined);
  assert.deepEqual(
    (await fixture.push("t", [gone])).rejected[0]?.reason,
    "sample-timestamp-too-old",
  );
});

test("an idle tenant whose samples are past retention is closed, and may come back", async () => {
  const fixture = await IngesterFixture.start();
  await fixture.push("t", [series("m", run(T0, 10))]);
  await fixture.clock.advance(27 * HOUR);
  await fixture.maintain();
  assert.deepEqual(fixture.ingester.status.tenants, []);
  assert.deepEqual(await fixture.files.list("/data/tsdb"), []);
  await fixture.push("t", [series("m", [[T0 + 28 * HOUR, 3]])]);
  assert.deepEqual(await fixture.read("t"), { "__name__=m": [[T0 + 28 * HOUR, "3"]] });
  const reborn = await IngesterFixture.start({ files: fixture.files.crash(new SeededRandom(3)) });
  assert.deepEqual(await reborn.read("t"), { "__name__=m": [[T0 + 28 * HOUR, "3"]] });
});

test("stop writes the log out and leaves no timers", async () => {
  const fixture = await IngesterFixture.start({ wal: { sync: "interval" } });
  await fixture.push("t", [series("m", run(T0, 300))]);
  await fixture.ingester.stop();
  assert.equal(fixture.clock.timersWaiting, 0);
  await assert.rejects(fixture.push("t", [series("m", [[T0, 1]])]), { code: "stopping" });
  const reborn = await IngesterFixture.start({ files: fixture.files.crash(new SeededRandom(5)) });
  assert.deepEqual((await reborn.read("t"))["__name__=m"], texts(run(T0, 300)));
});
