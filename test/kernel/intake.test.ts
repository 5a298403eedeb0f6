import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IntakeAnswer, IntakeLimits } from "../../src/kernel/host/intake.ts";
import { encodeWriteRequest, type TimeSeries } from "../../src/wire/remote-write.ts";
import { murmur3Bytes, murmur3Twin } from "../testkit/murmur3.ts";
import {
  compress,
  type LabelPairs,
  namedSeries,
  type SamplePairs,
  wireSeries,
  writeBody,
} from "../testkit/remote-write.ts";
import { copied, LIMITS, NOW, newKernel, rowsOf } from "./intake-fixture.ts";

/** Canonical label bytes in plain code. */
function canonicalTwin(series: TimeSeries): Buffer {
  const labels = series.labels
    .filter(({ value }) => value.length > 0)
    .map(({ name, value }) => [Buffer.from(name), Buffer.from(value)] as const)
    .sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat(
    labels.flatMap(([name, value]) => [varint(name.length), name, varint(value.length), value]),
  );
}

function varint(value: number): Buffer {
  const bytes = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const name = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,12}$/);
const labelPairs = fc
  .uniqueArray(fc.tuple(name, fc.string({ unit: "grapheme", maxLength: 20 })), {
    maxLength: 12,
    selector: ([label]) => label,
  })
  .map((pairs) => pairs.filter(([label]) => label !== "__name__"))
  .chain((pairs) =>
    fc.shuffledSubarray([["__name__", "m"] as [string, string], ...pairs], {
      minLength: pairs.length + 1,
    }),
  );
const samplePairs = fc.uniqueArray(
  fc.tuple(fc.bigInt({ min: -(2n ** 53n), max: BigInt(NOW) }), fc.double()),
  { maxLength: 8, selector: ([time]) => time },
);
const seriesOf = fc
  .tuple(labelPairs, samplePairs)
  .map(([labels, samples]) => wireSeries(labels, samples));

test("valid series become rows: id, token, samples bit for bit, known or not", () => {
  const kernel = newKernel();
  fc.assert(
    fc.property(fc.array(seriesOf, { maxLength: 6 }), (all) => {
      const body = writeBody(...all);
      for (const _round of [1, 2]) {
        const rows = rowsOf(kernel.decode("team", body, LIMITS));
        const kept = all.filter(({ samples }) => samples.length > 0);
        assert.equal(rows.seriesCount, kept.length);
        assert.deepEqual(rows.rejections, []);
        kept.forEach((series, index) => {
          const id = Buffer.from(rows.ids.subarray(16 * index, 16 * index + 16));
          assert.deepEqual(id, Buffer.from(murmur3Bytes(canonicalTwin(series))));
          const [h1] = murmur3Twin(Buffer.concat([Buffer.from("team"), id]));
          assert.equal(rows.tokens[index], Number(h1 & 0xffffffffn));
          const from = rows.sampleOffsets[index];
          const to = rows.sampleOffsets[index + 1];
          const times = series.samples.map(({ timestamp }) => timestamp);
          assert.deepEqual([...rows.timestampsMs.subarray(from, to)], times);
          const values = series.samples.map(({ value }) => value);
          assert.deepEqual([...rows.values.subarray(from, to)], values);
        });
      }
      // The second round knew them all.
      assert.equal(rowsOf(kernel.decode("team", body, LIMITS)).counts.unknownToTable, 0);
      assert.ok(kernel.guardsIntact);
    }),
    { numRuns: 200 },
  );
});

