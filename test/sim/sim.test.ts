/** A few runs, and proof that the simulator replays and that it notices. `npm run sim` does many. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SILENT } from "../gossip/cluster.ts";
import { planRun, type RunPlan } from "./plan.ts";
import { run, runPlan } from "./run.ts";

for (const seed of [8, 23, 40]) {
  test(`seed ${seed}: nothing acknowledged is lost, the cluster finds itself again`, async () => {
    const { faults, acknowledged } = await run(seed, SILENT);
    assert.deepEqual(faults, []);
    assert.ok(acknowledged > 0);
  });
}

test("a seed replays exactly", async () => {
  const first = await run(11, SILENT);
  const second = await run(11, SILENT);
  assert.deepEqual(second, first);
});

const PEACE: RunPlan = {
  seed: 1,
  ingesters: 3,
  distributors: 1,
  zones: 1,
  shardSize: 0,
  walSync: "commit",
  network: { lossRate: 0, duplicateRate: 0, delayMsMin: 0.2, delayMsMax: 2 },
  skewsMs: [0, 0, 0, 0, 0],
  chaosMs: 20_000,
  faults: [],
};

test("in peace no push fails and no query is refused", async () => {
  const report = await runPlan(PEACE, SILENT);
  assert.deepEqual(report.faults, []);
  assert.equal(report.failedPushes, 0);
  assert.equal(report.failedReads, 0);
});

test("a rolling restart fails no push and no query", async () => {
  const faults = [{ atMs: 2_000, kind: "rolling-restart", pauseMs: 0 }] as const;
  const report = await runPlan({ ...PEACE, faults }, SILENT);
  assert.deepEqual(report.faults, []);
  assert.equal(report.failedPushes, 0);
  assert.equal(report.failedReads, 0);
});

test("two lost disks of three are noticed: the simulator can fail", async () => {
  const faults = [0, 1].map((node) => ({
    atMs: 10_000 + node,
    kind: "lost-disk" as const,
    node,
    backAfterMs: 1_000,
  }));
  // The third did not hear of some of the samples.
  const cut = {
    atMs: 1_000,
    kind: "partition" as const,
    nodes: [2],
    oneWay: false,
    forMs: 8_000,
  };
  const report = await runPlan({ ...PEACE, faults: [cut, ...faults] }, SILENT);
  assert.match(report.faults.join("\n"), /was acknowledged and is missing/);
});

test("plans of a seed are the same, and of other seeds others", () => {
  assert.deepEqual(planRun(5), planRun(5));
  assert.notDeepEqual(planRun(5), planRun(6));
});
