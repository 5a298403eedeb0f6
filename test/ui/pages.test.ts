import assert from "node:assert/strict";
import { test } from "node:test";
import { type PagesSources, registerPages } from "../../src/ui/pages.ts";
import type { TenantView } from "../../src/ui/views.ts";
import { type HttpFixture, newHttpFixture } from "../http/http-fixture.ts";

const HOSTILE = `<script>alert("x")</script>`;

const TENANT: TenantView = {
  tenant: "team-a",
  seriesCount: 1_234_567,
  samplesCount: 42,
  minTimeMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  maxTimeMs: Date.UTC(2026, 0, 2, 4, 0, 0),
  memoryBytes: 3 * 1024 * 1024,
};

function pages(
  sources: Partial<PagesSources> = {},
  options: { pathPrefix?: string; multitenancyEnabled?: boolean } = {},
): HttpFixture {
  const fixture = newHttpFixture(options);
  fixture.server.routes((app) =>
    registerPages(
      app,
      {
        pathPrefix: "",
        prometheusPrefix: "/prometheus",
        multitenancyEnabled: true,
        build: { version: "1.2.3", revision: "abc", branch: "main", nodeVersion: "v24" },
        ...options,
      },
      {
        registry: fixture.registry,
        services: () => [{ name: "ingester", state: "failed", failure: HOSTILE }],
        readiness: () => ({ isReady: true, reasons: [] }),
        tenants: () => [TENANT],
        notices: () => [],
        configText: (mode) => `mode: ${mode}\n`,
        flags: () => ({ target: "all" }),
        runtimeConfigText: (mode) => `overrides: ${mode}\n`,
        userLimits: (tenant) => ({ tenant }),
        ...sources,
      },
    ),
  );
  return fixture;
}

async function get(
  fixture: HttpFixture,
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; headers: Record<string, unknown> }> {
  const answer = await fixture.server.app.inject({ url, headers });
  return { status: answer.statusCode, body: answer.body, headers: answer.headers };
}

test("the first page tells how to connect, with the address that the browser used", async () => {
  const { status, body, headers } = await get(pages(), "/", { host: "metrics.example:9009" });
  assert.equal(status, 200);
  assert.match(String(headers["content-security-policy"]), /default-src 'none'/);
  assert.match(
    body,
    /url: http:\/\/metrics\.example:9009\/api\/v1\/push\n {4}headers:\n {6}X-Scope-OrgID: demo/,
  );
  assert.match(body, /<code>http:\/\/metrics\.example:9009\/prometheus<\/code>/);
  assert.match(body, /Series in memory<\/div><div class="figure">1,234,567</);
  assert.match(body, /Memory of the heads<\/div><div class="figure">3\.00 MiB</);
});

test("without multitenancy the first page speaks of no header", async () => {
  const { body } = await get(pages({}, { multitenancyEnabled: false }), "/");
  assert.doesNotMatch(body, /X-Scope-OrgID/);
});

test("below a path prefix every link has it", async () => {
  const { body } = await get(pages({}, { pathPrefix: "/muninn" }), "/muninn/");
  const links = [...body.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, link]) => link);
  assert.ok(links.length > 8);
  assert.deepEqual(
    links.filter((link) => link?.startsWith("/muninn/") !== true),
    [],
  );
  assert.match(body, /\/muninn\/api\/v1\/push/);
});

test("no page loads or runs anything inline or from elsewhere", async () => {
  for (const url of ["/", "/services", "/ingester/tenants"]) {
    const { body } = await get(pages(), url);
    assert.doesNotMatch(body, /style=|<style|onclick|<script>|src="http|href="http/, url);
  }
});

