import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { must } from "../../src/base/assert.ts";
import { decideForget, type ForgetDecision, reasonToKeep } from "../../src/ring/auto-forget.ts";
import { planReads } from "../../src/ring/reads.ts";
import { answersReads, type Member, RingView, takesWrites } from "../../src/ring/ring-view.ts";
import { alive, anyMembers, anyViewOptions, grow, ids, keys, viewOf } from "./fixture.ts";

const MINUTE_MS = 60_000;
const FORGET_AFTER_MS = 10 * MINUTE_MS;

/** Who is dead, by position, and for how many minutes. */
type Dead = Readonly<Record<number, number>>;

function withDead(members: readonly Member[], dead: Dead): Member[] {
  return members.map((member, index) => ({ ...member, isAlive: dead[index] === undefined }));
}

function decide(view: RingView, dead: Dead): ForgetDecision {
  return decideForget(view, {
    forgetAfterMs: FORGET_AFTER_MS,
    quietMs: (id) => (dead[ids(view.members).indexOf(id)] ?? 0) * MINUTE_MS,
  });
}

function reasons({ kept }: ForgetDecision): string[] {
  return kept.map(({ member, reason }) => `${member.instance.id}: ${reason}`);
}

const THREE = alive(...grow({ count: 3, tokenCount: 8 }));
const FIVE = alive(...grow({ count: 5, tokenCount: 64 }));
const ZONED = alive(...grow({ count: 9, zones: ["a", "b", "c"], tokenCount: 8 }));

test("one dead of three may go, once it has been silent for long enough", () => {
  for (const [minutes, forgotten] of [
    [2, undefined],
    [10, undefined],
    [11, "i-001"],
  ] as const) {
    const dead = { 1: minutes };
    const decision = decide(viewOf(withDead(THREE, dead)), dead);
    assert.equal(decision.forget?.instance.id, forgotten);
    assert.deepEqual(decision.kept, []);
  }
});

test("all are well: nobody goes", () => {
  assert.deepEqual(decide(viewOf(THREE), {}), { forget: undefined, kept: [] });
});

test("two dead of three stay: writes would not be possible with one", () => {
  const dead = { 0: 30, 2: 40 };
  const decision = decide(viewOf(withDead(THREE, dead)), dead);
  assert.equal(decision.forget, undefined);
  assert.deepEqual(reasons(decision), [
    "i-002: without it 100% of the keys (24 of 24 ranges) could not be written to 2 instances; also missing: i-000",
    "i-000: without it 100% of the keys (24 of 24 ranges) could not be written to 2 instances; also missing: i-002",
  ]);
});

test("two dead of five stay: some samples may be on these two alone", () => {
  const dead = { 1: 30, 3: 20 };
  const decision = decide(viewOf(withDead(FIVE, dead)), dead);
  assert.equal(decision.forget, undefined);
  const [first, second] = reasons(decision);
  const pattern =
    /^i-00\d: samples of [\d.]+% of the keys \(\d+ of 320 ranges\) may be on no instance that answers; also missing: /;
  assert.match(first ?? "", pattern);
  assert.match(first ?? "", /^i-001.*i-003$/);
  assert.match(second ?? "", /^i-003.*i-001$/);
});

test("the second of two dead may go when the first is back, and the other way round", () => {
  for (const [dead, forgotten] of [
    [{ 1: 30 }, "i-001"],
    [{ 3: 20 }, "i-003"],
  ] as const) {
    assert.equal(decide(viewOf(withDead(FIVE, dead)), dead).forget?.instance.id, forgotten);
  }
});

test("one that is dead for a moment keeps one that is dead for long", () => {
  const dead = { 1: 30, 3: 2 };
  const decision = decide(viewOf(withDead(FIVE, dead)), dead);
  assert.equal(decision.forget, undefined);
  assert.deepEqual(
    decision.kept.map(({ member }) => member.instance.id),
    ["i-001"],
  );
});

test("with zones all of one zone may go, one after the other, the longest silent first", () => {
  const dead: Record<number, number> = { 1: 20, 4: 40, 7: 30 };
  let members = withDead(ZONED, dead);
  const gone: string[] = [];
  for (let i = 0; i < 4; i++) {
    const view = viewOf(members, { zoneAware: true });
    const silence = new Map([
      ["i-001", 20],
      ["i-004", 40],
      ["i-007", 30],
    ]);
    const { forget } = decideForget(view, {
      forgetAfterMs: FORGET_AFTER_MS,
      quietMs: (id) => (silence.get(id) ?? 0) * MINUTE_MS,
    });
    if (forget === undefined) break;
    gone.push(forget.instance.id);
    members = members.filter((member) => member !== forget);
  }
  assert.deepEqual(gone, ["i-004", "i-007", "i-001"]);
});

