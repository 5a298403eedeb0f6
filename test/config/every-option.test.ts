/** Each option, by each of its names, reaches its place in `Config`: nothing in the table is for show. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { configValue, defaultConfig } from "../../src/config/defaults.ts";
import { type LoadResult, loadConfig } from "../../src/config/load.ts";
import { flagOfPath, type Option } from "../../src/config/option.ts";
import { placedOptions } from "../../src/config/schema.ts";

function load(argv: readonly string[], text = ""): Promise<LoadResult> {
  const file = text === "" ? [] : ["-config.file=test.yaml"];
  return loadConfig({ argv: [...file, ...argv], readFile: async () => text, env: {} });
}

const aesKeys = ["MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="];

/** A value that is not the default, passes the checks beside defaults, and what it means. */
function sampleOf({ kind, yaml, default: value }: Option): { text: string; means: unknown } {
  switch (kind.name) {
    case "boolean":
      return { text: String(value !== true), means: value !== true };
    case "int":
    case "float":
      return { text: "13", means: 13 };
    case "duration":
      return yaml.includes("out_of_order") || yaml === "querier.timeout"
        ? { text: "1m17s", means: 77_000 }
        : { text: "17h", means: 61_200_000 };
    case "size":
      return { text: "3MiB", means: 3 << 20 };
    case "string":
    case "path":
    case "secret":
      return yaml.includes("prefix") && !yaml.includes("storage")
        ? { text: "/other", means: "/other" }
        : { text: "other", means: "other" };
    case "list of strings":
      return { text: "one,two", means: ["one", "two"] };
    case "list of secrets":
      return { text: aesKeys.join(","), means: aesKeys };
    default:
      return sampleOfNamed(kind.name, value);
  }
}

function sampleOfNamed(kind: string, value: unknown): { text: string; means: unknown } {
  const names = kind.replace("list of ", "").split(" | ");
  const other = names.find((name) => name !== "" && name !== String(value)) as string;
  return { text: other, means: kind.startsWith("list of ") ? [other] : other };
}

/** Some values need others to make sense. */
const company: readonly (readonly [yaml: RegExp, ...flags: string[]])[] = [
  [
    /^blocks_storage\.backend$/,
    "-blocks-storage.s3.bucket-name=b",
    "-blocks-storage.s3.endpoint=e",
  ],
  [/\.block_ranges_period$/, "-blocks-storage.tsdb.retention-period=20h"],
  [
    /^limits\.ha_tracker_update_timeout$|update_timeout_jitter_max$/,
    "-distributor.ha-tracker.failover-timeout=2d",
  ],
  [/^ingester\.ring\.zone_awareness_enabled$/, "-ingester.ring.instance-availability-zone=a"],
  [/^ingester\.ring\.heartbeat_period$/, "-ingester.ring.heartbeat-timeout=18h"],
  [/^distributor\.ring\.heartbeat_period$/, "-distributor.ring.heartbeat-timeout=18h"],
  [/^store_gateway\..*heartbeat_period$/, "-store-gateway.sharding-ring.heartbeat-timeout=18h"],
  [/^compactor\..*heartbeat_period$/, "-compactor.ring.heartbeat-timeout=18h"],
  [/^querier\.ring\.heartbeat_period$/, "-querier.ring.heartbeat-timeout=18h"],
  [/^server\.rpc_tls_config\.cert_file$/, "-server.rpc-tls-key-path=k"],
  [/^server\.rpc_tls_config\.key_file$/, "-server.rpc-tls-cert-path=c"],
  [
    /^server\.rpc_tls_config\.client_ca_file$/,
    "-server.rpc-tls-cert-path=c",
    "-server.rpc-tls-key-path=k",
  ],
  [/^ingester_client\.tls_cert_path$/, "-ingester.client.tls-key-path=k"],
  [/^ingester_client\.tls_key_path$/, "-ingester.client.tls-cert-path=c"],
  [/^memberlist\.min_join_backoff$/, "-memberlist.max-join-backoff=18h"],
];

function beside({ yaml }: Option): string[] {
  return company.flatMap(([pattern, ...flags]) => (pattern.test(yaml) ? flags : []));
}

function assertReaches(loaded: LoadResult, place: readonly string[], means: unknown): void {
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  assert.deepEqual(configValue(loaded.config, place), means);
  assert.notDeepEqual(configValue(defaultConfig(), place), means, "the sample is the default");
}

