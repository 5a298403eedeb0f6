import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AppendReport, HeadKernel } from "../../src/kernel/host/head-kernel.ts";
import {
  batchOf,
  bitsOfNumber,
  CHUNK_RANGE_MS,
  canonicalBytes,
  indexOf,
  LoggedHead,
  NO_LIMITS,
  type SeriesSamples,
  valueBits,
} from "./head-kernel-fixture.ts";
import { rowsOf, windows, works } from "./head-kernel-operations.ts";
import { HeadTwin, type TwinReport } from "./head-kernel-twin.ts";

function plainReport(report: AppendReport): TwinReport {
  const { acceptedSamples, duplicateSamples, outOfOrderSamples, createdSeries } = report;
  return {
    acceptedSamples,
    duplicateSamples,
    outOfOrderSamples,
    createdSeries,
    unknownSeries: [...report.unknownSeries],
    refused: report.refused.map((refusal) => ({ ...refusal })),
  };
}

function one(series: number, time: number | bigint, value: number): SeriesSamples {
  return { series, samples: [{ time: BigInt(time), bits: bitsOfNumber(value) }] };
}

describe("the head kernel against its twin", () => {
  it("decides on every sample alike and holds the same chunks", () => {
    fc.assert(
      fc.property(
        works,
        windows,
        fc.constantFrom(0, 0, 5),
        (all, outOfOrderWindowMs, seriesMax) => {
          const head = new LoggedHead();
          const twin = new HeadTwin();
          const options = { seriesMax, outOfOrderWindowMs };
          for (const work of all) {
            const rows = rowsOf(twin, work);
            const report = head.append(batchOf(rows, work.withLabels), options);
            assert.deepEqual(plainReport(report), twin.append(rows, work.withLabels, options));
          }
          assert.deepEqual(head.readAll(), twin.readAll());
          assert.equal(head.kernel.seriesCount, twin.series.size);
          assert.equal(head.kernel.maxTimeMs, twin.maxTime && Number(twin.maxTime));
          assert.equal(head.kernel.minTimeMs, twin.minTime && Number(twin.minTime));
          const index = new Map([...indexOf(head.kernel)].map(([key, refs]) => [key, refs.length]));
          assert.deepEqual(index, twin.index());
          assert.equal(head.kernel.labelPairCount, index.size);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("cuts what it gives to the time range", () => {
    fc.assert(
      fc.property(works, fc.double({ noNaN: true, min: 0, max: 1 }), (all, part) => {
        const head = new LoggedHead();
        const twin = new HeadTwin();
        const options = { seriesMax: 0, outOfOrderWindowMs: CHUNK_RANGE_MS };
        for (const work of all) {
          const rows = rowsOf(twin, work);
          head.append(batchOf(rows, true), options);
          twin.append(rows, true, options);
        }
        const { minTime = 0n, maxTime = 0n } = twin;
        const middle = Number(minTime) + Math.floor(Number(maxTime - minTime) * part);
        assert.deepEqual(head.readAll(middle, middle), twin.readAll(middle, middle));
        assert.deepEqual(head.readAll(middle), twin.readAll(middle));
        assert.deepEqual(head.readAll(-Infinity, middle), twin.readAll(-Infinity, middle));
      }),
      { numRuns: 40 },
    );
  });

  it("keeps samples of any times and values bit for bit", () => {
    const times = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n) + 1n, max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -20_000_000n, max: 20_000_000n }),
    );
    const samples = fc.uniqueArray(
      fc.record({ time: times, bits: valueBits }, { noNullPrototype: true }),
      {
        selector: (sample) => sample.time,
        minLength: 1,
        maxLength: 300,
      },
    );
    fc.assert(
      fc.property(samples, (unsorted) => {
        const sorted = unsorted.toSorted((a, b) => (a.time < b.time ? -1 : 1));
        const head = new LoggedHead();
        head.append(batchOf([{ series: 1, samples: sorted }], true));
        const [chunks = []] = [...head.readAll().values()];
        assert.deepEqual(
          chunks.flatMap((chunk) => chunk.samples),
          sorted,
        );
        const copy = new LoggedHead().mustReplay(head.log);
        assert.deepEqual(copy.readAll(), head.readAll());
        const restored = new LoggedHead(8n, head.frames).mustReplay([...head.exportState(9)]);
        assert.deepEqual(restored.readAll(), head.readAll());
      }),
      { numRuns: 100 },
    );
  });

  it("does not let floors wrap round at the ends of time", () => {
    const head = new LoggedHead();
    const least = -(2n ** 63n) + 1n;
    const first = head.append(batchOf([one(0, least, 1)], true));
    const second = head.append(batchOf([one(0, least + 1n, 2), one(1, least + 5n, 3)], true));
    assert.equal(first.acceptedSamples + second.acceptedSamples, 3);
  });
});

describe("a head kernel's limits", () => {
  it("refuses series beyond the limit and keeps taking samples of those it has", () => {
    const head = new LoggedHead();
    const options = { ...NO_LIMITS, seriesMax: 2 };
    const report = head.append(batchOf([one(0, 1, 1), one(1, 1, 1), one(2, 7, 1)], true), options);
    assert.deepEqual(plainReport(report).refused, [
      { reason: "max-series-per-user", count: 1, seriesIndex: 2, timestampMs: 7 },
    ]);
    assert.equal(head.append(batchOf([one(1, 2, 1)], true), options).acceptedSamples, 1);
    assert.equal(head.kernel.seriesCount, 2);
  });

  it("takes no labels at all as labels that were not sent", () => {
    const head = new LoggedHead();
    const report = head.append(batchOf([one(0, 1, 5)], true, () => []));
    assert.deepEqual([...report.unknownSeries], [0]);
    assert.equal(report.createdSeries, 0);
  });

  it("holds a series with one label and one with 65,535", () => {
    const many = Array.from({ length: 65_535 }, (_, i): [string, string] => [
      `l${i.toString().padStart(5, "0")}`,
      `v${i}`,
    ]);
    const labels = (series: number): [string, string][] => (series === 0 ? [["a", "b"]] : many);
    const head = new LoggedHead();
    const report = head.append(batchOf([one(0, 1, 5), one(1, 1, 6)], true, labels));
    assert.equal(report.createdSeries, 2);
    assert.equal(head.kernel.labelPairCount, 65_536);
    const all = head.readAll();
    assert.deepEqual([...all.keys()], [JSON.stringify([["a", "b"]]), JSON.stringify(many)]);
    assert.deepEqual(new LoggedHead().mustReplay(head.log).readAll(), all);
    assert.deepEqual(new LoggedHead().mustReplay([...head.exportState(1 << 20)]).readAll(), all);
  });

  it("takes nothing from a batch that is malformed", () => {
    const place = { ...NO_LIMITS, frameFile: 1, frameOffsetBytes: 0 };
    const good = batchOf([one(0, 1, 1), one(1, 1, 1)], true);
    const { bytes, offsets } = good.labels!;
    const tooMany = canonicalBytes(Array.from({ length: 65_536 }, (_, i) => [`${i}`, ""]));
    const malformed = {
      "sample offsets fall": { ...good, sampleOffsets: Uint32Array.of(0, 2, 1) },
      "sample offsets beyond the samples": { ...good, sampleOffsets: Uint32Array.of(0, 1, 3) },
      "too few sample offsets": { ...good, sampleOffsets: Uint32Array.of(0, 1) },
      "too few ids": { ...good, ids: good.ids.subarray(0, 31) },
      "too few values": { ...good, values: good.values.subarray(0, 1) },
      "label offsets beyond the bytes": {
        ...good,
        labels: { bytes, offsets: Uint32Array.of(0, 4, bytes.length + 1) },
      },
      "a label cut short": { ...good, labels: { bytes: bytes.subarray(0, -1), offsets } },
      "label offsets off by one": {
        ...good,
        labels: { bytes, offsets: offsets.map((offset, i) => (i === 1 ? offset - 1 : offset)) },
      },
      "65,536 labels": {
        ...good,
        labels: { bytes: tooMany, offsets: Uint32Array.of(0, tooMany.length, tooMany.length) },
      },
    };
    const kernel = new HeadKernel({ chunkRangeMs: CHUNK_RANGE_MS, seed: 1n });
    for (const [what, batch] of Object.entries(malformed)) {
      assert.equal(kernel.append(batch, place), undefined, what);
      assert.equal(kernel.seriesCount, 0, what);
    }
    assert.equal(kernel.append(good, place)?.acceptedSamples, 2);
  });

  it("stops a collect at each of its limits", () => {
    const head = new LoggedHead();
    head.append(batchOf([one(0, 1, 1), one(1, 1, 1), one(2, 1, 1)], true));
    const refs = Uint32Array.of(0, 1, 2, 3, 99);
    const limits = { seriesMax: 3, chunksMax: 3, chunkBytesMax: 100 };
    const range = { minTimeMs: 0, maxTimeMs: 10 };
    const collect = (changed: object): unknown =>
      head.kernel.collect(refs, { ...range, ...limits, ...changed });
    assert.equal(typeof collect({}), "object");
    assert.equal(collect({ seriesMax: 2 }), "too-many-series");
    assert.equal(collect({ chunksMax: 2 }), "too-many-chunks");
    assert.equal(collect({ chunkBytesMax: 20 }), "too-many-bytes");
    assert.equal(head.kernel.collectLabels(refs, { ...range, seriesMax: 2 }), "too-many-series");
    assert.deepEqual([...head.readAll().values()].length, 3);
  });

  it("closes more chunks of a series than sixteen bits count", () => {
    const head = new LoggedHead();
    const count = 65_540;
    const samples = Array.from({ length: count }, (_, i) => ({
      time: BigInt(i) * BigInt(CHUNK_RANGE_MS),
      bits: 0n,
    }));
    for (let from = 0; from < count; from += 1000) {
      const rows = [{ series: 0, samples: samples.slice(from, from + 1000) }];
      head.append(batchOf(rows, true));
    }
    const [chunks = []] = [...head.readAll().values()];
    assert.equal(chunks.length, count);
    const restored = new LoggedHead().mustReplay([...head.exportState(1 << 20)]);
    assert.equal(restored.kernel.minTimeMs, 0);
    assert.equal(head.truncate(count * CHUNK_RANGE_MS), 1);
  });
});

describe("a head kernel's memory", () => {
  it("does not grow with every large answer", () => {
    const head = new LoggedHead();
    const rows = Array.from({ length: 3000 }, (_, series) => one(series, 1000, series));
    const labels = (series: number): [string, string][] => [["pod", `${series}`.repeat(100)]];
    head.append(batchOf(rows, true, labels));
    head.readAll();
    head.readAll();
    const before = head.kernel.memoryBytes;
    for (let i = 0; i < 10; i++) head.readAll();
    assert.equal(head.kernel.memoryBytes, before);
  });

  it("is used again after series went", () => {
    const head = new LoggedHead();
    const labels = (series: number): [string, string][] => [["pod", `pod-${series}`]];
    const round = (number: number): void => {
      const rows = Array.from({ length: 2000 }, (_, i) =>
        one(number * 2000 + i, number * CHUNK_RANGE_MS, i),
      );
      head.append(batchOf(rows, true, labels));
      head.truncate(number * CHUNK_RANGE_MS, 65_536);
      head.log.length = 0;
    };
    for (let number = 0; number < 5; number++) round(number);
    const before = head.kernel.memoryBytes;
    for (let number = 5; number < 15; number++) round(number);
    assert.equal(head.kernel.seriesCount, 2000);
    // Records of pairs (32 bytes) stay, because pair ids are not used again; everything else is.
    const pairRecords = 10 * 2000 * 32;
    assert.ok(head.kernel.memoryBytes - before <= pairRecords * 1.5 + 65_536);
  });

  it("lets hundreds of tenants live in one process", () => {
    const kernels = Array.from({ length: 200 }, (_, seed) => new LoggedHead(BigInt(seed)));
    for (const [i, head] of kernels.entries()) head.append(batchOf([one(i, i, i)], true));
    for (const [i, head] of kernels.entries()) {
      assert.equal([...head.readAll().values()][0]?.[0]?.minTime, i);
      assert.ok(head.kernel.memoryBytes <= 4 * 65_536);
    }
  });
});
