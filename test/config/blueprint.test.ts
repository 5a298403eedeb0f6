/** The blueprint's own mimir.yaml, verbatim: each of its keys is where the components read it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { type Loaded, loadConfig } from "../../src/config/load.ts";

const text = readFileSync(join(import.meta.dirname, "../../config/mimir-blueprint.yaml"), "utf8");

async function load(argv: readonly string[] = []): Promise<Loaded> {
  const loaded = await loadConfig({
    argv: ["-config.file=mimir.yaml", ...argv],
    readFile: async () => text,
    env: { MIMIR_AWS_ACCESS_KEY: "access", MIMIR_AWS_SECRET_KEY: "secret" },
  });
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  return loaded;
}

/** Path in the file, and what it makes of the configuration. */
const effects: readonly (readonly [string, (loaded: Loaded) => unknown, unknown])[] = [
  ["multitenancy_enabled", ({ config }) => config.auth.multitenancyEnabled, true],
  ["common.storage.backend", ({ config }) => config.storage.backend, "s3"],
  [
    "common.storage.s3.endpoint",
    ({ config }) => config.storage.s3.endpoint,
    "s3.us-east-1.amazonaws.com",
  ],
  [
    "common.storage.s3.bucket_name",
    ({ config }) => config.storage.s3.bucketName,
    "enterprise-mimir-longterm-storage",
  ],
  ["common.storage.s3.access_key_id", ({ config }) => config.storage.s3.accessKeyId, "access"],
  [
    "common.storage.s3.secret_access_key",
    ({ config }) => config.storage.s3.secretAccessKey,
    "secret",
  ],
  [
    "distributor.config.ingress_rate_limit_per_tenant",
    ({ config }) => config.limits.ingestionRate,
    100_000,
  ],
  [
    "distributor.config.ingress_burst_size_per_tenant",
    ({ config }) => config.limits.ingestionBurstSize,
    200_000,
  ],
  ["ingester.lifecycler.ring.kvstore.store", ({ config }) => config.ring.store, "memberlist"],
  ["ingester.lifecycler.ring.replication_factor", ({ config }) => config.ring.replicationFactor, 3],
  [
    "ingester.chunks_write_buffer_size",
    ({ config }) => config.tsdb.headChunksWriteBufferSizeBytes,
    5_242_880,
  ],
  ["ingester.chunk_idle_period", ({ config }) => config.tsdb.headChunkIdleTimeoutMs, 15 * 60_000],
  ["ingester.max_chunk_age", ({ config }) => config.tsdb.blockRangeMs, 2 * 3_600_000],
  [
    "query_frontend.align_queries_with_step",
    ({ config }) => config.limits.alignQueriesWithStep,
    true,
  ],
  [
    "query_frontend.log_queries_longer_than",
    ({ config }) => config.queryFrontend.logQueriesLongerThanMs,
    5000,
  ],
  [
    "query_frontend.split_queries_by_interval",
    ({ config }) => config.queryFrontend.splitQueriesByIntervalMs,
    24 * 3_600_000,
  ],
];

for (const [key, read, want] of effects) {
  test(`${key}: ${String(want)}`, async () => {
    assert.equal(read(await load(["-config.expand-env"])), want);
  });
}

test("no key of the file is without a test of its effect", () => {
  assert.deepEqual(leaves(parse(text)).sort(), effects.map(([key]) => key).sort());
});

test("as it stands, without -config.expand-env, it loads too and the keys stay text, with a warning for each", async () => {
  const { config, warnings } = await load();
  assert.equal(config.storage.s3.accessKeyId, "${MIMIR_AWS_ACCESS_KEY}");
  assert.equal(config.storage.s3.secretAccessKey, "${MIMIR_AWS_SECRET_KEY}");
  const about = warnings.filter((warning) => warning.includes("-config.expand-env"));
  assert.equal(about.length, 2);
  assert.match(about[0] ?? "", /^mimir\.yaml:11:22: common\.storage\.s3\.access_key_id/);
});

test("a changed value of each key arrives as well, so that no default stands in for it", async () => {
  const changed = text
    .replace("multitenancy_enabled: true", "multitenancy_enabled: false")
    .replace("200000", "200001")
    .replace("store: memberlist", "store: inmemory")
    .replace("replication_factor: 3", "replication_factor: 5")
    .replace("max_chunk_age: 2h", "max_chunk_age: 3h")
    .replace("split_queries_by_interval: 24h", "split_queries_by_interval: 12h");
  const loaded = await loadConfig({
    argv: ["-config.file=mimir.yaml"],
    readFile: async () => changed,
    env: {},
  });
  assert.ok("config" in loaded);
  const { config } = loaded;
  assert.equal(config.auth.multitenancyEnabled, false);
  assert.equal(config.limits.ingestionBurstSize, 200_001);
  assert.equal(config.ring.store, "inmemory");
  assert.equal(config.ring.replicationFactor, 5);
  assert.equal(config.tsdb.blockRangeMs, 3 * 3_600_000);
  assert.equal(config.queryFrontend.splitQueriesByIntervalMs, 12 * 3_600_000);
});

function leaves(tree: unknown, path = ""): string[] {
  if (typeof tree !== "object" || tree === null) return [path];
  return Object.entries(tree).flatMap(([key, inner]) =>
    leaves(inner, path === "" ? key : `${path}.${key}`),
  );
}
