import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { formatFloat } from "../../src/promql/go-text.ts";
import { formatSample, formatTimestamp, resultJson } from "../../src/promql/result-json.ts";

function text(data: Parameters<typeof resultJson>[0]): string {
  return Buffer.from(resultJson(data)).toString("utf8");
}

test("numbers as Prometheus prints them", () => {
  const check = (value: number, sample: string, float = sample) => {
    assert.equal(formatSample(value), sample);
    assert.equal(formatFloat(value), float);
  };
  check(1, "1");
  check(-0.5, "-0.5");
  check(-0, "-0");
  check(Number.NaN, "NaN");
  check(Number.POSITIVE_INFINITY, "+Inf");
  check(Number.NEGATIVE_INFINITY, "-Inf");
  check(1e20, "100000000000000000000");
  check(1e21, "1e+21", "1000000000000000000000");
  check(1.5e-7, "1.5e-07", "0.00000015");
  check(-1.25e300, "-1.25e+300", `-125${"0".repeat(298)}`);
  check(0.1 + 0.2, "0.30000000000000004");
});

test("timestamps have no or three decimals", () => {
  assert.equal(formatTimestamp(1_435_781_430_781), "1435781430.781");
  assert.equal(formatTimestamp(1000), "1");
  assert.equal(formatTimestamp(1500), "1.500");
  assert.equal(formatTimestamp(7), "0.007");
  assert.equal(formatTimestamp(-1500), "-1.500");
});

test("each kind of result", () => {
  assert.equal(
    text({ kind: "scalar", timeMs: 1500, value: 2 }),
    '{"resultType":"scalar","result":[1.5,"2"]}',
  );
  assert.equal(
    text({ kind: "string", timeMs: 0, value: 'a"\n' }),
    String.raw`{"resultType":"string","result":[0,"a\"\n"]}`,
  );
  assert.equal(
    text({
      kind: "vector",
      timeMs: 1000,
      samples: [{ labels: [{ name: "é", value: '"' }], value: 1 }],
    }),
    String.raw`{"resultType":"vector","result":[{"metric":{"é":"\""},"value":[1,"1"]}]}`,
  );
  assert.equal(
    text({ kind: "vector", timeMs: 1, samples: [] }),
    '{"resultType":"vector","result":[]}',
  );
  assert.equal(
    text({
      kind: "matrix",
      series: [{ labels: [], timesMs: Float64Array.of(1, 2000), values: Float64Array.of(0.5, 7) }],
    }),
    '{"resultType":"matrix","result":[{"metric":{},"values":[[0.001,"0.5"],[2,"7"]]}]}',
  );
});

test("a grid of any values reads back", () => {
  const value = fc.oneof(fc.double(), fc.integer(), fc.integer({ min: -1000, max: 1000 }));
  const row = fc.array(fc.tuple(value, fc.boolean()), { minLength: 3, maxLength: 3 });
  const timestamp = fc.integer({ min: -(2 ** 45), max: 2 ** 45 });
  fc.assert(
    fc.property(
      fc.array(row, { maxLength: 4 }),
      timestamp,
      fc.integer({ min: 1, max: 1e9 }),
      (rows, startMs, stepMs) => {
        const series = rows.map((points, i) => ({
          labels: [{ name: "i", value: String(i) }],
          steps: Uint32Array.from(points.flatMap(([, here], step) => (here ? [step] : []))),
          values: Float64Array.from(points.flatMap(([point, here]) => (here ? [point] : []))),
        }));
        const data = JSON.parse(
          text({ kind: "grid", grid: { startMs, stepMs, count: 3 }, series }),
        ) as {
          result: { metric: object; values: [number, string][] }[];
        };
        const wanted = rows.map((points, i) => ({
          metric: { i: String(i) },
          values: points.flatMap(([point, here], step) =>
            here
              ? [[Number(((startMs + step * stepMs) / 1000).toFixed(3)), formatSample(point)]]
              : [],
          ),
        }));
        assert.deepEqual(data.result, wanted);
      },
    ),
  );
});