test("decoding again gives the wanted rows with canonical labels", () => {
  const kernel = newKernel();
  fc.assert(
    fc.property(fc.array(seriesOf, { minLength: 1, maxLength: 6 }), fc.nat(63), (all, mask) => {
      const body = writeBody(...all);
      const first = copied(rowsOf(kernel.decode("t", body, LIMITS)));
      const kept = all.filter(({ samples }) => samples.length > 0);
      const wanted = Uint32Array.from(kept.keys()).filter((row) => (mask >> row) & 1);
      const rows = rowsOf(kernel.decodeWithLabels("t", body, LIMITS, wanted));
      assert.equal(rows.seriesCount, wanted.length);
      wanted.forEach((row, index) => {
        const { bytes, offsets } = rows.labels ?? assert.fail("no labels");
        const labels = Buffer.from(bytes.subarray(offsets[index], offsets[index + 1]));
        const series = kept[row] ?? assert.fail("no series");
        assert.deepEqual(labels, canonicalTwin(series));
        const times = rows.timestampsMs.subarray(
          rows.sampleOffsets[index],
          rows.sampleOffsets[index + 1],
        );
        assert.deepEqual(
          [...times],
          series.samples.map(({ timestamp }) => timestamp),
        );
      });
      assert.equal(rows.timestampsMs.length, rows.sampleOffsets[rows.seriesCount]);
      // And an ordinary decode after it is not disturbed.
      const again = copied(rowsOf(kernel.decode("t", body, LIMITS)));
      const rest = { counts: 0, labels: undefined };
      assert.deepEqual({ ...again, ...rest }, { ...first, ...rest });
      assert.equal((again as { labels?: object }).labels, undefined);
    }),
    { numRuns: 200 },
  );
});

test("NaN and staleness markers keep their bits", () => {
  const patterns = [0x7ff0000000000002n, 0x7ff8000000000001n, 0xfff8000000000000n, 1n << 63n];
  const values = new Float64Array(BigUint64Array.from(patterns).buffer);
  // Written by hand: a NaN that passes through a JavaScript number may lose its bits.
  const samples = patterns.map((bits, index) => {
    const sample = Buffer.from([0x12, 11, 0x09, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, index + 1]);
    sample.writeBigUInt64LE(bits, 3);
    return sample;
  });
  const label = Buffer.from([0x0a, 13, 0x0a, 8, ...Buffer.from("__name__"), 0x12, 1, 0x6d]);
  const series = Buffer.concat([label, ...samples]);
  const body = compress(Buffer.concat([Buffer.from([0x0a]), varint(series.length), series]));
  const rows = rowsOf(newKernel().decode("t", body, LIMITS));
  const bits = new BigUint64Array(rows.values.buffer, rows.values.byteOffset, values.length);
  assert.deepEqual([...bits], patterns);
});

function problemCodes(labels: LabelPairs, limits: Partial<IntakeLimits> = {}): string[] {
  const kernel = newKernel();
  const body = writeBody(wireSeries(labels, [[NOW, 1]]));
  const rows = rowsOf(kernel.decode("t", body, { ...LIMITS, ...limits }));
  assert.equal(rows.seriesCount, rows.problems.length === 0 ? 1 : 0);
  // A bad series must not be remembered as good.
  const again = rowsOf(kernel.decode("t", body, { ...LIMITS, ...limits }));
  assert.equal(again.seriesCount, rows.seriesCount);
  return rows.problems.map(({ code }) => code);
}

