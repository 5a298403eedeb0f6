import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planReads, ReadQuorum } from "../../src/ring/reads.ts";
import { type Member, RingView, takesWrites } from "../../src/ring/ring-view.ts";
import { alive, anyMembers, anyViewOptions, grow, ids, keys, viewOf } from "./fixture.ts";

/**
 * A ring with data on it: for each range, rows were written while the ring was well but for a few, and acknowledged
 * by as few as may be. Then things happen: the states of `now`.
 */
const anyHistory = fc.record({
  before: anyMembers,
  options: anyViewOptions,
  /** Of each instance by position: whether it took writes when the rows of a range came. Ranges take turns. */
  tookWrites: fc.array(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), { minLength: 1 }),
  /** Which of the written ones acknowledged. */
  acknowledged: fc.infiniteStream(fc.nat(1000)),
  answers: fc.array(fc.constantFrom("answers", "fails", "silent"), { minLength: 6, maxLength: 6 }),
  order: fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }),
});

/** Who acknowledged the rows of each range, with whatever health the ring had at that moment. */
function* acknowledgements(
  view: RingView,
  tookWrites: readonly (readonly boolean[])[],
  chance: Iterator<number>,
): Generator<string[]> {
  for (const [index, key] of keys(view).entries()) {
    const health = tookWrites[index % tookWrites.length] ?? [];
    const then = view.members.map(({ instance }, position) => ({
      instance: { ...instance, state: "ACTIVE" as const, readOnly: false },
      isAlive: instance.hasData && health[position] === true,
    }));
    // The zones were the same then: they are those of the instances with tokens.
    const { members, minSuccess, isEnough } = new RingView(then, view.options).writeSet(key);
    if (!isEnough) continue;
    assert.ok(members.every(takesWrites));
    const written = ids(members);
    while (written.length > minSuccess) {
      written.splice((chance.next().value as number) % written.length, 1);
    }
    yield written;
  }
}

