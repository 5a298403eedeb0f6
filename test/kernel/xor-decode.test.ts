/** The kernel's chunk decoder against its plain twin, on good and on damaged chunks. */
import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { OpError } from "../../src/base/errors.ts";
import { QueryKernel } from "../../src/kernel/host/query-kernel.ts";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { type ChunkFixture, encodeRaw, seriesSet } from "../testkit/series-set.ts";
import {
  bitsOf,
  columnsOf,
  decodeXor,
  encodeXor,
  type SampleColumns,
  STALE_NAN_BITS,
} from "../testkit/xor.ts";

const EVERYTHING = {
  minTimeMs: Number.NEGATIVE_INFINITY,
  maxTimeMs: Number.POSITIVE_INFINITY,
  keepStale: true,
};

function setOf(chunks: readonly ChunkFixture[]): EncodedSeriesSet {
  return seriesSet([{ labels: { __name__: "m" }, chunks }]);
}

function decode(kernel: QueryKernel, set: EncodedSeriesSet, options = {}) {
  kernel.load(set, { fromChunk: 0, toChunk: set.chunkEncodings.length, ...EVERYTHING, ...options });
  const { times, values } = kernel.columns();
  return { times: [...times], bits: [...bitsOf(values.slice())] };
}

/** Deltas as scrapes have them, with the odd gap of every width the format knows. */
const delta = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(15_000, 15_001, 14_999) },
  fc.integer({ min: 1, max: 8_000 }),
  fc.integer({ min: 1, max: 300_000 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
);

const value = fc.oneof(
  fc.integer({ min: 0, max: 1000 }),
  fc.double(),
  fc.constant("stale" as const),
  fc.constantFrom(0, -0, 1, Number.POSITIVE_INFINITY),
);

const columns = fc
  .tuple(
    fc.integer({ min: -(2 ** 42), max: 2 ** 42 }),
    fc.array(fc.tuple(delta, value), { minLength: 0, maxLength: 150 }),
  )
  .map(([start, steps]): SampleColumns => {
    let time = start;
    return columnsOf(
      steps.map(([step, sample]) => {
        time += step;
        return [time, sample] as const;
      }),
    );
  });

test("decodes what the twin encodes, bit for bit", () => {
  const kernel = new QueryKernel();
  fc.assert(
    fc.property(columns, fc.boolean(), (sample, raw) => {
      const chunk: ChunkFixture = { columns: sample, encoding: raw ? "raw" : "xor" };
      const { times, bits } = decode(kernel, setOf([chunk]));
      assert.deepEqual(times, [...sample.timestampsMs].map(Number));
      assert.deepEqual(bits, [...bitsOf(sample.values)]);
    }),
    { numRuns: 300 },
  );
});

test("the twins agree with each other", () => {
  fc.assert(
    fc.property(columns, (sample) => {
      const decoded = decodeXor(encodeXor(sample));
      assert.deepEqual(decoded.timestampsMs, sample.timestampsMs);
      assert.deepEqual([...bitsOf(decoded.values)], [...bitsOf(sample.values)]);
    }),
    { numRuns: 50 },
  );
});

test("overlapping chunks are merged; at equal times the earlier chunk wins", () => {
  const kernel = new QueryKernel();
  const chunks = fc.array(fc.tuple(columnsNear(), fc.boolean()), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(chunks, (parts) => {
      const sorted = parts
        .filter(([{ timestampsMs }]) => timestampsMs.length > 0)
        .sort(([a], [b]) => Number(a.timestampsMs[0]! - b.timestampsMs[0]!));
      const wanted = new Map<number, bigint>();
      for (const [part] of sorted) {
        const bits = bitsOf(part.values);
        part.timestampsMs.forEach((time, i) => {
          if (!wanted.has(Number(time))) wanted.set(Number(time), bits[i]!);
        });
      }
      const fixtures = sorted.map(([part, raw]) => ({
        columns: part,
        encoding: raw ? ("raw" as const) : ("xor" as const),
      }));
      const { times, bits } = decode(kernel, setOf(fixtures));
      const entries = [...wanted].sort(([a], [b]) => a - b);
      assert.deepEqual(
        times,
        entries.map(([time]) => time),
      );
      assert.deepEqual(
        bits,
        entries.map(([, bit]) => bit),
      );
    }),
    { numRuns: 300 },
  );
});

/** Times that collide. */
function columnsNear(): fc.Arbitrary<SampleColumns> {
  return fc
    .uniqueArray(fc.integer({ min: 0, max: 60 }), { maxLength: 30 })
    .chain((times) =>
      fc
        .array(fc.integer({ min: 0, max: 9 }), { minLength: times.length, maxLength: times.length })
        .map((values) =>
          columnsOf(times.sort((a, b) => a - b).map((time, i) => [time, values[i]!] as const)),
        ),
    );
}

test("staleness markers are kept or dropped as asked", () => {
  const kernel = new QueryKernel();
  const set = setOf([
    {
      columns: columnsOf([
        [1, 5],
        [2, "stale"],
        [3, Number.NaN],
        [4, 7],
      ]),
    },
  ]);
  assert.deepEqual(decode(kernel, set).times, [1, 2, 3, 4]);
  assert.equal(decode(kernel, set).bits[1], STALE_NAN_BITS);
  assert.deepEqual(decode(kernel, set, { keepStale: false }).times, [1, 3, 4]);
});

test("chunks outside of the time range are not read", () => {
  const kernel = new QueryKernel();
  const at = (time: number) => ({ columns: columnsOf([[time, time]]) });
  const set = setOf([at(10), { ...at(20), bytes: Uint8Array.of(0xff, 0xff, 0xff) }, at(30)]);
  assert.deepEqual(decode(kernel, set, { minTimeMs: 25 }).times, [30]);
  assert.deepEqual(decode(kernel, set, { maxTimeMs: 15 }).times, [10]);
  assert.deepEqual(decode(kernel, set, { minTimeMs: 35 }).times, []);
});

function assertMalformed(
  kernel: QueryKernel,
  bytes: Uint8Array,
  encoding: "xor" | "raw" = "xor",
): void {
  const set = setOf([{ columns: columnsOf([[1, 1]]), bytes, encoding }]);
  assert.throws(
    () => decode(kernel, set),
    (error) => error instanceof OpError && error.code === "corruption",
  );
}

test("a chunk that ends early is an error, wherever it ends", () => {
  const kernel = new QueryKernel();
  const sample = columnsOf(
    Array.from({ length: 60 }, (_, i) => [i * 15_000 + (i % 7), Math.sin(i)] as const),
  );
  const bytes = encodeXor(sample);
  for (let length = 0; length < bytes.length; length++) {
    assertMalformed(kernel, bytes.subarray(0, length));
  }
  assert.equal(decode(kernel, setOf([{ columns: sample }])).times.length, 60);
});

test("times that do not grow, foreign encodings and broken lengths are errors", () => {
  const kernel = new QueryKernel();
  const backwards = columnsOf([
    [5, 1],
    [4, 1],
  ]);
  assertMalformed(kernel, encodeXor(backwards));
  assertMalformed(kernel, encodeRaw(backwards), "raw");
  assertMalformed(kernel, new Uint8Array(17), "raw");
  const set = setOf([{ columns: columnsOf([[1, 1]]) }]);
  assert.throws(() => decode(kernel, { ...set, chunkEncodings: Uint8Array.of(4) }), /encoding/);
  assert.throws(
    () => decode(kernel, { ...set, chunkByteLengths: Uint32Array.of(1_000_000) }),
    /malformed/,
  );
  assert.throws(
    () => decode(kernel, { ...set, chunkByteOffsets: Uint32Array.of(0xffffffff) }),
    /malformed/,
  );
});

test("damaged chunks never trap and never give wrong order", () => {
  const kernel = new QueryKernel();
  fc.assert(
    fc.property(
      columns,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      (sample, hits) => {
        const bytes = encodeXor(sample);
        for (const [at, byte] of hits) bytes[at % bytes.length] = byte;
        decodeOrCorrupt(kernel, bytes);
      },
    ),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => decodeOrCorrupt(kernel, bytes)),
    { numRuns: 500 },
  );
});

/** Either the twin reads the same, or it is a corruption error. */
function decodeOrCorrupt(kernel: QueryKernel, bytes: Uint8Array): void {
  const set = setOf([{ columns: columnsOf([[1, 1]]), bytes }]);
  let result: ReturnType<typeof decode>;
  try {
    result = decode(kernel, set);
  } catch (error) {
    assert.ok(error instanceof OpError && error.code === "corruption", String(error));
    return;
  }
  const twin = decodeXor(bytes);
  assert.deepEqual(result.times, [...twin.timestampsMs].map(Number));
  assert.deepEqual(result.bits, [...bitsOf(twin.values)]);
}
