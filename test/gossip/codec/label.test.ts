import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkLabel, labelHeader, splitLabel } from "../../../src/gossip/codec/label.ts";
import { bytes, decodesOrRefuses, refusal } from "./arbitrary.ts";

const label = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
  .filter((text) => Buffer.byteLength(text) <= 255);

test("a label is taken off again, and what follows it stays as it is", () => {
  fc.assert(
    fc.property(label, bytes(50), (text, body) => {
      const found = splitLabel(Uint8Array.from([...labelHeader(text), ...body]));
      assert.deepEqual(found, { label: text, rest: body });
    }),
  );
});

test("without a label there is no header, and every first byte but 244 is the message's", () => {
  assert.equal(labelHeader("").length, 0);
  for (let first = 0; first < 256; first++) {
    if (first === 244) continue;
    const body = Uint8Array.of(first, 1);
    assert.deepEqual(splitLabel(body), { label: "", rest: body });
  }
});

test("what is no label is refused, cut off it is incomplete", () => {
  assert.throws(() => labelHeader("x".repeat(256)), RangeError);
  const whole = labelHeader("prod");
  for (let size = 0; size < whole.length; size++) {
    assert.equal(
      refusal(() => splitLabel(whole.subarray(0, size))),
      "incomplete",
    );
  }
  assert.equal(
    refusal(() => splitLabel(Uint8Array.of(244, 0, 1))),
    "malformed",
  );
  assert.equal(
    refusal(() => splitLabel(Uint8Array.of(244, 1, 0xff))),
    "malformed",
  );
  fc.assert(fc.property(bytes(10), (rest) => void decodesOrRefuses(() => splitLabel(rest))));
});

test("whose label is taken", () => {
  const rule = { label: "prod", acceptUnlabelled: false };
  const verdict = (found: string, acceptUnlabelled: boolean, own = "prod"): string =>
    refusal(() => checkLabel(found, { ...rule, label: own, acceptUnlabelled }));
  assert.equal(verdict("prod", false), "none");
  assert.equal(verdict("", false), "wrong-label");
  assert.equal(verdict("", true), "none");
  assert.equal(verdict("prod ", true), "wrong-label");
  assert.equal(verdict("prod", false, ""), "wrong-label");
  assert.equal(verdict("", false, ""), "none");
});
