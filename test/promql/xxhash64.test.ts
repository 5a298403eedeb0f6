import assert from "node:assert/strict";
import test from "node:test";
import { labelsHash, xxhash64 } from "../../src/promql/xxhash64.ts";

test("published vectors", () => {
  const check = (text: string, wanted: bigint) =>
    assert.equal(xxhash64(Buffer.from(text)), wanted, text);
  check("", 0xef46db3751d8e999n);
  check("a", 0xd24ec4f1a98c6e5bn);
  check("abc", 0x44bc2cf5ad770999n);
  check("Nobody inspects the spammish repetition", 0xfbcea83c8a378bf1n);
});

test("a label set is hashed with lengths before its texts", () => {
  assert.equal(labelsHash([]), xxhash64(new Uint8Array(0)));
  assert.equal(
    labelsHash([{ name: "a", value: "é" }]),
    xxhash64(Buffer.from([1, 0x61, 2, 0xc3, 0xa9])),
  );
  const long = "x".repeat(300);
  assert.equal(
    labelsHash([{ name: "a", value: long }]),
    xxhash64(Buffer.concat([Buffer.from([1, 0x61, 255, 44, 1, 0]), Buffer.from(long)])),
  );
});
