import assert from "node:assert/strict";
import { test } from "node:test";
import { ringOf } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { lostTokens, mendTokens, planTokens } from "../../src/ring/token-plan.ts";
import { TokenTable } from "../../src/ring/token-table.ts";
import { grow, instance, NOW_MS } from "./fixture.ts";

const OPTIONS = { tokenCount: 64, zoneAware: false, heartbeatTimeoutMs: 60_000 };

function pending(id: string, changes: Partial<Instance> = {}): Instance {
  return instance(id, { state: "PENDING", hasData: false, ...changes });
}

function planned(ring: readonly Instance[], id: string, options = OPTIONS): Instance {
  const self = ring.find((one) => one.id === id) ?? pending(id);
  return { ...self, tokens: planTokens(ringOf(ring), self, options, NOW_MS) };
}

function spreadOf(instances: readonly Instance[]): number {
  const owned = new TokenTable(instances).ownedKeys(instances.length);
  return Math.max(...owned) / Math.min(...owned);
}

test("instances that join at once agree without talking", () => {
  const ring = ["c", "a", "b", "d"].map((id) => pending(id));
  const all = ring.map(({ id }) => planned(ring, id));
  assert.equal(new Set(all.flatMap(({ tokens }) => [...tokens])).size, 4 * 64);
  assert.ok(spreadOf(all) < 1.001);
});

test("whatever tokens others hold that have not been ACTIVE does not matter", () => {
  const ring = ["a", "b"].map((id) => pending(id));
  const second = planned(ring, "b");
  const joining = pending("a", { state: "JOINING", tokens: Uint32Array.of(5) });
  assert.deepEqual(planned([joining, second], "b"), second);
});

test("those with data keep their tokens, in whatever state they are", () => {
  const [first, second] = grow({ count: 2, tokenCount: 64 });
  const settled = [
    { ...first, state: "LEAVING" },
    { ...second, state: "JOINING", heartbeatMs: 0 },
  ] as Instance[];
  const third = planned([...settled, pending("x")], "x");
  assert.ok(spreadOf([...settled, third]) < 1.001);
});

test("who joins and is silent is not waited for; who is forgotten does not count", () => {
  const dead = pending("a", { heartbeatMs: NOW_MS - 60_001 });
  const gone = instance("b", { state: "LEFT" });
  assert.deepEqual(planned([dead, gone, pending("x")], "x"), planned([pending("x")], "x"));
});

test("shares are evened out within the zone, tokens differ between zones", () => {
  const options = { ...OPTIONS, zoneAware: true };
  const others = grow({ count: 6, zones: ["a", "b"], tokenCount: 64 });
  const self = pending("x", { zone: "a" });
  const joined = planned([...others, self], "x", options);
  assert.ok(spreadOf([...others.filter(({ zone }) => zone === "a"), joined]) < 1.001);
  assert.equal(lostTokens(ringOf([...others, joined]), joined).size, 0);
});

test("of two that claim a token one loses it and finds another", () => {
  const [first, second] = grow({ count: 2, tokenCount: 64 }) as [Instance, Instance];
  const thief = {
    ...second,
    tokens: Uint32Array.from([...second.tokens.slice(1), first.tokens[7] ?? 0]).sort(),
  };
  const ring = ringOf([first, thief]);
  assert.deepEqual([...lostTokens(ring, thief)], [first.tokens[7]]);
  assert.deepEqual([...lostTokens(ring, first)], []);
  const mended = { ...thief, tokens: mendTokens(ring, thief, OPTIONS) };
  assert.equal(mended.tokens.length, 64);
  assert.equal(lostTokens(ringOf([first, mended]), mended).size, 0);
  // All but the lost one stay.
  assert.equal(thief.tokens.filter((token) => mended.tokens.includes(token)).length, 63);
});

test("a leaving instance loses a token to one that stays, whatever their ids", () => {
  const tokens = Uint32Array.of(1, 2, 3);
  const leaving = instance("a", { state: "LEAVING", tokens });
  const staying = instance("b", { tokens: Uint32Array.of(2) });
  assert.deepEqual([...lostTokens(ringOf([leaving, staying]), leaving)], [2]);
  assert.deepEqual([...lostTokens(ringOf([leaving, staying]), staying)], []);
});

test("another number of tokens keeps those that are there", () => {
  const own = grow({ count: 3, tokenCount: 64 })[1] as Instance;
  const ring = ringOf(grow({ count: 3, tokenCount: 64 }));
  assert.equal(mendTokens(ring, own, OPTIONS), own.tokens);
  const more = mendTokens(ring, own, { ...OPTIONS, tokenCount: 100 });
  assert.equal(more.length, 100);
  assert.ok(own.tokens.every((token) => more.includes(token)));
  const fewer = mendTokens(ring, own, { ...OPTIONS, tokenCount: 10 });
  assert.equal(new Set(fewer).size, 10);
  assert.ok(fewer.every((token) => own.tokens.includes(token)));
});
