import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { hostFromBytes, tryHostToBytes } from "../../../src/gossip/codec/ip-address.ts";
import { refusal } from "./arbitrary.ts";

const ipv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
/** Zeros are where the short form of IPv6 is decided. */
const ipv6 = fc
  .array(fc.oneof(fc.constant(0), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])));

test("bytes → text → bytes, and the text is the one that the URL parser makes", () => {
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), (bytes) => {
      const text = hostFromBytes(bytes);
      assert.notEqual(isIP(text), 0, text);
      const isMapped = bytes.length === 16 && isIP(text) === 4;
      assert.deepEqual(tryHostToBytes(text), isMapped ? bytes.subarray(12) : bytes);
      const { hostname } = new URL(`http://${isIP(text) === 6 ? `[${text}]` : text}/`);
      assert.equal(hostname.replace(/^\[|\]$/g, ""), text);
    }),
    { numRuns: 1000 },
  );
});

test("a long form of an address is the same address", () => {
  fc.assert(
    fc.property(ipv6, (bytes) => {
      const groups = Array.from({ length: 8 }, (_, index) =>
        Buffer.from(bytes)
          .readUInt16BE(2 * index)
          .toString(16)
          .padStart(4, "0")
          .toUpperCase(),
      );
      const found = tryHostToBytes(groups.join(":"));
      assert.ok(found !== undefined);
      assert.equal(hostFromBytes(found), hostFromBytes(bytes));
    }),
  );
  assert.deepEqual(tryHostToBytes("::ffff:1.2.3.4"), Uint8Array.of(1, 2, 3, 4));
  assert.equal(tryHostToBytes("64:ff9b::1.2.3.4")?.length, 16);
});

test("what Node does not take for an address we do not either", () => {
  const nearly = fc
    .array(fc.constantFrom("0", "1", "25", "256", "f", "::", ":", ".", "ffff", "g", " ", "%lo"), {
      maxLength: 12,
    })
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(nearly, (text) => {
      // Node takes a zone, which means nothing on another machine; we take zeros in front, as the inet functions of old do.
      if (text.includes("%") || /(^|\.)0\d/.test(text)) return;
      assert.equal(tryHostToBytes(text) !== undefined, isIP(text) !== 0, text);
    }),
    { numRuns: 5000 },
  );
  assert.equal(tryHostToBytes("fe80::1%eth0"), undefined);
});

test("no bytes are no address, other lengths are a protocol error", () => {
  assert.equal(hostFromBytes(new Uint8Array()), "");
  for (const length of [1, 3, 5, 15, 17]) {
    assert.equal(
      refusal(() => hostFromBytes(new Uint8Array(length))),
      "malformed",
    );
  }
});
