import assert from "node:assert/strict";
import { test } from "node:test";
import { OpError } from "../../src/base/errors.ts";
import type { RejectedSamples, RejectReason } from "../../src/rpc/ingester.ts";
import { encodeWriteRequest } from "../../src/wire/remote-write.ts";
import { compress, namedSeries, wireSeries, writeBody } from "../testkit/remote-write.ts";
import { settle } from "../testkit/test-clock.ts";
import { newFixture } from "./fixture.ts";

const NOW = 1_700_000_000_000;

test("new series go out with labels, known ones without", async () => {
  const { distributor, ingester, metric } = newFixture();
  const a = namedSeries("a", { job: "x" }, [[NOW, 1]]);
  const b = namedSeries("b", { job: "x" }, [[NOW, 2]]);
  assert.equal((await distributor.push("t", writeBody(a))).status, 200);
  assert.equal((await distributor.push("t", writeBody(a, b))).status, 200);
  assert.equal((await distributor.push("t", writeBody(b, a))).status, 200);
  assert.deepEqual(ingester.calls, [
    { series: 1, withLabels: true },
    { series: 2, withLabels: true },
    { series: 2, withLabels: false },
  ]);
  assert.deepEqual(ingester.series("t"), {
    "__name__=a,job=x": [
      [NOW, 1],
      [NOW, 1],
      [NOW, 1],
    ],
    "__name__=b,job=x": [
      [NOW, 2],
      [NOW, 2],
    ],
  });
  assert.equal(await metric("muninn_distributor_series_resent_total"), 0);
});

test("an ingester that was restarted gets the labels again", async () => {
  const { distributor, ingester, metric } = newFixture();
  const body = writeBody(namedSeries("a", {}, [[NOW, 1]]), namedSeries("b", {}, [[NOW, 2]]));
  await distributor.push("t", body);
  ingester.forget();
  assert.equal((await distributor.push("t", body)).status, 200);
  assert.deepEqual(ingester.calls, [
    { series: 2, withLabels: true },
    { series: 2, withLabels: false },
    { series: 2, withLabels: true },
  ]);
  assert.equal(await metric("muninn_distributor_series_resent_total"), 2);
  assert.deepEqual(ingester.series("t"), { "__name__=a": [[NOW, 1]], "__name__=b": [[NOW, 2]] });
});

test("pushes that overlap do not disturb one another's rows", async () => {
  const { distributor, ingester } = newFixture();
  let open = (): void => {};
  ingester.gate = new Promise((resolve) => {
    open = resolve;
  });
  const bodies = Array.from({ length: 10 }, (_, index) =>
    writeBody(
      namedSeries("shared", {}, [[NOW + index, index]]),
      namedSeries(`own_${index}`, {}, [[NOW, index]]),
    ),
  );
  const pushes = bodies.map((body) => distributor.push("t", body));
  await settle();
  assert.equal(distributor.status().inflightRequests, 10);
  open();
  for (const outcome of await Promise.all(pushes)) assert.equal(outcome.status, 200);
  const stored = ingester.series("t");
  for (let index = 0; index < 10; index++) {
    assert.deepEqual(stored[`__name__=own_${index}`], [[NOW, index]]);
  }
  assert.equal(stored["__name__=shared"]?.length, 10);
  assert.equal(distributor.status().inflightRequests, 0);
  assert.equal(distributor.status().inflightBytes, 0);
});

test("an id that stays unknown with its labels is a failure", async () => {
  const { distributor, ingester } = newFixture();
  ingester.amnesia = true;
  const outcome = await distributor.push("t", writeBody(namedSeries("a", {}, [[NOW, 1]])));
  assert.ok(outcome.status >= 500);
  assert.equal(outcome.kind, "failed");
  assert.match(outcome.message, /does not know series that came with labels/);
});