function yamlOf(path: string, value: unknown): string {
  return stringify(path.split(".").reduceRight((inner, key) => ({ [key]: inner }), value));
}

for (const { option, place } of placedOptions.filter(
  ({ option }) => option.kind.form !== "structure",
)) {
  const { text, means } = sampleOf(option);
  const flags = [option.flag, option.inherits && flagOfPath(option.inherits)];
  for (const flag of flags.filter((name) => name !== undefined)) {
    test(`-${flag}`, async () => {
      assertReaches(await load([`-${flag}=${text}`, ...beside(option)]), place, means);
      if (option.kind.name === "boolean") return;
      assertReaches(await load([`--${flag}`, text, ...beside(option)]), place, means);
    });
  }
  const keys = [option.yaml, ...option.aliases, option.inherits];
  for (const key of keys.filter((name) => name !== undefined)) {
    test(key, async () => {
      assertReaches(await load(beside(option), yamlOf(key, text)), place, means);
    });
  }
}

test("names are unique", () => {
  const names = placedOptions.flatMap(({ option }) => [
    option.yaml,
    ...option.aliases,
    ...(option.inherits === undefined ? [] : [option.inherits]),
    ...(option.flag === undefined ? [] : [`-${option.flag}`]),
  ]);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});

test("every default passes its own kind and prints as YAML that reads back", async () => {
  const { printConfig } = await import("../../src/config/print.ts");
  const loaded = await load([], printConfig(defaultConfig(), "full"));
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  assert.deepEqual(loaded.config, defaultConfig());
});

/** Scripts use these: a renamed flag must fail here, whatever the tables say. */
const contract = `
  target data-dir server.http-listen-address server.http-listen-port server.path-prefix server.rpc-listen-port
  server.graceful-shutdown-timeout server.http-read-timeout server.http-write-timeout server.http-idle-timeout
  log.level log.format auth.multitenancy-enabled auth.no-auth-tenant http.prometheus-http-prefix
  distributor.ingestion-rate-limit distributor.ingestion-burst-size distributor.ingestion-burst-factor
  distributor.request-rate-limit distributor.request-burst-size distributor.max-recv-msg-size
  distributor.instance-limits.max-ingestion-rate distributor.instance-limits.max-inflight-push-requests
  distributor.instance-limits.max-inflight-push-requests-bytes
  ingester.max-global-series-per-user ingester.max-global-series-per-metric ingester.out-of-order-time-window
  ingester.instance-limits.max-ingestion-rate ingester.instance-limits.max-tenants ingester.instance-limits.max-series
  ingester.instance-limits.max-inflight-push-requests ingester.wal.sync ingester.wal.sync-interval
  blocks-storage.tsdb.dir blocks-storage.tsdb.retention-period blocks-storage.tsdb.close-idle-tsdb-timeout
  blocks-storage.tsdb.wal-segment-size-bytes blocks-storage.backend common.storage.backend
  blocks-storage.s3.endpoint blocks-storage.s3.bucket-name blocks-storage.s3.access-key-id
  blocks-storage.s3.secret-access-key common.storage.s3.endpoint common.storage.s3.bucket-name
  querier.max-concurrent querier.timeout querier.max-samples querier.lookback-delta querier.default-evaluation-interval
  querier.max-fetched-series-per-query querier.max-fetched-chunks-per-query querier.max-fetched-chunk-bytes-per-query
  querier.max-query-lookback store.max-labels-query-length
  query-frontend.split-queries-by-interval query-frontend.align-queries-with-step
  query-frontend.log-queries-longer-than query-frontend.enabled-promql-experimental-functions
  query-frontend.max-total-query-length query-frontend.max-query-expression-size-bytes
  validation.max-length-label-name validation.max-length-label-value validation.max-label-names-per-series
  validation.max-label-names-per-info-series validation.create-grace-period validation.past-grace-period
  validation.name-validation-scheme validation.max-metadata-length validation.enforce-metadata-metric-name
  runtime-config.file runtime-config.reload-period
  server.rpc-listen-address server.rpc-tls-cert-path server.rpc-tls-key-path server.rpc-tls-ca-path server.rpc-secret
  ingester.client.tls-enabled ingester.client.tls-cert-path ingester.client.tls-key-path ingester.client.tls-ca-path
  ingester.client.tls-server-name ingester.client.circuit-breaker.enabled
  ingester.ring.store ingester.ring.replication-factor ingester.ring.instance-id ingester.ring.instance-addr
  ingester.ring.instance-port ingester.ring.instance-availability-zone ingester.ring.zone-awareness-enabled
  ingester.ring.excluded-zones ingester.ring.heartbeat-period ingester.ring.heartbeat-timeout ingester.ring.num-tokens
  ingester.ring.tokens-file-path ingester.ring.unregister-on-shutdown ingester.ring.observe-period
  ingester.ring.min-ready-duration ingester.ring.final-sleep ingester.ring.auto-forget-unhealthy-periods
  distributor.ring.instance-id distributor.ring.instance-addr distributor.ring.heartbeat-period
  distributor.ring.heartbeat-timeout store-gateway.sharding-ring.replication-factor compactor.ring.instance-id
  distributor.ingestion-tenant-shard-size querier.shuffle-sharding-ingesters-enabled
  querier.minimize-ingester-requests querier.minimize-ingester-requests-hedging-delay querier.query-ingesters-within
  memberlist.nodename memberlist.randomize-node-name memberlist.join memberlist.bind-addr memberlist.bind-port
  memberlist.advertise-addr memberlist.advertise-port memberlist.cluster-label
  memberlist.cluster-label-verification-disabled memberlist.gossip-interval memberlist.gossip-nodes
  memberlist.pullpush-interval memberlist.retransmit-factor memberlist.stream-timeout memberlist.compression-enabled
  memberlist.leave-timeout memberlist.abort-if-join-fails memberlist.min-join-backoff memberlist.max-join-backoff
  memberlist.rejoin-interval memberlist.left-ingesters-timeout memberlist.message-history-buffer-bytes
`;

