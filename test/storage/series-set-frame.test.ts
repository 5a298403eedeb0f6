import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../src/kernel/host/crc32c.ts";
import {
  CHUNK_ENCODING,
  type EncodedSeriesSet,
  emptySeriesSet,
  transferList,
} from "../../src/storage/encoded-series.ts";
import {
  decodeSeriesSet,
  encodeSeriesSet,
  frameBlocks,
  frameSizeBytes,
  SeriesSetReceiver,
} from "../../src/storage/series-set-frame.ts";
import { readSeriesSet } from "../testkit/read-series-set.ts";
import { type SeriesFixture, seriesSet } from "../testkit/series-set.ts";

const series: fc.Arbitrary<SeriesFixture> = fc.record({
  labels: fc.dictionary(fc.string({ minLength: 1, maxLength: 6 }), fc.string({ maxLength: 6 }), {
    maxKeys: 4,
  }),
  chunks: fc.array(
    fc.record({
      encoding: fc.constantFrom("xor" as const, "raw" as const),
      columns: fc.array(fc.double(), { minLength: 1, maxLength: 5 }).chain((values) =>
        fc.integer({ min: -1000, max: 2_000_000_000 }).map((startMs) => ({
          timestampsMs: BigInt64Array.from(values, (_, i) => BigInt(startMs + 15_000 * i)),
          values: Float64Array.from(values),
        })),
      ),
    }),
    { maxLength: 4 },
  ),
});
const sets = fc.array(series, { maxLength: 6 }).map(seriesSet);

function decoded(bytes: Uint8Array): EncodedSeriesSet {
  const result = decodeSeriesSet(bytes);
  assert.equal(result.kind, "set", result.kind === "malformed" ? result.message : "");
  return (result as { set: EncodedSeriesSet }).set;
}

function fault(bytes: Uint8Array): string {
  const result = decodeSeriesSet(bytes);
  assert.equal(result.kind, "malformed");
  return (result as { message: string }).message;
}

/** The frame with a right checksum after a change. */
function changed(bytes: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  change(view);
  view.setUint32(copy.length - 4, crc32c(copy.subarray(0, -4)), true);
  return copy;
}

const TWO_CHUNKS = seriesSet([
  {
    labels: { a: "x", b: "y" },
    chunks: [
      { columns: columns([1000n, 2000n], [1, 2]), encoding: "raw" },
      { columns: columns([3000n], [3]), bytes: Uint8Array.of(0, 1, 2) },
    ],
  },
]);

function columns(
  times: bigint[],
  values: number[],
): { timestampsMs: BigInt64Array; values: Float64Array } {
  return { timestampsMs: BigInt64Array.from(times), values: Float64Array.from(values) };
}

test("a set comes back as it was, column by column", () => {
  fc.assert(
    fc.property(sets, (set) => {
      const bytes = encodeSeriesSet(set);
      assert.equal(bytes.length, frameSizeBytes(set));
      const back = decoded(bytes);
      assert.deepEqual(back, set);
      assert.deepEqual(readSeriesSet(back), readSeriesSet(set));
    }),
  );
});

test("bytes may arrive in any pieces; the set lies in the one buffer they were put into", () => {
  fc.assert(
    fc.property(sets, fc.array(fc.nat(200)), (set, cuts) => {
      const bytes = encodeSeriesSet(set);
      const receiver = new SeriesSetReceiver(bytes.length);
      let at = 0;
      for (const cut of cuts) {
        receiver.append(bytes.subarray(at, at + cut));
        at = Math.min(bytes.length, at + cut);
      }
      receiver.append(bytes.subarray(at));
      const result = receiver.finish();
      assert.ok(result.kind === "set");
      assert.deepEqual(result.set, set);
      assert.equal(transferList(result.set).length, 1);
    }),
  );
});

test("a large set is cut into blocks", () => {
  const set = { ...emptySeriesSet(), data: new Uint8Array(1_000_000).fill(7) };
  const blocks = [...frameBlocks(set)];
  assert.ok(blocks.every((block) => block.length <= 256 * 1024));
  assert.equal(
    blocks.reduce((sum, block) => sum + block.length, 0),
    frameSizeBytes(set),
  );
  assert.deepEqual(decoded(encodeSeriesSet(set)), set);
});

test("columns that are longer than their offsets reach are sent without the rest", () => {
  const set = {
    ...TWO_CHUNKS,
    labels: Uint32Array.of(...TWO_CHUNKS.labels, 99, 99),
    chunkEncodings: Uint8Array.of(...TWO_CHUNKS.chunkEncodings, 77),
    symbolBytes: Uint8Array.of(...TWO_CHUNKS.symbolBytes, 1, 2),
  };
  assert.deepEqual(decoded(encodeSeriesSet(set)), TWO_CHUNKS);
});

