/** The querier with the real PromQL engine in its threads: from parameters to numbers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryQueryable, testSeries } from "../testkit/memory-queryable.ts";
import { settle } from "../testkit/test-clock.ts";
import { queryFixture } from "./query-fixture.ts";

const NOW_S = 1_700_000_000;
const START_MS = (NOW_S - 600) * 1000;
const counter = (step: number): number[] => Array.from({ length: 41 }, (_, i) => i * step * 15);

const stored = [
  testSeries({ __name__: "hits", job: "a", i: "1" }, START_MS, 15_000, counter(1)),
  testSeries({ __name__: "hits", job: "a", i: "2" }, START_MS, 15_000, counter(2)),
  testSeries({ __name__: "hits", job: "b", i: "1" }, START_MS, 15_000, counter(4)),
];

test("an instant query, a range query, a scalar, a string", async () => {
  await using api = queryFixture([new MemoryQueryable({ t: stored })]);
  const instant = await api.get(`query?query=sum by (job) (rate(hits[5m]))&time=${NOW_S}`);
  assert.deepEqual(instant.body.data, {
    resultType: "vector",
    result: [
      { metric: { job: "a" }, value: [NOW_S, "3"] },
      { metric: { job: "b" }, value: [NOW_S, "4"] },
    ],
  });
  const range = await api.get(
    `query_range?query=sum(hits)&start=${NOW_S - 30}&end=${NOW_S}&step=15`,
  );
  const sum = (i: number): string => String(7 * 15 * i);
  assert.deepEqual(range.body.data, {
    resultType: "matrix",
    result: [
      {
        metric: {},
        values: [
          [NOW_S - 30, sum(38)],
          [NOW_S - 15, sum(39)],
          [NOW_S, sum(40)],
        ],
      },
    ],
  });
  const scalar = await api.get(`query?query=1%2B1&time=${NOW_S}`);
  assert.deepEqual(scalar.body.data, { resultType: "scalar", result: [NOW_S, "2"] });
  const text = await api.get(`query?query="x"&time=${NOW_S}`);
  assert.deepEqual(text.body.data, { resultType: "string", result: [NOW_S, "x"] });
});

test("replicas that hold different parts make one series", async () => {
  const part = (from: number, to: number) =>
    stored.map((series) => ({
      ...series,
      chunks: series.chunks.map((chunk) => chunk.slice(from, to)),
    }));
  const sources = [part(0, 20), part(10, 41), part(0, 41)].map((t) => new MemoryQueryable({ t }));
  await using api = queryFixture(sources);
  const count = await api.get(`query?query=sum(count_over_time(hits[20m]))&time=${NOW_S}`);
  assert.equal(count.body.data.result[0].value[1], String(3 * 41));
});

test("errors of the evaluation, limits on samples", async () => {
  await using api = queryFixture([new MemoryQueryable({ t: stored })], { samplesMax: 50 });
  const many = await api.get(`query_range?query=hits&start=${NOW_S - 600}&end=${NOW_S}&step=1`);
  assert.deepEqual([many.status, many.body.errorType], [422, "execution"]);
  assert.match(many.body.error ?? "", /too many samples/);
  const twice = await api.get(`query?query=hits%2Bon(job)hits&time=${NOW_S}`);
  assert.deepEqual([twice.status, twice.body.errorType], [422, "execution"]);
});

test("a truly heavy query is stopped by its client's timeout", async () => {
  await using api = queryFixture([new MemoryQueryable({ t: stored })]);
  assert.equal((await api.get(`query?query=sum(hits)&time=${NOW_S}`)).status, 200);
  // Eleven million inner steps over windows of 600,000: hours.
  const query = "sum_over_time(sum_over_time(hits[10m:1ms])[10m:1ms])";
  const heavy = api.get(`query_range?query=${query}&start=0&end=11000&step=1&timeout=30s`);
  while (api.clock.timersWaiting === 0) await settle();
  await settle();
  await api.clock.advance(30_000);
  const { status, body } = await heavy;
  assert.deepEqual([status, body.error], [503, "query timed out in expression evaluation"]);
  assert.equal((await api.get(`query?query=sum(hits)&time=${NOW_S}`)).status, 200);
});