test("label rules", () => {
  const check = (labels: LabelPairs, want: string[], limits?: Partial<IntakeLimits>): void => {
    assert.deepEqual(problemCodes(labels, limits), want);
  };
  const metric = ["__name__", "m"] as const;
  const many = (count: number): LabelPairs =>
    Array.from({ length: count }, (_, index) => [`l${index}`, "v"] as const);

  check([metric], []);
  check([metric, ["a", "b"]], []);
  check([["a", "b"], metric], []);
  check([], ["missing-metric-name"]);
  check([["a", "b"]], ["missing-metric-name"]);
  check(
    [
      ["__name__", ""],
      ["a", "b"],
    ],
    ["missing-metric-name"],
  );
  check([["__name__", "1m"]], ["metric-name-invalid"]);
  check([["__name__", "a:b_c9"]], []);
  check([["__name__", "a-b"]], ["metric-name-invalid"]);
  check([["__name__", "a-b é"]], [], { utf8Names: true });
  check([["__name__", Uint8Array.of(0x6d, 0xff)]], ["metric-name-invalid"], { utf8Names: true });

  check([metric, ...many(29)], []);
  check([metric, ...many(30)], ["max-label-names-per-series"]);
  check([["__name__", "x_info"], ...many(79)], []);
  check([["__name__", "x_info"], ...many(80)], ["max-label-names-per-info-series"]);
  check([["__name__", "info"], ...many(30)], ["max-label-names-per-series"]);
  // Labels without a value are none.
  check([metric, ...many(29), ["empty", ""]], []);
  check([metric, ["", ""]], []);

  check([metric, ["a:b", "v"]], ["label-invalid"]);
  check([metric, ["1a", "v"]], ["label-invalid"]);
  check([metric, ["", "v"]], ["label-invalid"]);
  check([metric, ["a.b", "v"]], ["label-invalid"]);
  check([metric, ["a.b", "v"]], [], { utf8Names: true });
  check([metric, ["", "v"]], ["label-invalid"], { utf8Names: true });
  check([metric, [Uint8Array.of(0xc0, 0x80), "v"]], ["label-invalid"], { utf8Names: true });

  check([metric, ["n".repeat(1024), "v"]], []);
  check([metric, ["n".repeat(1025), "v"]], ["label-name-too-long"]);
  check([metric, ["n", "v".repeat(2048)]], []);
  check([metric, ["n", "v".repeat(2049)]], ["label-value-too-long"]);
  check([["__name__", "m".repeat(2049)]], ["label-value-too-long"]);

  check([metric, ["a", "1"], ["a", "1"]], ["duplicate-label-names"]);
  check([metric, ["a", "1"], ["b", "1"], ["a", "2"]], ["duplicate-label-names"]);
  check([metric, metric], ["duplicate-label-names"]);
  check([metric, ["a", "1"], ["a", ""]], []);

  // First in order of the names, whatever the order in the request.
  check([["z!", "1"], metric, ["a!", "1"]], ["label-invalid"]);
});

test("UTF-8 of values, as TextDecoder judges it", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const judge = (value: Uint8Array): void => {
    let valid = true;
    try {
      strict.decode(value);
    } catch {
      valid = false;
    }
    const codes = problemCodes([
      ["__name__", "m"],
      ["v", value],
    ]);
    assert.deepEqual(codes, valid || value.length === 0 ? [] : ["label-value-invalid"]);
  };
  const edges = ["c280", "c1bf", "dfbf", "e0a080", "e09fbf", "ed9fbf", "eda080", "efbfbf"];
  const more = ["f0908080", "f08fbfbf", "f48fbfbf", "f4908080", "f5808080", "80", "e2829", "ff"];
  for (const hex of [...edges, ...more]) {
    const bytes = Buffer.from(hex, "hex");
    judge(bytes);
    judge(Buffer.concat([Buffer.from("twelve ascii"), bytes]));
    judge(bytes.subarray(0, -1));
    judge(Buffer.concat([bytes, Buffer.from("a")]));
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 12 }), judge), { numRuns: 300 });
});

