/** Properties of the engine that scripts cannot show: limits, missing labels, repeatability, odd chunks. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { OpError } from "../../src/base/errors.ts";
import { QueryKernel } from "../../src/kernel/host/query-kernel.ts";
import { evaluate, type QueryResult } from "../../src/promql/engine.ts";
import { parseExpr } from "../../src/promql/parser.ts";
import { planQuery, type QueryOptions } from "../../src/promql/plan.ts";
import { resultJson } from "../../src/promql/result-json.ts";
import { cutChunks, type SeriesFixture, seriesSet } from "../testkit/series-set.ts";
import { columnsOf } from "../testkit/xor.ts";

const MINUTE = 60_000;

const OPTIONS: QueryOptions = {
  startMs: 10 * MINUTE,
  endMs: 20 * MINUTE,
  stepMs: MINUTE,
  lookbackMs: 5 * MINUTE,
  subqueryStepMs: MINUTE,
  delayedNameRemoval: false,
};

const INSTANT: QueryOptions = { ...OPTIONS, endMs: OPTIONS.startMs, stepMs: 0 };

/** m{i, job}: a counter of its own slope every 15 s from 0 to 20 minutes. */
function counters(count: number, keep?: readonly string[]): SeriesFixture[] {
  return Array.from({ length: count }, (_, i) => {
    const all: Record<string, string> = { __name__: "m_total", i: String(i), job: `j${i % 3}` };
    const names = keep ?? Object.keys(all);
    return {
      labels: Object.fromEntries(names.map((name) => [name, all[name] ?? ""])),
      chunks: cutChunks(
        columnsOf(Array.from({ length: 81 }, (_, k) => [k * 15_000, k * (i + 1)] as const)),
        20,
      ),
    };
  });
}

function ask(
  query: string,
  series: readonly SeriesFixture[],
  options = OPTIONS,
  samplesMax = 0,
): QueryResult {
  const plan = planQuery(
    parseExpr(query, { experimentalFunctions: ["all"], durationExpressions: true }),
    options,
  );
  const set = seriesSet(series);
  const sets = plan.selectors.map(() => set);
  return evaluate(query, plan, sets, new QueryKernel(), { samplesMax });
}

function json(result: QueryResult): string {
  return Buffer.from(resultJson(result.data)).toString("utf8");
}

