/**
 * Files in testdata: `*.good.yaml` loads, `*.bad.yaml` fails with exactly the errors that its `# error:` lines name, in their
 * order. `UPDATE=1` writes the errors that come into the files, for review.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadConfig } from "../../src/config/load.ts";

const folder = join(import.meta.dirname, "testdata");

async function load(name: string) {
  return await loadConfig({
    argv: [`-config.file=${name}`],
    readFile: async (path) => readFileSync(join(folder, path), "utf8"),
    env: {},
  });
}

for (const name of readdirSync(folder).sort()) {
  if (name.endsWith(".good.yaml")) {
    test(name, async () => {
      const loaded = await load(name);
      assert.ok("config" in loaded, "errors" in loaded ? loaded.errors.join("\n") : "");
    });
  }
  if (name.endsWith(".bad.yaml")) {
    test(name, async () => {
      const loaded = await load(name);
      assert.ok("errors" in loaded, "it loads");
      const errors = loaded.errors.map((error) =>
        error.replace(`${name}:`, "").replace(/^configuration: /, ""),
      );
      if (process.env["UPDATE"] !== undefined) rewrite(name, errors);
      const text = readFileSync(join(folder, name), "utf8");
      const wanted = [...text.matchAll(/^# error: (.*)$/gm)].map((match) => match[1]);
      assert.deepEqual(errors, wanted);
      assert.notEqual(wanted.length, 0, "a bad file says what its error is");
    });
  }
}

function rewrite(name: string, errors: readonly string[]): void {
  const path = join(folder, name);
  const kept = readFileSync(path, "utf8").replaceAll(/^# error: .*\n/gm, "");
  writeFileSync(path, kept + errors.map((error) => `# error: ${error}\n`).join(""));
}

test("values have the form that the file gave them", async () => {
  const loaded = await load("every-form.good.yaml");
  assert.ok("config" in loaded);
  const { config } = loaded;
  assert.deepEqual(config.target, ["distributor", "ingester"]);
  assert.equal(config.auth.multitenancyEnabled, false);
  assert.equal(config.server.httpListenPort, 9090);
  assert.equal(config.server.httpReadTimeoutMs, 90_000);
  assert.equal(config.server.httpIdleTimeoutMs, 0);
  assert.equal(config.log.level, "info");
  assert.equal(config.distributor.maxRecvMsgSizeBytes, 64 << 20);
  assert.equal(config.distributor.instanceLimits.maxInflightPushRequests, 1000);
  assert.equal(config.ingester.instanceLimits.maxInflightPushRequests, 1000);
  assert.equal(config.ingester.instanceLimits.maxSeries, 5);
  assert.deepEqual(config.ingester.wal, {
    dir: "./data/wal",
    sync: "commit",
    syncIntervalMs: 250,
    onCorruption: "fail",
    segmentSizeBytes: 128 << 20,
  });
  assert.equal(config.tsdb.blockRangeMs, 3_600_000);
  assert.equal(config.tsdb.retentionPeriodMs, 2 * 86_400_000);
  assert.deepEqual(config.limits.dropLabels, ["a", "b"]);
  assert.deepEqual(config.limits.enabledPromqlExperimentalFunctions, ["info", "limitk"]);
  assert.deepEqual(config.limits.metricRelabelConfigs, [
    { source_labels: ["job"], regex: "noise-.*", action: "drop" },
  ]);
  assert.deepEqual(config.limits.activeSeriesCustomTrackers, { dev: '{namespace="dev"}' });
  assert.deepEqual(config.limits.blockedQueries, [{ pattern: ".*", regex: true }]);
  assert.deepEqual(config.memberlist.joinMembers, ["gossip-1", "gossip-2:7946"]);
});
