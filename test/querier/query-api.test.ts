/** The HTTP API around the engine: parameters, limits, errors, envelope. A stand-in evaluates (testkit/query-worker.ts). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryQueryable, testSeries } from "../testkit/memory-queryable.ts";
import { type QueryFixture, queryFixture, STAND_IN } from "./query-fixture.ts";

const NOW_S = 1_700_000_000;
const NOW_MS = NOW_S * 1000;

const stored = [
  testSeries({ __name__: "up", job: "a", i: "1" }, NOW_MS - 60_000, 15_000, [1, 1, 0, 1]),
  testSeries({ __name__: "up", job: "a", i: "2" }, NOW_MS - 60_000, 15_000, [1, 1, 1, 1]),
  testSeries({ __name__: "up", job: "b", i: "1" }, NOW_MS - 60_000, 15_000, [0, 0, 0, 0]),
  testSeries({ __name__: "old", job: "b", "a.b": "x" }, NOW_MS - 7_200_000, 15_000, [1, 2]),
];

function fixture(options: Parameters<typeof queryFixture>[1] = {}): QueryFixture & {
  readonly source: MemoryQueryable;
} {
  const source = new MemoryQueryable({ t: stored });
  return { ...queryFixture([source], { workerFile: STAND_IN, ...options }), source };
}

test("a query: what is selected, what is evaluated, what is answered", async () => {
  await using api = fixture();
  const { status, body, headers } = await api.get(`query?query=up{job="a"}&time=${NOW_S}.5`);
  assert.equal(status, 200);
  assert.equal(body.status, "success");
  assert.equal(body.data.result.length, 2);
  assert.deepEqual(body.data.asked, {
    query: 'up{job="a"}',
    startMs: NOW_MS + 500,
    endMs: NOW_MS + 500,
    stepMs: 0,
    lookbackMs: 300_000,
  });
  assert.deepEqual([body.warnings, body.infos], [undefined, undefined]);
  assert.match(String(headers["content-type"]), /^application\/json/);
  assert.match(String(headers["server-timing"]), /samples_processed;val=8/);
  const [select] = api.source.selects;
  assert.equal(select?.maxTimeMs, NOW_MS + 500);
  assert.equal(select?.minTimeMs, NOW_MS + 500 - 300_000 + 1);
});

test("time is now when absent; forms, lookback, warnings and infos", async () => {
  await using api = fixture();
  const { body } = await api.post("query", "query=warns%2Bup&lookback_delta=1m");
  assert.equal(body.data.asked.startMs, NOW_MS);
  assert.equal(body.data.asked.lookbackMs, 60_000);
  assert.deepEqual(body.warnings, ["careful"]);
  assert.deepEqual(body.infos, ["by the way"]);
});

test("a range query", async () => {
  await using api = fixture();
  const start = NOW_S - 60;
  const { status, body } = await api.get(
    `query_range?query=up&start=${start}&end=2023-11-14T22:13:20Z&step=15s`,
  );
  assert.equal(status, 200);
  assert.equal(body.data.resultType, "matrix");
  const { startMs, endMs, stepMs } = body.data.asked;
  assert.deepEqual([startMs, endMs, stepMs], [start * 1000, NOW_MS, 15_000]);
});

test("the same selector twice is fetched once", async () => {
  await using api = fixture();
  const { body } = await api.get("query?query=up%2Bup");
  assert.equal(api.source.selects.length, 1);
  assert.equal(body.data.result.length, 3);
});

test("limit cuts the series and says so", async () => {
  await using api = fixture();
  const cut = await api.get("query?query=up&limit=2");
  assert.equal(cut.body.data.result.length, 2);
  assert.deepEqual(cut.body.warnings, ["results truncated due to limit"]);
  const whole = await api.get("query?query=up&limit=3");
  assert.equal(whole.body.data.result.length, 3);
  assert.equal(whole.body.warnings, undefined);
});

test("stats=all", async () => {
  await using api = fixture();
  const { body } = await api.get("query?query=up&stats=all");
  assert.equal(body.data.stats.samples.totalQueryableSamples, 12);
  assert.ok("execTotalTime" in body.data.stats.timings);
});

test("parameter errors of queries", async () => {
  await using api = fixture();
  const check = async (path: string, error: string): Promise<void> => {
    const { status, body } = await api.get(path);
    assert.deepEqual(
      { status, body },
      { status: 400, body: { status: "error", errorType: "bad_data", error } },
    );
  };
  const timestamp = 'cannot parse "x" to a valid timestamp';
  await check(
    "query?query=up&limit=x&time=x",
    'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
  );
  await check("query?query=up&limit=-1", 'invalid parameter "limit": limit must be non-negative');
  await check(
    "query?query=up&time=x",
    `invalid parameter "time": invalid time value for 'time': ${timestamp}`,
  );
  await check(
    "query?query=up&timeout=x",
    'invalid parameter "timeout": cannot parse "x" to a valid duration',
  );
  await check(
    "query?query=up&lookback_delta=x",
    'error parsing lookback delta duration: cannot parse "x" to a valid duration',
  );
  await check(
    "query",
    'invalid parameter "query": unknown position: parse error: no expression found in input',
  );
  await check(
    "query?query=sum(",
    'invalid parameter "query": 1:5: parse error: unclosed left parenthesis',
  );
  await check("query_range?query=up&start=x", `invalid parameter "start": ${timestamp}`);
  await check("query_range?query=up&start=1&end=x", `invalid parameter "end": ${timestamp}`);
  await check(
    "query_range?query=up&start=2&end=1&step=1",
    'invalid parameter "end": end timestamp must not be before start time',
  );
  await check(
    "query_range?query=up&start=1&end=2",
    'invalid parameter "step": cannot parse "" to a valid duration',
  );
  await check(
    "query_range?query=up&start=1&end=2&step=0",
    'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
  );
  await check(
    "query_range?query=up&start=0&end=11001&step=1",
    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
  );
  await check(
    "query_range?query=up[5m]&start=0&end=1&step=1",
    'invalid parameter "query": invalid expression type "range vector" for range query, must be Scalar or instant Vector',
  );
  await check(
    'query_range?query="a"&start=0&end=1&step=1',
    'invalid parameter "query": invalid expression type "string" for range query, must be Scalar or instant Vector',
  );
});

test("labels, label values, series", async () => {
  await using api = fixture();
  const data = async (path: string): Promise<unknown> => {
    const { status, body } = await api.get(path);
    assert.equal(status, 200, path);
    assert.deepEqual(body.warnings, undefined);
    return body.data;
  };
  assert.deepEqual(await data("labels"), ["__name__", "a.b", "i", "job"]);
  assert.deepEqual(await data("labels?match[]=up"), ["__name__", "i", "job"]);
  assert.deepEqual(await data(`labels?start=${NOW_S - 600}&end=${NOW_S}`), [
    "__name__",
    "i",
    "job",
  ]);
  assert.deepEqual(await data("labels?start=2&end=1"), []);
  assert.deepEqual(await data("label/job/values"), ["a", "b"]);
  assert.deepEqual(await data('label/job/values?match[]=up{i="2"}&match[]=old'), ["a", "b"]);
  assert.deepEqual(await data("label/U__a_2e_b/values"), ["x"]);
  assert.deepEqual(await data("label/a.b/values"), ["x"]);
  assert.deepEqual(await data("label/none/values"), []);
  assert.deepEqual(await data('series?match[]=up{job="b"}&match[]=old'), [
    { __name__: "old", job: "b", "a.b": "x" },
    { __name__: "up", job: "b", i: "1" },
  ]);
  const posted = await api.post("series", "match[]=old");
  assert.equal(posted.body.data.length, 1);
  assert.deepEqual((await api.post("labels", "match[]=old")).body.data, ["__name__", "a.b", "job"]);
});

test("limits of labels, label values and series", async () => {
  await using api = fixture();
  const check = async (path: string, count: number, cut: boolean): Promise<void> => {
    const { body } = await api.get(path);
    assert.equal(body.data.length, count, path);
    assert.deepEqual(body.warnings, cut ? ["results truncated due to limit"] : undefined, path);
  };
  await check("labels?limit=2", 2, true);
  await check("labels?limit=4", 4, false);
  await check("label/job/values?limit=1", 1, true);
  await check("label/job/values?limit=2", 2, false);
  await check("series?match[]=up&limit=2", 2, true);
  await check("series?match[]=up&limit=0", 3, false);
});

test("parameter errors of labels, label values and series", async () => {
  await using api = fixture();
  const check = async (path: string, error: string): Promise<void> => {
    const { status, body } = await api.get(path);
    assert.deepEqual([status, body.errorType, body.error], [400, "bad_data", error]);
  };
  const empty = "match[] must contain at least one non-empty matcher";
  await check("series", "no match[] parameter provided");
  await check('series?match[]={a=""}', `invalid parameter "match[]": ${empty}`);
  await check('series?match[]={a=~".*",b!="x"}', `invalid parameter "match[]": ${empty}`);
  await check(
    "series?match[]=up{",
    'invalid parameter "match[]": 1:4: parse error: unexpected end of input inside braces',
  );
  await check(
    "series?match[]=up&start=x",
    `invalid parameter "start": invalid time value for 'start': cannot parse "x" to a valid timestamp`,
  );
  await check(
    "series?match[]=up&limit=x",
    'invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax',
  );
  await check("labels?match[]=up{", "1:4: parse error: unexpected end of input inside braces");
  await check('labels?match[]={a=""}', empty);
  await check(
    "labels?end=x",
    `invalid parameter "end": invalid time value for 'end': cannot parse "x" to a valid timestamp`,
  );
  await check('label/job/values?match[]={a=""}', empty);
  await check(
    "label/job/values?match[]=1",
    "1:1: parse error: a series selector is expected and nothing else",
  );
  await check(
    "label/job/values?match[]=up offset 5m",
    "1:1: parse error: offset and @ have no meaning in a series selector",
  );
  await check("label/U__/values", 'invalid label name: "U__"');
});

test("limits of a tenant", async () => {
  await using api = fixture();
  const check = async (path: string, status: number, id: string): Promise<void> => {
    const { status: got, body } = await api.get(path);
    assert.equal(got, status, path);
    assert.ok(body.error?.includes(`(err-mimir-${id})`), body.error);
  };
  api.setLimits({ maxQueryExpressionSizeBytes: 3 });
  await check("query?query=up%2B1", 400, "max-query-expression-size-bytes");
  assert.equal((await api.get("query?query=up")).status, 200);
  api.setLimits({ maxQueryExpressionSizeBytes: 0, maxTotalQueryLengthMs: 3_600_000 });
  await check("query_range?query=up&start=0&end=3601&step=1", 400, "max-total-query-length");
  await check("query?query=up[61m]", 400, "max-total-query-length");
  assert.equal((await api.get("query_range?query=up&start=0&end=3600&step=1")).status, 200);
  api.setLimits({ maxTotalQueryLengthMs: 0, maxFetchedSeriesPerQuery: 3 });
  assert.equal((await api.get("query?query=up")).status, 200);
  await check(`query?query=up%2Bup{job="a"}`, 422, "max-series-per-query");
  api.setLimits({ maxFetchedSeriesPerQuery: 0, maxFetchedChunksPerQuery: 2 });
  await check("query?query=up", 422, "max-chunks-per-query");
  api.setLimits({ maxFetchedChunksPerQuery: 0, maxFetchedChunkBytesPerQuery: 12 * 16 - 1 });
  await check("query?query=up", 422, "max-chunks-bytes-per-query");
});

test("max_query_lookback: steps out of reach are left out, on the same grid", async () => {
  await using api = fixture();
  api.setLimits({ maxQueryLookbackMs: 100_000 });
  const range = await api.get(
    `query_range?query=up[10m]%2Bx&start=${NOW_S - 607}&end=${NOW_S}&step=15`.replace(
      "up[10m]%2Bx",
      "rate(up[10m])",
    ),
  );
  assert.equal(range.body.data.asked.startMs, NOW_MS - 97_000);
  assert.equal(api.source.selects[0]?.minTimeMs, NOW_MS - 100_000);
  const instant = await api.get(`query?query=up&time=${NOW_S - 101}`);
  assert.deepEqual(instant.body.data, { resultType: "vector", result: [] });
  const old = await api.get(`query_range?query=up&start=0&end=100&step=15`);
  assert.deepEqual(old.body.data, { resultType: "matrix", result: [] });
  assert.equal((await api.get(`query?query=up{&time=1`)).status, 400);
  assert.deepEqual((await api.get("label/job/values?match[]=old")).body.data, []);
  api.setLimits({ maxQueryLookbackMs: 0, maxLabelsQueryLengthMs: 100_000 });
  assert.deepEqual((await api.get("label/job/values?match[]=old")).body.data, []);
});

test("failures of the evaluation", async () => {
  await using api = fixture();
  const failed = await api.get("query?query=fails");
  assert.deepEqual(
    [failed.status, failed.body.errorType, failed.body.error],
    [422, "execution", "as asked"],
  );
  const bug = await api.get("query?query=throws");
  assert.deepEqual([bug.status, bug.body.errorType], [500, "internal"]);
  assert.ok(!bug.body.error?.includes("a bug in the engine"));
  assert.equal((await api.get("query?query=up")).status, 200);
});

test("no tenant, no answer", async () => {
  await using api = fixture();
  const { statusCode, json } = await api.app.inject("/prometheus/api/v1/query?query=up");
  assert.equal(statusCode, 401);
  assert.equal(json().error, "no org id");
  const other = await api.app.inject({
    url: "/prometheus/api/v1/labels",
    headers: { "x-scope-orgid": "other" },
  });
  assert.deepEqual(other.json(), { status: "success", data: [] });
});

test("several sources are one", async () => {
  const left = new MemoryQueryable({ t: stored.slice(0, 3) });
  const right = new MemoryQueryable({ t: stored.slice(1) });
  await using api = queryFixture([left, right], { workerFile: STAND_IN });
  const { body } = await api.get("query?query=sum by (job) (up)");
  assert.equal(body.data.result.length, 3);
  assert.equal(body.data.result[0].values.length, 4);
  // Replicas are told apart by all their labels.
  assert.equal(left.selects[0]?.labelsWanted, undefined);
  assert.equal((await api.get("series?match[]=up&match[]=old")).body.data.length, 4);
  assert.deepEqual((await api.get("label/job/values")).body.data, ["a", "b"]);
  const cut = await api.get("labels?limit=2");
  assert.deepEqual(cut.body.data, ["__name__", "a.b"]);
  api.setLimits({ maxFetchedSeriesPerQuery: 3 });
  assert.equal((await api.get("query?query=up")).status, 200);
  assert.equal((await api.get("series?match[]=up&match[]=old")).status, 422);
});

test("slow queries are logged at info, others at debug; metrics count", async () => {
  await using api = fixture({ logLongerThanMs: -1 });
  await api.get("query?query=up&time=1700000000");
  await api.get("query?query=fails");
  const lines = api.logger.lines.filter(({ message }) => message === "query stats");
  assert.deepEqual(
    lines.map(({ level, fields }) => [
      level,
      fields["status"],
      fields["param_query"],
      fields["user"],
    ]),
    [
      ["info", "success", "up", "t"],
      ["info", "failed", "fails", "t"],
    ],
  );
  assert.equal(lines[0]?.fields["fetched_series_count"], 3);
  assert.equal(lines[0]?.fields["param_time"], "1700000000");
  const text = await api.registry.metrics();
  assert.match(text, /^cortex_query_frontend_queries_total\{op="query",user="t"\} 2$/m);
  assert.match(text, /^cortex_query_fetched_series_total\{user="t"\} 3$/m);
  assert.match(text, /^cortex_query_fetched_chunk_bytes_total\{user="t"\} 192$/m);
  assert.match(
    text,
    /^cortex_querier_request_duration_seconds_count\{.*route="prometheus_api_v1_query".*status_code="422".*\} 1$/m,
  );
});

test("fast queries stay at debug", async () => {
  await using api = fixture();
  await api.get("query?query=up");
  const lines = api.logger.lines.filter(({ message }) => message === "query stats");
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["debug"],
  );
});

test("metadata and exemplars: nothing is kept, and wrong questions are refused", async () => {
  await using api = fixture();
  const metadata = await api.get("metadata?metric=up&limit=1");
  assert.deepEqual(metadata.body, { status: "success", data: {} });
  assert.equal((await api.get("metadata?limit=x")).status, 400);
  const exemplars = await api.get("query_exemplars?query=up&start=1&end=2");
  assert.deepEqual(exemplars.body, { status: "success", data: [] });
  assert.deepEqual((await api.post("query_exemplars", "query=up")).body.data, []);
  assert.equal((await api.get("query_exemplars?query=up%20up")).status, 400);
  assert.equal((await api.get("query_exemplars?query=up&start=x")).status, 400);
  const { status, body } = await api.get("query_exemplars?query=up&start=2&end=1");
  assert.deepEqual(
    [status, body.errorType, body.error],
    [400, "bad_data", "end timestamp must not be before start timestamp"],
  );
});

test("what this version does not have is named", async () => {
  await using api = fixture();
  for (const [path, feature] of [
    ["rules", "the ruler"],
    ["alerts", "the ruler"],
    ["cardinality/label_names", "the cardinality API"],
  ] as const) {
    const { status, body } = await api.get(path);
    assert.deepEqual(
      [status, body.errorType, body.error],
      [404, "not_found", `/prometheus/api/v1/${path}: ${feature} is not part of this version`],
    );
  }
  assert.equal((await api.post("read", "")).status, 404);
});