test("good series are stored beside bad ones; the text has the first fault and the sums", async () => {
  const { distributor, ingester, metric } = newFixture();
  const outcome = await distributor.push(
    "t",
    writeBody(
      namedSeries("good", {}, [
        [NOW, 1],
        [NOW + 1, 2],
      ]),
      wireSeries(
        [
          ["__name__", "bad"],
          ["a-b", "c"],
        ],
        [[NOW, 1]],
      ),
      wireSeries(
        [["job", "x"]],
        [
          [NOW, 1],
          [NOW + 1, 1],
        ],
      ),
      namedSeries("twice", {}, [
        [NOW, 1],
        [NOW, 2],
      ]),
      namedSeries("late", {}, [[NOW + 601_000, 1]]),
    ),
  );
  assert.equal(outcome.status, 400);
  assert.equal(
    outcome.message,
    `received a series with an invalid label name: 'a-b', series: 'bad{a-b="c"}' (err-mimir-label-invalid). ` +
      "Refused in this request: 2 samples of 1 series (missing-metric-name), 1 sample of 1 series (label-invalid), " +
      "1 sample of 1 series (too-far-in-future), 1 sample of 1 series (sample-duplicate-timestamp); stored: 3 samples.",
  );
  assert.deepEqual(ingester.series("t"), {
    "__name__=good": [
      [NOW, 1],
      [NOW + 1, 2],
    ],
    "__name__=twice": [[NOW, 1]],
  });
  const discarded = (reason: string): Promise<number | undefined> =>
    metric("cortex_discarded_samples_total", { user: "t", reason, group: "" });
  assert.equal(await discarded("missing_metric_name"), 2);
  assert.equal(await discarded("label_invalid"), 1);
  assert.equal(await discarded("too_far_in_future"), 1);
  assert.equal(await discarded("sample_duplicate_timestamp"), 1);
  assert.equal(await metric("cortex_distributor_samples_in_total", { user: "t" }), 8);
  assert.equal(await metric("cortex_distributor_received_samples_total", { user: "t" }), 3);
  const latest = "cortex_distributor_latest_seen_sample_timestamp_seconds";
  assert.equal(await metric(latest, { user: "t" }), (NOW + 1) / 1000);
});

test("each rule has its id, and limits name their flag", async () => {
  const { distributor, clock, setLimits } = newFixture();
  const check = async (series: ReturnType<typeof wireSeries>, want: RegExp): Promise<void> => {
    const outcome = await distributor.push("t", writeBody(series));
    assert.equal(outcome.status, 400);
    assert.match(outcome.message, want);
  };
  const metric = ["__name__", "m"] as const;
  const labels = (count: number) =>
    Array.from({ length: count }, (_, i) => [`l${i}`, "v"] as const);
  await check(
    wireSeries([["a", "b"]], [[NOW, 1]]),
    /'\{a="b"\}' \(err-mimir-missing-metric-name\)/,
  );
  await check(
    wireSeries([["__name__", "mé-1"]], [[NOW, 1]]),
    /'m-1' \(err-mimir-metric-name-invalid\)/,
  );
  await check(
    wireSeries([metric, ...labels(30)], [[NOW, 1]]),
    /31 labels, the limit is 30, .* \(err-mimir-max-label-names-per-series\).*-validation.max-label-names-per-series/,
  );
  await check(
    wireSeries([["__name__", "m_info"], ...labels(80)], [[NOW, 1]]),
    /81 labels, the limit is 80, .* \(err-mimir-max-label-names-per-info-series\).*-validation.max-label-names-per-info-series/,
  );
  await check(wireSeries([metric, ["a.b", "v"]], [[NOW, 1]]), /\(err-mimir-label-invalid\)/);
  await check(
    wireSeries([metric, ["n".repeat(1025), "v"]], [[NOW, 1]]),
    /label: 'n{200}\.*'.*\(err-mimir-label-name-too-long\).*-validation.max-length-label-name/,
  );
  await check(
    wireSeries([metric, ["a", Uint8Array.of(255)]], [[NOW, 1]]),
    /label: 'a'.*\(err-mimir-label-value-invalid\)/,
  );
  await check(
    wireSeries([metric, ["a", "v".repeat(2049)]], [[NOW, 1]]),
    /value: 'v{200}\.*'.*\(err-mimir-label-value-too-long\).*-validation.max-length-label-value/,
  );
  await check(
    wireSeries([metric, ["a", "1"], ["a", "2"]], [[NOW, 1]]),
    /label 'a' more than once.*\(err-mimir-duplicate-label-names\)/,
  );
  await check(
    wireSeries([metric], [[2n ** 63n - 1n, 1]]),
    /timestamp: 9223372036854775807, metric: 'm' \(err-mimir-too-far-in-future\).*-validation.create-grace-period/,
  );
  setLimits({ pastGracePeriodMs: 60_000, outOfOrderTimeWindowMs: 30_000 });
  await check(
    wireSeries([metric], [[clock.nowMs() - 90_001, 1]]),
    /\(err-mimir-too-far-in-past\).*-validation.past-grace-period/,
  );
  const inWindow = wireSeries([metric], [[clock.nowMs() - 90_000, 1]]);
  assert.equal((await distributor.push("t", writeBody(inWindow))).status, 200);
});

