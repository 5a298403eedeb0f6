import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { registerDistributorRoutes } from "../../src/distributor/routes.ts";
import { newHttpFixture } from "../http/http-fixture.ts";
import { namedSeries, wireSeries, writeBody } from "../testkit/remote-write.ts";
import { newFixture } from "./fixture.ts";

const NOW = 1_700_000_000_000;
const LIMIT_BYTES = 10_000;
const fixture = newFixture({ maxRecvMsgSizeBytes: LIMIT_BYTES }, { ha: true });
const { server } = newHttpFixture();
server.routes((app) =>
  registerDistributorRoutes(app, fixture.distributor, { maxRecvMsgSizeBytes: LIMIT_BYTES }),
);
const good = writeBody(namedSeries("up", { job: "x" }, [[NOW, 1]]));

before(() => server.app.ready());
after(() => server.app.close());

interface Want {
  readonly status: number;
  readonly text?: RegExp;
  readonly retryAfter?: boolean;
}

async function check(
  payload: Buffer,
  want: Want,
  headers: Record<string, string | undefined> = {},
  url = "/api/v1/push",
): Promise<void> {
  const all: Record<string, string | undefined> = {
    "x-scope-orgid": "t",
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    ...headers,
  };
  const given = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const response = await server.app.inject({
    method: "POST",
    url,
    payload,
    headers: given as Record<string, string>,
  });
  assert.equal(response.statusCode, want.status, response.body);
  assert.match(response.body, want.text ?? /^$/);
  assert.equal(response.headers["retry-after"] !== undefined, want.retryAfter ?? false);
  assert.equal(fixture.distributor.status().inflightRequests, 0);
}

test("200 with nothing in it, on both paths", async () => {
  await check(good, { status: 200 });
  await check(good, { status: 200 }, {}, "/api/v1/write");
  await check(writeBody(), { status: 200 });
});

test("202 for what comes from a replica that is not elected", async () => {
  const ofPair = (replica: string): Buffer =>
    writeBody(namedSeries("up", { cluster: "c", __replica__: replica }, [[NOW, 1]]));
  await check(ofPair("a"), { status: 200 });
  await check(ofPair("b"), { status: 202 });
});

test("headers that are left out or say the same in other words", async () => {
  await check(good, { status: 200 }, { "content-type": undefined, "content-encoding": undefined });
  const type = "application/x-protobuf; proto=prometheus.WriteRequest";
  await check(good, { status: 200 }, { "content-type": type });
  await check(
    good,
    { status: 200 },
    { "content-type": 'Application/X-Protobuf;proto="prometheus.WriteRequest"' },
  );
});

test("415 for other formats and encodings, naming what is supported", async () => {
  const text = /supported is remote write 1\.0.*application\/x-protobuf.*snappy/;
  const want = { status: 415, text };
  await check(good, want, { "content-type": "application/json" });
  await check(good, want, {
    "content-type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
  });
  await check(good, want, { "content-encoding": "gzip" });
});

test("tenants", async () => {
  await check(good, { status: 401, text: /no org id/ }, { "x-scope-orgid": undefined });
  await check(good, { status: 400, text: /unsafe/ }, { "x-scope-orgid": ".." });
});

test("400 for what cannot be read or is not valid", async () => {
  await check(Buffer.from("garbage"), { status: 400, text: /not a snappy block/ });
  await check(Buffer.alloc(0), { status: 400, text: /not a snappy block/ });
  const bad = writeBody(wireSeries([["a", "b"]], [[NOW, 1]]));
  await check(bad, { status: 400, text: /err-mimir-missing-metric-name/ });
});

test("413 for a body that announces too much", async () => {
  const text = /larger than the limit of 10000 bytes.*-distributor.max-recv-msg-size/;
  await check(Buffer.alloc(LIMIT_BYTES + 1), { status: 413, text });
});

test("400 for a body that decompresses to too much", async () => {
  const text = /err-mimir-distributor-max-write-message-size/;
  const large = writeBody(namedSeries("m", { a: "x".repeat(LIMIT_BYTES) }, [[NOW, 1]]));
  assert.ok(large.length < LIMIT_BYTES);
  await check(large, { status: 400, text });
});

test("429 and 500 come with Retry-After", async () => {
  fixture.setLimits({ ingestionRate: 1, ingestionBurstSize: 0 });
  await check(good, { status: 429, text: /err-mimir-tenant-max-ingestion-rate/, retryAfter: true });
  fixture.setLimits({ ingestionRate: 10_000, ingestionBurstSize: 10_000 });
  await fixture.clock.advance(1_000);
  fixture.setInstanceLimits({ maxInflightPushRequests: 1 });
  const admission = fixture.distributor.admit("t", 1);
  assert.ok("release" in admission);
  const response = await server.app.inject({
    method: "POST",
    url: "/api/v1/push",
    payload: good,
    headers: { "x-scope-orgid": "t" },
  });
  assert.equal(response.statusCode, 500);
  assert.match(response.body, /err-mimir-distributor-max-inflight-push-requests/);
  assert.notEqual(response.headers["retry-after"], undefined);
  admission.release();
  fixture.setInstanceLimits({ maxInflightPushRequests: 0 });
  fixture.ingester.failure = new Error("broken");
  await check(good, { status: 500, text: /send data to ingesters/, retryAfter: true });
  fixture.ingester.failure = undefined;
});

test("405 for a GET", async () => {
  const response = await server.app.inject({ method: "GET", url: "/api/v1/push" });
  assert.equal(response.statusCode, 405);
});
