import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { must } from "../../src/base/assert.ts";
import { encodeRing } from "../../src/ring/codec.ts";
import {
  EMPTY_RING,
  merge,
  type RingDescriptor,
  ringOf,
  tombstone,
  withoutOldTombstones,
  withoutTokens,
} from "../../src/ring/descriptor.ts";
import { isMember } from "../../src/ring/instance.ts";
import { anyInstance, instance, NOW_MS } from "./fixture.ts";

const anyRing = fc.array(anyInstance, { maxLength: 4 }).map(ringOf);

function same(left: RingDescriptor, right: RingDescriptor): void {
  assert.deepEqual(encodeRing(left), encodeRing(right));
}

function join(...rings: readonly RingDescriptor[]): RingDescriptor {
  return rings.reduce((all, ring) => merge(all, ring).result, EMPTY_RING);
}

test("merging is commutative", () => {
  fc.assert(fc.property(anyRing, anyRing, (a, b) => same(join(a, b), join(b, a))));
});

test("merging is associative", () => {
  fc.assert(
    fc.property(anyRing, anyRing, anyRing, (a, b, c) =>
      same(join(join(a, b), c), join(a, join(b, c))),
    ),
  );
});

test("merging is idempotent, and says that nothing changed", () => {
  fc.assert(
    fc.property(anyRing, anyRing, (a, b) => {
      const all = join(a, b);
      for (const part of [a, b, all]) {
        const again = merge(all, part);
        assert.equal(again.result, all);
        assert.equal(again.change.size, 0);
      }
    }),
  );
});

test("the change has the effect of the whole, there and elsewhere", () => {
  fc.assert(
    fc.property(anyRing, anyRing, anyRing, (mine, incoming, others) => {
      const { result, change } = merge(mine, incoming);
      same(join(mine, change), result);
      same(join(others, mine, change), join(others, mine, incoming));
    }),
  );
});

test("members that hear the same in any order, in any parts, however often, agree", () => {
  fc.assert(
    fc.property(
      fc.array(anyInstance, { minLength: 1, maxLength: 8 }).chain((said) =>
        fc.tuple(
          fc.constant(said),
          fc.shuffledSubarray([...said, ...said], {
            minLength: 2 * said.length,
            maxLength: 2 * said.length,
          }),
        ),
      ),
      ([said, heard]) => same(ringOf(said), ringOf(heard)),
    ),
  );
});

test("a heartbeat travels without tokens and leaves them as they are", () => {
  const tokens = Uint32Array.of(1, 2, 3);
  const mine = ringOf([instance("a", { tokens })]);
  const beat = withoutTokens(instance("a", { tokens, heartbeatMs: NOW_MS + 5000 }));
  const { result, change } = merge(mine, ringOf([beat]));
  assert.equal(result.get("a")?.heartbeatMs, NOW_MS + 5000);
  assert.equal(result.get("a")?.tokens, tokens);
  assert.equal(change.get("a")?.tokens.length, 0);
});

test("a forgotten instance stays away, whatever is still heard of before", () => {
  fc.assert(
    fc.property(
      fc.array(anyInstance, { maxLength: 6 }),
      anyInstance,
      fc.nat(5),
      (old, one, nowMs) => {
        const ring = ringOf([...old, one]);
        const gone = tombstone(must(ring.get(one.id), "it is in the ring"), nowMs);
        const after = join(ring, ringOf([gone]), ringOf(old), ring);
        assert.equal(after.get(one.id)?.state, "LEFT");
        const members = [...after.values()].filter(isMember);
        assert.ok(
          members.every(({ id }) => id !== one.id),
          "and nobody counts its tokens",
        );
      },
    ),
  );
});

test("an instance that lives after all comes back with its next heartbeat", () => {
  const ring = ringOf([tombstone(instance("a"), NOW_MS)]);
  const back = instance("a", { heartbeatMs: NOW_MS + 5000, tokens: Uint32Array.of(7) });
  assert.equal(merge(ring, ringOf([back])).result.get("a")?.state, "ACTIVE");
});

test("the later state wins at the same time", () => {
  const ring = ringOf([instance("a", { state: "LEAVING" }), instance("a", { state: "ACTIVE" })]);
  assert.equal(ring.get("a")?.state, "LEAVING");
});

test("old tombstones go, and nothing else", () => {
  const gone = tombstone(instance("a"), NOW_MS);
  const ring = ringOf([gone, instance("b", { heartbeatMs: 1 })]);
  assert.equal(withoutOldTombstones(ring, gone.heartbeatMs), ring);
  assert.deepEqual([...withoutOldTombstones(ring, gone.heartbeatMs + 1).keys()], ["b"]);
});
