import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Instance } from "../../src/ring/instance.ts";
import { heldShares, ownershipOf } from "../../src/ring/ownership.ts";
import { placeTokens } from "../../src/ring/placement.ts";
import { TOKEN_SPACE, TokenTable } from "../../src/ring/token-table.ts";
import { alive, grow, instance, viewOf } from "./fixture.ts";

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
