import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeSeriesSets } from "../../src/querier/merge.ts";
import { emptySeriesSet } from "../../src/storage/encoded-series.ts";
import {
  decodeSeries,
  encodeSeries,
  labelsOf,
  type TestSeries,
} from "../testkit/memory-queryable.ts";

type Chunk = TestSeries["chunks"][number];

/** The plain twin: the same rules over arrays. */
function mergedPlainly(sets: readonly (readonly TestSeries[])[]): TestSeries[] {
  const chunksOf = new Map<string, Chunk[]>();
  for (const series of sets.flat()) {
    const key = JSON.stringify(series.labels);
    chunksOf.set(key, [...(chunksOf.get(key) ?? []), ...series.chunks]);
  }
  return [...chunksOf].map(([key, chunks]) => {
    const seen = new Set<string>();
    const distinct = chunks.filter((chunk) => {
      const text = JSON.stringify(chunk);
      return !seen.has(text) && seen.add(text);
    });
    const startOf = (chunk: Chunk): number => chunk[0]?.[0] ?? 0;
    distinct.sort((a, b) => startOf(a) - startOf(b));
    return { labels: JSON.parse(key) as TestSeries["labels"], chunks: distinct };
  });
}

const labelText = fc.constantFrom("a", "b", "ab", "ä", "😀", "");
const labels = fc
  .dictionary(fc.constantFrom("__name__", "a", "job", "ß"), labelText, { maxKeys: 3 })
  .map((record) => labelsOf(record));
const chunk = fc
  .array(fc.tuple(fc.integer({ min: -3, max: 6 }), fc.integer({ min: 0, max: 1 })), {
    minLength: 1,
    maxLength: 3,
  })
  .map((samples) => [...samples].sort((a, b) => a[0] - b[0]));
const series = fc.record({
  labels,
  chunks: fc
    .array(chunk, { maxLength: 4 })
    .map((chunks) => [...chunks].sort((a, b) => (a[0]?.[0] ?? 0) - (b[0]?.[0] ?? 0))),
});
/** One source: its series have different labels, and it does not repeat a chunk. */
const source = fc
  .uniqueArray(series, { selector: (one) => JSON.stringify(one.labels), maxLength: 6 })
  .map((all) => mergedPlainly([all]));

test("merging equals the plain twin", () => {
  fc.assert(
    fc.property(fc.array(source, { maxLength: 4 }), (sources) => {
      const merged = decodeSeries(mergeSeriesSets(sources.map((one) => encodeSeries(one))));
      assert.deepEqual(merged, mergedPlainly(sources));
    }),
    { numRuns: 500 },
  );
});

test("a replica adds nothing", () => {
  fc.assert(
    fc.property(source, (one) => {
      const merged = mergeSeriesSets([encodeSeries(one), encodeSeries(one), encodeSeries(one)]);
      assert.deepEqual(decodeSeries(merged), one);
      assert.equal(merged.data.length, encodeSeries(one).data.length);
    }),
  );
});

test("perfect replicas, in whatever order, give the first set itself", () => {
  fc.assert(
    fc.property(source, (one) => {
      const first = encodeSeries(one);
      const merged = mergeSeriesSets([first, encodeSeries([...one].reverse())]);
      if (one.length > 0) assert.equal(merged, first);
    }),
  );
});

test("what others add goes behind the data of the first", () => {
  const a = { labels: labelsOf({ job: "a" }), chunks: [[[1, 1] as const], [[3, 3] as const]] };
  const more = { labels: a.labels, chunks: [[[2, 2] as const], [[3, 3] as const]] };
  const merged = mergeSeriesSets([encodeSeries([a]), encodeSeries([more])]);
  assert.deepEqual(decodeSeries(merged), [
    { labels: a.labels, chunks: [[[1, 1]], [[2, 2]], [[3, 3]]] },
  ]);
  assert.deepEqual([...merged.chunkByteOffsets], [0, 32, 16]);
  assert.equal(merged.data.length, 48);
});

test("one set with series is passed through as it is", () => {
  const only = encodeSeries([{ labels: labelsOf({ a: "b" }), chunks: [[[1, 2]]] }]);
  assert.equal(mergeSeriesSets([emptySeriesSet(), only, emptySeriesSet()]), only);
  assert.equal(mergeSeriesSets([]).seriesCount, 0);
});

test("views into bigger buffers are read at their place", () => {
  const shifted = (bytes: Uint8Array): Uint8Array => {
    const wide = new Uint8Array(bytes.length + 7).fill(0xee);
    wide.set(bytes, 7);
    return wide.subarray(7);
  };
  const plain = [{ labels: labelsOf({ job: "x" }), chunks: [[[1, 2] as const]] }];
  const encoded = encodeSeries(plain);
  const moved = {
    ...encoded,
    data: shifted(encoded.data),
    symbolBytes: shifted(encoded.symbolBytes),
  };
  const other = [{ labels: labelsOf({ job: "y" }), chunks: [[[3, 4] as const]] }];
  const merged = decodeSeries(mergeSeriesSets([moved, encodeSeries(other)]));
  assert.deepEqual(merged, mergedPlainly([plain, other]));
});