test("limits that change apply to series that were valid before", async () => {
  const { distributor, setLimits } = newFixture();
  const body = writeBody(namedSeries("m", { a: "1", b: "2" }, [[NOW, 1]]));
  assert.equal((await distributor.push("t", body)).status, 200);
  setLimits({ maxLabelNamesPerSeries: 2 });
  assert.equal((await distributor.push("t", body)).status, 400);
  setLimits({ maxLabelNamesPerSeries: 0 });
  assert.equal((await distributor.push("t", body)).status, 200);
});

test("bodies that cannot be read", async () => {
  const { distributor } = newFixture({ maxRecvMsgSizeBytes: 1000 });
  const check = async (body: Uint8Array, want: RegExp): Promise<void> => {
    const outcome = await distributor.push("t", body);
    assert.equal(outcome.status, 400);
    assert.match(outcome.message, want);
  };
  const good = writeBody(namedSeries("m", {}, [[NOW, 1]]));
  await check(Buffer.from("hello"), /not a snappy block/);
  await check(good.subarray(0, -1), /not a snappy block, or it is cut off/);
  await check(compress(Buffer.from([0x0a, 9, 1])), /malformed protobuf in the field at byte 0/);
  await check(
    compress(Buffer.alloc(1001)),
    /has 1001 bytes.*limit of 1000 \(err-mimir-distributor-max-write-message-size\).*-distributor.max-recv-msg-size/,
  );
});

test("an empty request is fine, and so is one without samples", async () => {
  const { distributor, ingester } = newFixture();
  assert.equal((await distributor.push("t", compress(new Uint8Array(0)))).status, 200);
  assert.equal((await distributor.push("t", writeBody(namedSeries("m", {}, [])))).status, 200);
  assert.deepEqual(ingester.calls, []);
});

test("exemplars, histograms and metadata are counted as not stored", async () => {
  const { distributor, metric } = newFixture();
  const opaque = Uint8Array.of(1, 2, 3);
  const series = {
    ...namedSeries("m", {}, [[NOW, 1]]),
    exemplars: [opaque],
    histograms: [opaque, opaque],
  };
  const body = compress(encodeWriteRequest({ timeseries: [series], metadata: [opaque] }));
  assert.equal((await distributor.push("t", body)).status, 200);
  const user = "t";
  const reason = "native_histograms_not_supported";
  assert.equal(await metric("cortex_discarded_samples_total", { user, reason }), 2);
  assert.equal(await metric("cortex_discarded_exemplars_total", { user }), 1);
  assert.equal(await metric("cortex_discarded_metadata_total", { user }), 1);
  assert.equal(await metric("cortex_distributor_exemplars_in_total", { user }), 1);
});

function rejection(reason: RejectReason, more: Partial<RejectedSamples> = {}): RejectedSamples {
  return { reason, count: 1, seriesIndex: 1, timestampMs: NOW, ...more };
}

test("what the ingester does not store is a 400 with its id, its series and its count", async () => {
  const { distributor, ingester, metric } = newFixture();
  const body = writeBody(
    namedSeries("a", {}, [[NOW, 1]]),
    namedSeries("b", { x: "y" }, [[NOW, 2]]),
  );
  await distributor.push("t", body);
  const check = async (rejected: RejectedSamples, reason: string, want: RegExp): Promise<void> => {
    ingester.reject = () => [rejected];
    const outcome = await distributor.push("t", body);
    assert.equal(outcome.status, 400);
    assert.match(outcome.message, want);
    assert.match(outcome.message, /series: 'b\{x="y"\}'/);
    assert.match(outcome.message, /stored: 1 sample\.$/);
    assert.equal(await metric("cortex_discarded_samples_total", { user: "t", reason }), 1);
  };
  await check(
    rejection("sample-out-of-order"),
    "sample-out-of-order",
    /user=t.*\(err-mimir-sample-out-of-order\)/,
  );
  await check(
    rejection("sample-timestamp-too-old", { limit: 1_800_000 }),
    "sample-timestamp-too-old",
    /window is 1800s.*\(err-mimir-sample-timestamp-too-old\)/,
  );
  await check(
    rejection("sample-duplicate-timestamp"),
    "new-value-for-timestamp",
    /\(err-mimir-sample-duplicate-timestamp\)/,
  );
  await check(
    rejection("max-series-per-user", { limit: 10 }),
    "per_user_series_limit",
    /limit of 10 series.*\(err-mimir-max-series-per-user\).*-ingester.max-global-series-per-user/,
  );
});

