import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../src/config/defaults.ts";
import { type Loaded, loadConfig } from "../../src/config/load.ts";

interface Given {
  readonly argv?: readonly string[];
  readonly file?: string;
  readonly env?: Readonly<Record<string, string>>;
}

async function load({ argv = [], file, env = {} }: Given) {
  return await loadConfig({
    argv: file === undefined ? argv : ["-config.file=m.yaml", ...argv],
    readFile: async (path) => {
      if (path === "m.yaml" && file !== undefined) return file;
      throw Object.assign(new Error(`ENOENT: no such file, open '${path}'`), { code: "ENOENT" });
    },
    env,
  });
}

async function good(given: Given): Promise<Loaded> {
  const loaded = await load(given);
  assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
  return loaded;
}

async function errorsOf(given: Given): Promise<readonly string[]> {
  const loaded = await load(given);
  assert.ok("errors" in loaded, "it loads");
  return loaded.errors;
}

test("nothing given: the defaults, no warning, run", async () => {
  const { config, command, warnings } = await good({});
  assert.deepEqual(config, defaultConfig());
  assert.deepEqual(command, { kind: "run" });
  assert.deepEqual(warnings, []);
});

test("flag over file over default", async () => {
  const file = "limits: {ingestion_rate: 11, ingestion_burst_size: 22}";
  const { config } = await good({ file, argv: ["-distributor.ingestion-burst-size=33"] });
  assert.equal(config.limits.ingestionRate, 11);
  assert.equal(config.limits.ingestionBurstSize, 33);
  assert.equal(config.limits.maxGlobalSeriesPerUser, 150_000);
});

test("common storage: common key, own key, common flag, own flag, the last one set wins", async () => {
  const endpoint = async (given: Given) => (await good(given)).config.storage.s3.endpoint;
  const common = "common: {storage: {s3: {endpoint: common-file}}}";
  const own = `${common}\nblocks_storage: {s3: {endpoint: own-file}}`;
  assert.equal(await endpoint({ file: common }), "common-file");
  assert.equal(await endpoint({ file: own }), "own-file");
  const commonFlag = ["-common.storage.s3.endpoint=common-flag"];
  assert.equal(await endpoint({ file: own, argv: commonFlag }), "common-flag");
  const flags = ["-blocks-storage.s3.endpoint=own-flag", ...commonFlag];
  assert.equal(await endpoint({ file: own, argv: flags }), "own-flag");
});

test("paths derive from the data directory unless they are set", async () => {
  const argv = ["-data-dir=/var/lib/muninn/", "-blocks-storage.tsdb.dir=/fast/tsdb"];
  const { config } = await good({ argv });
  assert.equal(config.ingester.wal.dir, "/var/lib/muninn/wal");
  assert.equal(config.storage.filesystem.dir, "/var/lib/muninn/blocks");
  assert.equal(config.tsdb.dir, "/fast/tsdb");
});

test("the configuration is frozen to its depth", async () => {
  const { config } = await good({ file: "limits: {drop_labels: [a]}" });
  for (const part of [config, config.server, config.ingester.wal, config.limits.dropLabels]) {
    assert.ok(Object.isFrozen(part));
  }
});

test("flags have Go's syntax", async () => {
  const { config } = await good({
    argv: ["--target", "ingester,querier", "-auth.multitenancy-enabled=F", "-log.level", "debug"],
  });
  assert.deepEqual(config.target, ["ingester", "querier"]);
  assert.equal(config.auth.multitenancyEnabled, false);
  assert.equal(config.log.level, "debug");
  const alone = await good({
    file: "limits: {accept_ha_samples: false}",
    argv: ["-distributor.ha-tracker.enable-for-all-users"],
  });
  assert.equal(alone.config.limits.acceptHaSamples, true);
});

test("of a flag given twice the last counts; a list flag collects", async () => {
  const { config } = await good({
    argv: [
      "-data-dir=a",
      "-distributor.drop-label=x",
      "-data-dir=b",
      "-distributor.drop-label=y,z",
    ],
  });
  assert.equal(config.dataDir, "b");
  assert.deepEqual(config.limits.dropLabels, ["x", "y", "z"]);
});

test("a value may contain = and start with a dash", async () => {
  const { config } = await good({
    argv: ["-blocks-storage.s3.secret-access-key=a=b==", "-blocks-storage.s3.access-key-id", "-x"],
  });
  assert.equal(config.storage.s3.secretAccessKey, "a=b==");
  assert.equal(config.storage.s3.accessKeyId, "-x");
});

test("bad flags, all at once, with the nearest right one", async () => {
  assert.deepEqual(
    await errorsOf({
      argv: [
        "-server.http-listen-prot=1",
        "-server.http-listen-port=80800",
        "-wholly-unlike-anything",
        "-log.level=loud",
        "serve",
        "-querier.timeout",
      ],
    }),
    [
      "command line: -server.http-listen-prot: unknown flag; did you mean -server.http-listen-port?",
      "command line: -server.http-listen-port: 80800 must not be more than 65535",
      "command line: -wholly-unlike-anything: unknown flag",
      'command line: -log.level: "loud" is not one of debug, info, warn, error',
      'command line: unexpected argument "serve" (all options are flags)',
      "command line: -querier.timeout: the value is missing",
    ],
  );
});

