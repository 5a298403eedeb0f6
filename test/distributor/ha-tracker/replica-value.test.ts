import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type ElectedReplica,
  elect,
  isRemoved,
  REPLICA_VALUE,
  received,
  removed,
} from "../../../src/distributor/ha-tracker/replica-value.ts";
import { ProtocolError } from "../../../src/gossip/codec/protocol-error.ts";

type Value = ElectedReplica | undefined;

/** Few values, so that equal ones and ties come up. */
const anyReplica: fc.Arbitrary<ElectedReplica> = fc.record({
  replica: fc.constantFrom("a", "b", "c"),
  receivedAtMs: fc.nat(4),
  electedAtMs: fc.nat(4),
  electedChanges: fc.nat(2),
  deletedAtMs: fc.nat(2),
});
const anyValue: fc.Arbitrary<Value> = fc.option(anyReplica, { nil: undefined });

function join(...values: readonly Value[]): Value {
  return values.reduce((all, value) => REPLICA_VALUE.merge(all, value).result, undefined);
}

test("merging is commutative, associative and idempotent", () => {
  fc.assert(
    fc.property(anyValue, anyValue, anyValue, (a, b, c) => {
      assert.deepEqual(join(a, b), join(b, a));
      assert.deepEqual(join(join(a, b), c), join(a, join(b, c)));
      const all = join(a, b, c);
      for (const part of [a, b, c, all]) {
        const { result, change } = REPLICA_VALUE.merge(all, part);
        assert.equal(result, all);
        assert.equal(change, undefined);
      }
    }),
  );
});

test("the change has the effect of the whole", () => {
  fc.assert(
    fc.property(anyValue, anyValue, anyValue, (mine, incoming, others) => {
      const { result, change } = REPLICA_VALUE.merge(mine, incoming);
      assert.deepEqual(join(mine, change), result);
      assert.deepEqual(join(others, mine, change), join(others, mine, incoming));
    }),
  );
});

test("the same election: the one received later; others: the one elected later, or received later, or the greater name", () => {
  const base: ElectedReplica = {
    replica: "a",
    receivedAtMs: 10,
    electedAtMs: 5,
    electedChanges: 0,
    deletedAtMs: 0,
  };
  const wins = (winner: Partial<ElectedReplica>, loser: Partial<ElectedReplica>): void => {
    const [left, right] = [
      { ...base, ...winner },
      { ...base, ...loser },
    ];
    assert.deepEqual(join(left, right), left);
    assert.deepEqual(join(right, left), left);
  };
  wins({ receivedAtMs: 11 }, {});
  wins({ replica: "b", electedAtMs: 6, receivedAtMs: 1 }, {});
  wins({ replica: "b", receivedAtMs: 11 }, {});
  wins({ replica: "b" }, {});
  wins({ deletedAtMs: 20 }, {});
  wins({ receivedAtMs: 11 }, { deletedAtMs: 20 });
});

test("what a distributor writes is later than what it knows, whatever its clock says", () => {
  fc.assert(
    fc.property(anyReplica, fc.constantFrom("a", "b"), fc.nat(9), (known, replica, nowMs) => {
      const elected = elect(known, replica, nowMs);
      assert.deepEqual(join(known, elected), elected);
      assert.equal(isRemoved(elected), false);
      assert.equal(
        elected.electedChanges - known.electedChanges,
        replica === known.replica ? 0 : 1,
      );
      const again = received(known, nowMs);
      assert.deepEqual(join(known, again), again);
      const gone = removed({ ...known, deletedAtMs: 0 }, nowMs);
      assert.deepEqual(join({ ...known, deletedAtMs: 0 }, gone), gone);
      assert.equal(isRemoved(gone), true);
      assert.equal(join(gone, received(gone, nowMs))?.deletedAtMs, 0);
    }),
  );
});

test("old tombstones go, and nothing else", () => {
  const live = elect(undefined, "a", 100);
  const gone = removed(live, 200);
  assert.equal(REPLICA_VALUE.withoutOldTombstones(live, 1_000), live);
  assert.equal(REPLICA_VALUE.withoutOldTombstones(gone, 200), gone);
  assert.equal(REPLICA_VALUE.withoutOldTombstones(gone, 201), undefined);
  assert.equal(REPLICA_VALUE.tombstoneCount(live), 0);
  assert.equal(REPLICA_VALUE.tombstoneCount(gone), 1);
});

/** The bytes of docs/formats/ha-replica.md. */
const GOLDEN = `
4d484152 01
b0ba97ffbc31 80d095ffbc31 00 03
0c 70726f6d6574686575732d31
76c9c80e
`.replaceAll(/\s/g, "");

test("golden bytes", () => {
  const value: ElectedReplica = {
    replica: "prometheus-1",
    receivedAtMs: 1_700_000_030_000,
    electedAtMs: 1_700_000_000_000,
    electedChanges: 3,
    deletedAtMs: 0,
  };
  const bytes = REPLICA_VALUE.encode(value);
  assert.equal(Buffer.from(bytes).toString("hex"), GOLDEN);
  assert.deepEqual(REPLICA_VALUE.decode(bytes), value);
});

test("all values come back as they went", () => {
  const time = fc.integer({ min: 0, max: 2 ** 52 });
  const value = fc.record(
    {
      replica: fc.string({ unit: "grapheme", maxLength: 20 }),
      receivedAtMs: time,
      electedAtMs: time,
      electedChanges: time,
      deletedAtMs: time,
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(value, (one) => {
      assert.deepEqual(REPLICA_VALUE.decode(REPLICA_VALUE.encode(one)), one);
    }),
  );
});

test("any other bytes are refused with an error of the protocol", () => {
  const good = REPLICA_VALUE.encode(elect(undefined, "prometheus-1", 1_700_000_000_000));
  const refused = (bytes: Uint8Array): void => {
    assert.throws(() => REPLICA_VALUE.decode(bytes), ProtocolError);
  };
  for (let length = 0; length < good.length; length++) refused(good.subarray(0, length));
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      refused(good.map((byte, index) => (index === at ? byte ^ flip : byte)));
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), refused));
  const version = Uint8Array.from(good);
  version[4] = 2;
  assert.throws(() => REPLICA_VALUE.decode(version), /version 2 .* is not known/);
});
