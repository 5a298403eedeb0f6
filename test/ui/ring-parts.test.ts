import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TOKEN_SPACE, type TokenOwner, TokenTable } from "../../src/ring/token-table.ts";
import {
  binOwners,
  cachedBinOwners,
  circlesOf,
  dashesOf,
  numbered,
} from "../../src/ui/ring/ring-parts.ts";
import { fakeIngesters } from "./fake-ring.ts";

const anyOwners: fc.Arbitrary<TokenOwner[]> = fc
  .uniqueArray(fc.nat(TOKEN_SPACE - 1), { minLength: 1, maxLength: 40 })
  .chain((tokens) =>
    fc.array(fc.nat(3), { minLength: tokens.length, maxLength: tokens.length }).map((owners) =>
      ["a", "b", "c", "d"].map((id, owner) => ({
        id,
        state: "ACTIVE" as const,
        tokens: Uint32Array.from(tokens.filter((_, index) => owners[index] === owner)).sort(),
      })),
    ),
  );

/** How many keys of a bin an owner has, range by range. */
function keysIn(owners: readonly TokenOwner[], owner: number, from: number, to: number): number {
  const table = new TokenTable(owners);
  let keys = 0;
  const overlap = (start: number, end: number): number =>
    Math.max(0, Math.min(end, to) - Math.max(start, from));
  for (const [range, token] of table.tokens.entries()) {
    if (table.owners[range] !== owner) continue;
    const start = token - table.rangeSize(range);
    keys += overlap(Math.max(0, start), token);
    if (start < 0) keys += overlap(start + TOKEN_SPACE, TOKEN_SPACE);
  }
  return keys;
}

test("each bin goes to an owner of which none has more of it", () => {
  fc.assert(
    fc.property(anyOwners, fc.integer({ min: 1, max: 50 }), (owners, binCount) => {
      const bins = binOwners(owners, binCount);
      for (const [bin, owner] of bins.entries()) {
        const from = (bin * TOKEN_SPACE) / binCount;
        const to = ((bin + 1) * TOKEN_SPACE) / binCount;
        const keys = owners.map((_, index) => keysIn(owners, index, from, to));
        const most = Math.max(...keys);
        assert.ok(
          most - (keys[owner] ?? 0) < 1e-3,
          `bin ${bin} of ${keys.join()} went to ${owner}`,
        );
      }
    }),
  );
});

test("nobody owns anything of a ring without tokens", () => {
  const owners = [{ id: "a", state: "ACTIVE" as const, tokens: new Uint32Array() }];
  assert.deepEqual([...binOwners(owners, 3)], [-1, -1, -1]);
});

test("the same tokens are binned once", () => {
  fc.assert(
    fc.property(anyOwners, (owners) => {
      const bins = cachedBinOwners(owners, 7);
      assert.deepEqual(bins, binOwners(owners, 7));
      assert.equal(cachedBinOwners([...owners], 7), bins);
      const [first, ...rest] = owners;
      assert.ok(first !== undefined);
      assert.deepEqual(cachedBinOwners([first], 7), binOwners([first], 7));
      const changed = [first, ...rest.map((one) => ({ ...one, tokens: one.tokens.slice(1) }))];
      assert.deepEqual(cachedBinOwners(changed, 7), binOwners(changed, 7));
    }),
  );
});

test("dashes cover exactly the bins of the owner, and go round once", () => {
  const anyBins = fc
    .array(fc.nat(3), { minLength: 1, maxLength: 60 })
    .map((bins) => Int32Array.from(bins));
  fc.assert(
    fc.property(anyBins, fc.nat(3), (bins, owner) => {
      const dashes = dashesOf(bins, owner);
      assert.equal(dashes.length % 2, 0);
      const drawn = dashes.flatMap((length, index) => Array<boolean>(length).fill(index % 2 === 0));
      assert.deepEqual(
        drawn,
        [...bins].map((bin) => bin === owner),
      );
    }),
  );
});

test("a circle for each zone where replicas go to distinct ones, else one", () => {
  const zonesOf = (count: number, zones: number): (string | undefined)[] =>
    circlesOf(fakeIngesters(count, { zones }).status()).map(({ zone }) => zone);
  assert.deepEqual(zonesOf(3, 0), [undefined]);
  assert.deepEqual(zonesOf(6, 3), ["zone-a", "zone-b", "zone-c"]);
  assert.deepEqual(zonesOf(6, 6), [undefined]);
});

test("instances are numbered as people count", () => {
  const ids = numbered(fakeIngesters(11).status()).map(({ instance }) => instance.id);
  assert.deepEqual([ids[1], ids[2], ids[10]], ["ingester-1", "ingester-2", "ingester-10"]);
});
