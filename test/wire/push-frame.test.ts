import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodePushFrame,
  encodePushFrame,
  type PushFrameBatch,
  readPushFrameHeader,
} from "../../src/wire/push-frame.ts";
import { frameBatch, frameRows, plainBatch, resealed } from "../testkit/push-frame.ts";

/** The example of docs/formats/push-frame.md. */
const EXAMPLE = frameBatch([
  {
    id: Uint8Array.from({ length: 16 }, (_, i) => i),
    samples: [
      { time: 1000n, bits: 0x3ff8000000000000n },
      { time: 1001n, bits: 0x4000000000000000n },
    ],
    labels: Buffer.from("\x01a\x01b"),
  },
  {
    id: Uint8Array.from({ length: 16 }, (_, i) => 16 + i),
    samples: [{ time: 999n, bits: 0x7ff0000000000002n }],
    labels: new Uint8Array(0),
  },
]);
const EXAMPLE_HEX = [
  "4d4e5046 0100 0000 02000000 03000000 04000000",
  "000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f",
  "000000000000f83f 0000000000000040 020000000000f07f",
  "02 01  d00f 02 03  04 00  01 61 01 62",
  "3fad6d79",
]
  .join("")
  .replaceAll(" ", "");

function mustDecode(frame: Uint8Array): PushFrameBatch {
  const batch = decodePushFrame(frame);
  assert.ok(!("malformed" in batch), "malformed" in batch ? batch.malformed : "");
  return batch;
}

test("the bytes of the example, and of a frame without rows", () => {
  assert.equal(Buffer.from(encodePushFrame(EXAMPLE)).toString("hex"), EXAMPLE_HEX);
  assert.deepEqual(plainBatch(mustDecode(Buffer.from(EXAMPLE_HEX, "hex"))), plainBatch(EXAMPLE));
  const empty = encodePushFrame(frameBatch([]));
  assert.equal(Buffer.from(empty).toString("hex"), `4d4e504601000100${"00".repeat(12)}7e30ea78`);
  assert.equal(mustDecode(empty).seriesCount, 0);
});

test("a batch comes back as it was, and its header says how much it holds", () => {
  fc.assert(
    fc.property(frameRows, fc.nat(7), (rows, shift) => {
      const batch = frameBatch(rows);
      const frame = encodePushFrame(batch);
      // Wherever it lies in a larger buffer.
      const within = new Uint8Array(frame.length + shift);
      within.set(frame, shift);
      assert.deepEqual(plainBatch(mustDecode(within.subarray(shift))), plainBatch(batch));
      assert.deepEqual(readPushFrameHeader(frame), {
        seriesCount: rows.length,
        sampleCount: batch.values.length,
        labelBytes: batch.labels?.bytes.length ?? 0,
      });
    }),
  );
});

test("what is wrong with a frame is said, with its place", () => {
  const good = Buffer.from(EXAMPLE_HEX, "hex");
  const changed = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = Uint8Array.from(good);
    copy.set(bytes, at);
    return resealed(copy);
  };
  const unsealed = Uint8Array.from(good);
  unsealed[30] = 0;
  const longer = resealed(Buffer.concat([good.subarray(0, -8), Buffer.alloc(9)]));
  const noLabels = encodePushFrame({ ...EXAMPLE, labels: undefined } as never);
  const cases: readonly [Uint8Array, RegExp, number][] = [
    [good.subarray(0, 23), /^23 bytes are too few/, 0],
    [changed(0, 0), /does not begin with "MNPF"/, 0],
    [changed(4, 2), /^version 2 is unknown, only 1 is/, 4],
    [changed(6, 2), /^unknown flags 2/, 6],
    [changed(6, 1), /^one sample each, but 2 series and 3 samples/, 8],
    [changed(8, 0xff, 0xff, 0xff, 0xff), /^4294967295 series, 3 samples .* do not fit into 92 /, 8],
    [changed(12, 0xff, 0xff, 0xff, 0xff), /4294967295 samples .* do not fit/, 8],
    [changed(16, 0xff, 0xff, 0xff, 0xff), /4294967295 label bytes do not fit/, 8],
    [good.subarray(0, -1), /checksum/, 87],
    [unsealed, /checksum/, 88],
    [changed(76, 3), /sample counts/, 78],
    [changed(77, 0), /sample counts/, 78],
    [changed(78, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80), /timestamp/, 78],
    [changed(82, 3), /label lengths/, 84],
    [changed(83, 0x80), /label lengths/, 85],
    [longer, /label bytes are not as many/, 84],
    [changed(86, 3), /^the labels of series 0 /, 84],
    [resealed(Buffer.concat([noLabels, Buffer.alloc(1)])), /left over/, noLabels.length - 4],
  ];
  for (const [frame, malformed, offsetBytes] of cases) {
    const answer = decodePushFrame(frame);
    assert.ok("malformed" in answer, String(malformed));
    assert.match(answer.malformed, malformed);
    assert.equal(answer.offsetBytes, offsetBytes, answer.malformed);
  }
});

test("a header cannot claim more than the frame can hold", () => {
  fc.assert(
    fc.property(frameRows, fc.nat(19), fc.nat(255), (rows, at, byte) => {
      const frame = encodePushFrame(frameBatch(rows));
      frame[at] = byte;
      const header = readPushFrameHeader(frame);
      if ("malformed" in header) return;
      const { seriesCount, sampleCount, labelBytes } = header;
      assert.ok(16 * seriesCount + 9 * sampleCount + labelBytes + 24 <= frame.length);
    }),
  );
});