test("the flags that are a contract are there", () => {
  const flags = new Set(
    placedOptions.flatMap(({ option }) => [
      option.flag,
      option.inherits === undefined ? undefined : flagOfPath(option.inherits),
    ]),
  );
  const wanted = contract.trim().split(/\s+/);
  assert.deepEqual(
    wanted.filter((flag) => !flags.has(flag)),
    [],
  );
});

test("defaults are Mimir's", () => {
  const { limits, server, tsdb, querier, ring, memberlist, runtimeConfig } = defaultConfig();
  assert.equal(server.httpListenPort, 8080);
  assert.equal(tsdb.retentionPeriodMs, 13 * 3_600_000);
  assert.equal(tsdb.closeIdleTsdbTimeoutMs, 13 * 3_600_000);
  assert.equal(querier.maxSamples, 50_000_000);
  assert.equal(querier.lookbackDeltaMs, 300_000);
  assert.equal(runtimeConfig.reloadPeriodMs, 10_000);
  assert.equal(limits.ingestionRate, 10_000);
  assert.equal(limits.ingestionBurstSize, 200_000);
  assert.equal(limits.maxGlobalSeriesPerUser, 150_000);
  assert.equal(limits.maxLabelNamesPerSeries, 30);
  assert.equal(limits.maxLabelNamesPerInfoSeries, 80);
  assert.equal(limits.creationGracePeriodMs, 600_000);
  assert.equal(limits.maxFetchedChunksPerQuery, 2_000_000);
  assert.equal(server.rpcListenPort, 9095);
  assert.equal(memberlist.bindPort, 7946);
  assert.equal(memberlist.gossipIntervalMs, 200);
  assert.equal(memberlist.pullPushIntervalMs, 30_000);
  assert.equal(memberlist.randomizeNodeName, true);
  assert.equal(ring.replicationFactor, 3);
  assert.equal(ring.heartbeatTimeoutMs, 60_000);
});

test("defaults that are not Mimir's, each for a reason that its text gives", () => {
  const { limits, ring, memberlist } = defaultConfig();
  assert.equal(limits.outOfOrderTimeWindowMs, 30 * 60_000);
  assert.equal(ring.heartbeatPeriodMs, 5000);
  assert.equal(ring.numTokens, 512);
  assert.equal(ring.unregisterOnShutdown, false);
  assert.equal(ring.autoForgetUnhealthyPeriods, 10);
  assert.equal(ring.minReadyDurationMs, 0);
  assert.equal(ring.tokensFilePath, "./data/tokens");
  assert.equal(memberlist.rejoinIntervalMs, 60_000);
  assert.equal(memberlist.leftIngestersTimeoutMs, 24 * 3_600_000);
  assert.equal(memberlist.messageHistoryBufferBytes, 128 << 10);
});
