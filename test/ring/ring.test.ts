import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { merge, ringOf, tombstone, withoutTokens } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { Ring, type RingOptions } from "../../src/ring/ring.ts";
import type { RingView } from "../../src/ring/ring-view.ts";
import { anyInstance, grow, ids, instance, NOW_MS } from "./fixture.ts";

const OPTIONS: RingOptions = {
  replicationFactor: 3,
  zoneAware: false,
  heartbeatTimeoutMs: 60_000,
  shardsMax: 10,
};
const HOUR_MS = 3_600_000;
const FIVE = grow({ count: 5, tokenCount: 8 });

function ringWith(instances: readonly Instance[]): Ring {
  const ring = new Ring(OPTIONS);
  ring.update(ringOf(instances), NOW_MS);
  return ring;
}

/** Merged as it would be if it came from another. */
function tell(ring: Ring, change: Instance, nowMs = NOW_MS): void {
  ring.update(merge(ring.descriptor, ringOf([change])).result, nowMs);
}

function beatAll(ring: Ring, nowMs: number): void {
  const beats = [...ring.descriptor.values()].map((one) =>
    withoutTokens({ ...one, heartbeatMs: nowMs }),
  );
  ring.update(merge(ring.descriptor, ringOf(beats)).result, nowMs);
}

/** What is said of the members, without what may be old in a view. (Whether they live depends on when it was heard.) */
function lasting({ members }: RingView): Instance[] {
  return members.map((member) => ({ ...member.instance, heartbeatMs: 0, versions: {} }));
}

test("heartbeats alone leave the view and its version as they are", () => {
  const ring = ringWith(FIVE);
  const { view, version } = ring;
  for (let i = 1; i <= 30; i++) beatAll(ring, NOW_MS + 5000 * i);
  assert.equal(ring.view, view);
  assert.equal(ring.version, version);
  assert.equal(ring.descriptor.get("i-003")?.heartbeatMs, NOW_MS + 150_000);
});

const CHANGES: readonly [string, Partial<Instance>][] = [
  ["state", { state: "LEAVING" }],
  ["read-only", { readOnly: true, readOnlyUpdatedAtMs: NOW_MS }],
  ["serving", { serving: false }],
  ["address", { address: "elsewhere:9095" }],
  ["data", { hasData: false }],
  ["registration", { registeredAtMs: NOW_MS }],
];
for (const [what, change] of CHANGES) {
  test(`a change of ${what} makes another view of the same tokens`, () => {
    const ring = ringWith(FIVE);
    const { view, version } = ring;
    tell(ring, withoutTokens(instance("i-002", { ...change, heartbeatMs: NOW_MS + 1 })));
    assert.notEqual(ring.view, view);
    assert.equal(ring.view.table, view.table);
    assert.equal(ring.version, version + 1);
  });
}

test("health changes with time alone, both ways, and keeps the tokens", () => {
  const ring = ringWith(FIVE);
  const { view } = ring;
  assert.equal(ring.refresh(NOW_MS + 60_000), view);
  const later = ring.refresh(NOW_MS + 60_001);
  assert.deepEqual(
    later.members.map(({ isAlive }) => isAlive),
    [false, false, false, false, false],
  );
  assert.equal(later.table, view.table);
  beatAll(ring, NOW_MS + 70_000);
  assert.ok(ring.view.members.every(({ isAlive }) => isAlive));
  assert.equal(ring.version, 3);
});

test("who comes, goes or takes other tokens makes another table", () => {
  const ring = ringWith(FIVE);
  for (const change of [
    instance("new", { tokens: Uint32Array.of(1, 2, 3) }),
    instance("new", { tokens: Uint32Array.of(1, 2, 4), tokensUpdatedAtMs: NOW_MS }),
    tombstone(instance("new"), NOW_MS + 1),
  ]) {
    const { table } = ring.view;
    tell(ring, change);
    assert.notEqual(ring.view.table, table);
  }
  assert.deepEqual(ids(ring.view.members), ids(ringWith(FIVE).view.members));
});

