/**
 * Reads while instances are gone with their samples for good: an answer has every acknowledged sample that is looked for, or
 * says that it may be incomplete.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeRing, encodeRing } from "../../src/ring/codec.ts";
import { merge, type RingDescriptor, ringOf, tombstone } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { planReads, ReadQuorum } from "../../src/ring/reads.ts";
import { Ring } from "../../src/ring/ring.ts";
import { type Member, RingView, type RingViewOptions } from "../../src/ring/ring-view.ts";
import { grow, ids, instance, keys, NOW_MS } from "./fixture.ts";

const LOSS_MS = NOW_MS + 60_000;
const ZONES = ["a", "b", "c"];

const anyStory = fc.record({
  count: fc.integer({ min: 3, max: 7 }),
  zoneAware: fc.boolean(),
  replicationFactor: fc.constantFrom(2, 3, 3, 3, 5),
  /** By position: away when the rows came, which then went to others. */
  awayAtFirst: fc.subarray([0, 1, 2, 3, 4, 5, 6], { maxLength: 2 }),
  gone: fc.subarray([0, 1, 2, 3, 4, 5, 6], { minLength: 1, maxLength: 2 }),
  how: fc.constantFrom("left the ring", "lost the disk"),
  dead: fc.subarray([0, 1, 2, 3, 4, 5, 6], { maxLength: 1 }),
  answers: fc.array(fc.constantFrom("answers", "answers", "answers", "fails"), {
    minLength: 7,
    maxLength: 7,
  }),
  order: fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6], { minLength: 7 }),
  chance: fc.infiniteStream(fc.nat(1000)),
});

/** Adds to `held` who acknowledged the rows of each range: as few as may be, others may lack them. */
function write(
  members: readonly Member[],
  options: RingViewOptions,
  held: Set<string>[],
  chance: Iterator<number>,
): void {
  const view = new RingView(members, options);
  for (const key of keys(view)) {
    const { members: written, minSuccess, isEnough } = view.writeSet(key);
    if (!isEnough) continue;
    const holders = ids(written);
    while (holders.length > minSuccess) {
      holders.splice((chance.next().value as number) % holders.length, 1);
    }
    held.push(new Set(holders));
  }
}

test("whatever was acknowledged is in the answer, or the answer says that it may be incomplete", () => {
  const seen = { sure: 0, doubtful: 0, failed: 0 };
  fc.assert(
    fc.property(anyStory, (story) => {
      const { count, zoneAware, replicationFactor, how, chance } = story;
      const options = { replicationFactor, zoneAware };
      const first = grow({ count, tokenCount: 8, ...(zoneAware ? { zones: ZONES } : {}) });
      const held: Set<string>[] = [];
      const present = (away: readonly number[]): Member[] =>
        first.map((one, position) => ({ instance: one, isAlive: !away.includes(position) }));
      write(present(story.awayAtFirst), options, held, chance);

      const gone = story.gone.flatMap((position) => first[position]?.id ?? []);
      for (const holders of held) for (const id of gone) holders.delete(id);
      const after = first.map((one) => {
        if (!gone.includes(one.id)) return one;
        if (how === "left the ring") return tombstone(one, LOSS_MS);
        return { ...one, heartbeatMs: LOSS_MS, lostDataAtMs: LOSS_MS };
      });
      const nowMs = LOSS_MS;
      const ring = new Ring({ ...options, heartbeatTimeoutMs: 1e12, shardsMax: 1 });
      const { members, losses } = ring.update(ringOf(after), nowMs);
      const deadIds = story.dead.map((position) => first[position]?.id);
      write(members, options, held, chance);
      const known = members.map((member) => ({
        ...member,
        isAlive: !deadIds.includes(member.instance.id),
      }));
      const view = new RingView(known, options, { losses });

      const plan = planReads(view);
      const quorum = new ReadQuorum(plan);
      const heard = new Set<string>();
      for (const position of story.order) {
        if (quorum.verdict !== "pending") break;
        const member = plan.ask.find((one) => one.instance.id === first[position]?.id);
        if (member === undefined) continue;
        if (story.answers[position] === "fails") quorum.failed(member);
        else {
          quorum.answered(member);
          heard.add(member.instance.id);
        }
      }
      if (quorum.verdict === "failed") return void seen.failed++;
      assert.equal(quorum.verdict, "enough", "nobody is left to wait for");
      if (quorum.doubt !== undefined) return void seen.doubtful++;
      seen.sure++;
      for (const holders of held) {
        const texts = [[...holders], [...heard]].map((names) => names.join(" and ") || "nobody");
        assert.ok(!holders.isDisjointFrom(heard), `${texts[0]} had it, ${texts[1]} answered`);
      }
    }),
    { numRuns: 2000 },
  );
  for (const [outcome, times] of Object.entries(seen)) {
    assert.ok(times > 50, `${outcome} only ${times} times`);
  }
});

