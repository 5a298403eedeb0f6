import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../src/kernel/host/crc32c.ts";
import { decodeRing, encodeRing, splitRing } from "../../src/ring/codec.ts";
import {
  merge,
  type RingDescriptor,
  ringOf,
  tombstone,
  withoutTokens,
} from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { anyInstance, grow, instance } from "./fixture.ts";

const EXAMPLE = ringOf([
  instance("b", {
    zone: "z",
    readOnly: true,
    versions: { muninn: "0.1" },
    tokens: Uint32Array.of(1, 0xffffffff),
  }),
  tombstone(instance("a"), 0),
]);

/** The bytes of docs/formats/ring.md. */
const GOLDEN = `
4d524e47 0100 0000 02000000
04 18 0100 61 0e00 612e6578616d706c653a39303935 0000
0168e5cf8b010000 c025d6cf8b010000 0000000000000000 0168e5cf8b010000 0000
c025d6cf8b010000 00000000
02 0f 0100 62 0e00 622e6578616d706c653a39303935 0100 7a
0068e5cf8b010000 c025d6cf8b010000 0000000000000000 0100 0600 6d756e696e6e 0300 302e31
c025d6cf8b010000 02000000 01000000 ffffffff
7bfb455e
`.replaceAll(/\s/g, "");

function decoded(bytes: Uint8Array): RingDescriptor {
  const result = decodeRing(bytes);
  assert.ok("ring" in result, JSON.stringify(result));
  return result.ring;
}

/** With the right checksum at the end, so that what is behind it is tested. */
function sealed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  new DataView(copy.buffer).setUint32(
    copy.length - 4,
    crc32c(copy.subarray(0, copy.length - 4)),
    true,
  );
  return copy;
}

test("golden bytes", () => {
  const bytes = encodeRing(EXAMPLE);
  assert.equal(Buffer.from(bytes).toString("hex"), GOLDEN);
  assert.deepEqual(decoded(bytes), EXAMPLE);
});

test("what was encoded is decoded", () => {
  fc.assert(
    fc.property(fc.array(anyInstance, { maxLength: 4 }).map(ringOf), (ring) => {
      const bytes = encodeRing(ring);
      assert.deepEqual(encodeRing(decoded(bytes)), bytes);
      for (const [id, one] of decoded(bytes)) assert.deepEqual(one, ring.get(id));
    }),
  );
});

test("a flipped bit anywhere is noticed", () => {
  const bytes = encodeRing(EXAMPLE);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.ok("malformed" in decodeRing(flipped), `bit ${bit}`);
  }
});

test("every prefix is malformed", () => {
  const bytes = encodeRing(EXAMPLE);
  for (let length = 0; length < bytes.length; length++) {
    assert.ok("malformed" in decodeRing(bytes.subarray(0, length)));
    if (length >= 16) assert.ok("malformed" in decodeRing(sealed(bytes.subarray(0, length))));
  }
});

test("damage behind a right checksum is malformed or an ordinary ring", () => {
  const bytes = encodeRing(EXAMPLE);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(bytes.length - 5), fc.nat(255)), { maxLength: 4 }),
      (damages) => {
        const damaged = bytes.slice();
        for (const [at, byte] of damages) damaged[at] = byte;
        const result = decodeRing(sealed(damaged));
        // What is taken is what would be sent again.
        if ("ring" in result) assert.deepEqual(encodeRing(result.ring), sealed(damaged));
      },
    ),
    { numRuns: 2000 },
  );
});

test("a count beyond all bytes takes no memory", () => {
  const bytes = encodeRing(ringOf([instance("a", { tokens: Uint32Array.of(1) })]));
  new DataView(bytes.buffer).setUint32(bytes.length - 12, 0xffffffff, true);
  assert.deepEqual(decodeRing(sealed(bytes)), {
    malformed: { message: "4294967295 tokens are too many", offsetBytes: bytes.length - 8 },
  });
});

test("keys that are properties of every object are keys", () => {
  const versions = Object.fromEntries([["__proto__", "1"]]);
  const ring = decoded(encodeRing(ringOf([instance("a", { versions })])));
  assert.deepEqual(Object.entries(ring.get("a")?.versions ?? {}), [["__proto__", "1"]]);
});

test("parts are as large as a packet, and together the whole", () => {
  const instances = grow({ count: 30, tokenCount: 10 });
  const ring = ringOf(instances.toReversed());
  const parts = splitRing(ring, 500);
  const sizes = parts.map((part) => encodeRing(part).length);
  assert.ok(sizes.every((sizeBytes) => sizeBytes <= 500));
  // None is begun before the one before it is full.
  assert.ok(sizes.slice(0, -1).every((sizeBytes) => sizeBytes > 350));
  const together = parts.reduce((all, part) => merge(all, part).result);
  assert.deepEqual(encodeRing(together), encodeRing(ring));
});

test("an instance larger than a packet stands alone", () => {
  const [first, second, third] = grow({ count: 3 }) as [Instance, Instance, Instance];
  const ring = ringOf([first, withoutTokens(second), third]);
  const parts = splitRing(ring, 1400);
  assert.deepEqual(
    parts.map((part) => [...part.keys()]),
    [["i-000"], ["i-001"], ["i-002"]],
  );
  assert.deepEqual(splitRing(ringOf([]), 1400), []);
});