test("while tokens are in dispute the table follows the states", () => {
  const [first, second] = ["a", "b"].map((id) => instance(id, { tokens: Uint32Array.of(5) }));
  assert.ok(first && second);
  const ring = ringWith([first, second]);
  assert.deepEqual(ids(ring.view.owners(0)), ["a"]);
  tell(ring, { ...first, state: "LEAVING", heartbeatMs: NOW_MS + 1 });
  assert.deepEqual(ids(ring.view.owners(0)), ["b"]);
});

test("whatever is heard in whatever order, the view is that of a ring that heard it at once", () => {
  fc.assert(
    fc.property(fc.array(anyInstance, { maxLength: 12 }), (said) => {
      const ring = new Ring(OPTIONS);
      for (const one of said) tell(ring, one);
      const fresh = ringWith(said);
      assert.deepEqual(lasting(ring.view), lasting(fresh.view));
      assert.deepEqual(ring.view.table, fresh.view.table);
    }),
    { numRuns: 500 },
  );
});

test("shards are kept until the ring changes", () => {
  const ring = ringWith(FIVE);
  const request = { tenant: "t", size: 3 };
  const shard = ring.shard(request);
  assert.equal(shard.members.length, 3);
  assert.equal(ring.shard(request), shard);
  beatAll(ring, NOW_MS + 5000);
  assert.equal(ring.shard(request), shard);
  const one = ids(shard.members)[0] ?? "";
  const changed = { readOnly: true, readOnlyUpdatedAtMs: NOW_MS, heartbeatMs: NOW_MS + 6000 };
  tell(ring, withoutTokens(instance(one, changed)));
  assert.ok(!ids(ring.shard(request).members).includes(one));
});

test("tenants, sizes and look-backs have shards of their own", () => {
  const ring = ringWith(FIVE);
  const lookBack = { nowMs: NOW_MS, lookBackMs: HOUR_MS };
  const requests = [
    { tenant: "t", size: 3 },
    { tenant: "t", size: 4 },
    { tenant: "write t", size: 3 },
    { tenant: "t", size: 3, lookBack },
    { tenant: "t", size: 3, lookBack: { ...lookBack, lookBackMs: 1000 } },
  ];
  const shards = requests.map((request) => ring.shard(request));
  assert.equal(new Set(shards).size, requests.length);
  assert.deepEqual(
    requests.map((request) => ring.shard(request)),
    shards,
  );
});

test("without shuffle sharding the shard is the ring; so is one that holds all", () => {
  const ring = ringWith(FIVE);
  assert.equal(ring.shard({ tenant: "t", size: 0 }), ring.view);
  assert.equal(ring.shard({ tenant: "t", size: 5 }), ring.view);
  assert.equal(ring.shard({ tenant: "t", size: 500 }), ring.view);
});

test("a shard that looks back is found anew when what it looked back to is over", () => {
  const old = FIVE.map((one) => ({ ...one, registeredAtMs: NOW_MS - 10 * HOUR_MS }));
  const ring = ringWith(
    old.map((one, index) => (index < 3 ? one : { ...one, registeredAtMs: NOW_MS })),
  );
  const at = (nowMs: number): string[] =>
    ids(ring.shard({ tenant: "t", size: 3, lookBack: { nowMs, lookBackMs: HOUR_MS } }).members);
  const written = ids(ring.shard({ tenant: "t", size: 3 }).members);
  const before = at(NOW_MS);
  assert.deepEqual(at(NOW_MS + HOUR_MS), before);
  assert.ok(["i-000", "i-001", "i-002"].every((id) => before.includes(id)));
  assert.deepEqual(at(NOW_MS + HOUR_MS + 1), written);
});

test("of many tenants only the last ones asked for are kept", () => {
  const ring = ringWith(FIVE);
  const first = ring.shard({ tenant: "0", size: 3 });
  for (let i = 1; i <= 10; i++) ring.shard({ tenant: String(i), size: 3 });
  const again = ring.shard({ tenant: "0", size: 3 });
  assert.notEqual(again, first);
  assert.deepEqual(ids(again.members), ids(first.members));
});

test("an empty ring answers all the same", () => {
  const ring = new Ring(OPTIONS);
  assert.equal(ring.view.writeSet(1).isEnough, false);
  assert.deepEqual(ring.shard({ tenant: "t", size: 3 }).members, []);
  assert.equal(ring.silenceMs("x", NOW_MS), Number.POSITIVE_INFINITY);
});
