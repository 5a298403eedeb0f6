import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "../../src/gossip/codec/protocol-error.ts";
import { type RingDescriptor, ringOf, tombstone } from "../../src/ring/descriptor.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { anyInstance, grow, instance, NOW_MS } from "./fixture.ts";

const anyRing = fc.array(anyInstance, { maxLength: 4 }).map(ringOf);
/** From smaller than any instance to larger than any ring. */
const anySizeMax = fc.integer({ min: 1, max: 400 });

function join(...rings: readonly RingDescriptor[]): RingDescriptor {
  return rings.reduce((all, ring) => RING_VALUE.merge(all, ring).result, RING_VALUE.empty);
}

function same(left: RingDescriptor, right: RingDescriptor): void {
  assert.deepEqual(RING_VALUE.encode(left), RING_VALUE.encode(right));
}

/** As it arrives elsewhere. */
function sent(ring: RingDescriptor, sizeBytesMax: number): RingDescriptor[] {
  return RING_VALUE.split(ring, sizeBytesMax).map((piece) =>
    RING_VALUE.decode(RING_VALUE.encode(piece)),
  );
}

test("what changed arrives in pieces, in any order and twice, and has the effect of the whole", () => {
  fc.assert(
    fc.property(
      fc.tuple(anyRing, anyRing, anyRing, anySizeMax).chain(([mine, incoming, others, max]) => {
        const pieces = sent(RING_VALUE.merge(mine, incoming).change, max);
        const length = 2 * pieces.length;
        const heard = fc.shuffledSubarray([...pieces, ...pieces], {
          minLength: length,
          maxLength: length,
        });
        return fc.tuple(fc.constant({ mine, incoming, others }), heard);
      }),
      ([{ mine, incoming, others }, heard]) =>
        same(join(others, mine, ...heard), join(others, mine, incoming)),
    ),
  );
});

test("the merged ring is the same object only if nothing is new", () => {
  fc.assert(
    fc.property(anyRing, anyRing, anySizeMax, (mine, incoming, max) => {
      const { result, change } = RING_VALUE.merge(mine, incoming);
      assert.equal(result === mine, RING_VALUE.isEmpty(change));
      for (const piece of sent(incoming, max)) {
        assert.equal(RING_VALUE.merge(result, piece).result, result);
      }
    }),
  );
});

test("pieces fit, or hold a single instance", () => {
  fc.assert(
    fc.property(anyRing, anySizeMax, (ring, max) => {
      const pieces = RING_VALUE.split(ring, max);
      assert.equal(
        pieces.reduce((sum, { size }) => sum + size, 0),
        ring.size,
      );
      for (const piece of pieces) {
        assert.ok(piece.size === 1 || RING_VALUE.encode(piece).length <= max);
      }
    }),
  );
});

test("a heartbeat speaks of the head, what came with tokens of both", () => {
  const before = ringOf(grow({ count: 2, tokenCount: 4 }));
  const first = before.get("i-000") ?? instance("i-000");
  const beat = ringOf([{ ...first, heartbeatMs: NOW_MS + 5000 }]);
  assert.deepEqual(RING_VALUE.subjects(RING_VALUE.merge(before, beat).change), ["i-000/head"]);
  const moved = ringOf([
    { ...first, tokens: Uint32Array.of(9), tokensUpdatedAtMs: NOW_MS + 5000 },
    instance("i-002", { tokensUpdatedAtMs: 0 }),
  ]);
  assert.deepEqual(RING_VALUE.subjects(RING_VALUE.merge(before, moved).change), [
    "i-000/head",
    "i-000/tokens",
    "i-002/head",
  ]);
});

test("a later change makes one superfluous that speaks of no more: the store drops that", () => {
  fc.assert(
    fc.property(anyRing, anyRing, anyRing, anyRing, (mine, earlier, later, others) => {
      const first = RING_VALUE.merge(mine, earlier);
      const second = RING_VALUE.merge(first.result, later);
      const subjects = new Set(RING_VALUE.subjects(second.change));
      fc.pre(RING_VALUE.subjects(first.change).every((subject) => subjects.has(subject)));
      same(join(others, mine, second.change), join(others, mine, first.change, second.change));
    }),
    { numRuns: 1000 },
  );
});

test("tombstones are counted, and go when they are old", () => {
  const gone = tombstone(instance("a"), NOW_MS);
  const ring = ringOf([gone, tombstone(instance("b"), NOW_MS + 60_000), instance("c")]);
  assert.equal(RING_VALUE.tombstoneCount(ring), 2);
  const kept = RING_VALUE.withoutOldTombstones(ring, gone.heartbeatMs + 1);
  assert.equal(RING_VALUE.tombstoneCount(kept), 1);
  assert.deepEqual([...kept.keys()], ["b", "c"]);
});

test("bytes that are no ring are refused, and it is said where", () => {
  const bytes = RING_VALUE.encode(ringOf([instance("a")]));
  assert.throws(
    () => RING_VALUE.decode(bytes.subarray(1)),
    new ProtocolError("malformed", "a ring at byte 0: not a ring"),
  );
  bytes[20] = (bytes[20] ?? 0) ^ 1;
  assert.throws(() => RING_VALUE.decode(bytes), /a ring at byte 8: wrong checksum/);
});
