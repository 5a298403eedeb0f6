import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ringOf } from "../../src/ring/descriptor.ts";
import { whatIf } from "../../src/ring/impact.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { heldShares, ownershipOf } from "../../src/ring/ownership.ts";
import { Ring } from "../../src/ring/ring.ts";
import { answersReads, type Member, RingView } from "../../src/ring/ring-view.ts";
import { ringStatus } from "../../src/ring/status.ts";
import { TOKEN_SPACE } from "../../src/ring/token-table.ts";
import { alive, anyMembers, anyView, grow, instance, NOW_MS, viewOf } from "./fixture.ts";
import { naiveWalk, naiveWriteSet } from "./naive-ring.ts";

/** Keys between two tokens, by the last one, told without a table. */
function rangesOf(view: RingView): { lastKey: number; size: number }[] {
  const tokens = [...new Set(view.members.flatMap((member) => [...member.instance.tokens]))];
  tokens.sort((left, right) => left - right);
  return tokens.map((token, index) => {
    const before = tokens.at(index - 1) ?? 0;
    return {
      lastKey: (token - 1 + TOKEN_SPACE) % TOKEN_SPACE,
      size: token > before ? token - before : token - before + TOKEN_SPACE,
    };
  });
}

function near(actual: number | undefined, expected: number): void {
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) < 1e-9, `${actual}, not ${expected}`);
}

test("what one owns is the ranges that a walk begins with; within its zone, if zones matter", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      const { owned, byZone } = ownershipOf(view);
      const zones = view.options.zoneAware ? view.zones : [""];
      const expected = new Map<string, number>();
      for (const zone of zones) {
        const members = view.members.filter(
          (member) => !view.options.zoneAware || member.instance.zone === zone,
        );
        const part = new RingView(members, { replicationFactor: 1, zoneAware: false });
        for (const { lastKey, size } of rangesOf(part)) {
          const id = naiveWalk(part, lastKey, () => true)[0]?.instance.id ?? "";
          expected.set(id, (expected.get(id) ?? 0) + size / TOKEN_SPACE);
        }
      }
      for (const { instance: one } of view.members) {
        near(owned.get(one.id) ?? 0, expected.get(one.id) ?? 0);
      }
      const sum = [...byZone.values()].reduce((total, part) => total + part, 0);
      const hasTokens = view.table.tokens.length > 0;
      near(sum, hasTokens ? zones.length : 0);
    }),
  );
});

test("a member of a zone that has no tokens yet owns nothing, and changes no other's share", () => {
  const two = grow({ count: 2, zones: ["b"], tokenCount: 4 });
  const before = ownershipOf(viewOf(alive(...two), { zoneAware: true })).owned;
  const pending = instance("a", { zone: "a", state: "PENDING", hasData: false });
  const after = ownershipOf(viewOf(alive(pending, ...two), { zoneAware: true })).owned;
  for (const [id, part] of before) near(after.get(id), part);
});

test("what one holds is the ranges that it is an owner of", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      const held = heldShares(view);
      for (const member of view.members) {
        const sizes = rangesOf(view)
          .filter(({ lastKey }) => naiveWalk(view, lastKey, () => true).includes(member))
          .map(({ size }) => size / TOKEN_SPACE);
        near(
          held.get(member.instance.id),
          sizes.reduce((sum, size) => sum + size, 0),
        );
      }
    }),
  );
});

function naiveImpact(view: RingView, without: Member | undefined): Record<string, number> {
  const remaining = new RingView(
    view.members.filter((member) => member !== without),
    view.options,
  );
  const impact = { ranges: 0, writeRanges: 0, writeShare: 0, readRanges: 0, readShare: 0 };
  for (const { lastKey, size } of rangesOf(view)) {
    impact.ranges++;
    if (naiveWriteSet(remaining, lastKey).length < view.minSuccess) {
      impact.writeRanges++;
      impact.writeShare += size / TOKEN_SPACE;
    }
    const missing = view
      .readSet(lastKey)
      .holders.filter((member) => member === without || !answersReads(member));
    const units = view.spansZones
      ? new Set(missing.map((member) => member.instance.zone)).size
      : missing.length;
    if (units >= view.minSuccess) {
      impact.readRanges++;
      impact.readShare += size / TOKEN_SPACE;
    }
  }
  if (impact.ranges === 0) impact.writeShare = 1;
  return impact;
}

