import assert from "node:assert/strict";
import { test } from "node:test";
import { OpError } from "../../src/base/errors.ts";
import { allUserStats } from "../../src/querier/user-stats.ts";
import type { UserStats } from "../../src/rpc/ingester.ts";
import { type RingFixture, ringFixture, type TestMember } from "./ring-fixture.ts";

function stats(tenant: string, seriesCount: number, samplesPerSecond: number): UserStats {
  return { tenant, seriesCount, samplesPerSecond };
}

function ringOf(...members: readonly Partial<TestMember>[]): RingFixture {
  return ringFixture(members.map((member, i) => ({ id: `i-${i}`, ...member })));
}

test("sums over all ingesters, each series and sample once", async () => {
  const ring = ringOf({}, {}, {}, {});
  ring.ingester("i-0").userStats = [stats("b", 10, 5), stats("a", 1, 1)];
  ring.ingester("i-1").userStats = [stats("b", 9, 4)];
  ring.ingester("i-3").userStats = [stats("a", 1, 1), stats("b", 11, 6)];
  assert.deepEqual(await allUserStats(ring.view, ring.clientFor), {
    stats: [stats("a", 1, 2 / 3), stats("b", 10, 5)],
    copies: 3,
  });
});

test("fewer ingesters than replicas hold fewer copies", async () => {
  const ring = ringOf({}, {});
  for (const id of ["i-0", "i-1"]) ring.ingester(id).userStats = [stats("a", 7, 1)];
  assert.deepEqual(await allUserStats(ring.view, ring.clientFor), {
    stats: [stats("a", 7, 1)],
    copies: 2,
  });
});

test("an empty ring has no tenants", async () => {
  const ring = ringOf();
  assert.deepEqual((await allUserStats(ring.view, ring.clientFor)).stats, []);
});

test("one that does not answer fails it, by name", async () => {
  const failing = ringOf({}, { behaviour: { kind: "fails", afterMs: 0 } }, {});
  await assert.rejects(allUserStats(failing.view, failing.clientFor), {
    code: "too-many-unhealthy-instances",
    message:
      "too many unhealthy instances in the ring: statistics need an answer from every ingester - i-1 (i-1.example:9095, ACTIVE): connection refused",
  });
  const dead = ringOf({}, {}, { isAlive: false });
  await assert.rejects(allUserStats(dead.view, dead.clientFor), {
    message: /i-2 \(i-2\.example:9095, UNHEALTHY\): not asked$/,
  });
});

test("whoever goes away is not waited for", async () => {
  const ring = ringOf({ behaviour: { kind: "hangs" } }, {});
  const client = new AbortController();
  const gone = new OpError("canceled", "gone");
  const asked = allUserStats(ring.view, ring.clientFor, client.signal);
  client.abort(gone);
  await assert.rejects(asked, (error) => error === gone);
  assert.equal(ring.runningCount(), 0);
});
