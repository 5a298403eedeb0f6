/** Everything that a client can get wrong, with the status and the text that it is answered with. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { compressSync } from "snappy";
import { type TemporaryFolder, temporaryFolder } from "./harness/folder.ts";
import { type Answer, Muninn } from "./harness/muninn.ts";
import { Api, parseValue } from "./harness/query.ts";
import { encodeBody, encodeWriteRequest, type Series } from "./harness/remote-write.ts";

const TENANT = "bad-input";
const NOW_MS = Date.now();
const STALE_NAN = new DataView(new ArrayBuffer(8));
STALE_NAN.setBigUint64(0, 0x7ff0000000000002n);

let folder: TemporaryFolder;
let muninn: Muninn;

before(async () => {
  folder = await temporaryFolder("bad-input");
  muninn = await Muninn.start({
    dataDirectory: folder.path,
    flags: ["-ingester.max-global-series-per-user=1000"],
  });
});

after(async () => {
  await muninn?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

function series(
  labels: Series["labels"],
  timestampMs: number | bigint = NOW_MS,
  value = 1,
): Series {
  return { labels, samples: [{ timestampMs, value }] };
}

function check(answer: Answer, status: number, text: RegExp): void {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.body, text);
}

const GOOD = encodeBody([series({ __name__: "good" })]);

describe("tenants", () => {
  test("no tenant", async () => {
    check(await muninn.pushBody(undefined, GOOD), 401, /no org id/);
    check(await muninn.request("/prometheus/api/v1/query?query=up"), 401, /no org id/);
  });

  test("bad tenants", async () => {
    check(await muninn.pushBody("a/b", GOOD), 400, /unsupported character "\/"/);
    check(await muninn.pushBody("..", GOOD), 400, /unsafe/);
    check(await muninn.pushBody("a".repeat(151), GOOD), 400, /too long.*150/);
    check(await muninn.pushBody("a|b", GOOD), 400, /multiple org IDs/);
  });
});

describe("bodies", () => {
  const push = (body: Uint8Array, headers: Record<string, string> = {}): Promise<Answer> =>
    muninn.pushBody(TENANT, body, headers);

  test("not snappy", async () => {
    check(await push(Buffer.from("this is not snappy at all, sorry")), 400, /snappy/i);
  });

  test("truncated snappy", async () => {
    check(await push(GOOD.subarray(0, GOOD.length - 3)), 400, /snappy/i);
  });

  test("snappy bomb: refused by its declared length", async () => {
    // Varint of 2^32-1, then one literal byte.
    const bomb = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]);
    const began = performance.now();
    check(await push(bomb), 400, /4294967295.*(?:limit|larger|max)/i);
    assert.ok(performance.now() - began < 5000);
  });

  test("truncated protobuf", async () => {
    const message = encodeWriteRequest([series({ __name__: "cut" })]);
    const cut = compressSync(Buffer.from(message.subarray(0, message.length - 5)));
    check(await push(cut), 400, /truncated|malformed|unexpected end|protobuf/i);
  });

  test("wrong wire types", async () => {
    // Field 1 (timeseries) as a varint; field 1.1 (label) as a varint.
    check(
      await push(compressSync(Buffer.from([0x08, 0x01]))),
      400,
      /wire type|malformed|protobuf/i,
    );
    const label = Buffer.from([0x0a, 0x02, 0x08, 0x01]);
    check(await push(compressSync(label)), 400, /wire type|malformed|protobuf/i);
  });

  test("empty request: nothing to store is no error", async () => {
    const answer = await push(compressSync(Buffer.alloc(0)));
    assert.equal(answer.status, 200, answer.body);
  });

  test("a body of no bytes is not snappy", async () => {
    check(await push(new Uint8Array(0)), 400, /snappy/i);
  });

  test("a body over 100 MiB", async () => {
    check(
      await push(Buffer.alloc(101 * 1024 * 1024)),
      413,
      /limit.*-distributor\.max-recv-msg-size/s,
    );
  });

  test("unsupported content type and encoding", async () => {
    check(await push(GOOD, { "content-type": "text/plain" }), 415, /content.type/i);
    check(await push(GOOD, { "content-encoding": "br" }), 415, /content.encoding/i);
    check(
      await push(GOOD, {
        "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
      }),
      415,
      /io\.prometheus\.write\.v2/,
    );
  });
});

describe("series", () => {
  const refused = async (bad: Series, id: string, text: RegExp = /./): Promise<void> => {
    const answer = await muninn.push(TENANT, [bad]);
    check(answer, 400, text);
    assert.ok(answer.body.includes(`(err-mimir-${id})`), `${id} expected: ${answer.body}`);
  };

  test("no metric name", () => refused(series({ job: "x" }), "missing-metric-name"));

  test("bad metric name", () =>
    refused(series({ __name__: "not a name" }), "metric-name-invalid", /not a name/));

  test("bad label name", () =>
    refused(series({ __name__: "m", "bad-label": "x" }), "label-invalid", /bad-label/));

  test("label name too long", () =>
    refused(series({ __name__: "m", ["l".repeat(1025)]: "x" }), "label-name-too-long"));

  test("label value too long", () =>
    refused(series({ __name__: "m", l: "v".repeat(2049) }), "label-value-too-long"));

  test("too many labels", async () => {
    const many = Object.fromEntries([...Array(30).keys()].map((i) => [`l${i}`, "x"]));
    await refused(series({ __name__: "m", ...many }), "max-label-names-per-series", /31.*30/s);
  });

  test("the same label twice", () =>
    refused(
      series([
        ["__name__", "m"],
        ["l", "1"],
        ["l", "2"],
      ]),
      "duplicate-label-names",
    ));

  test("a value that is not UTF-8", async () => {
    const message = Buffer.from(encodeWriteRequest([series({ __name__: "m", l: "PLACE" })]));
    message.set([0xff, 0xfe], message.indexOf("PLACE"));
    const answer = await muninn.pushBody(TENANT, compressSync(message));
    check(answer, 400, /\(err-mimir-label-value-invalid\)/);
  });

  test("labels out of order and with an empty value are put right", async () => {
    const answer = await muninn.push(TENANT, [
      series([
        ["z", "1"],
        ["__name__", "sorted"],
        ["empty", ""],
        ["a", "2"],
      ]),
    ]);
    assert.equal(answer.status, 200, answer.body);
    const stored = await new Api(`${muninn.url}/prometheus`, TENANT).instant("sorted", NOW_MS);
    assert.equal(stored.resultType, "vector");
    assert.deepEqual(
      stored.result.map((row) => row.metric),
      [{ __name__: "sorted", a: "2", z: "1" }],
    );
  });

  test("more series than the tenant may have", async () => {
    const many = [...Array(1001).keys()].map((i) => series({ __name__: "many", i: String(i) }));
    const answer = await muninn.push("series-limit", many);
    check(
      answer,
      400,
      /1000.*\(err-mimir-max-series-per-user\).*-ingester\.max-global-series-per-user/s,
    );
  });

  test("the good ones of a request are kept", async () => {
    const answer = await muninn.push(TENANT, [
      series({ __name__: "kept_before" }),
      series({ "bad-label": "x", __name__: "m" }),
      series({ __name__: "kept_after" }),
    ]);
    check(answer, 400, /err-mimir-label-invalid/);
    const api = new Api(`${muninn.url}/prometheus`, TENANT);
    const stored = await api.instant('{__name__=~"kept_.*"}', NOW_MS);
    assert.equal(stored.result.length, 2);
  });
});

describe("samples", () => {
  test("NaN, infinities and stale markers are values", async () => {
    const api = new Api(`${muninn.url}/prometheus`, TENANT);
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    const answer = await muninn.push(
      TENANT,
      values.map((value, i) => series({ __name__: "special", i: String(i) }, NOW_MS, value)),
    );
    assert.equal(answer.status, 200, answer.body);
    for (const [i, value] of values.entries()) {
      const stored = await api.samples(`special{i="${i}"}[1m]`, NOW_MS);
      assert.deepEqual(
        [...stored.values()].map((points) => [...points.values()]),
        [[value]],
      );
    }

    const stale = STALE_NAN.getFloat64(0);
    await muninn.push(TENANT, [series({ __name__: "ends" }, NOW_MS - 10_000, 5)]);
    const ending = await muninn.push(TENANT, [series({ __name__: "ends" }, NOW_MS - 5000, stale)]);
    assert.equal(ending.status, 200, ending.body);
    assert.equal((await api.instant("ends", NOW_MS - 6000)).result.length, 1);
    assert.equal((await api.instant("ends", NOW_MS)).result.length, 0);
  });

  test("timestamps at the edges of int64", async () => {
    const latest = await muninn.push(TENANT, [series({ __name__: "edge" }, 2n ** 63n - 1n)]);
    check(latest, 400, /err-mimir-too-far-in-future/);
    const earliest = await muninn.push(TENANT, [series({ __name__: "edge" }, -(2n ** 63n))]);
    check(earliest, 400, /err-mimir-(?:sample-timestamp-too-old|too-far-in-past)/);
    const zero = await muninn.push(TENANT, [series({ __name__: "edge" }, 0)]);
    check(zero, 400, /err-mimir-(?:sample-timestamp-too-old|too-far-in-past)/);
  });

  test("too far in the future", async () => {
    const answer = await muninn.push(TENANT, [series({ __name__: "f" }, Date.now() + 660_000)]);
    check(answer, 400, /\(err-mimir-too-far-in-future\)/);
  });

  test("older than the out-of-order window", async () => {
    const old = await muninn.push(TENANT, [series({ __name__: "good" }, NOW_MS - 3 * 3_600_000)]);
    check(old, 400, /\(err-mimir-sample-timestamp-too-old\)/);
    const inside = await muninn.push(TENANT, [series({ __name__: "good" }, NOW_MS - 1_200_000)]);
    assert.equal(inside.status, 200, inside.body);
  });

  test("the same sample twice is fine, another value is not", async () => {
    const first = series({ __name__: "twice" }, NOW_MS, 1);
    assert.equal((await muninn.push(TENANT, [first])).status, 200);
    assert.equal((await muninn.push(TENANT, [first])).status, 200);
    const other = await muninn.push(TENANT, [series({ __name__: "twice" }, NOW_MS, 2)]);
    check(other, 400, /\(err-mimir-sample-duplicate-timestamp\)/);
    const api = new Api(`${muninn.url}/prometheus`, TENANT);
    const stored = await api.instant("twice", NOW_MS);
    assert.equal(stored.resultType, "vector");
    assert.deepEqual(
      stored.result.map((row) => parseValue(row.value[1])),
      [1],
    );
  });

  test("a rate over the limit", async () => {
    await using strictFolder = await temporaryFolder("rate");
    await using strict = await Muninn.start({
      dataDirectory: strictFolder.path,
      flags: ["-distributor.ingestion-rate-limit=5", "-distributor.ingestion-burst-size=5"],
    });
    const six = [...Array(6).keys()].map((i) => series({ __name__: "m", i: String(i) }));
    const answer = await strict.push(TENANT, six);
    check(
      answer,
      429,
      /\(err-mimir-tenant-max-ingestion-rate\).*-distributor\.ingestion-rate-limit/s,
    );
    assert.match(String(answer.headers["retry-after"]), /^\d+$/);
  });
});

describe("queries", () => {
  const query = async (
    path: string,
    parameters: Record<string, string>,
  ): Promise<{ answer: Answer; errorType: string; error: string }> => {
    const search = new URLSearchParams(parameters).toString();
    const answer = await muninn.request(`/prometheus/api/v1/${path}?${search}`, { tenant: TENANT });
    const parsed = JSON.parse(answer.body) as { status: string; errorType: string; error: string };
    assert.equal(parsed.status, "error", answer.body);
    return { answer, errorType: parsed.errorType, error: parsed.error };
  };
  const refused = async (
    path: string,
    parameters: Record<string, string>,
    text: RegExp,
  ): Promise<void> => {
    const { answer, errorType, error } = await query(path, parameters);
    assert.equal(answer.status, 400, answer.body);
    assert.equal(errorType, "bad_data");
    assert.match(error, text);
  };
  const range = { query: "up", start: "1000", end: "2000", step: "10" };

  test("bad PromQL names the position", async () => {
    await refused("query", { query: "sum(up" }, /1:\d+/);
    await refused("query", { query: "up{" }, /1:\d+/);
    await refused("query", { query: "rate(up)" }, /range vector|instant vector/);
    await refused("query", { query: "" }, /./);
    await refused("query_range", { ...range, query: "up[5m]" }, /range|matrix/i);
  });

  test("no query at all", () => refused("query", {}, /query/));

  test("a range over 11,000 points", () =>
    refused("query_range", { ...range, start: "0", end: "11001", step: "1" }, /11,?000/));

  test("exactly 11,000 points are fine", async () => {
    const api = new Api(`${muninn.url}/prometheus`, TENANT);
    const bounds = { startMs: 0, endMs: 10_999_000, stepMs: 1000 };
    assert.equal((await api.range("up", bounds)).resultType, "matrix");
  });

  test("step 0 and below", async () => {
    await refused("query_range", { ...range, step: "0" }, /step/);
    await refused("query_range", { ...range, step: "-5" }, /step/);
  });

  test("end before start", () =>
    refused("query_range", { ...range, start: "2000", end: "1000" }, /end timestamp/));

  test("times that are no times", async () => {
    await refused("query", { query: "up", time: "noon" }, /time.*noon|noon.*time/s);
    await refused("query_range", { ...range, step: "fast" }, /step.*fast|fast.*step/s);
  });

  test("bad matchers of labels and series", async () => {
    await refused("series", { "match[]": "{" }, /1:\d+|match/);
    await refused("series", {}, /match\[\]/);
  });

  test("what is not built says so and gives no number", async () => {
    const { answer, error } = await query("query", { query: "info(up)" });
    assert.ok(answer.status >= 400, answer.body);
    assert.match(error, /info/);
  });

  test("no such path, and no such method", async () => {
    assert.equal((await muninn.request("/nowhere", { tenant: TENANT })).status, 404);
    const wrong = await muninn.request("/api/v1/push", { tenant: TENANT });
    assert.equal(wrong.status, 405);
    assert.equal(wrong.headers["allow"], "POST");
  });
});
