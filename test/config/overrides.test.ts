import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Registry } from "prom-client";
import { parse } from "yaml";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { loadConfig } from "../../src/config/load.ts";
import { Overrides } from "../../src/config/overrides.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { TestClock } from "../testkit/test-clock.ts";

class LogRecord implements Logger {
  readonly lines: string[] = [];

  debug(): void {}
  info(fields: LogFields, message: string): void {
    this.lines.push(`info ${message} ${JSON.stringify(fields)}`);
  }
  warn(fields: LogFields, message: string): void {
    this.lines.push(`warn ${message} ${JSON.stringify(fields)}`);
  }
  error(fields: LogFields, message: string): void {
    this.lines.push(`error ${message} ${JSON.stringify(fields)}`);
  }
  child(): Logger {
    return this;
  }

  get warnings(): string[] {
    return this.lines.filter((line) => line.startsWith("warn"));
  }
}

async function setUp(files: Readonly<Record<string, string>>, argv: readonly string[] = []) {
  const fileSystem = new MemoryFileSystem();
  const write = (path: string, text: string) =>
    fileSystem.writeFileAtomic(path, new TextEncoder().encode(text));
  for (const [path, text] of Object.entries(files)) await write(path, text);
  const loaded = await loadConfig({
    argv: [`-runtime-config.file=${Object.keys(files).join(",")}`, ...argv],
    readFile: async () => "",
    env: {},
  });
  assert.ok("config" in loaded);
  const clock = new TestClock();
  const logger = new LogRecord();
  const registry = new Registry();
  const overrides = new Overrides(loaded.config, { clock, fileSystem, logger, registry });
  const metric = async (name: string, labels: Record<string, string> = {}) => {
    const { values = [] } = (await registry.getSingleMetric(name)?.get()) ?? {};
    return values.find((entry) =>
      Object.entries(labels).every(([key, value]) => entry.labels[key] === value),
    )?.value;
  };
  return { overrides, clock, logger, registry, fileSystem, write, metric, config: loaded.config };
}

const teamA = "overrides:\n  team-a:\n    ingestion_rate: 5\n";

test("a tenant's override replaces single fields; others have the defaults", async () => {
  const { overrides, config } = await setUp({ "r.yaml": teamA }, [
    "-querier.max-query-lookback=1d",
  ]);
  await overrides.start();
  const limits = overrides.forTenant("team-a");
  assert.equal(limits.ingestionRate, 5);
  assert.equal(limits.ingestionBurstSize, 200_000);
  assert.equal(limits.maxQueryLookbackMs, 86_400_000);
  assert.equal(overrides.forTenant("someone"), config.limits);
  assert.ok(Object.isFrozen(limits));
  await overrides.stop();
});

test("a change is in force after the reload period; the version grows only if a limit changed", async () => {
  const { overrides, clock, write, config } = await setUp({ "r.yaml": teamA });
  await overrides.start();
  const { version } = overrides;

  await write("r.yaml", `# a comment\n${teamA}`);
  await clock.advance(config.runtimeConfig.reloadPeriodMs);
  assert.equal(overrides.version, version);

  await write("r.yaml", teamA.replace("5", "6"));
  await clock.advance(config.runtimeConfig.reloadPeriodMs - 1);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 5);
  await clock.advance(1);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 6);
  assert.equal(overrides.version, version + 1);

  await write("r.yaml", "");
  await clock.advance(10_000);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 10_000);
  assert.equal(overrides.version, version + 2);

  await overrides.stop();
  assert.equal(clock.timersWaiting, 0);
});

test("a bad file: old limits, one warning for each change, metric 0, the error on the page; then well again", async () => {
  const { overrides, clock, logger, write, metric } = await setUp({ "r.yaml": teamA });
  await overrides.start();
  const { version, sha256 } = overrides.status();
  assert.equal(await metric("cortex_runtime_config_last_reload_successful"), 1);

  await write("r.yaml", "overrides:\n  team-a:\n    ingestion_rat: 7\n");
  await clock.advance(30_000);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 5);
  assert.equal(overrides.version, version);
  assert.equal(await metric("cortex_runtime_config_last_reload_successful"), 0);
  assert.equal(await metric("cortex_runtime_config_hash", { sha256: sha256 ?? "" }), 1);
  const said =
    "r.yaml:3:5: overrides.team-a.ingestion_rat: unknown key; did you mean overrides.team-a.ingestion_rate?";
  assert.deepEqual(overrides.status().errors, [said]);
  assert.ok(overrides.page("full").includes(`#   ${said}\n`));
  assert.equal(logger.warnings.length, 1, "three readings, one warning");
  assert.ok(logger.warnings[0]?.includes(said));

  await write("r.yaml", "overrides: [");
  await clock.advance(20_000);
  assert.equal(logger.warnings.length, 2);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 5);

  await write("r.yaml", teamA);
  await clock.advance(10_000);
  assert.equal(await metric("cortex_runtime_config_last_reload_successful"), 1);
  assert.deepEqual(overrides.status().errors, []);
  assert.equal(overrides.version, version, "the same limits as all the time");
  assert.doesNotMatch(overrides.page("full"), /failed/);
  await overrides.stop();
});

test("a file that vanishes is a bad file", async () => {
  const { overrides, clock, logger, fileSystem } = await setUp({ "r.yaml": teamA });
  await overrides.start();
  await fileSystem.remove("r.yaml");
  await clock.advance(10_000);
  assert.equal(overrides.forTenant("team-a").ingestionRate, 5);
  assert.equal(logger.warnings.length, 1);
  await overrides.stop();
});

