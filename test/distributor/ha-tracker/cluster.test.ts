import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  Cluster,
  type HaTimeouts,
  type Judgement,
} from "../../../src/distributor/ha-tracker/cluster.ts";
import { elect, received } from "../../../src/distributor/ha-tracker/replica-value.ts";

const TIMEOUTS: HaTimeouts = { updateTimeoutMs: 15, failoverTimeoutMs: 30 };

type Event =
  | { readonly kind: "sample"; readonly replica: string; readonly afterMs: number }
  | { readonly kind: "written"; readonly afterMs: number }
  | { readonly kind: "elected"; readonly replica: string; readonly afterMs: number };

const replica = fc.constantFrom("a", "b", "c");
const afterMs = fc.oneof(fc.nat(3), fc.nat(40));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("sample" as const), replica, afterMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("written" as const), afterMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("elected" as const), replica, afterMs }) },
);

/** The rules over the whole history, read backwards each time. */
class PlainModel {
  readonly #log: { readonly atMs: number; readonly kind: string; readonly replica: string }[] = [];

  add(atMs: number, kind: string, name: string): void {
    this.#log.push({ atMs, kind, replica: name });
  }

  get elected(): string {
    return this.#log.findLast(({ kind }) => kind === "elected")?.replica ?? assert.fail();
  }

  judge(name: string, nowMs: number): Judgement {
    const lastAtMs = (isSign: (entry: { kind: string; replica: string }) => boolean): number =>
      this.#log.findLast(isSign)?.atMs ?? assert.fail();
    const writtenAtMs = lastAtMs(({ kind }) => kind !== "sample");
    if (name === this.elected) {
      return nowMs - writtenAtMs >= TIMEOUTS.updateTimeoutMs ? "refresh" : "accept";
    }
    const { elected } = this;
    const electedIndex = this.#log.findLastIndex(({ kind }) => kind === "elected");
    const signs = this.#log
      .slice(electedIndex)
      .filter((entry) => entry.kind !== "sample" || entry.replica === elected);
    const aliveAtMs = signs.at(-1)?.atMs ?? assert.fail();
    return nowMs - aliveAtMs >= TIMEOUTS.failoverTimeoutMs ? "fail-over" : "drop";
  }
}

test("a cluster judges as the rules do when they are applied to all that happened", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let nowMs = 1000;
      const model = new PlainModel();
      const cluster = new Cluster(elect(undefined, "a", nowMs), nowMs);
      model.add(nowMs, "elected", "a");
      let elections = 1;
      for (const happened of events) {
        nowMs += happened.afterMs;
        if (happened.kind === "sample") {
          const want = model.judge(happened.replica, nowMs);
          assert.equal(cluster.judge(happened.replica, TIMEOUTS, nowMs), want);
          model.add(nowMs, "sample", happened.replica);
          continue;
        }
        const name = happened.kind === "elected" ? happened.replica : model.elected;
        const isOther = name !== model.elected;
        if (isOther) elections++;
        const before = cluster.elected;
        cluster.learn(isOther ? elect(before, name, nowMs) : received(before, nowMs), nowMs);
        model.add(nowMs, isOther ? "elected" : "written", name);
        assert.equal(cluster.elected.replica, name);
        assert.equal(cluster.changes, elections);
      }
    }),
    { numRuns: 500 },
  );
});

test("what is remembered of other replicas is bounded, and the latest are kept", () => {
  const cluster = new Cluster(elect(undefined, "elected", 0), 0);
  for (let index = 0; index < 1000; index++) cluster.judge(`replica-${index}`, TIMEOUTS, index);
  assert.equal(cluster.others.size, 16);
  assert.deepEqual([...cluster.others][0], ["replica-984", 984]);
  cluster.judge("replica-984", TIMEOUTS, 2000);
  assert.deepEqual([...cluster.others].at(-1), ["replica-984", 2000]);
  cluster.learn(elect(cluster.elected, "replica-999", 2001), 2001);
  assert.equal(cluster.others.has("replica-999"), false);
  assert.deepEqual([...cluster.others].at(-1), ["elected", 0]);
});
