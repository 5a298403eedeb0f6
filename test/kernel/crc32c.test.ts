import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../src/kernel/host/crc32c.ts";

/** Bit by bit, from the definition. */
function twin(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("the check value and the vectors of RFC 3720", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e);
  assert.equal(crc32c(new Uint8Array(0)), 0);
});

test("equals the plain twin, any alignment, and can be continued", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, cut) => {
      const whole = crc32c(bytes);
      assert.equal(whole, twin(bytes));
      assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), whole);
    }),
  );
});

test("equals the plain twin where inputs are long enough to be folded", () => {
  const noise = Uint8Array.from({ length: 30_000 }, (_, index) => (index * 2654435761) >>> 13);
  const length = fc.oneof(
    fc.integer({ min: 4_000, max: 4_400 }),
    fc.integer({ max: 20_000, min: 0 }),
  );
  fc.assert(
    fc.property(
      fc.nat(9_999),
      length,
      fc.nat(0xffff_ffff),
      fc.nat(9_999),
      (from, size, seed, at) => {
        const bytes = noise.slice(from, from + size);
        if (at < size) bytes[at] = (bytes[at] as number) ^ 1;
        assert.equal(crc32c(bytes, seed), twin(bytes, seed));
      },
    ),
    { numRuns: 200 },
  );
});

test("buffers larger than the scratch area", () => {
  const bytes = Uint8Array.from({ length: 200_003 }, (_, index) => (index * 2654435761) >>> 13);
  assert.equal(crc32c(bytes), twin(bytes));
  assert.equal(crc32c(bytes.subarray(0, 65537)), twin(bytes.subarray(0, 65537)));
});
