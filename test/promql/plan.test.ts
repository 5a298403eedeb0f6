/** What a query asks of the storage: exact time bounds, and labels only where they can be left out. */
import assert from "node:assert/strict";
import test from "node:test";
import { OpError } from "../../src/base/errors.ts";
import { parseExpr } from "../../src/promql/parser.ts";
import { planQuery, type QueryOptions, type SelectorPlan } from "../../src/promql/plan.ts";

const RANGE: QueryOptions = {
  startMs: 1_000_000,
  endMs: 1_600_000,
  stepMs: 60_000,
  lookbackMs: 300_000,
  subqueryStepMs: 60_000,
  delayedNameRemoval: false,
};

const INSTANT: QueryOptions = { ...RANGE, endMs: RANGE.startMs, stepMs: 0 };

function selectors(query: string, options = RANGE): readonly SelectorPlan[] {
  return planQuery(parseExpr(query), options).selectors;
}

function bounds(query: string, options = RANGE): (readonly [number, number])[] {
  return selectors(query, options).map(
    ({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs] as const,
  );
}

test("bounds of selectors: windows are open on the left", () => {
  assert.deepEqual(bounds("m", INSTANT), [[700_001, 1_000_000]]);
  assert.deepEqual(bounds("m"), [[700_001, 1_600_000]]);
  assert.deepEqual(bounds("rate(m[5m])"), [[700_001, 1_600_000]]);
  assert.deepEqual(bounds("rate(m[1m])"), [[940_001, 1_600_000]]);
  assert.deepEqual(bounds("m offset 1m"), [[640_001, 1_540_000]]);
  assert.deepEqual(bounds("m offset -1m"), [[760_001, 1_660_000]]);
  assert.deepEqual(bounds("m @ 500"), [[200_001, 500_000]]);
  assert.deepEqual(bounds("rate(m[1m] @ 500 offset 100s)"), [[340_001, 400_000]]);
  assert.deepEqual(bounds("m @ start()"), [[700_001, 1_000_000]]);
  assert.deepEqual(bounds("m @ end()"), [[1_300_001, 1_600_000]]);
});

test("the last step counts, not the end", () => {
  assert.deepEqual(bounds("rate(m[1m])", { ...RANGE, endMs: 1_610_000 }), [[940_001, 1_600_000]]);
});

test("bounds through subqueries follow the aligned grid", () => {
  // Windows end at 1000 s to 1600 s and reach back 600 s: inner times are 420 s (the first multiple of 60 s after
  // 400 s) to 1560 s; each looks back a minute.
  assert.deepEqual(bounds("max_over_time(rate(m[1m])[10m:])"), [[360_001, 1_560_000]]);
  assert.deepEqual(bounds("max_over_time(rate(m[1m])[10m:50s] offset 100s)"), [
    [290_001, 1_500_000],
  ]);
  assert.deepEqual(bounds("max_over_time(m[10m:1m] @ 1000)"), [[120_001, 960_000]]);
  assert.deepEqual(bounds("max_over_time(sum_over_time(m[1m:10s])[5m:1m])", INSTANT), [
    [370_001, 960_000],
  ]);
});

test("equal selectors are selected once", () => {
  assert.equal(selectors("m / m").length, 1);
  assert.equal(selectors("m - m offset 5m").length, 2);
  assert.equal(selectors("rate(m[5m]) / rate(m[10m])").length, 2);
  assert.equal(selectors('m{a="b"} - m{a="c"}').length, 2);
});

test("labels are left out where nothing can tell", () => {
  const wanted = (query: string) => selectors(query).map(({ labelsWanted }) => labelsWanted);
  assert.deepEqual(wanted("sum by (job) (rate(m[5m]))"), [["job"]]);
  assert.deepEqual(wanted("sum(m)"), [[]]);
  assert.deepEqual(wanted("max by (b, a) (abs(m) * 2 > 5)"), [["a", "b"]]);
  assert.deepEqual(wanted("histogram_quantile(0.9, sum by (le) (rate(m[5m])))"), [["le"]]);
  assert.deepEqual(wanted("sum by (a) (max_over_time(m[1h:1m]))"), [["a"]]);
  assert.deepEqual(wanted("absent(m)"), [[]]);
  assert.deepEqual(wanted("sum by (a) (m) / sum by (a) (n)"), [["a"], ["a"]]);
  // Everything that looks at labels, or passes them on.
  const all = [undefined];
  assert.deepEqual(wanted("m"), all);
  assert.deepEqual(wanted("rate(m[5m])"), all);
  assert.deepEqual(wanted("sum without (a) (m)"), all);
  assert.deepEqual(wanted("sum by (__name__) (m)"), all);
  assert.deepEqual(wanted("sum by (a) (topk(3, m))"), all);
  assert.deepEqual(wanted('sum by (a) (label_replace(m, "a", "$1", "b", "(.*)"))'), all);
  assert.deepEqual(wanted('count_values by (a) ("v", m)'), all);
  assert.deepEqual(wanted("sum by (a) (m * on (b) n)"), [undefined, undefined]);
  // No name is dropped on the way: series stay different by their names.
  assert.deepEqual(wanted('count({cluster=~".+"})'), [[]]);
  assert.deepEqual(wanted('sum by (a) ({job="x"} > 5)'), [["a"]]);
  assert.deepEqual(wanted('sum by (a) (last_over_time({job="x"}[5m]))'), [["a"]]);
  // Without a fixed name two series may become equal, which is an error that must be seen.
  assert.deepEqual(wanted('sum by (a) (rate({__name__=~"m|n"}[5m]))'), all);
  assert.deepEqual(wanted('sum by (a) (rate({job="x"}[5m]))'), all);
});

test("ranges of strings and range vectors are refused", () => {
  const refused = (query: string, type: string) =>
    assert.throws(
      () => selectors(query),
      (error) =>
        error instanceof OpError &&
        error.code === "bad-data" &&
        error.message ===
          `invalid expression type "${type}" for range query, must be Scalar or instant Vector`,
    );
  refused("m[5m]", "range vector");
  refused("m[5m:1m]", "range vector");
  refused('"text"', "string");
  assert.equal(selectors("m[5m]", INSTANT).length, 1);
});
