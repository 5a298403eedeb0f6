import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ringOf } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { heldShares, ownershipOf } from "../../src/ring/ownership.ts";
import { placeTokens } from "../../src/ring/placement.ts";
import { planTokens } from "../../src/ring/token-plan.ts";
import { TOKEN_SPACE, TokenTable } from "../../src/ring/token-table.ts";
import { alive, grow, instance, NOW_MS, viewOf } from "./fixture.ts";

function spread(shares: Iterable<number>): number {
  const all = [...shares];
  return Math.max(...all) / Math.min(...all);
}

function ownedOf(instances: readonly Instance[]): Float64Array {
  return new TokenTable(instances).ownedKeys(instances.length);
}

const HUNDRED = grow({ count: 100 });

test("each instance owns the same, at every size from 3 to 100", () => {
  for (let count = 2; count <= 100; count++) {
    assert.ok(spread(ownedOf(HUNDRED.slice(0, count))) < 1.0001, `${count} instances`);
  }
});

test("each instance of a zone owns the same of the zone", () => {
  const all = grow({ count: 60, zones: ["a", "b", "c"] });
  for (let count = 6; count <= 60; count += 6) {
    const view = viewOf(alive(...all.slice(0, count)), { zoneAware: true });
    const { owned, byZone } = ownershipOf(view);
    assert.ok(spread(owned.values()) < 1.0001, `${count} instances`);
    for (const part of byZone.values()) assert.ok(Math.abs(part - 1) < 1e-9);
  }
});

/** Everybody registers at once and plans for itself, by the same view of the ring; those with data are there already. */
function joinAtOnce(instances: readonly Instance[], zoneAware: boolean): Instance[] {
  const ring = ringOf(instances);
  const options = { tokenCount: 512, zoneAware, heartbeatTimeoutMs: 60_000 };
  return instances.map((one) =>
    one.hasData ? one : { ...one, tokens: planTokens(ring, one, options, NOW_MS) },
  );
}

function pendingOnes(count: number, zones: readonly string[] = [""]): Instance[] {
  return Array.from({ length: count }, (_, index) =>
    instance(`i-${String(index).padStart(3, "0")}`, {
      zone: zones[index % zones.length] ?? "",
      state: "PENDING",
      hasData: false,
    }),
  );
}

test("of those that join all at once each owns the same", () => {
  for (const count of [3, 4, 5, 10]) {
    assert.ok(spread(ownedOf(joinAtOnce(pendingOnes(count), false))) < 1.0001, `${count}`);
  }
});

test("many at once take the same tokens as one after the other", () => {
  const options = { tokenCount: 512, zoneAware: false, heartbeatTimeoutMs: 60_000 };
  for (const count of [10, 30, 100]) {
    const all = pendingOnes(count);
    for (const index of [0, 1, count - 1]) {
      const one = all[index] ?? instance("none");
      assert.deepEqual(planTokens(ringOf(all), one, options, NOW_MS), HUNDRED[index]?.tokens);
    }
  }
});

test("so it is when some are there already, whatever the ids of those that come", () => {
  for (const [there, coming] of [
    [1, 2],
    [3, 1],
    [3, 7],
    [10, 20],
  ] as const) {
    const old = HUNDRED.slice(0, there).map((one) => ({ ...one, id: `old-${one.id}` }));
    const all = joinAtOnce([...old, ...pendingOnes(coming)], false);
    assert.ok(spread(ownedOf(all)) < 1.0001, `${there} and ${coming}`);
  }
});

test("those that join at once in three zones own the same of their zone, and hold the same of all", () => {
  for (const count of [3, 4, 5, 10, 30]) {
    const all = joinAtOnce(pendingOnes(count, ["a", "b", "c"]), true);
    const view = viewOf(alive(...all), { zoneAware: true });
    const { owned } = ownershipOf(view);
    const held = heldShares(view);
    for (const zone of ["a", "b", "c"]) {
      const inZone = all.filter((one) => one.zone === zone);
      assert.ok(spread(inZone.map(({ id }) => owned.get(id) ?? 0)) < 1.0001, `${count} ${zone}`);
      for (const { id } of inZone) {
        assert.ok(Math.abs((held.get(id) ?? 0) - 1 / inZone.length) < 0.001, `${count} ${id}`);
      }
    }
  }
});

test("with second and third replicas it still holds much the same", () => {
  for (const count of [3, 4, 5, 10, 30, 100]) {
    const held = heldShares(viewOf(alive(...HUNDRED.slice(0, count))));
    assert.ok(spread(held.values()) < 1.2, `${count} instances`);
    const sum = [...held.values()].reduce((total, part) => total + part, 0);
    assert.ok(Math.abs(sum - 3) < 1e-9);
  }
});

test("512 tokens, ascending, of nobody else, by ring and id alone", () => {
  const tokens = HUNDRED.flatMap((one) => [...one.tokens]);
  assert.equal(new Set(tokens).size, 51_200);
  for (const one of HUNDRED) {
    assert.equal(one.tokens.length, 512);
    assert.ok(
      one.tokens.every((token, index) => index === 0 || token > (one.tokens[index - 1] ?? 0)),
    );
  }
  assert.deepEqual(grow({ count: 5 }), HUNDRED.slice(0, 5));
});

/** Rings that nobody planned: any tokens, any number of them. */
const anyTokens = fc
  .uniqueArray(fc.oneof(fc.nat(50), fc.nat(TOKEN_SPACE - 1)), { maxLength: 40 })
  .map((list) => Uint32Array.from(list).sort());
const anyRing = fc
  .array(anyTokens, { maxLength: 5 })
  .map((lists) => lists.map((tokens, index) => instance(`i-${index}`, { tokens })));

test("who joins takes keys and moves none between the others", () => {
  fc.assert(
    fc.property(anyRing, fc.integer({ min: 1, max: 40 }), (others, count) => {
      const taken = new Set(others.flatMap(({ tokens }) => [...tokens]));
      const tokens = placeTokens({ neighbours: others, taken, id: "new", count });
      assert.equal(new Set(tokens).size, count);
      assert.ok(tokens.every((token) => !taken.has(token)));
      const before = new TokenTable(others);
      const after = new TokenTable([...others, instance("new", { tokens })]);
      if (before.tokens.length === 0) return;
      for (const [range, token] of after.tokens.entries()) {
        const owner = after.owners[range] ?? 0;
        if (owner === others.length) continue;
        const last = (token - 1 + TOKEN_SPACE) % TOKEN_SPACE;
        assert.equal(owner, before.owners[before.rangeOf(last)]);
      }
    }),
  );
});

test("who joins gets no more than those who had most, and never worsens the spread", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.array(fc.nat(7), { maxLength: 4 }),
      (size, gone) => {
        const left = grow({ count: size, tokenCount: 64 }).filter(
          (_, index) => !gone.includes(index),
        );
        fc.pre(left.length >= 2);
        const taken = new Set(left.flatMap(({ tokens }) => [...tokens]));
        const tokens = placeTokens({ neighbours: left, taken, id: "new", count: 64 });
        const before = ownedOf(left);
        const after = ownedOf([...left, instance("new", { tokens })]);
        assert.ok(spread(after) <= spread(before) * 1.001);
      },
    ),
    { numRuns: 40 },
  );
});

test("any one that goes leaves the others with nearly even shares", () => {
  for (const count of [4, 10, 30]) {
    for (let gone = 0; gone < count; gone += Math.ceil(count / 5)) {
      const left = HUNDRED.slice(0, count).filter((_, index) => index !== gone);
      assert.ok(spread(ownedOf(left)) < 1.25, `${count} without ${gone}`);
    }
  }
});
