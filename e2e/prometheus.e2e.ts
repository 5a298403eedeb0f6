/**
 * A real Prometheus scrapes itself, Muninn and a target of ours, and remote-writes everything to Muninn. Then
 * both are asked the same questions about the same instants in the past, and must give the same answers.
 *
 * Three things are chosen with care:
 * - Debian's build of Prometheus 2.42 reads `headers` of remote_write and does not send them, so Muninn has one
 *   tenant here. (Tenants are in all other tests.)
 * - Debian's Prometheus is 2.42, whose ranges are closed on both ends; since 3.0 (our semantics) they are open
 *   on the left. The instants asked for are therefore such that no sample lies on the edge of any range.
 * - Staleness markers travel with the data, so a vanished series is part of the comparison; queries end some
 *   seconds in the past, after everything has arrived (which is awaited, not assumed).
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  ALL,
  commonInstants,
  countSamples,
  page,
  QUERIES,
  TOLERANCE,
} from "./harness/comparison.ts";
import { type TemporaryFolder, temporaryFolder } from "./harness/folder.ts";
import { Muninn } from "./harness/muninn.ts";
import { pollUntil } from "./harness/poll.ts";
import { Prometheus } from "./harness/prometheus.ts";
import { Api, difference, type Labels, labelKey } from "./harness/query.ts";
import { unlessInstalled } from "./harness/requirements.ts";
import { Target } from "./harness/target.ts";

/** Scrapes of our target that are awaited, one a second. */
const SCRAPES = 45;

describe("prometheus writes, and both answer the same", {
  skip: unlessInstalled("prometheus"),
}, () => {
  let folder: TemporaryFolder;
  let muninn: Muninn;
  let target: Target;
  let prometheus: Prometheus;
  let ours: Api;
  let theirs: Api;
  let startMs = 0;
  let endMs = 0;

  before(async () => {
    folder = await temporaryFolder("prometheus");
    muninn = await Muninn.start({
      dataDirectory: `${folder.path}/muninn`,
      flags: ["-auth.multitenancy-enabled=false"],
    });
    target = await Target.start(page);
    prometheus = await Prometheus.start({
      folder: folder.path,
      scrapeIntervalMs: 1000,
      targets: { app: target.address, muninn: `127.0.0.1:${muninn.port}` },
      remoteWriteUrl: `${muninn.url}/api/v1/push`,
    });
    ours = new Api(`${muninn.url}/prometheus`);
    theirs = new Api(prometheus.url);
    await pollUntil(`${SCRAPES} scrapes`, 90_000, async () => {
      const rows = await theirs.samples("app_constant[10m]", Date.now());
      return [...rows.values()].some((points) => points.size >= SCRAPES) ? true : undefined;
    });
    ({ startMs, endMs } = await commonInstants(ours, theirs));
  });

  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await muninn?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  test("every sample is there, with its value", async () => {
    const left = await ours.samples(`${ALL}[10m]`, endMs);
    const right = await theirs.samples(`${ALL}[10m]`, endMs);
    assert.ok(countSamples(right) > 20_000, `only ${countSamples(right)} samples were scraped`);
    assert.deepEqual(new Set(left.keys()), new Set(right.keys()));
    for (const [labels, points] of right) assert.deepEqual(left.get(labels), points, labels);
  });

  test("the data holds what the queries are about", async () => {
    const vanished = await theirs.instant("app_vanishing", endMs);
    assert.equal(vanished.result.length, 0, "a vanished series is stale at the end");
    const before = await theirs.instant("count_over_time(app_vanishing[10m])", endMs);
    assert.equal(before.result.length, 1, "and was there before");
    const resets = await theirs.instant("resets(app_resetting_total[10m])", endMs);
    assert.ok(JSON.stringify(resets).includes('"4"'), "the counter was reset");
  });

  for (const query of QUERIES) {
    test(`instant: ${query}`, async () => {
      const [left, right] = await Promise.all([
        ours.instant(query, endMs),
        theirs.instant(query, endMs),
      ]);
      assert.equal(difference(left, right, TOLERANCE), undefined);
    });

    test(`range: ${query}`, async () => {
      const bounds = { startMs, endMs, stepMs: 1000 };
      const [left, right] = await Promise.all([
        ours.range(query, bounds),
        theirs.range(query, bounds),
      ]);
      assert.ok(right.result.length > 0, "Prometheus has nothing to compare with");
      assert.equal(difference(left, right, TOLERANCE), undefined);
    });
  }

  test("label names, label values and series are the same", async () => {
    const bounds = {
      start: String(Math.floor(startMs / 1000) - 60),
      end: String(Math.ceil(endMs / 1000)),
    };
    for (const path of ["labels", "label/job/values", "label/__name__/values", "label/le/values"]) {
      assert.deepEqual(await ours.get(path, bounds), await theirs.get(path, bounds), path);
    }
    const match = { "match[]": '{__name__=~"app_.*"}', ...bounds };
    const [left, right] = await Promise.all([
      ours.get("series", match),
      theirs.get("series", match),
    ]);
    const sorted = (rows: unknown): string[] => (rows as Labels[]).map(labelKey).sort();
    assert.deepEqual(sorted(left), sorted(right));
  });
});