test("what is wrong is said with its series and label", () => {
  const kernel = newKernel();
  const body = writeBody(
    namedSeries("fine", {}, [[NOW, 1]]),
    wireSeries(
      [
        ["__name__", "bad"],
        ["z", "1"],
        ["x-y", "w".repeat(300)],
      ],
      [
        [NOW, 1],
        [NOW + 1, 2],
      ],
    ),
    namedSeries("late", {}, [
      [NOW, 1],
      [NOW + 600_001, 1],
    ]),
    wireSeries([["a", "b"]], [[NOW, 1]]),
  );
  const rows = rowsOf(kernel.decode("t", body, LIMITS));
  assert.equal(rows.seriesCount, 1);
  assert.deepEqual(rows.rejections, [
    { code: "missing-metric-name", series: 1, samples: 1 },
    { code: "label-invalid", series: 1, samples: 2 },
    { code: "too-far-in-future", series: 1, samples: 2 },
  ]);
  const [invalid, future, nameless] = rows.problems;
  assert.equal(invalid?.seriesIndex, 1);
  assert.equal(invalid?.labelName, "x-y");
  assert.equal(invalid?.labelValue, "w".repeat(200));
  assert.equal(invalid?.labelCount, 3);
  assert.equal(future?.seriesIndex, 2);
  assert.equal(future?.timestampMs, BigInt(NOW + 600_001));
  assert.equal(nameless?.seriesIndex, 3);
});

test("more problems than are recorded are still counted", () => {
  const bad = Array.from({ length: 50 }, () => wireSeries([["a", "b"]], [[NOW, 1]]));
  const rows = rowsOf(newKernel().decode("t", writeBody(...bad), LIMITS));
  assert.equal(rows.problems.length, 8);
  assert.deepEqual(rows.rejections, [{ code: "missing-metric-name", series: 50, samples: 50 }]);
});

test("timestamps at the edges", () => {
  const check = (timeMs: bigint, want: string[], limits: Partial<IntakeLimits> = {}): void => {
    const body = writeBody(namedSeries("m", {}, [[timeMs, 1]]));
    const rows = rowsOf(newKernel().decode("t", body, { ...LIMITS, ...limits }));
    assert.deepEqual(
      rows.problems.map(({ code }) => code),
      want,
    );
    if (want.length === 0) assert.deepEqual([...rows.timestampsMs], [timeMs]);
  };
  check(0n, []);
  check(-1n, []);
  check(BigInt(LIMITS.maxTimeMs), []);
  check(BigInt(LIMITS.maxTimeMs) + 1n, ["too-far-in-future"]);
  check(2n ** 63n - 1n, ["too-far-in-future"]);
  check(-(2n ** 63n), ["too-far-in-past"]);
  check(-(2n ** 53n), []);
  check(-(2n ** 53n) - 1n, ["too-far-in-past"]);
  check(2n ** 53n, [], { maxTimeMs: 2 ** 53 });
  check(2n ** 53n + 1n, ["too-far-in-future"], { maxTimeMs: 2 ** 53 });
  check(BigInt(NOW - 1), ["too-far-in-past"], { minTimeMs: NOW });
  check(BigInt(NOW), [], { minTimeMs: NOW });
});

test("equal timestamps in one series: the first stays, and all are counted", () => {
  const check = (samples: SamplePairs): void => {
    const rows = rowsOf(newKernel().decode("t", writeBody(namedSeries("m", {}, samples)), LIMITS));
    const want = new Map<number | bigint, number>();
    for (const [timeMs, value] of samples) if (!want.has(timeMs)) want.set(timeMs, value);
    assert.deepEqual([...rows.timestampsMs].map(Number), [...want.keys()]);
    assert.deepEqual([...rows.values], [...want.values()]);
    const dropped = samples.length - want.size;
    const code = "sample-duplicate-timestamp";
    assert.deepEqual(rows.rejections, dropped === 0 ? [] : [{ code, series: 1, samples: dropped }]);
  };
  check([
    [1, 1],
    [1, 2],
  ]);
  check([
    [3, 1],
    [2, 2],
    [1, 3],
  ]);
  check([
    [1, 1],
    [2, 2],
    [1, 3],
    [2, 4],
    [3, 5],
  ]);
  const time = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(fc.array(fc.tuple(time, fc.integer()), { minLength: 1, maxLength: 60 }), check),
  );
});

/** A field with a length: tag, length, bytes. */
function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function label(labelName: string, value: string): Buffer {
  return Buffer.concat([field(1, Buffer.from(labelName)), field(2, Buffer.from(value))]);
}

