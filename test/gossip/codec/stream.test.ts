import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../../../src/gossip/codec/byte-writer.ts";
import { compressMessage } from "../../../src/gossip/codec/compression.ts";
import { Keyring } from "../../../src/gossip/codec/keyring.ts";
import type { Security } from "../../../src/gossip/codec/security.ts";
import {
  encodeStreamMessage,
  StreamDecoder,
  type StreamMessage,
} from "../../../src/gossip/codec/stream.ts";
import {
  bytes,
  damage,
  decodesOrRefuses,
  newSecurity,
  refusal,
  security,
  streamMessage,
} from "./arbitrary.ts";

const PLAIN = newSecurity();
const KEYED = newSecurity({ keyring: new Keyring(new Uint8Array(16)) });

function opening(said: StreamMessage, compress: boolean, agreed: Security): Uint8Array {
  return concatBytes(agreed.header, encodeStreamMessage(said, { compress }, agreed));
}

/** In pieces of these sizes, over and over. The message, and after how many bytes it was there. */
function read(
  whole: Uint8Array,
  agreed: Security,
  sizes: readonly number[] = [whole.length],
): { message: StreamMessage; usedBytes: number } | undefined {
  const decoder = new StreamDecoder(agreed, { expectsLabel: true });
  for (let at = 0, turn = 0; at < whole.length; turn++) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? 1);
    const found = decoder.push(whole.subarray(at, at + size).slice());
    at += size;
    if (found !== undefined) return { message: found, usedBytes: Math.min(at, whole.length) };
  }
  return undefined;
}

const sizes = fc.array(fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 500 })), {
  minLength: 1,
  maxLength: 5,
});

test("a message survives the way, in pieces of any size, and is there with its last byte", () => {
  fc.assert(
    fc.property(streamMessage, fc.boolean(), security, sizes, (said, compress, agreed, pieces) => {
      const whole = opening(said, compress, agreed);
      assert.deepEqual(read(whole, agreed, pieces), {
        message: said,
        usedBytes: usedBy(whole, pieces),
      });
      // Not before.
      assert.equal(read(whole.subarray(0, -1), agreed, pieces), undefined);
    }),
  );
});

function usedBy(whole: Uint8Array, pieces: readonly number[]): number {
  let at = 0;
  for (let turn = 0; at < whole.length; turn++)
    at += Math.max(1, pieces[turn % pieces.length] ?? 1);
  return Math.min(at, whole.length);
}

test("an answer has no label, but it is authenticated by it", () => {
  fc.assert(
    fc.property(streamMessage, fc.boolean(), security, (said, compress, agreed) => {
      const answer = encodeStreamMessage(said, { compress }, agreed);
      const decoder = new StreamDecoder(agreed, { expectsLabel: false });
      assert.deepEqual(decoder.push(answer), said);
    }),
  );
});

test("what follows a message does not matter", () => {
  fc.assert(
    fc.property(streamMessage, bytes(30), (said, more) => {
      const whole = opening(said, false, KEYED);
      assert.deepEqual(read(Uint8Array.from([...whole, ...more]), KEYED)?.message, said);
    }),
  );
});

test("damage gives another message, waiting, or a protocol error", () => {
  fc.assert(
    fc.property(
      streamMessage,
      fc.boolean(),
      security,
      damage,
      sizes,
      (said, compress, agreed, spoil, pieces) => {
        decodesOrRefuses(() => read(spoil(opening(said, compress, agreed)), agreed, pieces));
      },
    ),
    { numRuns: 2000 },
  );
});

test("garbage gives a message, waiting, or a protocol error; with a key, never a message", () => {
  fc.assert(
    fc.property(bytes(200), fc.constantFrom(0, 2, 6, 8, 9, 10, 13, 244), (garbage, type) => {
      const typed = Uint8Array.of(type, ...garbage);
      decodesOrRefuses(() => read(garbage, PLAIN));
      decodesOrRefuses(() => read(typed, PLAIN));
      assert.equal(
        decodesOrRefuses(() => read(typed, KEYED)),
        undefined,
      );
    }),
    { numRuns: 3000 },
  );
});

test("lengths beyond their limits are refused before their bytes come", () => {
  const struct = (type: number, field: string): Uint8Array =>
    Uint8Array.of(
      type,
      0x81,
      0xa0 | field.length,
      ...Buffer.from(field),
      0xce,
      0x7f,
      0xff,
      0xff,
      0xff,
    );
  assert.equal(
    refusal(() => read(struct(8, "UserMsgLen"), PLAIN)),
    "malformed",
  );
  assert.equal(
    refusal(() => read(struct(6, "UserStateLen"), PLAIN)),
    "malformed",
  );
  assert.equal(
    refusal(() => read(struct(6, "Nodes"), PLAIN)),
    "malformed",
  );
  const sealed = Uint8Array.of(10, 0x7f, 0xff, 0xff, 0xff);
  assert.equal(
    refusal(() => read(sealed, KEYED)),
    "too-large",
  );
  assert.equal(
    refusal(() => read(sealed, PLAIN)),
    "wrong-key",
  );
});

test("who sends without end is cut off: garbage that stays incomplete, and a compressed body without end", () => {
  const piece = new Uint8Array(60_000);
  const bytesUntilRefused = (start: Uint8Array, agreed: Security): number => {
    const decoder = new StreamDecoder(agreed, { expectsLabel: true });
    let sent = start.length;
    const push = (more: Uint8Array): string => refusal(() => decoder.push(more));
    if (push(start) !== "none") return sent;
    for (; sent < 100 << 20; sent += piece.length) if (push(piece) !== "none") return sent;
    return sent;
  };
  // A struct whose first field is a text that never ends.
  const endless = (type: number): Uint8Array => Uint8Array.of(type, 0x81, 0xdb, 0x7f, 0, 0, 0);
  for (const type of [0, 2, 6, 13]) {
    assert.ok(bytesUntilRefused(endless(type), PLAIN) < 200_000, `type ${type}`);
  }
  for (const type of [8, 9]) {
    assert.ok(bytesUntilRefused(endless(type), PLAIN) < 22 << 20, `type ${type}`);
  }
});

test("a bomb is refused: what unfolds to more than a push/pull may have", () => {
  const plain = new Uint8Array(41 << 20);
  plain[0] = 8;
  const bomb = compressMessage(plain);
  assert.ok(bomb.length < 200_000);
  assert.equal(
    refusal(() => read(bomb, PLAIN)),
    "too-large",
  );
});

test("a plain stream where a key is required, a key where there is none, another label: refused", () => {
  const said: StreamMessage = { type: "user", payload: Uint8Array.of(1) };
  const labelled = newSecurity({ label: "prod" });
  assert.equal(
    refusal(() => read(opening(said, false, PLAIN), KEYED)),
    "wrong-key",
  );
  assert.equal(
    refusal(() => read(opening(said, true, PLAIN), KEYED)),
    "wrong-key",
  );
  assert.equal(
    refusal(() => read(opening(said, false, KEYED), PLAIN)),
    "wrong-key",
  );
  assert.equal(
    refusal(() => read(opening(said, false, PLAIN), labelled)),
    "wrong-label",
  );
  assert.equal(
    refusal(() => read(opening(said, false, labelled), PLAIN)),
    "wrong-label",
  );
  const unlabelledToo = newSecurity({ label: "prod", acceptUnlabelled: true });
  assert.deepEqual(read(opening(said, false, PLAIN), unlabelledToo)?.message, said);
});
