import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Keyring } from "../../../src/gossip/codec/keyring.ts";
import { decodePacket, encodePacket } from "../../../src/gossip/codec/packet.ts";
import type { Security } from "../../../src/gossip/codec/security.ts";
import { newSecurity, refusal } from "./arbitrary.ts";

const OLD = new Uint8Array(16).fill(1);
const NEW = new Uint8Array(32).fill(2);

function say(from: Security): Uint8Array {
  return encodePacket(Uint8Array.of(8, 104, 105), { withCrc: true, compress: false }, from);
}

function understands(to: Security, packet: Uint8Array): boolean {
  return refusal(() => decodePacket(packet, to)) === "none";
}

test("a key is rotated without a gap: at each step of any order, everybody understands everybody", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 }), { minLength: 12, maxLength: 12 }), (order) => {
      const rings = [0, 1, 2, 3].map(() => new Keyring(OLD));
      const nodes = rings.map((keyring) => newSecurity({ keyring }));
      const everybody = (): void => {
        for (const from of nodes) {
          const packet = say(from);
          assert.ok(nodes.every((to) => understands(to, packet)));
        }
      };
      const steps = [
        (ring: Keyring) => ring.add(NEW),
        (ring: Keyring) => ring.use(NEW),
        (ring: Keyring) => ring.remove(OLD),
      ];
      for (const step of steps) {
        // In the order that chance gives; then those that are left.
        for (const index of new Set([...order, 0, 1, 2, 3])) {
          step(rings[index] as Keyring);
          everybody();
        }
      }
      assert.deepEqual(
        rings.map(({ keys }) => keys),
        rings.map(() => [NEW]),
      );
    }),
    { numRuns: 20 },
  );
});

test("a key that was removed opens nothing", () => {
  const stale = say(newSecurity({ keyring: new Keyring(OLD) }));
  const keyring = new Keyring(NEW, [OLD]);
  const node = newSecurity({ keyring });
  assert.ok(understands(node, stale));
  keyring.remove(OLD);
  assert.equal(
    refusal(() => decodePacket(stale, node)),
    "wrong-key",
  );
});

test("mistakes: use before add, removal of the primary, sizes that are no AES key", () => {
  const ring = new Keyring(OLD);
  assert.throws(() => ring.use(NEW), RangeError);
  assert.throws(() => ring.remove(OLD), RangeError);
  for (const length of [0, 15, 17, 31, 33]) {
    assert.throws(() => new Keyring(new Uint8Array(length)), RangeError);
    assert.throws(() => ring.add(new Uint8Array(length)), RangeError);
  }
  ring.add(OLD);
  ring.remove(NEW);
  assert.deepEqual(ring.keys, [OLD]);
});

test("the ring keeps copies: a key that is wiped outside still works", () => {
  const key = OLD.slice();
  const ring = new Keyring(key);
  key.fill(0);
  assert.deepEqual(ring.primary, OLD);
});
