/** The end-to-end tests stand on this comparison: it must see every difference that matters. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  difference,
  type MatrixResult,
  type Point,
  parseValue,
  type QueryResult,
} from "../../e2e/harness/query.ts";

const TOLERANCE = 1e-9;

function vector(...rows: readonly (readonly [string, string])[]): QueryResult {
  return {
    resultType: "vector",
    result: rows.map(([job, value]) => ({ metric: { job }, value: [1, value] as const })),
  };
}

function matrix(...values: readonly Point[]): MatrixResult {
  return { resultType: "matrix", result: [{ metric: { job: "a" }, values }] };
}

function check(ours: QueryResult, theirs: QueryResult, want: RegExp | "same"): void {
  const found = difference(ours, theirs, TOLERANCE);
  if (want === "same") assert.equal(found, undefined);
  else assert.match(found ?? "same", want);
}

test("vectors: series, values and tolerance", () => {
  check(vector(["a", "1"], ["b", "2"]), vector(["b", "2"], ["a", "1"]), "same");
  check(vector(["a", "1"]), vector(["a", "1"], ["b", "2"]), /missing.*"b"/);
  check(vector(["a", "1"], ["b", "2"]), vector(["a", "1"]), /too many.*"b"/);
  check(vector(["a", "1000000000"]), vector(["a", "1000000000.5"]), "same");
  check(vector(["a", "1"]), vector(["a", "1.00000001"]), /1, not 1\.00000001/);
  check(vector(["a", "0"]), vector(["a", "1e-300"]), /0, not 1e-300/);
});

test("special values are compared as what they are", () => {
  for (const value of ["NaN", "+Inf", "-Inf"])
    check(vector(["a", value]), vector(["a", value]), "same");
  check(vector(["a", "+Inf"]), vector(["a", "-Inf"]), /\+Inf, not -Inf/);
  check(vector(["a", "NaN"]), vector(["a", "0"]), /NaN, not 0/);
  check(vector(["a", "1e308"]), vector(["a", "+Inf"]), /not \+Inf/);
  assert.equal(parseValue("-Inf"), Number.NEGATIVE_INFINITY);
});

test("matrices: number of points, times, values; and the type of the result", () => {
  check(matrix([1, "1"], [2, "2"]), matrix([1, "1"], [2, "2"]), "same");
  check(matrix([1, "1"]), matrix([1, "1"], [2, "2"]), /1 points, not 2/);
  check(matrix([1, "1"]), matrix([1.001, "1"]), /time 1, not 1\.001/);
  check(matrix([1, "1"], [2, "2"]), matrix([1, "1"], [2, "3"]), /at 2: 2, not 3/);
  check(matrix(), vector(), /matrix, not vector/);
});
