import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { FastHistogram } from "../../src/http/fast-histogram.ts";

test("it reads as prom-client's own histogram does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.double({ noNaN: true, min: -10, max: 10 }))),
      async (observations) => {
        const name = "cortex_test_seconds";
        // All positive: prom-client takes a bound of -1 for its own "not found".
        const bounds = [0.25, 0.5, 1, 5];
        const ours = new Registry();
        const theirs = new Registry();
        const fast = new FastHistogram({ name, help: "h", labelNames: ["who"], bounds }, ours);
        const series = new Map(["a", "b"].map((who) => [who, fast.series({ who })]));
        const plain = new Histogram({
          name,
          help: "h",
          labelNames: ["who"],
          buckets: bounds,
          registers: [theirs],
        });
        for (const [who, value] of observations) {
          series.get(who)?.observe(value);
          plain.observe({ who }, value);
        }
        const lines = async (registry: Registry): Promise<string[]> =>
          (await registry.metrics()).split("\n").filter(Boolean).sort();
        assert.deepEqual(await lines(ours), await lines(theirs));
      },
    ),
    { numRuns: 50 },
  );
});

test("resetting the registry resets it", async () => {
  const registry = new Registry();
  const options = { name: "cortex_test_seconds", help: "h", labelNames: [], bounds: [1] };
  const histogram = new FastHistogram(options, registry);
  histogram.series({}).observe(1);
  assert.match(await registry.metrics(), /_count 1/);
  registry.resetMetrics();
  assert.doesNotMatch(await registry.metrics(), /_count/);
});