test("two series whose labels were left out are still two series", () => {
  const full = json(ask("sum by (job) (rate(m_total[5m]))", counters(9)));
  assert.equal(json(ask("sum by (job) (rate(m_total[5m]))", counters(9, ["job"]))), full);
  assert.match(full, /"job":"j2"/);
  // 1 + 4 + 7 per 15 s.
  assert.match(
    full,
    /^\{"resultType":"matrix","result":\[\{"metric":\{"job":"j0"\},"values":\[\[600,"0.8"\]/,
  );
  assert.equal(
    json(ask("count(m_total)", counters(9, []))),
    json(ask("count(m_total)", counters(9))),
  );
});

test("the sample limit counts what is held, and what streams through is not held", () => {
  const tooMany = (query: string, samplesMax: number, options = OPTIONS) =>
    assert.throws(
      () => ask(query, counters(10), options, samplesMax),
      (error) =>
        error instanceof OpError &&
        error.code === "execution" &&
        error.message ===
          "query processing would load too many samples into memory in query execution",
    );
  // 10 series, 11 steps.
  tooMany("m_total", 109);
  assert.equal(ask("m_total", counters(10), OPTIONS, 110).stats.peakSamples, 110);
  assert.equal(ask("sum(m_total)", counters(10), OPTIONS, 50).stats.peakSamples, 22);
  tooMany("m_total / m_total", 200);
  tooMany("m_total", 9, INSTANT);
  tooMany("m_total[5m]", 199, INSTANT);
  assert.equal(ask("m_total[5m]", counters(10), INSTANT, 200).stats.peakSamples, 200);
  // Rows that could not even be made.
  tooMany("sum_over_time(m_total[1y:1ms])", 1_000_000, INSTANT);
});

test("a range query gives at each step what an instant query gives there", () => {
  const queries = [
    "m_total",
    "rate(m_total[3m])",
    "sum by (job) (increase(m_total[90s]))",
    "avg_over_time(m_total[7m])",
    "max_over_time(m_total[2m]) - min_over_time(m_total[2m])",
    "quantile_over_time(0.3, m_total[4m])",
    "stddev_over_time(m_total[10m])",
    "topk(2, m_total)",
    "m_total > on (job) group_left avg by (job) (m_total)",
    "sum_over_time(rate(m_total[1m])[5m:30s])",
    "predict_linear(m_total[5m], 600)",
    "absent(m_total > 100)",
    'count_values("v", m_total % 7)',
    "m_total offset 3m @ end() or vector(time())",
  ];
  const series = counters(5);
  for (const query of queries) {
    const range = ask(query, series).data;
    assert.ok(range.kind === "grid");
    for (let step = 0; step < range.grid.count; step++) {
      const timeMs = OPTIONS.startMs + step * MINUTE;
      // @ end() of the range query.
      const text = query.replace("@ end()", "@ 1200");
      const instant = ask(text, series, { ...INSTANT, startMs: timeMs, endMs: timeMs }).data;
      assert.ok(instant.kind === "vector");
      const wanted = new Map(
        instant.samples.map(({ labels, value }) => [JSON.stringify(labels), value]),
      );
      const got: Map<string, number> = new Map(
        range.series
          .filter(({ steps }) => steps.includes(step))
          .map(
            ({ labels, steps, values }) =>
              [JSON.stringify(labels), values[steps.indexOf(step)]!] as const,
          ),
      );
      assert.deepEqual(new Set(got.keys()), new Set(wanted.keys()), `${query} step ${step}`);
      for (const [labels, value] of wanted) {
        const difference = Math.abs(got.get(labels)! - value);
        assert.ok(
          difference <= 1e-9 * Math.max(1, Math.abs(value)),
          `${query} step ${step} ${labels}`,
        );
      }
    }
  }
});

test("the order of series in a set does not change the answer", () => {
  const queries = [
    "topk(2, m_total * 0)",
    "sort(m_total * 0)",
    "sum by (job) (m_total)",
    "m_total",
    "limitk(3, m_total)",
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(counters(6), { minLength: 6, maxLength: 6 }), (series) => {
      for (const query of queries) {
        for (const options of [OPTIONS, INSTANT]) {
          assert.equal(
            json(ask(query, series, options)),
            json(ask(query, counters(6), options)),
            query,
          );
        }
      }
    }),
    { numRuns: 20 },
  );
});

test("topk and bottomk give the same for few and for many", () => {
  const many = counters(60);
  const values = (query: string) => {
    const { data } = ask(query, many, INSTANT);
    assert.ok(data.kind === "vector");
    return data.samples.map(({ value }) => value);
  };
  const all = values("sort_desc(m_total)");
  assert.equal(all.length, 60);
  for (const k of [1, 5, 32, 33, 59, 60, 99]) {
    assert.deepEqual(values(`topk(${k}, m_total)`), all.slice(0, k));
    assert.deepEqual(values(`bottomk(${k}, m_total)`), all.toReversed().slice(0, k));
  }
});

test("limit_ratio takes a share of the series, and a negative ratio the others", () => {
  const many = counters(200);
  const chosen = (query: string) => {
    const { data } = ask(query, many, INSTANT);
    assert.ok(data.kind === "vector");
    return data.samples.map(({ labels }) => JSON.stringify(labels));
  };
  const all = chosen("m_total");
  const share = chosen("limit_ratio(0.3, m_total)");
  const rest = chosen("limit_ratio(-0.7, m_total)");
  assert.ok(share.length > 30 && share.length < 90, String(share.length));
  assert.deepEqual(
    [...share, ...rest].sort((a, b) => (a < b ? -1 : 1)),
    all.toSorted((a, b) => (a < b ? -1 : 1)),
  );
  assert.deepEqual(chosen("limit_ratio(0, m_total)"), []);
  assert.deepEqual(chosen("limit_ratio(1, m_total)"), all);
  assert.deepEqual(chosen("limit_ratio(-1, m_total)"), all);
  const over = ask("limit_ratio(1.5, m_total)", many, INSTANT);
  assert.deepEqual(over.warnings, [
    "PromQL warning: ratio value should be between -1 and 1, got 1.5, capping to 1 (1:13)",
  ]);
});

test("series that the query cannot see are not in the answer", () => {
  const early: SeriesFixture = {
    labels: { __name__: "m_total", i: "early" },
    chunks: cutChunks(columnsOf([[1000, 1]])),
  };
  const empty: SeriesFixture = { labels: { __name__: "m_total", i: "empty" }, chunks: [] };
  assert.doesNotMatch(json(ask("m_total", [...counters(1), early, empty])), /early|empty/);
});

test("a malformed chunk is an error of its own kind", () => {
  const series: SeriesFixture = {
    labels: { __name__: "m_total" },
    chunks: [{ columns: columnsOf([[15 * MINUTE, 1]]), bytes: Uint8Array.of(0, 9, 1) }],
  };
  assert.throws(
    () => ask("m_total", [series]),
    (error) => error instanceof OpError && error.code === "corruption",
  );
});

test("what is missing says so", () => {
  for (const [query, name] of [
    ["histogram_count(m_total)", "histogram_count"],
    ["info(m_total)", "info"],
  ] as const) {
    assert.throws(
      () => ask(query, counters(1)),
      (error) =>
        error instanceof OpError &&
        error.code === "not-implemented" &&
        error.message === `not implemented: ${name}`,
    );
  }
});

test("long chains of operators do not pass the stack", () => {
  const query = Array.from({ length: 290 }, () => "m_total").join(" + ");
  const result = ask(query, counters(1), INSTANT);
  assert.ok(result.data.kind === "vector");
  assert.equal(result.data.samples[0]?.value, 290 * 40);
});