test("a bad file at the start ends it", async () => {
  const { overrides, clock } = await setUp({ "r.yaml": "overrides: {a: {ingestion_rate: x}}" });
  await assert.rejects(
    overrides.start(),
    /r\.yaml:1:33: overrides\.a\.ingestion_rate: "x" is not a number/,
  );
  assert.equal(clock.timersWaiting, 0);
});

test("of several files the later wins key by key, and any mistake in one leaves all as they were", async () => {
  const { overrides, clock, write } = await setUp({
    "a.yaml":
      "overrides: {t: {ingestion_rate: 1, max_global_series_per_user: 2}, u: {ingestion_rate: 3}}",
    "b.yaml": "overrides: {t: {ingestion_rate: 4}}",
  });
  await overrides.start();
  assert.equal(overrides.forTenant("t").ingestionRate, 4);
  assert.equal(overrides.forTenant("t").maxGlobalSeriesPerUser, 2);
  assert.equal(overrides.forTenant("u").ingestionRate, 3);

  await write("a.yaml", "overrides: {t: {ingestion_rate: 9, max_global_series_per_user: 9}}");
  await write("b.yaml", "nonsense: 1");
  await clock.advance(10_000);
  assert.equal(overrides.forTenant("t").maxGlobalSeriesPerUser, 2);
  await overrides.stop();
});

test("impossible limits of one tenant are refused like a typing mistake", async () => {
  const { overrides } = await setUp({
    "r.yaml": "overrides:\n  a: {}\n  b:\n    out_of_order_time_window: 20h\n",
  });
  await assert.rejects(
    overrides.start(),
    /r\.yaml:3:3: overrides\.b\.out_of_order_time_window: 20h is more/,
  );
});

test("top-level keys are checked", async () => {
  const { overrides } = await setUp({ "r.yaml": "override: {a: {}}" });
  await assert.rejects(
    overrides.start(),
    /r\.yaml:1:1: override: unknown key; did you mean overrides\?/,
  );
});

test("instance limits change too", async () => {
  const { overrides, clock, write } = await setUp({
    "r.yaml":
      "ingester_limits: {max_series: 7}\ndistributor_limits: {max_inflight_push_requests: 3}",
  });
  await overrides.start();
  assert.equal(overrides.instanceLimits.ingester.maxSeries, 7);
  assert.equal(overrides.instanceLimits.ingester.maxInflightPushRequests, 30_000);
  assert.equal(overrides.instanceLimits.distributor.maxInflightPushRequests, 3);
  const { version } = overrides;
  await write("r.yaml", "ingester_limits: {max_series: 8}");
  await clock.advance(10_000);
  assert.equal(overrides.instanceLimits.ingester.maxSeries, 8);
  assert.equal(overrides.instanceLimits.distributor.maxInflightPushRequests, 2000);
  assert.equal(overrides.version, version + 1);
  await overrides.stop();
});

test("without files there is nothing to read and all have the defaults", async () => {
  const { overrides, clock, config } = await setUp({});
  await overrides.start();
  assert.equal(clock.timersWaiting, 0);
  assert.equal(overrides.forTenant("a"), config.limits);
  assert.match(overrides.page("full"), /^# files: none/);
});

test("the page is YAML of all limits, or with diff of the overridden ones", async () => {
  const { overrides } = await setUp({ "r.yaml": teamA });
  await overrides.start();
  assert.deepEqual(parse(overrides.page("diff")), {
    overrides: { "team-a": { ingestion_rate: 5 } },
  });
  const full = parse(overrides.page("full")) as {
    overrides: Record<string, Record<string, unknown>>;
  };
  assert.equal(full.overrides["team-a"]?.["ingestion_rate"], 5);
  assert.equal(full.overrides["team-a"]?.["out_of_order_time_window"], "30m");
  await overrides.stop();
});

test("metrics: hash as sha256sum prints it, defaults, overrides of tenants that have some", async () => {
  const { overrides, clock, write, metric } = await setUp({ "r.yaml": teamA });
  await overrides.start();
  const sha256 = createHash("sha256").update(teamA).digest("hex");
  assert.equal(await metric("cortex_runtime_config_hash", { sha256 }), 1);
  const rate = { limit_name: "ingestion_rate" };
  assert.equal(await metric("cortex_limits_defaults", rate), 10_000);
  assert.equal(await metric("cortex_limits_overrides", { ...rate, user: "team-a" }), 5);
  assert.equal(await metric("cortex_limits_overrides", { ...rate, user: "someone" }), undefined);

  await write("r.yaml", "");
  await clock.advance(10_000);
  assert.equal(await metric("cortex_runtime_config_hash", { sha256 }), undefined);
  assert.equal(await metric("cortex_limits_overrides", { ...rate, user: "team-a" }), undefined);
  await overrides.stop();
});

test("the examples in config/ load", async () => {
  const example = (name: string) =>
    readFileSync(join(import.meta.dirname, "../../config", name), "utf8");
  const { overrides } = await setUp({ "r.yaml": example("runtime-overrides.yaml") });
  await overrides.start();
  assert.equal(overrides.forTenant("team-b").ingestionRate, 100_000);
  assert.equal(overrides.forTenant("team-b").outOfOrderTimeWindowMs, 7_200_000);
  await overrides.stop();
  for (const name of ["muninn.yaml", "single-tenant.yaml"]) {
    const loaded = await loadConfig({
      argv: [`-config.file=${name}`, "-config.expand-env"],
      readFile: async () => example(name),
      env: {},
    });
    assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
    assert.deepEqual(loaded.warnings, []);
  }
});