test("whatever was acknowledged is heard if the query has heard enough", () => {
  let enough = 0;
  fc.assert(
    fc.property(anyHistory, ({ before, options, tookWrites, acknowledged, answers, order }) => {
      const view = new RingView(before, options);
      const plan = planReads(view);
      const quorum = new ReadQuorum(plan);
      const heard = new Set<string>();
      for (const position of order) {
        const member = view.members[position];
        if (quorum.verdict !== "pending") break;
        if (member === undefined || !plan.ask.includes(member)) continue;
        if (answers[position] === "fails") quorum.failed(member);
        if (answers[position] !== "answers") continue;
        quorum.answered(member);
        heard.add(member.instance.id);
      }
      if (quorum.verdict !== "enough") return;
      enough++;
      for (const holders of acknowledgements(view, tookWrites, acknowledged)) {
        assert.ok(
          holders.some((id) => heard.has(id)),
          `only ${holders.join(" and ")} have it, heard of ${[...heard].join()}`,
        );
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(enough > 100, `only ${enough} of the queries had enough`);
});

test("all answer: it is enough, unless too many were missing from the start", () => {
  fc.assert(
    fc.property(anyMembers, anyViewOptions, (members, options) => {
      const view = new RingView(members, options);
      const plan = planReads(view);
      const quorum = new ReadQuorum(plan);
      for (const member of plan.ask) quorum.answered(member);
      const isBeyond = view.countUnits(plan.missing) >= view.minSuccess;
      const holders = view.members.filter(({ instance }) => instance.hasData);
      const areTooFew = view.countUnits(holders) < view.minSuccess;
      const expected = isBeyond || areTooFew ? "failed" : "enough";
      assert.equal(quorum.verdict, expected);
      assert.equal(plan.fault !== undefined, expected === "failed");
      if (plan.fault !== undefined) assert.equal(plan.mayFail, 0);
    }),
    { numRuns: 500 },
  );
});

test("as soon as there is enough it is said: with one more, not before", () => {
  fc.assert(
    fc.property(anyMembers, anyViewOptions, (members, options) => {
      const view = new RingView(members, { ...options, zoneAware: false });
      const plan = planReads(view);
      fc.pre(plan.fault === undefined);
      const quorum = new ReadQuorum(plan);
      const wanted = Math.max(0, plan.ask.length - plan.mayFail);
      for (const member of plan.ask.slice(0, wanted)) {
        assert.equal(quorum.verdict, "pending");
        quorum.answered(member);
      }
      assert.equal(quorum.verdict, "enough");
    }),
  );
});

test("three instances: one may fail, two may not", () => {
  const view = viewOf(alive(...grow({ count: 3, tokenCount: 4 })));
  const [first, second] = view.members as [Member, Member];
  const quorum = new ReadQuorum(planReads(view));
  quorum.failed(first);
  assert.equal(quorum.verdict, "pending");
  quorum.failed(second);
  assert.equal(quorum.verdict, "failed");
});

test("two dead of three: nobody is asked in vain, and the client is told who they are", () => {
  const [first, ...others] = alive(...grow({ count: 3, tokenCount: 4 }));
  assert.ok(first);
  const dead = others.map((member) => ({ ...member, isAlive: false }));
  const plan = planReads(viewOf([first, ...dead]));
  assert.deepEqual(ids(plan.missing), ["i-001", "i-002"]);
  assert.equal(
    plan.fault,
    "too many unhealthy instances in the ring: at most 1 instances may be missing - unhealthy instances: i-001 (i-001.example:9095, UNHEALTHY), i-002 (i-002.example:9095, UNHEALTHY)",
  );
  assert.equal(new ReadQuorum(plan).verdict, "failed");
});

test("a whole zone may be dead, however many are in it; one instance more may not", () => {
  const members = alive(...grow({ count: 9, zones: ["a", "b", "c"], tokenCount: 4 }));
  const dead = members.map((member) => ({
    ...member,
    isAlive: member.instance.zone !== "b",
  }));
  const plan = planReads(viewOf(dead, { zoneAware: true }));
  assert.equal(plan.fault, undefined);
  assert.equal(plan.mayFail, 0);
  const quorum = new ReadQuorum(plan);
  for (const member of plan.ask.slice(1)) quorum.answered(member);
  assert.equal(quorum.verdict, "pending");
  quorum.failed(plan.ask[0] as Member);
  assert.equal(quorum.verdict, "failed");
});

test("a zone that misses one instance is not waited for, and its others may fail too", () => {
  const members = alive(...grow({ count: 6, zones: ["a", "b", "c"], tokenCount: 4 }));
  const dead = members.map((member, index) => ({ ...member, isAlive: index !== 1 }));
  const plan = planReads(viewOf(dead, { zoneAware: true }));
  assert.equal(plan.ask.length, 5);
  const quorum = new ReadQuorum(plan);
  for (const member of plan.ask) {
    assert.equal(quorum.verdict, "pending");
    if (member.instance.zone === "b") quorum.failed(member);
    else quorum.answered(member);
  }
  assert.equal(quorum.verdict, "enough");
});

test("one dead in each of two zones are two zones that cannot be heard", () => {
  const members = alive(...grow({ count: 9, zones: ["a", "b", "c"], tokenCount: 4 }));
  const plan = planReads(
    viewOf(
      members.map((member, index) => ({ ...member, isAlive: index > 1 })),
      { zoneAware: true },
    ),
  );
  assert.match(plan.fault ?? "", /at most 1 zones may be missing/);
});

test("a leaving instance is asked while it serves, one that never had data is not missed", () => {
  const [first, second, third] = grow({ count: 3, tokenCount: 4 });
  assert.ok(first && second && third);
  const view = viewOf([
    ...alive(first, { ...second, state: "LEAVING" }),
    { instance: { ...third, state: "JOINING", hasData: false }, isAlive: false },
  ]);
  assert.deepEqual(ids(planReads(view).ask), ["i-000", "i-001"]);
  assert.deepEqual(planReads(view).missing, []);
  const gone = viewOf(alive(first, { ...second, state: "LEAVING", serving: false }, third));
  assert.deepEqual(ids(planReads(gone).missing), ["i-001"]);
});

test("an empty ring is no answer", () => {
  const plan = planReads(viewOf([]));
  assert.equal(plan.fault, "empty ring");
  assert.equal(new ReadQuorum(plan).verdict, "failed");
});

test("who was not asked does not count, and an answer after a failure does not mend it", () => {
  const view = viewOf(alive(...grow({ count: 3, tokenCount: 4 })));
  const other = alive(...grow({ count: 4, tokenCount: 4 }))[3] as Member;
  const [first, second, third] = view.members as [Member, Member, Member];
  const quorum = new ReadQuorum(planReads(view));
  quorum.answered(other);
  quorum.failed(other);
  quorum.failed(first);
  quorum.answered(first);
  quorum.answered(second);
  assert.equal(quorum.verdict, "pending");
  quorum.answered(third);
  assert.equal(quorum.verdict, "enough");
});
