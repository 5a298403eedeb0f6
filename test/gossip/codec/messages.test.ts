import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "../../../src/gossip/codec/byte-reader.ts";
import { ByteWriter } from "../../../src/gossip/codec/byte-writer.ts";
import { decodeMessage, encodeMessage, type Message } from "../../../src/gossip/codec/messages.ts";
import { readNodeState, writeNodeState } from "../../../src/gossip/codec/node-state.ts";
import { damage, decodesOrRefuses, message, refusal, streamMessage } from "./arbitrary.ts";

function decoded(bytes: Uint8Array): Message {
  return decodeMessage(bytes[0] ?? 255, bytes.subarray(1));
}

test("every message survives the way", () => {
  fc.assert(fc.property(message, (said) => assert.deepEqual(decoded(encodeMessage(said)), said)));
});

test("every prefix of a message is incomplete, except of a user message, which has no end", () => {
  fc.assert(
    fc.property(message, (said) => {
      if (said.type === "user") return;
      const whole = encodeMessage(said);
      for (let size = 1; size < whole.length; size++) {
        assert.equal(
          refusal(() => decoded(whole.subarray(0, size))),
          "incomplete",
        );
      }
    }),
    { numRuns: 30 },
  );
});

test("a damaged message is another one or a protocol error", () => {
  fc.assert(
    fc.property(message, damage, (said, spoil) => {
      decodesOrRefuses(() => decoded(spoil(encodeMessage(said))));
    }),
    { numRuns: 2000 },
  );
});

test("what a message keeps is its own: the packet's buffer may be reused", () => {
  fc.assert(
    fc.property(message, (said) => {
      // Buffers too, as sockets give them: their `slice` does not copy.
      for (const bytes of [encodeMessage(said).slice(), Buffer.from(encodeMessage(said))]) {
        const heard = decodeMessage(bytes[0] ?? 255, new ByteReader(bytes, 1).rest());
        bytes.fill(0xee);
        assert.deepEqual(heard, said);
      }
    }),
  );
});

test("types that do not belong into a packet are refused", () => {
  for (let type = 0; type < 256; type++) {
    if ([0, 1, 2, 3, 4, 5, 8, 11].includes(type)) continue;
    assert.equal(
      refusal(() => decodeMessage(type, Uint8Array.of(0x80))),
      "malformed",
      String(type),
    );
  }
});

test("node states survive the way; a status that nobody knows is refused", () => {
  fc.assert(
    fc.property(streamMessage, (said) => {
      if (said.type !== "push-pull") return;
      for (const node of said.nodes) {
        const writer = new ByteWriter();
        writeNodeState(writer, node);
        const reader = new ByteReader(writer.finish());
        assert.deepEqual(readNodeState(reader), node);
        assert.equal(reader.left, 0);
      }
    }),
  );
  const unknown = Uint8Array.of(0x81, 0xa5, ...Buffer.from("State"), 4);
  assert.equal(
    refusal(() => readNodeState(new ByteReader(unknown))),
    "malformed",
  );
});