test("what would be below quorum is what plain walks find, with and without each instance", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      for (const without of [undefined, ...view.members]) {
        const expected = naiveImpact(view, without);
        const { ranges, writes, reads } = whatIf(view, without?.instance.id);
        assert.equal(ranges, expected["ranges"]);
        assert.equal(writes.rangesBelowQuorum, expected["writeRanges"]);
        assert.equal(reads.rangesBelowQuorum, expected["readRanges"]);
        near(writes.share, expected["writeShare"] ?? Number.NaN);
        near(reads.share, expected["readShare"] ?? Number.NaN);
        for (const id of [...writes.because, ...reads.because]) {
          assert.notEqual(id, without?.instance.id);
        }
      }
    }),
  );
});

test("any one of three may go while all are well, and none while one is dead", () => {
  const members = alive(...grow({ count: 3, tokenCount: 8 }));
  const none = { rangesBelowQuorum: 0, share: 0, because: [] };
  const well = viewOf(members);
  assert.deepEqual(whatIf(well), { ranges: 24, writes: none, reads: none });
  assert.deepEqual(whatIf(well, "i-000"), { ranges: 24, writes: none, reads: none });
  const sick = viewOf(members.map((member, index) => ({ ...member, isAlive: index !== 2 })));
  assert.deepEqual(whatIf(sick), { ranges: 24, writes: none, reads: none });
  const all = { rangesBelowQuorum: 24, share: 1, because: ["i-002"] };
  assert.deepEqual(whatIf(sick, "i-000"), { ranges: 24, writes: all, reads: all });
});

test("an empty ring cannot be written to at all", () => {
  assert.equal(whatIf(viewOf([])).writes.share, 1);
  assert.equal(whatIf(viewOf(alive(instance("a")))).writes.share, 1);
});

const OPTIONS = {
  replicationFactor: 3,
  zoneAware: true,
  heartbeatTimeoutMs: 60_000,
  shardsMax: 10,
};

test("the status shows each member as it is now, and sums by zone", () => {
  const instances = grow({ count: 6, zones: ["a", "b", "c"], tokenCount: 16 });
  const versions = { muninn: "1.2.3" };
  const changed = instances.map((one, index): Instance => {
    if (index === 0) return { ...one, state: "LEAVING", serving: false };
    if (index === 1) return { ...one, readOnly: true, readOnlyUpdatedAtMs: NOW_MS - 5000 };
    return index === 2 ? { ...one, versions } : one;
  });
  const ring = new Ring(OPTIONS);
  ring.update(ringOf(changed), NOW_MS);
  // All but the last go on beating, which makes no new view.
  const beats = changed.map((one, index) =>
    index < 5 ? { ...one, heartbeatMs: NOW_MS + 90_000 } : one,
  );
  ring.update(ringOf(beats), NOW_MS + 90_000);
  const status = ringStatus(ring, NOW_MS + 91_000);
  assert.deepEqual(
    status.instances.map(({ id, state, heartbeatAgeMs }) => [id, state, heartbeatAgeMs]),
    [
      ["i-000", "LEAVING", 1000],
      ["i-001", "ACTIVE, read-only", 1000],
      ["i-002", "ACTIVE", 1000],
      ["i-003", "ACTIVE", 1000],
      ["i-004", "ACTIVE", 1000],
      ["i-005", "UNHEALTHY", 91_000],
    ],
  );
  const [first, second, third, , , last] = status.instances;
  assert.equal(first?.serving, false);
  assert.equal(second?.readOnlyUpdatedAtMs, NOW_MS - 5000);
  assert.equal(third?.versions, versions);
  assert.equal(third?.heartbeatMs, NOW_MS + 90_000);
  assert.equal(last?.tokenCount, 16);
  assert.deepEqual(
    status.zones.map(({ zone, instances: count, alive: living }) => [zone, count, living]),
    [
      ["a", 2, 2],
      ["b", 2, 2],
      ["c", 2, 1],
    ],
  );
  for (const { owned } of status.zones) near(owned, 1);
  near(
    status.instances.reduce((sum, { held }) => sum + held, 0),
    3,
  );
  assert.deepEqual(status.quorum, whatIf(ring.view));
  assert.equal(status.replicationFactor, 3);
  assert.equal(status.zoneAware, true);
});

test("a status survives JSON, whatever the ring", () => {
  fc.assert(
    fc.property(anyMembers, (members) => {
      const ring = new Ring(OPTIONS);
      ring.update(ringOf(members.map((member) => member.instance)), NOW_MS);
      const status = ringStatus(ring, NOW_MS + 1000);
      assert.deepEqual(JSON.parse(JSON.stringify(status)), status);
    }),
  );
});
