/** What Muninn and a real Prometheus are asked to be compared, and the target whose metrics the questions are about. */
import assert from "node:assert/strict";
import { pollUntil } from "./poll.ts";
import type { Api } from "./query.ts";

/** Relative; sums are taken in another order. */
export const TOLERANCE = 1e-9;
/** After so many scrapes one series of the target vanishes. */
const SCRAPES_OF_VANISHING = 20;
export const ALL = '{job=~".+"}';

/** Asked as instant queries at the end, and as range queries over the whole run. */
export const QUERIES = [
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

export interface Bounds {
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Instants of whole seconds plus a fraction at which no sample of any series lies, between which both hold the same; awaits that
 * everything has arrived.
 */
export async function commonInstants(ours: Api, theirs: Api): Promise<Bounds> {
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

export function countSamples(series: ReadonlyMap<string, ReadonlyMap<number, number>>): number {
  return [...series.values()].reduce((sum, points) => sum + points.size, 0);
}

/** What our target says at scrape n. Closed form, so that a run is the same every time. */
export function page(n: number): string {
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
