import assert from "node:assert/strict";
import { test } from "node:test";
import { clockSkewMs, ringNotices } from "../../src/ui/ring/ring-notices.ts";
import { ringVerdict } from "../../src/ui/ring/ring-verdict.ts";
import { instance, NOW_MS } from "../ring/fixture.ts";
import { FakeRing, fakeIngesters } from "./fake-ring.ts";

test("five ingesters, one dead: works, and the dead one is named", () => {
  const ring = fakeIngesters(5);
  ring.pass(200_000, ["ingester-3"]);
  const { tone, title, facts, advice } = ringVerdict("ingester", ring.status());
  assert.equal(tone, "warn");
  assert.equal(title, "Writes and reads work, but not every instance does");
  assert.deepEqual(facts, ["Not healthy: ingester-3 (silent for 3m 22s)."]);
  assert.equal(advice.length, 1);
});

test("a rolling restart is no alarm", () => {
  const ring = fakeIngesters(4);
  ring.change("ingester-1", { state: "JOINING" });
  ring.change("ingester-2", { readOnly: true });
  assert.deepEqual(ringVerdict("ingester", ring.status()), {
    tone: "warn",
    title: "Writes and reads work, but not every instance does",
    facts: [
      "On the move: ingester-1 (JOINING). Their rows go to the next instance meanwhile.",
      "Read-only, so others take their rows: ingester-2.",
    ],
    advice: [],
  });
});

test("writes may fail while reads work", () => {
  const ring = fakeIngesters(3);
  ring.change("ingester-0", { state: "LEAVING" });
  ring.change("ingester-1", { state: "LEAVING" });
  const { tone, title, advice } = ringVerdict("ingester", ring.status());
  assert.deepEqual([tone, title], ["bad", "Writes fail, reads work"]);
  assert.match(advice.join(), /at least 2 must be ACTIVE/);
});

test("with replication factor 1, one dead is enough", () => {
  const ring = fakeIngesters(3, { replicationFactor: 1 });
  ring.pass(200_000, ["ingester-0"]);
  const { title, facts } = ringVerdict("ingester", ring.status());
  assert.equal(title, "Reads fail, writes work");
  assert.match(facts.join(), /Samples of 33\.\d% of the keys/);
});

test("distributors only have to be there", () => {
  const ring = new FakeRing({ name: "distributor", instances: [instance("d-1"), instance("d-2")] });
  assert.equal(ringVerdict("distributor", ring.status()).tone, "good");
  ring.pass(200_000, ["d-2"]);
  assert.equal(
    ringVerdict("distributor", ring.status()).title,
    "1 of 2 distributors does not answer",
  );
  ring.pass(200_000, ["d-1", "d-2"]);
  assert.equal(ringVerdict("distributor", ring.status()).tone, "bad");
});

test("clocks are compared by heartbeats: behind and ahead, not the dead", () => {
  const ring = fakeIngesters(4);
  const clocks = { "ingester-1": -90_000, "ingester-2": 3_600_000, "ingester-3": -90_000 };
  for (const [id, skewMs] of Object.entries(clocks)) {
    ring.change(id, { heartbeatMs: NOW_MS + skewMs });
  }
  // What clocks are is learned from heartbeats that arrive.
  for (let i = 0; i < 20; i++) ring.pass(5000, ["ingester-3"]);
  const status = ring.status();
  assert.deepEqual(
    status.instances.map((one) => Math.trunc(clockSkewMs(one, status.nowMs) / 60_000)),
    [0, -1, 60, -1],
  );
  assert.deepEqual(ringNotices(status), [
    "Clocks differ: ingester-1 (1m 30s behind this process), ingester-2 (1h ahead of this process). Heartbeats are judged without them, but timestamps and rules are not: check NTP there.",
  ]);
});

test("versions and replication factors that differ are told", () => {
  const ring = fakeIngesters(8);
  assert.deepEqual(ringNotices(ring.status()), []);
  ring.change("ingester-3", { versions: { muninn: "0.2.0", replication_factor: "2" } });
  assert.deepEqual(ringNotices(ring.status()), [
    "Replication factors differ: it is 3 here, but ingester-3 has 2. Quorum can be relied on only once all agree (-ingester.ring.replication-factor).",
    "Versions of muninn differ: 0.1.0 on 7 instances; 0.2.0 on ingester-3. That is as it should be during an update only.",
  ]);
});
