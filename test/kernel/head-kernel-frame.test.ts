import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type AppendReport, HeadKernel } from "../../src/kernel/host/head-kernel.ts";
import { decodePushFrame, encodePushFrame } from "../../src/wire/push-frame.ts";
import { frameBatch, frameRows, resealed } from "../testkit/push-frame.ts";
import {
  batchOf,
  bitsOfNumber,
  CHUNK_RANGE_MS,
  canonicalBytes,
  idOf,
  LoggedHead,
} from "./head-kernel-fixture.ts";
import { rowsOf, windows, works } from "./head-kernel-operations.ts";
import { HeadTwin } from "./head-kernel-twin.ts";

const PLACE = { seriesMax: 0, outOfOrderWindowMs: 0, frameFile: 1, frameOffsetBytes: 0 };

function newHead(): HeadKernel {
  return new HeadKernel({ chunkRangeMs: CHUNK_RANGE_MS, seed: 3n });
}

/** The report with what its views hold: what goes to log and files says what the head holds now. */
function copied(report: AppendReport | undefined): object | undefined {
  if (!report) return undefined;
  const { entries, rows, frames, unknownSeries, ...rest } = report;
  return {
    ...rest,
    unknownSeries: [...unknownSeries],
    entries: Buffer.from(entries),
    rows: Buffer.from(rows),
    frames: Buffer.from(frames),
  };
}

test("a head fed with frames is the head fed with batches", () => {
  fc.assert(
    fc.property(works, windows, fc.constantFrom(0, 0, 5), (all, outOfOrderWindowMs, seriesMax) => {
      const byBatch = new LoggedHead();
      const byFrame = new LoggedHead();
      const twin = new HeadTwin();
      const options = { seriesMax, outOfOrderWindowMs };
      for (const work of all) {
        const rows = rowsOf(twin, work);
        twin.append(rows, work.withLabels, options);
        const batch = batchOf(rows, work.withLabels);
        const report = byFrame.appendFrame(encodePushFrame(batch), options);
        assert.deepEqual(copied(report), copied(byBatch.append(batch, options)));
      }
      assert.deepEqual(byFrame.readAll(), byBatch.readAll());
      assert.deepEqual(byFrame.log, byBatch.log);
      assert.ok(byFrame.kernel.guardsIntact);
    }),
    { numRuns: 100 },
  );
});

test("any times, values and ids, labels on some series", () => {
  fc.assert(
    fc.property(fc.array(frameRows, { minLength: 1, maxLength: 4 }), (all) => {
      const [byBatch, byFrame] = [newHead(), newHead()];
      for (const rows of all) {
        const batch = frameBatch(rows);
        const report = copied(byFrame.appendFrame(encodePushFrame(batch), PLACE));
        assert.ok(report);
        assert.deepEqual(report, copied(byBatch.append(batch, PLACE)));
      }
      assert.ok(byFrame.guardsIntact);
    }),
    { numRuns: 200 },
  );
});

const damage = fc.oneof(
  fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) }),
  fc.record({ at: fc.constantFrom(0, 0.05, 1), byte: fc.constantFrom(0, 1, 0x7f, 0x80, 0xff) }),
);

test("a damaged frame is refused as the twin refuses it, and changes nothing", () => {
  fc.assert(
    fc.property(frameRows, fc.array(damage, { minLength: 1, maxLength: 3 }), (rows, damages) => {
      const good = encodePushFrame(frameBatch(rows));
      const bad = good.slice();
      for (const { at, byte } of damages) bad[Math.floor(at * (bad.length - 1))] = byte;
      for (const frame of [bad, resealed(bad), bad.subarray(0, -1), resealed(bad.slice(0, -1))]) {
        const head = newHead();
        const twin = newHead();
        const decoded = decodePushFrame(frame);
        const report = copied(head.appendFrame(frame, PLACE));
        if ("malformed" in decoded) {
          assert.equal(report, undefined, decoded.malformed);
          assert.equal(head.seriesCount, 0);
          assert.equal(head.maxTimeMs, undefined);
        } else {
          assert.deepEqual(report, copied(twin.append(decoded, PLACE)));
        }
        assert.ok(head.guardsIntact);
        // It goes on as if nothing had come.
        const next = copied(head.appendFrame(good, PLACE));
        assert.deepEqual(next, copied(twin.append(frameBatch(rows), PLACE)));
      }
    }),
    { numRuns: 300 },
  );
});

test("every cut of a frame is refused", () => {
  const batch = batchOf([{ series: 1, samples: [{ time: 5n, bits: 1n }] }], true);
  const frame = encodePushFrame(batch);
  const head = newHead();
  for (let length = 0; length < frame.length; length++) {
    assert.equal(head.appendFrame(frame.slice(0, length), PLACE), undefined, String(length));
    assert.equal(head.appendFrame(resealed(frame.slice(0, length)), PLACE), undefined);
  }
  assert.equal(head.appendFrame(frame, PLACE)?.acceptedSamples, 1);
});

test("labels that are no labels refuse the whole frame, those of known series too", () => {
  const row = (series: number, labels: Uint8Array) => ({
    id: idOf(series),
    samples: [{ time: BigInt(series), bits: bitsOfNumber(1) }],
    labels,
  });
  const whole = canonicalBytes([["a", "b"]]);
  const tooMany = canonicalBytes(Array.from({ length: 65_536 }, (_, i) => [`${i}`, ""]));
  const head = newHead();
  assert.ok(head.appendFrame(encodePushFrame(frameBatch([row(1, whole)])), PLACE));
  for (const labels of [whole.subarray(0, -1), Buffer.of(1, 0x61), tooMany]) {
    const frame = encodePushFrame(frameBatch([row(1, labels), row(2, whole)]));
    assert.equal(head.appendFrame(frame, PLACE), undefined);
    assert.ok("malformed" in decodePushFrame(frame));
  }
  assert.equal(head.seriesCount, 1);
});

test("large frames use the same memory again and again", () => {
  const head = newHead();
  const rows = Array.from({ length: 100_000 }, (_, i) => ({
    id: Buffer.alloc(16, i % 251),
    samples: [{ time: BigInt(i), bits: 0n }],
    labels: new Uint8Array(0),
  }));
  const frame = encodePushFrame(frameBatch(rows));
  head.appendFrame(frame, PLACE);
  const before = head.memoryBytes;
  for (let i = 0; i < 10; i++) head.appendFrame(frame, PLACE);
  assert.equal(head.memoryBytes, before);
});
