import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TOKEN_SPACE, TokenTable } from "../../src/ring/token-table.ts";
import { instance } from "./fixture.ts";

const anyToken = fc.oneof(fc.nat(20), fc.nat(TOKEN_SPACE - 1), fc.constant(TOKEN_SPACE - 1));
const anyOwners = fc
  .array(fc.uniqueArray(anyToken, { maxLength: 20 }), { minLength: 1, maxLength: 5 })
  .map((lists) =>
    lists.map((tokens, index) =>
      instance(`i-${index}`, {
        state: index % 2 === 0 ? "LEAVING" : "ACTIVE",
        tokens: Uint32Array.from(tokens).sort(),
      }),
    ),
  );

test("a key is in the range of the first token above it, as a plain search finds it", () => {
  fc.assert(
    fc.property(anyOwners, fc.array(anyToken), (owners, keys) => {
      const table = new TokenTable(owners);
      fc.pre(table.tokens.length > 0);
      for (const key of [...keys, ...table.tokens]) {
        const found = table.tokens.findIndex((token) => token > key);
        assert.equal(table.rangeOf(key), Math.max(found, 0));
      }
    }),
  );
});

test("ranges cover the space once", () => {
  fc.assert(
    fc.property(anyOwners, (owners) => {
      const table = new TokenTable(owners);
      fc.pre(table.tokens.length > 0);
      const owned = table.ownedKeys(owners.length);
      assert.equal(
        owned.reduce((sum, part) => sum + part, 0),
        TOKEN_SPACE,
      );
    }),
  );
});

test("a token that several claim is of one that is not leaving, then of the lowest id", () => {
  fc.assert(
    fc.property(anyOwners, (owners) => {
      const table = new TokenTable(owners);
      for (const [range, token] of table.tokens.entries()) {
        const claimants = owners.filter(({ tokens }) => tokens.includes(token));
        const rightful = claimants.find(({ state }) => state === "ACTIVE") ?? claimants[0];
        assert.equal(owners[table.owners[range] ?? -1]?.id, rightful?.id);
      }
      const claims = owners.reduce((sum, { tokens }) => sum + tokens.length, 0);
      assert.equal(table.hasConflicts, claims > table.tokens.length);
    }),
  );
});