test("a rejection in the second round names the right series", async () => {
  const { distributor, ingester } = newFixture();
  const body = writeBody(
    namedSeries("known", {}, [[NOW, 1]]),
    namedSeries("new_1", {}, [[NOW, 1]]),
    namedSeries("new_2", {}, [[NOW, 1]]),
  );
  await distributor.push("t", body);
  ingester.forgetAllBut("t", 1);
  ingester.reject = (batch) =>
    batch.labels === undefined ? [] : [rejection("max-series-per-user", { limit: 1 })];
  const outcome = await distributor.push("t", body);
  assert.match(outcome.message, /series: 'new_2'/);
});

test("an ingester without room is a 500, so that the sender comes back", async () => {
  const { distributor, ingester } = newFixture();
  ingester.reject = () => [
    rejection("sample-out-of-order", { seriesIndex: 0 }),
    rejection("ingester-max-series", { seriesIndex: 0, limit: 5 }),
  ];
  const outcome = await distributor.push("t", writeBody(namedSeries("a", {}, [[NOW, 1]])));
  assert.equal(outcome.status, 500);
  assert.match(outcome.message, /err-mimir-ingester-max-series/);
  assert.notEqual(outcome.retryAfterSeconds, undefined);
});

test("a failure of the ingester wins over validation, and is always a 5xx", async () => {
  const { distributor, ingester } = newFixture();
  const body = writeBody(namedSeries("a", {}, [[NOW, 1]]), wireSeries([["a", "b"]], [[NOW, 1]]));
  const check = async (failure: Error, status: number, want: RegExp): Promise<void> => {
    ingester.failure = failure;
    const outcome = await distributor.push("t", body);
    assert.equal(outcome.kind, "failed");
    assert.equal(outcome.status, status);
    assert.match(outcome.message, want);
    assert.equal(outcome.cause, failure);
    assert.notEqual(outcome.retryAfterSeconds, undefined);
  };
  await check(new OpError("unavailable", "disk full"), 503, /disk full/);
  await check(new OpError("bad-request", "whatever"), 500, /whatever/);
  await check(new Error("secret"), 500, /^(?!.*secret)/);
});

test("an ingester that does not answer in time", async () => {
  const { distributor, ingester, clock } = newFixture();
  ingester.gate = new Promise(() => {});
  const push = distributor.push("t", writeBody(namedSeries("a", {}, [[NOW, 1]])));
  await clock.advance(2_000);
  const outcome = await push;
  assert.equal(outcome.kind, "failed");
  assert.match(outcome.message, /did not answer within 2000 ms/);
  assert.equal(clock.timersWaiting, 0);
});