test("golden bytes (docs/formats/series-set-frame.md)", () => {
  const golden = `
    4d554e494e534554 0100 0000  01000000 04000000 02000000 02000000 04000000 23000000 00000000
    0000000000408f40 000000000070a740
    0000000000409f40 000000000070a740
    00000000 01000000 02000000 03000000 04000000 00000000
    00000000 02000000
    00000000 01000000 02000000 03000000
    00000000 02000000
    00000000 20000000
    20000000 03000000
    80 01 000000000000
    61 78 62 79 00000000
    e803000000000000 000000000000f03f d007000000000000 0000000000000040 000102 0000000000
    0eb68763`;
  assert.equal(Buffer.from(encodeSeriesSet(TWO_CHUNKS)).toString("hex"), golden.replace(/\s/g, ""));
});

test("damage anywhere is noticed", () => {
  const bytes = encodeSeriesSet(TWO_CHUNKS);
  for (let at = 0; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] = (damaged[at] as number) ^ 0x10;
    fault(damaged);
  }
  for (let length = 0; length < bytes.length; length++) fault(bytes.slice(0, length));
});

test("a sender that is wrong is told apart, by column and place", () => {
  const bytes = encodeSeriesSet(TWO_CHUNKS);
  const at = { symbolOffsets: 72, labelOffsets: 96, labels: 104, chunkOffsets: 120 };
  const faultAfter = (change: (view: DataView) => void): string => fault(changed(bytes, change));
  assert.match(
    faultAfter((view) => view.setUint8(0, 0)),
    /begin with MUNINSET/,
  );
  assert.match(
    faultAfter((view) => view.setUint16(8, 2, true)),
    /version 2.*reads version 1/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(12, 2 ** 32 - 1, true)),
    /its header says 34359/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.symbolOffsets + 4, 9, true)),
    /symbolOffsets\[2\] is 2, less/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.symbolOffsets + 16, 5, true)),
    /symbolOffsets ends at 5 and its column at 4/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.labelOffsets + 4, 1, true)),
    /labelOffsets ends at 1/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.labels, 4, true)),
    /labels\[0\] is symbol 4 of 4/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.chunkOffsets, 3, true)),
    /chunkOffsets\[1\] is 2/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.chunkOffsets + 8 + 4, 2 ** 32 - 1, true)),
    /chunk 1 ends at byte 4294967298 of 35/,
  );
  assert.match(
    faultAfter((view) => view.setUint32(at.chunkOffsets + 16, 15, true)),
    /chunk 0 of raw samples has 15 bytes/,
  );
  assert.match(
    faultAfter((view) => view.setUint8(at.chunkOffsets + 25, 4)),
    /chunk 1 has encoding 4/,
  );
  assert.match(
    faultAfter((view) => view.setFloat64(40, Number.NaN, true)),
    /chunk 0 ends before it begins/,
  );
});

test("whatever the bytes, decoding gives a set within its bounds or says what is wrong", () => {
  fc.assert(
    fc.property(
      sets,
      fc.array(fc.record({ at: fc.nat(400), value: fc.nat(0xffff_ffff) }), { maxLength: 4 }),
      fc.boolean(),
      (set, changes, repair) => {
        const bytes = encodeSeriesSet(set);
        const change = (view: DataView): void => {
          for (const { at, value } of changes) {
            view.setUint32(4 * (at % Math.floor(bytes.length / 4)), value, true);
          }
        };
        const mutated = bytes.slice();
        change(new DataView(mutated.buffer));
        const result = decodeSeriesSet(repair ? changed(bytes, change) : mutated);
        if (result.kind === "set") assertInBounds(result.set);
      },
    ),
    { numRuns: 2000 },
  );
});

function assertInBounds(set: EncodedSeriesSet): void {
  for (let i = 0; i < set.seriesCount; i++) {
    const pairs = set.labels.subarray(
      2 * (set.labelOffsets[i] as number),
      2 * (set.labelOffsets[i + 1] as number),
    );
    assert.ok((set.labelOffsets[i + 1] as number) * 2 <= set.labels.length);
    for (const symbol of pairs) {
      assert.ok((set.symbolOffsets[symbol + 1] as number) <= set.symbolBytes.length);
    }
    assert.ok((set.chunkOffsets[i + 1] as number) <= set.chunkEncodings.length);
  }
  set.chunkByteOffsets.forEach((offset, chunk) => {
    assert.ok(offset + (set.chunkByteLengths[chunk] as number) <= set.data.length);
    assert.ok(
      (Object.values(CHUNK_ENCODING) as number[]).includes(set.chunkEncodings[chunk] as number),
    );
  });
}
