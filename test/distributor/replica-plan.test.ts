import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "../../src/base/random.ts";
import { planReplicas, type Target } from "../../src/distributor/replica-plan.ts";
import { alive, anyView, grow, ids, instance, viewOf } from "../ring/fixture.ts";

const anyRows = fc.record({
  tokens: fc.array(fc.oneof(fc.nat(30), fc.nat(2 ** 32 - 1)), { minLength: 1, maxLength: 60 }),
  /** Of each row by turns: whether it is to be sent. */
  isKept: fc.option(fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }), { nil: undefined }),
});

test("every row goes to its write set and to nobody else, or nothing is sent", () => {
  const seen = { plans: 0, faults: 0, groups: 0 };
  fc.assert(
    fc.property(anyView, anyRows, (view, { tokens, isKept }) => {
      const rows = [...tokens.keys()].filter((row) => isKept?.[row % isKept.length] ?? true);
      const kept = isKept === undefined ? undefined : Uint32Array.from(rows);
      const plan = planReplicas(view, Uint32Array.from(tokens), kept);
      const wanted = rows.map((row) => view.writeSet(tokens[row] ?? 0));
      if ("fault" in plan) {
        seen.faults++;
        const first = wanted.findIndex(({ isEnough }) => !isEnough);
        assert.ok(first >= 0);
        assert.equal(plan.fault, view.writeFault(tokens[rows[first] ?? 0] ?? 0));
        return;
      }
      seen.plans++;
      const targets: readonly Target[] = plan.targets;
      if (plan.groups.length > 1) seen.groups++;
      assert.ok(wanted.every(({ isEnough }) => isEnough));
      const receivers = new Map<number, string[]>(rows.map((row) => [row, []]));
      for (const target of plan.targets) {
        const sent = target.rows ?? Uint32Array.from(tokens.keys());
        assert.deepEqual(sent, sent.toSorted(), "rows rise");
        for (const row of sent) {
          const names = receivers.get(row);
          assert.ok(names !== undefined, "a row that is not kept is not sent");
          names.push(target.member.instance.id);
        }
      }
      for (const [index, row] of rows.entries()) {
        assert.deepEqual(receivers.get(row)?.toSorted(), ids(wanted[index]?.members ?? []));
      }
      // A group has as many replicas as targets that say they are in it, and they are told what it needs.
      for (const [number, group] of plan.groups.entries()) {
        const inGroup: readonly Target[] = targets.filter(({ groups }) => groups.includes(number));
        assert.equal(group.replicas, inGroup.length);
        assert.equal(group.minSuccess, view.minSuccess);
      }
      // Who gets the same rows gets the same array, so that the frame is made once.
      for (const left of targets) {
        for (const right of targets) {
          const isSame: boolean = left.groups.join() === right.groups.join();
          assert.equal(
            left.rows === right.rows,
            isSame || left.rows?.join() === right.rows?.join(),
          );
        }
      }
    }),
    { numRuns: 1000 },
  );
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 50, `${what}: ${times}`);
});

test("where everybody gets everything the rows are not listed", () => {
  const view = viewOf(alive(...grow({ count: 3, tokenCount: 8 })));
  const tokens = Uint32Array.of(1, 2 ** 31, 2 ** 32 - 1);
  const plan = planReplicas(view, tokens, undefined);
  assert.ok("targets" in plan);
  assert.equal(plan.groups.length, 1);
  assert.deepEqual(
    plan.targets.map(({ rows }) => rows),
    [undefined, undefined, undefined],
  );
  const kept = Uint32Array.of(0, 2);
  const some = planReplicas(view, tokens, kept);
  assert.ok("targets" in some);
  assert.ok(some.targets.every(({ rows }) => rows === kept));
});

test("more groups than 16 bits can number", () => {
  const random = new SeededRandom(1);
  const instances = Array.from({ length: 100 }, (_, index) => {
    const tokens = new Set(Array.from({ length: 750 }, () => random.uint32()));
    return instance(`i-${index}`, { tokens: Uint32Array.from(tokens).sort() });
  });
  const view = viewOf(alive(...instances), { replicationFactor: 7 });
  const tokens = view.table.tokens;
  const plan = planReplicas(view, tokens, undefined);
  assert.ok("targets" in plan);
  assert.ok(plan.groups.length > 65_536, `${plan.groups.length} groups`);
  const last = tokens.length - 1;
  const receivers = plan.targets.filter(({ rows }) => rows?.at(-1) === last);
  assert.deepEqual(
    ids(receivers.map(({ member }) => member)).sort(),
    ids(view.writeSet(tokens[last] ?? 0).members),
  );
});

test("an empty ring is a fault", () => {
  assert.deepEqual(planReplicas(viewOf([]), Uint32Array.of(1), undefined), {
    fault: "at least 2 live replicas required, could only find 0",
  });
});
