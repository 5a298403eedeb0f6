import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { namedSeries, writeBody } from "../testkit/remote-write.ts";
import { copied, LIMITS, NOW, newKernel, rowsOf } from "./intake-fixture.ts";

test("tenants share nothing but the memory", () => {
  const kernel = newKernel();
  const body = writeBody(namedSeries("m", {}, [[NOW, 1]]));
  const a = copied(rowsOf(kernel.decode("a", body, LIMITS))) as { ids: string; tokens: number[] };
  const b = copied(rowsOf(kernel.decode("b", body, LIMITS))) as typeof a & { counts: object };
  assert.equal(a.ids, b.ids);
  assert.notDeepEqual(a.tokens, b.tokens);
  assert.equal(kernel.knownSeries, 2);
});

test("the table grows, forgets, sweeps what is idle, and stays within its limit", () => {
  const kernel = newKernel(5_000);
  const bodyOf = (from: number, to: number): Buffer =>
    writeBody(
      ...Array.from({ length: to - from }, (_, index) =>
        namedSeries("m", { n: String(from + index) }, [[NOW, 1]]),
      ),
    );
  const unknown = (body: Buffer): number => {
    const rows = rowsOf(kernel.decode("t", body, LIMITS));
    assert.equal(rows.seriesCount, rows.counts.series);
    return rows.counts.unknownToTable;
  };
  const first = bodyOf(0, 3_000);
  const second = bodyOf(3_000, 6_000);
  assert.equal(unknown(first), 3_000);
  assert.equal(unknown(second), 3_000);
  assert.equal(kernel.knownSeries, 5_000);
  assert.equal(unknown(first), 0);
  assert.equal(unknown(second), 1_000);

  // One full turn clears the marks, then only what was sent in between survives the next.
  assert.equal(kernel.sweep(0, 1), 0);
  assert.equal(unknown(first), 0);
  assert.equal(kernel.sweep(0, 1), 2_000);
  assert.equal(unknown(first), 0);
  assert.equal(unknown(second), 3_000);
  assert.equal(kernel.knownSeries, 5_000);

  // Ten parts are one turn, whatever is left over by the division.
  const parts = (): number =>
    Array.from({ length: 10 }, (_, part) => kernel.sweep(part, 10)).reduce((a, b) => a + b);
  parts();
  assert.equal(unknown(first), 0);
  assert.equal(parts(), 2_000);
  assert.equal(parts(), 3_000);
  assert.equal(kernel.knownSeries, 0);
  assert.equal(unknown(first), 3_000);

  kernel.forgetSeries();
  assert.equal(kernel.knownSeries, 0);
  assert.equal(unknown(first), 3_000);
});

test("churn: the table answers as a plain set does", () => {
  const kernel = newKernel();
  const touched = new Map<number, boolean>();
  const operation = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(fc.constant("send" as const), fc.nat(3_000), fc.nat(400)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("sweep" as const), fc.nat(), fc.nat()) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 10 }), (operations) => {
      for (const [kind, from, count] of operations) {
        if (kind === "sweep") {
          const idle = [...touched].filter(([, mark]) => !mark).map(([key]) => key);
          assert.equal(kernel.sweep(0, 1), idle.length);
          for (const key of idle) touched.delete(key);
          for (const key of touched.keys()) touched.set(key, false);
          continue;
        }
        const keys = Array.from({ length: count }, (_, index) => from + index);
        const fresh = keys.filter((key) => !touched.has(key)).length;
        const body = writeBody(...keys.map((key) => namedSeries("m", { k: `${key}` }, [[NOW, 1]])));
        assert.equal(rowsOf(kernel.decode("t", body, LIMITS)).counts.unknownToTable, fresh);
        for (const key of keys) touched.set(key, true);
      }
      assert.equal(kernel.knownSeries, touched.size);
    }),
    { numRuns: 40 },
  );
});