function decodeFields(...series: readonly Uint8Array[]): IntakeAnswer {
  return newKernel().decode(
    "t",
    compress(Buffer.concat(series.map((one) => field(1, one)))),
    LIMITS,
  );
}

const SAMPLE = Buffer.from([0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 5]);

test("any order of fields and labels that do not lie together are the same series", () => {
  const [metric, a, b] = [label("__name__", "m"), label("a", "1"), label("b", "2")];
  const straight = Buffer.concat([field(1, metric), field(1, a), field(1, b), field(2, SAMPLE)]);
  const variants = [
    Buffer.concat([field(2, SAMPLE), field(1, metric), field(1, a), field(1, b)]),
    Buffer.concat([field(1, metric), field(2, SAMPLE), field(1, a), field(1, b)]),
    Buffer.concat([field(1, b), field(2, SAMPLE), field(1, a), field(3, SAMPLE), field(1, metric)]),
    // Value before name, a field given twice (the last counts), unknown fields, a tag in two bytes.
    Buffer.concat([
      field(1, Buffer.concat([field(2, Buffer.from("1")), field(1, Buffer.from("a"))])),
      field(1, Buffer.concat([field(1, Buffer.from("x")), label("b", "2")])),
      field(1, Buffer.concat([metric, field(9, Buffer.from("?")), Buffer.from([0x28, 7])])),
      Buffer.from([0x7d, 1, 2, 3, 4]),
      Buffer.from([0x92, 0x00, SAMPLE.length]),
      SAMPLE,
    ]),
  ];
  const want = Buffer.from(rowsOf(decodeFields(straight)).ids).toString("hex");
  for (const variant of variants) {
    const rows = rowsOf(decodeFields(variant));
    assert.equal(Buffer.from(rows.ids).toString("hex"), want);
    assert.deepEqual([...rows.timestampsMs], [5n]);
    assert.deepEqual([...rows.values], [1]);
  }
});

test("samples in any legal form", () => {
  const check = (sample: readonly number[], timeMs: bigint, value: number): void => {
    const series = Buffer.concat([field(1, label("__name__", "m")), field(2, Buffer.from(sample))]);
    const rows = rowsOf(decodeFields(series));
    assert.deepEqual([...rows.timestampsMs], [timeMs]);
    assert.deepEqual([...rows.values], [value]);
  };
  const one = [0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f];
  check([], 0n, 0);
  check(one, 0n, 1);
  check([0x10, 5], 5n, 0);
  check([0x10, 5, ...one], 5n, 1);
  check([...one, 0x10, 0x85, 0x00], 5n, 1);
  check([...one, 0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], -1n, 1);
  check([...one, 0x10, 5, 0x10, 6], 6n, 1);
  check([...one, 0x10, 5, 0x18, 9], 5n, 1);
  for (let bits = 0n; bits < 50n; bits++) {
    const time = 2n ** bits;
    const body = writeBody(namedSeries("m", {}, [[time, 1]]));
    const rows = rowsOf(newKernel().decode("t", body, { ...LIMITS, maxTimeMs: 2 ** 53 }));
    assert.deepEqual([...rows.timestampsMs], [time]);
  }
});

test("exemplars, histograms and metadata are passed over and counted", () => {
  const kernel = newKernel();
  const series = {
    ...namedSeries("m", {}, [[NOW, 1]]),
    exemplars: [SAMPLE, SAMPLE],
    histograms: [SAMPLE],
  };
  const bytes = encodeWriteRequest({ timeseries: [series], metadata: [SAMPLE, SAMPLE, SAMPLE] });
  const rows = rowsOf(kernel.decode("t", compress(bytes), LIMITS));
  assert.equal(rows.seriesCount, 1);
  const { exemplars, histograms, metadata, samples, decodedBytes } = rows.counts;
  assert.deepEqual([exemplars, histograms, metadata, samples], [2, 1, 3, 1]);
  assert.equal(decodedBytes, bytes.length);
});

