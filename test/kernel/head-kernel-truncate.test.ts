import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  assertSameSamples,
  batchOf,
  bitsOfNumber,
  CHUNK_RANGE_MS,
  indexOf,
  LoggedHead,
  NO_LIMITS,
} from "./head-kernel-fixture.ts";
import { rowsOf, START, windows, works } from "./head-kernel-operations.ts";
import { HeadTwin } from "./head-kernel-twin.ts";

const truncations = fc.array(fc.integer({ min: -1, max: 8 }), { minLength: 1, maxLength: 4 });

describe("truncating a head kernel", () => {
  it("forgets whole chunks, series and pairs, and ids may come back", () => {
    fc.assert(
      fc.property(
        works,
        truncations,
        windows,
        fc.integer({ min: 1, max: 20 }),
        (all, cuts, window, slice) => {
          const head = new LoggedHead();
          const twin = new HeadTwin();
          const options = { seriesMax: 0, outOfOrderWindowMs: window };
          // The same work after each cut brings back what went.
          for (const cut of cuts) {
            for (const work of all) {
              const rows = rowsOf(twin, work);
              const report = head.append(batchOf(rows, true), options);
              const expected = twin.append(rows, true, options);
              assert.equal(report.acceptedSamples, expected.acceptedSamples);
              assert.equal(report.createdSeries, expected.createdSeries);
            }
            const newest = twin.maxTime ?? START;
            const before = newest - (BigInt(cut) * BigInt(CHUNK_RANGE_MS)) / 2n;
            assert.equal(head.truncate(Number(before), slice), twin.truncate(before));
            assert.deepEqual(head.readAll(), twin.readAll());
            assert.equal(head.kernel.seriesCount, twin.series.size);
            assert.equal(head.kernel.minTimeMs, twin.minTime && Number(twin.minTime));
            const index = new Map(
              [...indexOf(head.kernel)].map(([key, refs]) => [key, refs.length]),
            );
            assert.deepEqual(index, twin.index());
            assert.equal(head.kernel.labelPairCount, index.size);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it("is replayed from the removals in the log, with pairs that came back under new ids", () => {
    fc.assert(
      fc.property(works, truncations, windows, (all, cuts, window) => {
        const head = new LoggedHead();
        const twin = new HeadTwin();
        const options = { seriesMax: 0, outOfOrderWindowMs: window };
        let greatest = -(2n ** 63n);
        for (const cut of cuts) {
          for (const work of all) {
            const rows = rowsOf(twin, work);
            head.append(batchOf(rows, true), options);
            twin.append(rows, true, options);
          }
          const before = (twin.maxTime ?? START) - (BigInt(cut) * BigInt(CHUNK_RANGE_MS)) / 2n;
          head.truncate(Number(before));
          twin.truncate(before);
          if (before > greatest) greatest = before;
        }
        const copy = new LoggedHead(77n).mustReplay(head.log);
        assert.equal(copy.kernel.takeSkippedRows(), 0);
        assert.equal(copy.kernel.seriesCount, head.kernel.seriesCount);
        assertSameSamples(copy, head, greatest);
        // Before the index is cleaned, pairs name series that are gone, but each pair is there once.
        for (const [key, refs] of indexOf(head.kernel)) {
          const found = indexOf(copy.kernel).get(key) ?? [];
          for (const ref of refs) assert.ok(found.includes(ref), `${key} finds series ${ref}`);
        }
        copy.kernel.finishTruncate(true, 1, 0);
        assert.deepEqual(indexOf(copy.kernel), indexOf(head.kernel));
        assert.equal(copy.kernel.labelPairCount, head.kernel.labelPairCount);
      }),
      { numRuns: 100 },
    );
  });

  it("gives series that come back new refs", () => {
    const head = new LoggedHead();
    const rows = (time: number) => [{ series: 1, samples: [{ time: BigInt(time), bits: 1n }] }];
    head.append(batchOf(rows(1000), true));
    assert.equal(head.truncate(2000), 1);
    assert.deepEqual(indexOf(head.kernel), new Map());
    assert.equal(head.kernel.minTimeMs, undefined);
    assert.deepEqual([...head.append(batchOf(rows(3000), false)).unknownSeries], [0]);
    assert.equal(head.append(batchOf(rows(3000), true)).createdSeries, 1);
    assert.equal(head.kernel.refEnd, 2);
    assert.deepEqual([...indexOf(head.kernel).values()], [[1], [1], [1]]);
  });

  it("refuses samples from before the time", () => {
    const head = new LoggedHead();
    const sample = (series: number, time: number) => [
      { series, samples: [{ time: BigInt(time), bits: bitsOfNumber(1) }] },
    ];
    const late = { ...NO_LIMITS, outOfOrderWindowMs: 100_000_000 };
    head.append(batchOf(sample(0, 10_000_000), true));
    head.truncate(9_000_000);
    const [refusal] = head.append(batchOf(sample(1, 8_999_999), true), late).refused;
    assert.equal(refusal?.reason, "sample-timestamp-too-old");
    assert.equal(head.append(batchOf(sample(1, 9_000_000), true), late).acceptedSamples, 1);
  });

  it("says which head-chunk files are still in use", () => {
    const head = new LoggedHead();
    const { kernel } = head;
    const fill = (file: number, series: number, time: number): void => {
      head.frames.file = file;
      const samples = Array.from({ length: 121 }, (_, i) => ({ time: BigInt(time + i), bits: 0n }));
      head.append(batchOf([{ series, samples }], true));
    };
    fill(3, 0, 1000);
    fill(4, 1, 2000);
    fill(6, 2, 3000);
    assert.deepEqual([...kernel.finishTruncate(false, 3, 4)], [1, 1, 0, 1]);
    kernel.truncateSlice(2500, 0, 10);
    assert.deepEqual([...kernel.finishTruncate(true, 3, 4)], [0, 0, 0, 1]);
    assert.deepEqual([...kernel.finishTruncate(true, 7, 2)], [0, 0]);
  });

  it("counts series by their newest sample", () => {
    const head = new LoggedHead();
    const rows = [10, 20, 30].map((time, series) => ({
      series,
      samples: [{ time: BigInt(time), bits: 0n }],
    }));
    head.append(batchOf(rows, true));
    assert.deepEqual(
      [0, 11, 30, 31].map((since) => head.kernel.countActive(since)),
      [3, 2, 1, 0],
    );
  });

  it("goes through refs that lie in pages long given back", () => {
    const head = new LoggedHead();
    const labels = (series: number): [string, string][] => [["n", `${series}`]];
    for (let round = 0; round < 5; round++) {
      const time = BigInt(round * 10);
      const rows = Array.from({ length: 1500 }, (_, i) => ({
        series: round * 1500 + i,
        samples: [{ time, bits: 0n }],
      }));
      head.append(batchOf(rows, true, labels));
      head.truncate(round * 10, 1000);
    }
    assert.equal(head.kernel.countActive(0), 1500);
    assert.equal(head.readAll().size, 1500);
    const state = [...head.exportState(10_000)];
    const copy = new LoggedHead(1n, head.frames).mustReplay(state);
    assert.deepEqual(copy.readAll(), head.readAll());
    assert.equal(head.truncate(1000, 700), 1500);
  });
});