test("dead ones in two zones stay, also if they share no range", () => {
  const dead = { 0: 20, 4: 20 };
  const decision = decide(viewOf(withDead(ZONED, dead), { zoneAware: true }), dead);
  assert.equal(decision.forget, undefined);
  assert.equal(decision.kept.length, 2);
});

test("instances without a common range stay too: a tenant's shard may have brought them together", () => {
  // Fifty instances with one token each: i-000 and another one far away on the ring.
  const members = alive(...grow({ count: 50, tokenCount: 1 }));
  const whole = viewOf(members);
  const first = must(members[0], "there are fifty");
  const near = new Set(
    keys(whole).flatMap((key) => {
      const holders = ids(whole.readSet(key).holders);
      return holders.includes("i-000") ? holders : [];
    }),
  );
  const far = members.findIndex(({ instance: { id } }) => !near.has(id));
  assert.ok(far > 0);
  const view = viewOf(withDead(members, { 0: 20, [far]: 1 }));
  assert.match(
    reasonToKeep(view, { ...first, isAlive: false }) ?? "",
    new RegExp(`^samples of some tenants .* also missing: ${members[far]?.instance.id}`),
  );
});

test("one that never had data may go, whatever else is missing, as long as writes are possible", () => {
  const members = withDead(FIVE, { 1: 30, 3: 20, 4: 30 }).map((member, index) =>
    index === 4
      ? { ...member, instance: { ...member.instance, state: "JOINING" as const, hasData: false } }
      : member,
  );
  const decision = decide(viewOf(members), { 1: 30, 3: 20, 4: 30 });
  assert.equal(decision.forget?.instance.id, "i-004");
});

test("of equals the lower id decides, so that all decide alike", () => {
  const dead = { 4: 30, 1: 30, 7: 30 };
  const view = viewOf(withDead(ZONED, dead), { zoneAware: true });
  assert.equal(decide(view, dead).forget?.instance.id, "i-001");
});

test("a long list of those that are missing is cut", () => {
  const members = alive(...grow({ count: 20, tokenCount: 4 }));
  const dead = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [index, 20]));
  const [reason] = reasons(decide(viewOf(withDead(members, dead)), dead));
  assert.match(reason ?? "", /also missing: (i-\d{3}, ){4}i-\d{3} and 3 more$/);
});

/** Rows of each range, written at some time by whichever instances took writes then, acknowledged by just enough. */
function acknowledgedBy(
  view: RingView,
  key: number,
  chance: Iterator<number>,
): readonly string[] | undefined {
  const then = view.members.map(({ instance }) => ({
    instance: { ...instance, state: "ACTIVE" as const, readOnly: false },
    isAlive: instance.hasData && (chance.next().value as number) % 4 > 0,
  }));
  const { members, isEnough, minSuccess } = new RingView(then, view.options).writeSet(key);
  if (!isEnough) return undefined;
  const order = ids(members).map((id) => ({ id, rank: chance.next().value as number }));
  order.sort((left, right) => left.rank - right.rank);
  return order.slice(0, minSuccess).map(({ id }) => id);
}

test("who is forgotten takes no acknowledged row along, and every range can still be written and read", () => {
  let forgotten = 0;
  fc.assert(
    fc.property(
      anyMembers,
      anyViewOptions,
      fc.infiniteStream(fc.nat(1000)),
      (members, options, chance) => {
        const view = new RingView(members, options);
        const { forget } = decideForget(view, { forgetAfterMs: 0, quietMs: () => 1 });
        if (forget === undefined) return;
        forgotten++;
        assert.equal(forget.isAlive, false);
        const after = new RingView(
          view.members.filter((member) => member !== forget),
          options,
        );
        const answering = new Set(ids(after.members.filter(answersReads)));
        for (const key of keys(view)) {
          assert.equal(after.writeFault(key), undefined);
          assert.ok(after.writeSet(key).members.every(takesWrites));
          const holders = acknowledgedBy(view, key, chance);
          if (!forget.instance.hasData || holders === undefined) continue;
          assert.ok(
            holders.some((id) => answering.has(id)),
            `only ${holders.join(" and ")} had it`,
          );
        }
        if (forget.instance.hasData) assert.equal(planReads(after).fault, undefined);
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(forgotten > 100, `only ${forgotten} were forgotten`);
});
