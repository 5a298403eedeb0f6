import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IntakeRows } from "../../src/kernel/host/intake.ts";
import { encodePushFrame, type PushFrameBatch } from "../../src/wire/push-frame.ts";
import { encodeWriteRequest } from "../../src/wire/remote-write.ts";
import { type FrameRow, frameBatch } from "../testkit/push-frame.ts";
import { compress, namedSeries, type SamplePairs, writeBody } from "../testkit/remote-write.ts";
import { bitsOf } from "../testkit/xor.ts";
import { LIMITS, NOW, newKernel, rowsOf } from "./intake-fixture.ts";

/** Copies, because the views of the answer end with the first frame. */
function frameRowsOf(rows: IntakeRows): FrameRow[] {
  const bits = bitsOf(rows.values.slice());
  return Array.from({ length: rows.seriesCount }, (_, row) => {
    const from = rows.sampleOffsets[row] ?? 0;
    const times = [...rows.timestampsMs.slice(from, rows.sampleOffsets[row + 1])];
    return {
      id: rows.ids.slice(16 * row, 16 * row + 16),
      samples: times.map((time, i) => ({ time, bits: bits[from + i] as bigint })),
      labels:
        rows.labels?.bytes.slice(rows.labels.offsets[row], rows.labels.offsets[row + 1]) ??
        new Uint8Array(0),
    };
  });
}

function hex(frame: Uint8Array): string {
  return Buffer.from(frame).toString("hex");
}

function twin(batch: PushFrameBatch): string {
  return hex(encodePushFrame(batch));
}

const times = fc.oneof(
  fc.constant(BigInt(NOW)),
  fc.bigInt({ min: BigInt(NOW) - 100n, max: BigInt(NOW) }),
  fc.bigInt({ min: -(2n ** 53n), max: BigInt(NOW) }),
);
const samples: fc.Arbitrary<SamplePairs> = fc
  .uniqueArray(fc.tuple(times, fc.double()), { selector: ([time]) => time, maxLength: 5 })
  .chain((all) => fc.constantFrom(all, all.slice(0, 1)));
/** Of few series, so that some are known when they come again, and then have no labels. */
const series = fc
  .tuple(fc.nat(9), samples)
  .map(([n, pairs]) => namedSeries("m", { n: "x".repeat(20 * n) }, pairs));
const requests = fc.array(
  fc.record({
    all: fc.array(series, { maxLength: 8 }),
    wanted: fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true })),
    choices: fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }))),
  }),
  { minLength: 1, maxLength: 4 },
);

test("frames of all rows and of any of them are those of the twin, time after time", () => {
  fc.assert(
    fc.property(requests, (all) => {
      const kernel = newKernel();
      for (const { all: timeseries, wanted, choices } of all) {
        const body = writeBody(...timeseries);
        const check = (answer: IntakeRows): number => {
          const rows = frameRowsOf(answer);
          assert.equal(hex(kernel.encodeFrame()), twin(frameBatch(rows)));
          for (const choice of rows.length > 0 ? choices : []) {
            const numbers = Uint32Array.from(choice, (part) => Math.floor(part * rows.length));
            const chosen = [...numbers].map((row) => rows[row] as FrameRow);
            assert.equal(hex(kernel.encodeFrame(numbers)), twin(frameBatch(chosen)));
          }
          assert.equal(hex(kernel.encodeFrame()), twin(frameBatch(rows)));
          assert.ok(kernel.guardsIntact);
          return rows.length;
        };
        const count = check(rowsOf(kernel.decode("t", body, LIMITS)));
        const numbers = [...new Set(wanted.map((part) => Math.floor(part * count)))];
        const rising = Uint32Array.from(numbers.filter((row) => row < count)).sort();
        check(rowsOf(kernel.decodeWithLabels("t", body, LIMITS, rising)));
      }
    }),
    { numRuns: 150 },
  );
});

test("an ordinary push takes 25 bytes a sample, with times that differ a little 26", () => {
  const kernel = newKernel();
  const bytesPerSample = (spreadMs: number): number => {
    const body = writeBody(
      ...Array.from({ length: 2000 }, (_, n) =>
        // A few scrapes, one after the other, as a queue of a sender holds them.
        namedSeries("m", { n: String(n) }, [[NOW - spreadMs * Math.floor(n / 400), n / 7]]),
      ),
    );
    rowsOf(kernel.decode("t", body, LIMITS));
    rowsOf(kernel.decode("t", body, LIMITS));
    return kernel.encodeFrame().length / 2000;
  };
  assert.equal(bytesPerSample(0), 50_029 / 2000);
  assert.ok(bytesPerSample(3_777) < 25.1);
});

test("the bits of a value stay what they are", () => {
  const kernel = newKernel();
  // The staleness marker in the place of a number: JavaScript need not keep the bits of a NaN.
  const number = Buffer.alloc(8);
  number.writeDoubleLE(Math.PI);
  const message = encodeWriteRequest({ timeseries: [namedSeries("m", {}, [[NOW, Math.PI]])] });
  const at = Buffer.from(message).indexOf(number);
  assert.ok(at > 0);
  const bits = 0x7ff0000000000002n;
  new DataView(message.buffer, message.byteOffset).setBigUint64(at, bits, true);
  rowsOf(kernel.decode("t", compress(message), LIMITS));
  const frame = kernel.encodeFrame();
  assert.equal(new DataView(frame.buffer, frame.byteOffset).getBigUint64(36, true), bits);
});

test("there is nothing to encode before a body was read, or after one that could not be", () => {
  const kernel = newKernel();
  const body = writeBody(namedSeries("m", {}, [[NOW, 1]]));
  assert.throws(() => kernel.encodeFrame(), /no rows/);
  rowsOf(kernel.decode("t", body, LIMITS));
  assert.throws(() => kernel.encodeFrame(Uint32Array.of(1)), /none of the last answer/);
  assert.equal(kernel.encodeFrame(new Uint32Array(0)).length, 24);
  assert.equal(kernel.decode("t", Buffer.of(9, 9, 9), LIMITS).kind, "bad-snappy");
  assert.throws(() => kernel.encodeFrame(), /no rows/);
  rowsOf(kernel.decode("t", body, LIMITS));
  kernel.encodeFrame();
  assert.ok(kernel.trim(0));
  assert.throws(() => kernel.encodeFrame(), /no rows/);
});

test("a large frame counts as a large buffer", () => {
  const kernel = newKernel();
  const body = writeBody(namedSeries("m", {}, [[NOW, 1]]));
  rowsOf(kernel.decode("t", body, LIMITS));
  assert.equal(kernel.trim(1 << 16), false);
  rowsOf(kernel.decode("t", body, LIMITS));
  kernel.encodeFrame(new Uint32Array(20_000));
  assert.equal(kernel.trim(1 << 16), true);
});
