import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { answersReads, RingView, takesWrites } from "../../src/ring/ring-view.ts";
import { alive, anyView, grow, ids, instance, keys, viewOf } from "./fixture.ts";
import { naiveWalk, naiveWriteSet } from "./naive-ring.ts";

test("owners are those of a plain walk", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      for (const key of keys(view)) {
        assert.deepEqual(ids(view.owners(key)), ids(naiveWalk(view, key, () => true)));
      }
    }),
  );
});

test("rows are written to the first of a plain walk that take writes, in distinct zones", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      for (const key of keys(view)) {
        const { members, minSuccess, isEnough } = view.writeSet(key);
        assert.deepEqual(ids(members), ids(naiveWriteSet(view, key)).toSorted());
        assert.ok(members.every(takesWrites));
        assert.equal(minSuccess, Math.floor(view.options.replicationFactor / 2) + 1);
        assert.equal(isEnough, members.length >= minSuccess);
        assert.equal(view.writeFault(key) === undefined, isEnough);
        const zones = new Set(members.map((member) => member.instance.zone));
        if (view.spansZones) assert.equal(zones.size, members.length);
      }
    }),
    { numRuns: 300 },
  );
});

test("as long as any owner takes writes it gets them: the others replace only those that do not", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      fc.pre(view.zones.length >= view.options.replicationFactor || !view.options.zoneAware);
      for (const key of keys(view)) {
        const fit = ids(view.owners(key).filter(takesWrites));
        const written = new Set(ids(view.writeSet(key).members));
        assert.ok(fit.every((id) => written.has(id)));
      }
    }),
  );
});

test("equal sets have one number, found once", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      const byMembers = new Map<string, number>();
      for (const key of [...keys(view), ...keys(view)]) {
        const index = view.writeSetIndex(key);
        const set = view.writeSetAt(index);
        assert.equal(set, view.writeSet(key));
        assert.equal(set.index, index);
        assert.equal(byMembers.get(ids(set.members).join()) ?? index, index);
        byMembers.set(ids(set.members).join(), index);
      }
      assert.deepEqual(
        [...byMembers.values()].toSorted((left, right) => left - right),
        Array.from({ length: byMembers.size }, (_, index) => index),
      );
    }),
  );
});

test("three instances are a single set, whatever the order of the walk", () => {
  const view = viewOf(alive(...grow({ count: 3, tokenCount: 16 })));
  assert.deepEqual([...new Set(keys(view).map((key) => view.writeSetIndex(key)))], [0]);
});

test("whoever may have been written to while any one instance was replaced is asked", () => {
  fc.assert(
    fc.property(anyView, (view) => {
      for (const key of keys(view)) {
        const { holders, missing, tolerated, isEnough } = view.readSet(key);
        const asked = new Set(holders);
        for (const replaced of [undefined, ...view.members]) {
          for (const member of naiveWriteSet(view, key, replaced)) assert.ok(asked.has(member));
        }
        for (const owner of view.owners(key)) {
          assert.equal(asked.has(owner), owner.instance.hasData);
        }
        assert.deepEqual(
          missing,
          holders.filter((member) => !answersReads(member)),
        );
        assert.equal(tolerated, view.minSuccess - 1);
        assert.equal(isEnough, view.countUnits(missing) <= tolerated);
      }
    }),
    { numRuns: 300 },
  );
});

test("two dead of three: the client is told who, and what is left", () => {
  const [first, second, third] = alive(...grow({ count: 3, tokenCount: 4 }));
  assert.ok(first && second && third);
  const view = viewOf([first, { ...second, isAlive: false }, { ...third, isAlive: false }]);
  assert.match(
    view.writeFault(7) ?? "",
    /^at least 2 live replicas required, could only find 1 - unhealthy instances: (i-00[12] \(i-00[12]\.example:9095, UNHEALTHY\)(, )?){2}$/,
  );
  assert.equal(view.readSet(7).isEnough, false);
});

test("the state that keeps an instance from writes is named", () => {
  const states = ["JOINING", "LEAVING"] as const;
  const [first, second] = grow({ count: 2, tokenCount: 4 });
  assert.ok(first && second);
  for (const state of states) {
    const view = viewOf(alive(first, { ...second, state }));
    assert.match(
      view.writeFault(7) ?? "",
      new RegExp(`i-001 \\(i-001\\.example:9095, ${state}\\)$`),
    );
  }
  const readOnly = viewOf(alive(first, { ...second, readOnly: true }));
  assert.match(readOnly.writeFault(7) ?? "", /\(i-001\.example:9095, ACTIVE, read-only\)$/);
});

test("with zones the message says that it is they that are wanting", () => {
  const instances = grow({ count: 6, zones: ["a", "b", "c"], tokenCount: 4 });
  const members = alive(...instances).map((member) => ({
    ...member,
    isAlive: member.instance.zone === "a",
  }));
  const view = viewOf(members, { zoneAware: true });
  assert.match(
    view.writeFault(7) ?? "",
    /^at least 2 live replicas required across different availability zones, could only find 1 - unhealthy/,
  );
});

test("a ring without tokens has nobody to write to and nobody to ask", () => {
  for (const view of [viewOf([]), viewOf(alive(instance("a")))]) {
    assert.equal(view.writeFault(7), "at least 2 live replicas required, could only find 0");
    assert.deepEqual(view.owners(7), []);
    assert.deepEqual(view.readSet(7).holders, []);
  }
});

test("a whole zone away: the two others get everything, one instance each", () => {
  const instances = grow({ count: 9, zones: ["a", "b", "c"], tokenCount: 16 });
  const members = alive(...instances).map((member) => ({
    ...member,
    isAlive: member.instance.zone !== "b",
  }));
  const view = viewOf(members, { zoneAware: true });
  for (const key of keys(view)) {
    const zones = view.writeSet(key).members.map((member) => member.instance.zone);
    assert.deepEqual(zones.toSorted(), ["a", "c"]);
    assert.ok(view.readSet(key).isEnough);
  }
});

test("a part of a ring spreads replicas over the zones of the whole", () => {
  const whole = viewOf(alive(...grow({ count: 6, zones: ["a", "b", "c"], tokenCount: 8 })), {
    zoneAware: true,
  });
  const part = whole.subset(whole.members.filter(({ instance: { zone } }) => zone !== "c"));
  assert.ok(part.spansZones);
  for (const key of keys(part)) {
    const zones = part.writeSet(key).members.map((member) => member.instance.zone);
    assert.deepEqual(zones.toSorted(), ["a", "b"]);
  }
});

test("tombstones are no members, and order does not matter", () => {
  const instances = grow({ count: 4, tokenCount: 8 });
  const left = instance("gone", { state: "LEFT", tokens: Uint32Array.of(1, 2, 3) });
  const options = { replicationFactor: 3, zoneAware: false };
  const view = new RingView(alive(left, ...instances.toReversed()), options);
  assert.deepEqual(ids(view.members), ["i-000", "i-001", "i-002", "i-003"]);
  assert.equal(view.table.tokens.length, 32);
});
