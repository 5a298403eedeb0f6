import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../../src/base/random.ts";
import { ByteReader } from "../../../src/gossip/codec/byte-reader.ts";
import { compressMessage, decompressMessage } from "../../../src/gossip/codec/compression.ts";
import { lzwCompress, lzwDecompress } from "../../../src/gossip/codec/lzw.ts";
import { bytes, damage, decodesOrRefuses, refusal } from "./arbitrary.ts";
import { packCodes, twinCompress, twinDecompress } from "./lzw-twin.ts";

const SIZE_MAX = 1 << 20;

/** From one that repeats all the time to one that never does. */
const input = fc.oneof(
  bytes(600),
  fc.uint8Array({ maxLength: 2000, max: 3 }),
  fc
    .array(fc.constantFrom("ingester-", "ring", "zone-a", "0123"), { maxLength: 200 })
    .map((words) => Uint8Array.from(Buffer.from(words.join("")))),
);

/** Long enough to fill the table more than once, with few and with many different bytes. */
function long(seed: number, different: number): Uint8Array {
  const random = new SeededRandom(seed);
  return Uint8Array.from({ length: 30_000 }, () => random.uint32() % different);
}

test("compresses to the very bytes of the twin, and back", () => {
  const check = (plain: Uint8Array): void => {
    const packed = lzwCompress(plain);
    assert.deepEqual(packed, twinCompress(plain));
    assert.deepEqual(lzwDecompress(packed, plain.length), plain);
  };
  fc.assert(fc.property(input, check));
  for (const different of [2, 20, 256]) check(long(different, different));
});

test("any bits mean the same to the twin: text, garbage, or too much", () => {
  const check = (packed: Uint8Array, sizeMax: number): void => {
    const found = decodesOrRefuses(() => lzwDecompress(packed, sizeMax));
    assert.deepEqual(found, twinDecompress(packed, sizeMax));
  };
  fc.assert(
    fc.property(fc.oneof(bytes(60), input.map(lzwCompress)), damage, (packed, spoil) =>
      check(spoil(packed), 3000),
    ),
    { numRuns: 3000 },
  );
});

test("a writer that does not clear a full table is understood", () => {
  // Each code makes an entry until the table is full; then all have 12 bits.
  const random = new SeededRandom(9);
  const codes: [code: number, width: number][] = [];
  let next = 257;
  let width = 9;
  for (let index = 0; index < 6000; index++) {
    codes.push([random.uint32() % 256, width]);
    if (next < 4095) next++;
    if (next === 2 ** width && width < 12) width++;
  }
  const packed = packCodes([...codes, [4095, 12], [257, 12]]);
  const expected = twinDecompress(packed, SIZE_MAX);
  assert.equal(expected?.length, codes.length + 2);
  assert.deepEqual(lzwDecompress(packed, SIZE_MAX), expected);
});

test("every prefix is refused", () => {
  const packed = lzwCompress(long(1, 5).subarray(0, 1500));
  for (let size = 0; size < packed.length; size++) {
    assert.equal(
      refusal(() => lzwDecompress(packed.subarray(0, size), SIZE_MAX)),
      "malformed",
    );
  }
});

test("a bomb is refused at its limit, and takes no more memory than that", () => {
  const bomb = lzwCompress(new Uint8Array(16 << 20));
  assert.ok(bomb.length < 50_000, `${bomb.length}`);
  const before = process.memoryUsage().arrayBuffers;
  assert.equal(
    refusal(() => lzwDecompress(bomb, SIZE_MAX)),
    "too-large",
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 4 * SIZE_MAX);
});

test("the compress message: there and back; another algorithm, damage and bombs are refused", () => {
  const unpacked = (message: Uint8Array, sizeMax = SIZE_MAX): Uint8Array =>
    decompressMessage(new ByteReader(message, 1), sizeMax);
  fc.assert(
    fc.property(input, damage, (plain, spoil) => {
      const message = compressMessage(plain);
      assert.deepEqual(unpacked(message), plain);
      decodesOrRefuses(() => unpacked(Uint8Array.of(9, ...spoil(message.subarray(1))), 3000));
    }),
  );
  const algorithm = Uint8Array.of(9, 0x81, 0xa4, ...Buffer.from("Algo"), 1);
  assert.equal(
    refusal(() => unpacked(algorithm)),
    "malformed",
  );
  assert.equal(
    refusal(() => unpacked(compressMessage(new Uint8Array(5000)), 4999)),
    "too-large",
  );
});
