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
import { type TemporaryFolder, temporaryFolder } from "./harness/folder.ts";
import { Muninn } from "./harness/muninn.ts";
import { pollUntil } from "./harness/poll.ts";
import { Prometheus } from "./harness/prometheus.ts";
import { Api, difference, type Labels, labelKey } from "./harness/query.ts";
import { unlessInstalled } from "./harness/requirements.ts";
import { Target } from "./harness/target.ts";

const TOLERANCE = 1e-9;
/** Scrapes of our target that are awaited, one a second. */
const SCRAPES = 45;
/** After so many scrapes one of its series vanishes. */
const SCRAPES_OF_VANISHING = 20;
const ALL = '{job=~".+"}';

/** Asked as instant queries at the end, and as range queries over the whole run. */
const QUERIES = [
  "up",
  "app_temperature",
  'app_temperature{room=~"a|b", instance!=""}',
  "app_vanishing",
  "app_temperature offset 10s",
  "rate(app_requests_total[10s])",
  "irate(app_requests_total[10s])",
  "increase(app_resetting_total[20s])",
  "delta(app_temperature[15s])",
  "resets(app_resetting_total[30s])",
  "changes(app_temperature[30s])",
  "sum by (code) (rate(app_requests_total[10s]))",
  "sum without (code, instance) (rate(app_requests_total[10s]))",
  "avg by (job) (rate(process_cpu_seconds_total[10s]))",
  'count by (job) ({job=~".+"})',
  "min_over_time(app_temperature[15s]) + max_over_time(app_temperature[15s])",
  "avg_over_time(app_temperature[15s]) - app_temperature",
  "stddev_over_time(app_temperature[20s])",
  "quantile_over_time(0.7, app_temperature[20s])",
  "count_over_time(app_vanishing[12s])",
  "histogram_quantile(0.9, rate(app_latency_seconds_bucket[10s]))",
  "histogram_quantile(0.5, sum by (le, job) (rate(prometheus_http_request_duration_seconds_bucket[30s])))",
  'sum(rate(app_requests_total{code!="200"}[10s])) / sum(rate(app_requests_total[10s]))',
  "app_temperature * on (room) group_left (floor) app_room_info",
  'app_requests_total - ignoring (code) group_left app_requests_total{code="200"}',
  "topk(2, app_temperature)",
  "bottomk(1, app_temperature) or app_requests_total",
  "app_temperature > 20 unless app_temperature > 24",
  "app_temperature > bool 21",
  "quantile(0.3, app_temperature)",
  "stdvar(app_temperature)",
  'count_values("value", app_constant)',
  'absent(app_nowhere{room="x"})',
  "scalar(app_constant) + vector(time())",
  "clamp_max(app_temperature, 22) and on (room) app_room_info",
  "-app_temperature ^ 2 % 7",
  'sum({__name__=~"go_memstats_.*_bytes", job="prometheus"})',
];

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
    ({ startMs, endMs } = await commonInstants());
  });

  after(async () => {
    await prometheus?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
    await muninn?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  /** Instants of whole seconds plus a fraction at which no sample of any series lies, where both hold the same. */
  async function commonInstants(): Promise<{ startMs: number; endMs: number }> {
    const latestMs = Math.floor(Date.now() / 1000) * 1000 - 3000;
    const samples = await theirs.samples(`${ALL}[10m]`, latestMs + 1000);
    const times = [...samples.values()].flatMap((points) => [...points.keys()]);
    const fractions = new Set(times.map((time) => time % 1000));
    const fraction = [...Array(1000).keys()].find((ms) => !fractions.has(ms));
    assert.ok(fraction !== undefined, "samples at every millisecond of the second");
    const endMs = latestMs + fraction;
    await pollUntil("everything to have arrived", 30_000, async () => {
      const [left, right] = await Promise.all([
        ours.samples(`${ALL}[10m]`, endMs),
        theirs.samples(`${ALL}[10m]`, endMs),
      ]);
      return countSamples(left) === countSamples(right) ? true : undefined;
    });
    return { startMs: Math.min(...times) - (Math.min(...times) % 1000) + fraction, endMs };
  }

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

function countSamples(series: ReadonlyMap<string, ReadonlyMap<number, number>>): number {
  return [...series.values()].reduce((sum, points) => sum + points.size, 0);
}

/** What our target says at scrape n. Closed form, so that a run is the same every time. */
function page(n: number): string {
  const lines = [
    "app_constant 42",
    `app_requests_total{code="200"} ${17 * n + (n % 3)}`,
    `app_requests_total{code="500"} ${Math.floor(n / 4)}`,
    `app_resetting_total ${(n % 10) * 5}`,
    'app_room_info{room="a",floor="1"} 1',
    'app_room_info{room="b",floor="2"} 1',
    ...["a", "b", "c"].map(
      (room, i) => `app_temperature{room="${room}"} ${20 + i + 3 * Math.sin(n / 7 + i)}`,
    ),
  ];
  if (n < SCRAPES_OF_VANISHING) lines.push(`app_vanishing ${n}`);
  const bounds = ["0.1", "0.5", "1", "+Inf"];
  const shares = [0.5, 0.8, 0.95, 1];
  for (const [i, le] of bounds.entries()) {
    lines.push(`app_latency_seconds_bucket{le="${le}"} ${Math.floor(100 * n * (shares[i] ?? 1))}`);
  }
  return `${lines.join("\n")}\n`;
}