test("malformed protobuf refuses the request and says where", () => {
  const check = (bytes: readonly number[], offsetBytes: number): void => {
    const answer = newKernel().decode("t", compress(Uint8Array.from(bytes)), LIMITS);
    assert.ok(answer.kind === "malformed", answer.kind);
    assert.equal(answer.offsetBytes, offsetBytes);
  };
  check([0x0a], 0);
  check([0x0a, 1], 0);
  check([0x80], 0);
  check([0x00, 0], 0);
  check([0x08, 1], 0); // timeseries as a varint
  check([0x18, 1], 0); // metadata as a varint
  check([0x0b, 0x0c], 0); // a group
  check([0x7b, 0x7c], 0); // a group of an unknown field
  check([0x7e], 0); // wire type 6
  check([0x0a, 2, 0x08, 1], 2); // labels as a varint
  check([0x0a, 2, 0x10, 1], 2); // samples as a varint
  check([0x0a, 2, 0x18, 1], 2); // exemplars as a varint
  check([0x0a, 2, 0x0a, 5], 2); // a label longer than its series
  check([0x0a, 4, 0x12, 2, 0x08, 1], 2); // sample value as a varint
  check([0x0a, 4, 0x12, 2, 0x11, 1], 2); // timestamp as a double, cut off
  check([0x0a, 5, 0x12, 3, 0x09, 1, 2], 2); // value cut off
  check([0x0a, 4, 0x0a, 2, 0x08, 1], 2); // label name as a varint
  check([0x0a, 4, 0x0a, 2, 0x0a, 9], 2); // label name longer than its label
  check([0x0a, 13, 0x10, ...Array(11).fill(0x80), 0], 2);
  check([0x0a, 14, 0x12, 12, 0x10, ...Array(10).fill(0x80), 1], 2); // varint of eleven bytes
  // A huge length must not wrap around.
  check([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 0);
});

test("bad snappy, and a declared length over the limit", () => {
  const kernel = newKernel();
  assert.equal(kernel.decode("t", Buffer.from("not snappy at all"), LIMITS).kind, "bad-snappy");
  assert.equal(kernel.decode("t", new Uint8Array(0), LIMITS).kind, "bad-snappy");
  const bomb = kernel.decode("t", Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0), LIMITS);
  assert.deepEqual(bomb, { kind: "too-large", declaredBytes: 2 ** 32 - 1, offsetBytes: 0 });
  const before = kernel.memoryBytes;
  // Within the limit, but more than so few bytes can make: refused without taking the memory.
  const lie = kernel.decode("t", Uint8Array.of(0x80, 0x80, 0x40, 0), LIMITS);
  assert.equal(lie.kind, "bad-snappy");
  assert.equal(kernel.memoryBytes, before);
  assert.equal(rowsOf(kernel.decode("t", compress(new Uint8Array(0)), LIMITS)).seriesCount, 0);
});

test("more samples than bytes for them are refused", () => {
  const series = Buffer.concat([
    field(1, label("__name__", "m")),
    Buffer.alloc(2 * 65_537, Buffer.from([0x12, 0])),
  ]);
  assert.equal(decodeFields(series).kind, "too-many-samples");
});

test("buffers of an unusual request are given back", () => {
  const kernel = newKernel();
  const limits = { ...LIMITS, decodedBytesMax: 1 << 24 };
  const large = writeBody(namedSeries("m", { v: "x".repeat(3 << 20) }, [[NOW, 1]]));
  kernel.decode("t", large, limits);
  assert.equal(kernel.trim(8 << 20), false);
  assert.equal(kernel.trim(1 << 20), true);
  assert.ok(kernel.memoryBytes < 1 << 20);
  const small = writeBody(namedSeries("m", {}, [[NOW, 1]]));
  assert.equal(rowsOf(kernel.decode("t", small, limits)).seriesCount, 1);
});
