import assert from "node:assert/strict";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { BugError } from "../../src/base/assert.ts";
import { OpError } from "../../src/base/errors.ts";
import type { HttpOptions } from "../../src/http/options.ts";
import { requestParameters } from "../../src/http/parameters.ts";
import { type HttpFixture, newHttpFixture } from "./http-fixture.ts";

function fixtureWithRoutes(options: Partial<HttpOptions> = {}): HttpFixture {
  const fixture = newHttpFixture(options);
  fixture.server.routes((app) => {
    app.get("/hello", () => "hello");
    app.get("/big", () => "x".repeat(100_000));
    app.post(
      "/api/v1/push",
      {
        onRequest: app.requireTenant,
        bodyLimit: 1000,
        config: { bodyLimitFlag: "-distributor.max-recv-msg-size" },
      },
      (request) => ({ tenant: request.tenant, size: (request.body as Buffer).length }),
    );
    app.route({
      method: ["GET", "POST"],
      url: "/prometheus/api/v1/query",
      onRequest: app.requireTenant,
      handler: (request) => [...requestParameters(request)],
    });
    app.get("/prometheus/api/v1/label/:name/values", () => "[]");
    app.get("/prometheus/api/v1/fails", () => {
      throw new OpError("max-series-per-query", "too many series");
    });
    app.get("/limited", () => {
      throw new OpError("too-many-requests", "slow down", {
        httpStatus: 529,
        retryAfterSeconds: 1.2,
      });
    });
    app.get("/bug", () => {
      throw new BugError("BUG: secret detail");
    });
    app.get("/boom", async () => {
      throw new TypeError("secret detail");
    });
  });
  return fixture;
}

const TENANT = { "x-scope-orgid": "team-a" };

test("a body arrives as bytes whatever its type", async () => {
  const { server } = fixtureWithRoutes();
  for (const type of ["application/x-protobuf", "application/json", "a/b", "text/plain"]) {
    const answer = await server.app.inject({
      method: "POST",
      url: "/api/v1/push",
      headers: { ...TENANT, "content-type": type, "content-encoding": "snappy" },
      payload: "0123456789",
    });
    assert.deepEqual(answer.json(), { tenant: "team-a", size: 10 }, type);
  }
});

test("a Content-Type that is none is refused", async () => {
  const { server } = fixtureWithRoutes();
  const answer = await server.app.inject({
    method: "POST",
    url: "/api/v1/push",
    headers: { ...TENANT, "content-type": "nonsense" },
    payload: "x",
  });
  assert.equal(answer.statusCode, 415);
});

test("a request without a tenant is refused", async () => {
  const { server } = fixtureWithRoutes();
  const answer = await server.app.inject({ method: "POST", url: "/api/v1/push", payload: "x" });
  assert.equal(answer.statusCode, 401);
  assert.equal(answer.body, "no org id\n");
});

test("without multitenancy everybody is the default tenant", async () => {
  const { server } = fixtureWithRoutes({ multitenancyEnabled: false });
  const answer = await server.app.inject({
    method: "POST",
    url: "/api/v1/push",
    headers: { ...TENANT, "content-type": "application/x-protobuf" },
    payload: "x",
  });
  assert.equal(answer.json().tenant, "anonymous");
});

test("the Prometheus API answers errors as JSON, other paths as text", async () => {
  const { server } = fixtureWithRoutes();
  const prometheus = await server.app.inject("/prometheus/api/v1/fails");
  assert.equal(prometheus.statusCode, 422);
  assert.deepEqual(prometheus.json(), {
    status: "error",
    errorType: "execution",
    error: "too many series",
  });
  const noTenant = await server.app.inject("/prometheus/api/v1/query");
  assert.equal(noTenant.statusCode, 401);
  assert.equal(noTenant.json().error, "no org id");
  const text = await server.app.inject("/limited");
  assert.equal(text.statusCode, 529);
  assert.equal(text.headers["retry-after"], "2");
  assert.equal(text.headers["content-type"], "text/plain; charset=utf-8");
  assert.equal(text.body, "slow down\n");
});

test("what is not meant for the client stays in the log, once", async () => {
  const { server, logger } = fixtureWithRoutes();
  for (const url of ["/bug", "/boom"]) {
    const answer = await server.app.inject(url);
    assert.equal(answer.statusCode, 500);
    assert.ok(!answer.body.includes("secret"), answer.body);
    assert.ok(!answer.body.includes("at "), answer.body);
  }
  const errors = logger.lines.filter((line) => line.level === "error");
  assert.deepEqual(
    errors.map((line) => line.fields.path),
    ["/bug", "/boom"],
  );
  assert.match(String((errors[1]?.fields.err as Error | undefined)?.stack), /secret detail/);
});