test("a boolean flag does not take the next word", async () => {
  assert.deepEqual(await errorsOf({ argv: ["-auth.multitenancy-enabled", "false"] }), [
    'command line: unexpected argument "false" (all options are flags)',
  ]);
});

test("a duration is negative only where that means something", async () => {
  const { config } = await good({ argv: ["-query-frontend.log-queries-longer-than=-1s"] });
  assert.equal(config.queryFrontend.logQueriesLongerThanMs, -1000);
  assert.deepEqual(await errorsOf({ argv: ["-querier.max-query-lookback=-1s"] }), [
    "command line: -querier.max-query-lookback: -1s must not be negative",
  ]);
});

test("problems of flags and file come together", async () => {
  const errors = await errorsOf({ argv: ["-nothing=1"], file: "nothing: 1\nserver: {a: 1}" });
  assert.equal(errors.length, 3);
});

test("impossible combinations name the flag, or the key that is at fault", async () => {
  assert.deepEqual(await errorsOf({ argv: ["-blocks-storage.tsdb.retention-period=1h30m"] }), [
    "command line: -blocks-storage.tsdb.retention-period: 1h30m is less than blocks_storage.tsdb.block_ranges_period (2h): samples would leave before their range is complete",
  ]);
  const [error] = await errorsOf({ file: "server: {http_server_write_timeout: 10s}" });
  assert.equal(
    error,
    "m.yaml:1:37: querier.timeout: 2m is more than server.http_server_write_timeout (10s): the connection would close before the query may end",
  );
});

test("a missing file is one error that names it", async () => {
  const [error, ...others] = await errorsOf({ argv: ["-config.file=/nowhere.yaml"] });
  assert.match(error ?? "", /^\/nowhere\.yaml: ENOENT/);
  assert.deepEqual(others, []);
});

test("what is not YAML says where", async () => {
  const [error] = await errorsOf({ file: "server:\n  http_listen_port: 8080\n log_level: info\n" });
  assert.match(error ?? "", /^m\.yaml:3:1: not valid YAML: /);
});

test("environment variables are expanded in values, and only when asked", async () => {
  const file = [
    'data_dir: "${DIR}/muninn"',
    "server: {http_listen_port: '${PORT:9999}'}",
    "blocks_storage: {s3: {secret_access_key: ${SECRET}}}",
  ].join("\n");
  // In a flow mapping "{" needs quotes, as anywhere in YAML; outside it does not.
  const text = file.replace(
    "{s3: {secret_access_key: ${SECRET}}}",
    "\n  s3:\n    secret_access_key: ${SECRET}",
  );
  const env = { DIR: "/data", SECRET: 'x: #{"y' };
  const { config, warnings } = await good({ file: text, env, argv: ["-config.expand-env"] });
  assert.equal(config.dataDir, "/data/muninn");
  assert.equal(config.server.httpListenPort, 9999);
  assert.equal(config.storage.s3.secretAccessKey, 'x: #{"y');
  assert.deepEqual(
    warnings.filter((warning) => warning.includes("environment")),
    [],
  );

  const kept = await good({ file: 'data_dir: "${DIR}"', env });
  assert.equal(kept.config.dataDir, "${DIR}");
  assert.match(kept.warnings[0] ?? "", /^m\.yaml:1:11: data_dir: .*-config\.expand-env/);

  const unset = await good({ file: 'data_dir: "a${NONE}"', env, argv: ["-config.expand-env"] });
  assert.equal(unset.config.dataDir, "a");
  assert.match(unset.warnings[0] ?? "", /NONE is not set/);
});

test("keys that wait for a feature are told, once for each feature, also when they say the default", async () => {
  const { warnings } = await good({
    file: "compactor: {sharding_ring: {instance_id: a, heartbeat_period: 5s}}\nstore_gateway: {sharding_ring: {instance_id: q}}",
  });
  assert.deepEqual(warnings, [
    'read and checked, but without effect until this version has the feature "object storage": store_gateway.sharding_ring.instance_id (m.yaml:2:46)',
    'read and checked, but without effect until this version has the feature "compactor": compactor.sharding_ring.instance_id (m.yaml:1:42), compactor.sharding_ring.heartbeat_period (m.yaml:1:63)',
  ]);
});

test("help and version win over mistakes", async () => {
  const { command } = await good({ argv: ["-no-such-flag", "-help"] });
  assert.deepEqual(command, { kind: "help", all: false });
  assert.deepEqual((await good({ argv: ["-version"] })).command, { kind: "version" });
  assert.deepEqual((await good({ argv: ["-h"] })).command, { kind: "help", all: false });
  const print = await good({ argv: ["-print.config=diff"] });
  assert.deepEqual(print.command, { kind: "print-config", mode: "diff" });
});