test("ingestion rate: valid samples only, all or nothing, 429 or 529", async () => {
  const { distributor, ingester, clock, setLimits, metric } = newFixture();
  setLimits({ ingestionRate: 2, ingestionBurstSize: 3 });
  const good = (count: number) =>
    Array.from({ length: count }, (_, i) => namedSeries(`m${i}`, {}, [[NOW, 1]]));
  const bad = wireSeries([["a", "b"]], [[NOW, 1]]);
  // Three fit, the invalid one does not count.
  assert.equal((await distributor.push("t", writeBody(...good(3), bad))).status, 400);
  const refused = await distributor.push("t", writeBody(...good(2)));
  assert.equal(refused.status, 429);
  assert.match(
    refused.message,
    /\(err-mimir-tenant-max-ingestion-rate\).*-distributor.ingestion-rate-limit/,
  );
  assert.ok((refused.retryAfterSeconds ?? 0) >= 6);
  const reason = "rate_limited";
  assert.equal(await metric("cortex_discarded_samples_total", { user: "t", reason }), 2);
  // Another tenant has a bucket of its own.
  assert.equal((await distributor.push("u", writeBody(...good(3)))).status, 200);
  await clock.advance(1_000);
  assert.equal((await distributor.push("t", writeBody(...good(2)))).status, 200);
  setLimits({ serviceOverloadStatusCodeOnRateLimitEnabled: true });
  assert.equal((await distributor.push("t", writeBody(...good(2)))).status, 529);
  assert.equal(Object.keys(ingester.series("t")).length, 3);
  // burst = factor x rate
  setLimits({ ingestionBurstFactor: 5 });
  await clock.advance(60_000);
  assert.equal((await distributor.push("t", writeBody(...good(10)))).status, 200);
});

test("request rate, before anything is decoded", async () => {
  const { distributor, setLimits, metric } = newFixture();
  setLimits({ requestRate: 1, requestBurstSize: 2 });
  const body = writeBody(namedSeries("a", {}, [[NOW, 1]]));
  assert.equal((await distributor.push("t", body)).status, 200);
  assert.equal((await distributor.push("t", body)).status, 200);
  const refused = await distributor.push("t", Buffer.from("not even snappy"));
  assert.equal(refused.status, 429);
  assert.match(
    refused.message,
    /\(err-mimir-tenant-max-request-rate\).*-distributor.request-rate-limit/,
  );
  assert.equal(
    await metric("cortex_discarded_requests_total", { user: "t", reason: "rate_limited" }),
    1,
  );
});

test("instance limits", async () => {
  const { distributor, setInstanceLimits, clock, metric } = newFixture();
  distributor.start();
  const body = writeBody(namedSeries("a", {}, [[NOW, 1]]));
  const check = async (name: string): Promise<void> => {
    const outcome = await distributor.push("t", body);
    assert.equal(outcome.status, 500);
    assert.equal(outcome.kind, "instance-limit");
    const dashed = name.replaceAll("_", "-");
    assert.match(outcome.message, new RegExp(`\\(err-mimir-distributor-${dashed}\\)`));
    assert.match(outcome.message, new RegExp(`-distributor.instance-limits.${dashed}`));
    const rejected = "cortex_distributor_instance_rejected_requests_total";
    assert.equal(await metric(rejected, { reason: `distributor_${name}` }), 1);
  };
  const first = distributor.admit("t", 100);
  assert.ok("release" in first);
  setInstanceLimits({ maxInflightPushRequests: 1 });
  await check("max_inflight_push_requests");
  setInstanceLimits({ maxInflightPushRequests: 0, maxInflightPushRequestsBytes: 100 });
  await check("max_inflight_push_requests_bytes");
  first.release();
  first.release();
  assert.equal((await distributor.push("t", body)).status, 200);
  setInstanceLimits({ maxInflightPushRequestsBytes: 0, maxIngestionRate: 1 });
  await clock.advance(1_000);
  await check("max_ingestion_rate");
  await clock.advance(60_000);
  assert.equal((await distributor.push("t", body)).status, 200);
  distributor.stop();
  assert.equal(clock.timersWaiting, 0);
});

test("idle tenants and idle series are forgotten, with their metrics", async () => {
  const { distributor, clock, metric } = newFixture();
  distributor.start();
  await distributor.push("t", writeBody(namedSeries("a", {}, [[NOW, 1]])));
  const perRequest = "cortex_distributor_samples_per_request_count";
  assert.equal(await metric("cortex_distributor_requests_in_total", { user: "t" }), 1);
  assert.equal(await metric(perRequest, { user: "t" }), 1);
  await clock.advance(10 * 60_000);
  assert.equal(await metric("cortex_distributor_requests_in_total", { user: "t" }), 1);
  assert.equal(distributor.status().knownSeries, 1);
  await clock.advance(10 * 60_000);
  assert.equal(await metric("cortex_distributor_requests_in_total", { user: "t" }), undefined);
  assert.equal(await metric(perRequest, { user: "t" }), undefined);
  await clock.advance(30 * 60_000);
  assert.equal(distributor.status().knownSeries, 0);
  distributor.stop();
});