test("text from outside stays text", async () => {
  const hostile = pages({
    tenants: () => [{ ...TENANT, tenant: HOSTILE }],
    notices: () => [HOSTILE],
    readiness: () => ({ isReady: false, reasons: [HOSTILE] }),
  });
  for (const url of ["/", "/services", "/ingester/tenants"]) {
    const { body } = await get(hostile, url, { host: `x"${HOSTILE}` });
    assert.doesNotMatch(body, /<script>alert/, url);
    assert.match(body, /&lt;script&gt;alert\(&quot;x&quot;\)/, url);
  }
});

test("/ready says why not", async () => {
  const ready = await get(pages({ notices: () => ["no bucket"] }), "/ready");
  assert.deepEqual([ready.status, ready.body], [200, "ready\nnote: no bucket\n"]);
  const waiting = pages({
    readiness: () => ({ isReady: false, reasons: ["ingester is starting: replaying WAL"] }),
  });
  const { status, body } = await get(waiting, "/ready");
  assert.deepEqual([status, body], [503, "not ready\ningester is starting: replaying WAL\n"]);
});

test("status pages are JSON for programs", async () => {
  const json = { accept: "application/json" };
  const services = await get(pages(), "/services", json);
  assert.deepEqual(JSON.parse(services.body), {
    services: [{ name: "ingester", state: "failed", failure: HOSTILE }],
    notices: [],
  });
  const tenants = await get(pages(), "/ingester/tenants", json);
  assert.deepEqual(JSON.parse(tenants.body), { tenants: [TENANT] });
});

test("the tenants page shows the largest first, and an empty one says what to do", async () => {
  const small = { ...TENANT, tenant: "small", seriesCount: 1, minTimeMs: undefined };
  const { body } = await get(pages({ tenants: () => [small, TENANT] }), "/ingester/tenants");
  assert.ok(body.indexOf("team-a") < body.indexOf("small"));
  assert.match(body, /2026-01-02 03:04:05 UTC/);
  assert.match((await get(pages({ tenants: () => [] }), "/ingester/tenants")).body, /No tenant/);
});

test("configuration in its modes", async () => {
  assert.equal((await get(pages(), "/config")).body, "mode: full\n");
  assert.equal((await get(pages(), "/config?mode=diff")).body, "mode: diff\n");
  assert.equal((await get(pages(), "/config?mode=defaults")).body, "mode: defaults\n");
  assert.equal((await get(pages(), "/runtime_config?mode=diff")).body, "overrides: diff\n");
  const wrong = await get(pages(), "/config?mode=all");
  assert.equal(wrong.status, 400);
  assert.match(wrong.body, /diff, defaults/);
});

test("limits are those of the tenant that asks", async () => {
  assert.equal((await get(pages(), "/api/v1/user_limits")).status, 401);
  const { body } = await get(pages(), "/api/v1/user_limits", { "x-scope-orgid": "team-a" });
  assert.deepEqual(JSON.parse(body), { tenant: "team-a" });
});

test("build information under both paths, with what Grafana looks for", async () => {
  for (const url of ["/api/v1/status/buildinfo", "/prometheus/api/v1/status/buildinfo"]) {
    const { data, status } = JSON.parse((await get(pages(), url)).body);
    assert.equal(status, "success");
    assert.equal(data.application, "Muninn");
    assert.equal(data.version, "1.2.3");
    assert.equal(data.features.ruler_config_api, "false");
  }
});

test("/metrics is the registry", async () => {
  const fixture = pages();
  await get(fixture, "/ready");
  const { body, headers } = await get(fixture, "/metrics");
  assert.match(String(headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  assert.match(body, /cortex_request_duration_seconds_count\{method="GET",route="ready"/);
});

test("Prometheus' status API: configuration and flags", async () => {
  for (const prefix of ["", "/prometheus"]) {
    const config = await get(pages(), `${prefix}/api/v1/status/config`);
    assert.deepEqual(JSON.parse(config.body), {
      status: "success",
      data: { yaml: "mode: full\n" },
    });
    const flags = await get(pages(), `${prefix}/api/v1/status/flags`);
    assert.deepEqual(JSON.parse(flags.body), { status: "success", data: { target: "all" } });
  }
});