test("the stack behind an operational error is in the log", async () => {
  const { server, logger } = newHttpFixture();
  server.routes((app) => {
    app.get("/wrapped", () => {
      throw new OpError("push-failed", "not stored", {}, { cause: new TypeError("inner") });
    });
    app.get("/explained", () => {
      const cause = new OpError("wal-blocked", "disk full");
      throw new OpError("push-failed", "not stored", {}, { cause });
    });
  });
  await server.app.inject("/wrapped");
  await server.app.inject("/explained");
  const [wrapped, explained] = logger.lines;
  assert.equal(wrapped?.fields.code, "push-failed");
  assert.ok(wrapped?.fields.err instanceof TypeError);
  assert.equal(explained?.fields.err, undefined);
});

test("the level of the request line follows the outcome", async () => {
  const { server, logger } = fixtureWithRoutes();
  const check = async (url: string, level: string): Promise<void> => {
    logger.lines.length = 0;
    await server.app.inject(url);
    assert.deepEqual(
      logger.lines.map((line) => line.level),
      [level],
      url,
    );
  };
  await check("/hello", "debug");
  await check("/nowhere", "warn");
  await check("/limited", "debug");
  await check("/boom", "error");
});

test("a wrong method and a wrong path say what would be right", async () => {
  const { server } = fixtureWithRoutes();
  const wrongMethod = await server.app.inject("/api/v1/push");
  assert.equal(wrongMethod.statusCode, 405);
  assert.equal(wrongMethod.headers.allow, "POST");
  const ofPattern = await server.app.inject({
    method: "DELETE",
    url: "/prometheus/api/v1/label/job/values?x=1",
  });
  assert.equal(ofPattern.statusCode, 405);
  assert.equal(ofPattern.headers.allow, "GET, HEAD");
  assert.equal(ofPattern.json().status, "error");
  const wrongPath = await server.app.inject({ method: "POST", url: "/api/v1/pusch" });
  assert.equal(wrongPath.statusCode, 404);
  assert.match(wrongPath.body, /did you mean \/api\/v1\/push\?/);
});

test("parameters of a form come before those of the URL", async () => {
  const { server } = fixtureWithRoutes();
  const answer = await server.app.inject({
    method: "POST",
    url: "/prometheus/api/v1/query?query=b&time=2",
    headers: { ...TENANT, "content-type": "application/x-www-form-urlencoded; charset=utf-8" },
    payload: "query=a%2Bb",
  });
  assert.deepEqual(answer.json(), [
    ["query", "a+b"],
    ["query", "b"],
    ["time", "2"],
  ]);
});

test("answers of some size are compressed for clients that want it", async () => {
  const { server } = fixtureWithRoutes();
  const compressed = await server.app.inject({
    url: "/big",
    headers: { "accept-encoding": "gzip" },
  });
  assert.equal(compressed.headers["content-encoding"], "gzip");
  assert.equal(gunzipSync(compressed.rawPayload).length, 100_000);
  const small = await server.app.inject({ url: "/hello", headers: { "accept-encoding": "gzip" } });
  assert.equal(small.headers["content-encoding"], undefined);
  const plain = await server.app.inject("/big");
  assert.equal(plain.headers["content-encoding"], undefined);
});

test("a path prefix moves all routes and leaves the route label", async () => {
  const { server, registry } = fixtureWithRoutes({ pathPrefix: "/muninn" });
  assert.equal((await server.app.inject("/muninn/hello")).statusCode, 200);
  assert.equal((await server.app.inject("/hello")).statusCode, 404);
  assert.equal((await server.app.inject("/muninn/prometheus/api/v1/fails")).json().status, "error");
  assert.match(await registry.metrics(), /route="hello",status_code="200"/);
});

test("requests are counted by Mimir's route names", async () => {
  const { server, registry, clock } = fixtureWithRoutes();
  await server.app.inject({
    method: "POST",
    url: "/api/v1/push",
    headers: { ...TENANT, "content-type": "x/y" },
    payload: "0123456789",
  });
  await server.app.inject("/prometheus/api/v1/label/job/values");
  await server.app.inject({
    url: "/prometheus/api/v1/query?query=1",
    headers: TENANT,
  });
  await server.app.inject("/nowhere");
  assert.equal(clock.timersWaiting, 0);
  const text = await registry.metrics();
  for (const line of [
    `cortex_request_duration_seconds_bucket{le="0.005",method="POST",route="api_v1_push",status_code="200",ws="false"} 1`,
    `cortex_request_duration_seconds_count{method="GET",route="prometheus_api_v1_label_name_values",status_code="200",ws="false"} 1`,
    `cortex_request_duration_seconds_count{method="GET",route="prometheus_api_v1_query",status_code="200",ws="false"} 1`,
    `cortex_request_duration_seconds_count{method="GET",route="other",status_code="404",ws="false"} 1`,
    `cortex_request_message_bytes_sum{method="POST",route="api_v1_push"} 10`,
    `cortex_inflight_requests{method="POST",route="api_v1_push"} 0`,
    `cortex_tcp_connections{protocol="http"} 0`,
  ]) {
    assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
  }
});
