/**
 * A real Prometheus writes to a cluster in which one ingester after the other is killed and comes back. Then the cluster and
 * Prometheus are asked the same, and must answer the same: see prometheus.e2e.ts.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster } from "./harness/cluster.ts";
import {
  ALL,
  commonInstants,
  countSamples,
  page,
  QUERIES,
  TOLERANCE,
} from "./harness/comparison.ts";
import { temporaryFolder } from "./harness/folder.ts";
import { delay, pollUntil } from "./harness/poll.ts";
import { Prometheus } from "./harness/prometheus.ts";
import { Api, difference } from "./harness/query.ts";
import { unlessInstalled } from "./harness/requirements.ts";
import { Target } from "./harness/target.ts";

/** Of our target, one a second: as many as the questions need. */
const SCRAPES = 45;
const DEAD_MS = 3000;

test("a real Prometheus writes while ingesters die, and both answer the same", {
  skip: unlessInstalled("prometheus"),
}, async (context) => {
  await using folder = await temporaryFolder("cluster-prometheus");
  await using cluster = await Cluster.start({ flags: ["-auth.multitenancy-enabled=false"] });
  const [distributor] = cluster.distributors;
  const [querier] = cluster.nodes.filter(({ target }) => target === "querier");
  assert.ok(distributor !== undefined && querier !== undefined);
  await using target = await Target.start(page);
  await using prometheus = await Prometheus.start({
    folder: folder.path,
    scrapeIntervalMs: 1000,
    targets: { app: target.address, distributor: `127.0.0.1:${distributor.muninn.port}` },
    remoteWriteUrl: `${distributor.muninn.url}/api/v1/push`,
  });
  const theirs = new Api(prometheus.url);
  const ours = new Api(`${querier.muninn.url}/prometheus`);

  for (const ingester of cluster.ingesters) {
    await ingester.kill();
    await delay(DEAD_MS);
    await ingester.start();
    await cluster.settled();
  }
  await pollUntil(`${SCRAPES} scrapes`, 90_000, async () => {
    const rows = await theirs.samples("app_constant[10m]", Date.now());
    return [...rows.values()].some((points) => points.size >= SCRAPES) ? true : undefined;
  });
  const { startMs, endMs } = await commonInstants(ours, theirs);

  const left = await ours.samples(`${ALL}[10m]`, endMs);
  const right = await theirs.samples(`${ALL}[10m]`, endMs);
  assert.deepEqual(new Set(left.keys()), new Set(right.keys()));
  for (const [labels, points] of right) assert.deepEqual(left.get(labels), points, labels);
  const bounds = { startMs, endMs, stepMs: 1000 };
  for (const query of QUERIES) {
    const instant = difference(
      await ours.instant(query, endMs),
      await theirs.instant(query, endMs),
      TOLERANCE,
    );
    assert.equal(instant, undefined, `${query} at one instant`);
    const expected = await theirs.range(query, bounds);
    assert.ok(expected.result.length > 0, `Prometheus has nothing for ${query}`);
    const range = difference(await ours.range(query, bounds), expected, TOLERANCE);
    assert.equal(range, undefined, `${query} over the whole time`);
  }
  const retried = await theirs.instant("prometheus_remote_storage_samples_retried_total", endMs);
  const failed = await theirs.instant("prometheus_remote_storage_samples_failed_total", endMs);
  assert.match(JSON.stringify(retried.result), /"0"\]/, "nothing had to be sent again");
  assert.match(JSON.stringify(failed.result), /"0"\]/);
  context.diagnostic(`${countSamples(right)} samples of ${right.size} series, the same in both`);
});
