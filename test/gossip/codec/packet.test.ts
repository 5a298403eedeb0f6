/** Packets and compounds: layers on, layers off. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes } from "../../../src/gossip/codec/byte-writer.ts";
import { makeCompounds, splitCompound } from "../../../src/gossip/codec/compound.ts";
import { compressMessage } from "../../../src/gossip/codec/compression.ts";
import { Keyring } from "../../../src/gossip/codec/keyring.ts";
import { encodeMessage } from "../../../src/gossip/codec/messages.ts";
import { decodePacket, encodePacket } from "../../../src/gossip/codec/packet.ts";
import {
  bytes,
  damage,
  decodesOrRefuses,
  message,
  newSecurity,
  refusal,
  security,
} from "./arbitrary.ts";

const messages = fc.array(message, { minLength: 1, maxLength: 8 });
const options = fc.record({ withCrc: fc.boolean(), compress: fc.boolean() });
const PLAIN = newSecurity();

function onlyPayload(parts: readonly Uint8Array[]): Uint8Array {
  const [payload, ...more] = makeCompounds(parts);
  assert.ok(payload !== undefined && more.length === 0);
  return payload;
}

test("messages survive the way through every combination of layers", () => {
  fc.assert(
    fc.property(messages, options, security, (said, how, agreed) => {
      const packet = encodePacket(onlyPayload(said.map(encodeMessage)), how, agreed);
      const { messages: heard, malformed } = decodePacket(packet, agreed);
      assert.deepEqual(heard, said);
      assert.deepEqual(malformed, []);
    }),
  );
});

test("a packet never grows by more than its sender reckons with", () => {
  fc.assert(
    fc.property(bytes(600), security, (payload, agreed) => {
      const packet = encodePacket(payload, { withCrc: true, compress: true }, agreed);
      assert.ok(packet.length <= payload.length + 5 + agreed.overheadBytes);
    }),
  );
});

test("damage gives other messages or a protocol error; under a key, just the latter", () => {
  fc.assert(
    fc.property(messages, options, security, damage, (said, how, agreed, spoil) => {
      const packet = encodePacket(onlyPayload(said.map(encodeMessage)), how, agreed);
      const spoilt = spoil(packet);
      const found = decodesOrRefuses(() => decodePacket(spoilt, agreed));
      // The version of the encryption, the first byte after the label, is all that nothing authenticates.
      const at = agreed.header.length;
      if (found === undefined || !agreed.hasKeys || spoilt[at] !== packet[at]) return;
      assert.deepEqual(spoilt, packet);
    }),
    { numRuns: 2000 },
  );
});

test("one changed bit under a checksum is found", () => {
  fc.assert(
    fc.property(messages, fc.boolean(), fc.nat(), (said, compress, at) => {
      const packet = encodePacket(
        onlyPayload(said.map(encodeMessage)),
        { withCrc: true, compress },
        PLAIN,
      );
      const place = 8 + (at % (8 * (packet.length - 1)));
      const index = Math.floor(place / 8);
      packet[index] = (packet[index] ?? 0) ^ (1 << (place % 8));
      assert.equal(
        refusal(() => decodePacket(packet, PLAIN)),
        "wrong-checksum",
      );
    }),
  );
});

test("garbage is refused or means something, with and without a key", () => {
  const keyed = newSecurity({ keyring: new Keyring(new Uint8Array(16)) });
  fc.assert(
    fc.property(bytes(200), fc.nat({ max: 13 }), (garbage, type) => {
      decodesOrRefuses(() => decodePacket(garbage, PLAIN));
      decodesOrRefuses(() => decodePacket(Uint8Array.of(type, ...garbage), PLAIN));
      assert.notEqual(
        refusal(() => decodePacket(garbage, keyed)),
        "none",
      );
    }),
    { numRuns: 3000 },
  );
});

test("a compound is split into what it was made of; one that was cut gives its whole messages", () => {
  const parts = fc.array(bytes(40), { minLength: 2, maxLength: 600 });
  fc.assert(
    fc.property(parts, (whole) => {
      for (const [index, payload] of makeCompounds(whole).entries()) {
        const group = whole.slice(255 * index, 255 * (index + 1));
        // One message alone stays as it is.
        if (group.length === 1) assert.deepEqual(payload, group[0]);
        else {
          assert.equal(payload[0], 7);
          assert.deepEqual(splitCompound(payload.subarray(1)), { parts: group, truncated: 0 });
        }
      }
      assert.equal(makeCompounds(whole).length, Math.ceil(whole.length / 255));
    }),
  );
  fc.assert(
    fc.property(fc.array(bytes(20), { minLength: 2, maxLength: 20 }), fc.nat(), (whole, cut) => {
      const payload = onlyPayload(whole);
      const header = 2 + 2 * whole.length;
      const size = header + (cut % (payload.length - header + 1));
      const { parts: found, truncated } = splitCompound(payload.subarray(1, size));
      assert.equal(found.length + truncated, whole.length);
      assert.deepEqual(found, whole.slice(0, found.length));
      assert.equal(
        refusal(() => splitCompound(payload.subarray(1, header - 1))),
        "incomplete",
      );
    }),
  );
});

test("one bad message of a compound costs only itself", () => {
  fc.assert(
    fc.property(messages, messages, (before, after) => {
      const parts = [...before, ...after].map(encodeMessage);
      parts.splice(before.length, 0, Uint8Array.of(99, 1, 2));
      const { messages: heard, malformed } = decodePacket(onlyPayload(parts), PLAIN);
      assert.deepEqual(heard, [...before, ...after]);
      assert.deepEqual(
        malformed.map(({ reason }) => reason),
        ["malformed"],
      );
    }),
  );
});

test("a packet that unfolds too far is refused: in size, in number, in depth", () => {
  const ping = encodeMessage({ type: "nack", sequence: 1 });
  const bomb = compressMessage(concatBytes(Uint8Array.of(8), new Uint8Array(2 << 20)));
  assert.ok(bomb.length < 65_536);
  assert.equal(
    refusal(() => decodePacket(bomb, PLAIN)),
    "too-large",
  );
  // Each part is small enough alone.
  const large = compressMessage(concatBytes(Uint8Array.of(8), new Uint8Array(600_000)));
  assert.equal(
    refusal(() => decodePacket(large, PLAIN)),
    "none",
  );
  assert.equal(
    refusal(() => decodePacket(onlyPayload([large, large]), PLAIN)),
    "too-large",
  );
  const many = onlyPayload(new Array<Uint8Array>(255).fill(ping));
  const tooMany = onlyPayload(new Array<Uint8Array>(5).fill(many));
  assert.equal(
    refusal(() => decodePacket(tooMany, PLAIN)),
    "too-large",
  );
  let deep = ping;
  for (let depth = 0; depth < 5; depth++) deep = compressMessage(deep);
  assert.equal(
    refusal(() => decodePacket(deep, PLAIN)),
    "too-large",
  );
});