function threeWithout(
  changes: readonly Partial<Instance>[],
  alive: readonly boolean[] = [true, true, true],
): Ring {
  const ring = new Ring({
    replicationFactor: 3,
    zoneAware: false,
    heartbeatTimeoutMs: 60_000,
    shardsMax: 10,
  });
  const instances = grow({ count: 3, tokenCount: 4 }).map((one, position) => ({
    ...one,
    heartbeatMs: alive[position] === true ? LOSS_MS : NOW_MS - 1e6,
    ...changes[position],
  }));
  ring.update(ringOf(instances), LOSS_MS);
  return ring;
}

test("after a loss all that answer are waited for, and one more that is missing is said", () => {
  const view = threeWithout([{ lostDataAtMs: LOSS_MS }]).view;
  const quorum = new ReadQuorum(planReads(view));
  const [lost, second, third] = view.members as [Member, Member, Member];
  quorum.answered(lost);
  quorum.answered(second);
  assert.equal(quorum.verdict, "pending", "the third may be the only one that has it");
  quorum.failed(third);
  assert.equal(quorum.verdict, "enough");
  assert.equal(
    quorum.doubt,
    "samples from before 2023-11-14T22:14:20.000Z may be missing: i-000 left the ring or lost the disk with what was stored there, and there is no answer from i-002",
  );
});

test("after a loss without anybody else missing there is no doubt", () => {
  const quorum = new ReadQuorum(planReads(threeWithout([{ lostDataAtMs: LOSS_MS }]).view));
  for (const member of planReads(threeWithout([]).view).ask) quorum.answered(member);
  assert.equal(quorum.verdict, "enough");
  assert.equal(quorum.doubt, undefined);
});

test("two losses are a doubt though everybody answers", () => {
  const view = threeWithout([{ lostDataAtMs: LOSS_MS }, { lostDataAtMs: LOSS_MS - 1000 }]).view;
  const quorum = new ReadQuorum(planReads(view));
  for (const member of view.members) quorum.answered(member);
  assert.match(
    quorum.doubt ?? "",
    /i-000, i-001 left the ring or lost the disk with what was stored there$/,
  );
});

test("what was lost before the look-back does not matter any more", () => {
  const view = threeWithout([{ lostDataAtMs: LOSS_MS }]).view;
  assert.deepEqual(
    planReads(view, LOSS_MS - 1).lost.map(({ id }) => id),
    ["i-000"],
  );
  assert.deepEqual(planReads(view, LOSS_MS).lost, []);
  assert.equal(planReads(view, LOSS_MS).mayFail, 1);
});

test("who left with its samples is a loss of the ring, and of every shard of it", () => {
  const [first, ...others] = grow({ count: 5, tokenCount: 4 });
  assert.ok(first !== undefined);
  const ring = new Ring({
    replicationFactor: 3,
    zoneAware: false,
    heartbeatTimeoutMs: 60_000,
    shardsMax: 10,
  });
  const before = ring.update(ringOf([first, ...others]), NOW_MS);
  const after = ring.update(ringOf([tombstone(first, NOW_MS), ...others]), NOW_MS);
  assert.notEqual(before, after);
  assert.deepEqual(
    after.losses.map(({ id }) => id),
    [first.id],
  );
  const shard = ring.shard({ tenant: "t", size: 3 });
  assert.equal(shard.members.length, 3);
  assert.equal(shard.losses, after.losses);
});

test("a loss is told over the wire, with the head alone too, and a newer head decides", () => {
  const told = (ring: RingDescriptor): RingDescriptor => {
    const decoded = decodeRing(encodeRing(ring));
    assert.ok("ring" in decoded);
    return decoded.ring;
  };
  const before = ringOf([instance("a", { tokens: Uint32Array.of(1, 2) })]);
  const lost = told(ringOf([instance("a", { heartbeatMs: NOW_MS + 1, lostDataAtMs: LOSS_MS })]));
  const merged = merge(before, lost);
  assert.equal(merged.result.get("a")?.lostDataAtMs, LOSS_MS);
  assert.equal(told(merged.change).get("a")?.lostDataAtMs, LOSS_MS);
  assert.equal(
    merge(lost, before).result.get("a")?.lostDataAtMs,
    LOSS_MS,
    "an older head does not undo it",
  );
  const back = ringOf([instance("a", { heartbeatMs: NOW_MS + 2 })]);
  assert.equal(merge(merged.result, back).result.get("a")?.lostDataAtMs, 0);
});
