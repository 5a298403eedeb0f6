import assert from "node:assert/strict";
import { test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { tombstone } from "../../src/ring/descriptor.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { readTokenFile } from "../../src/ring/token-file.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { settle, TestClock } from "../testkit/test-clock.ts";
import { exchange, KEY, RingNode, TOKENS_FILE } from "./member-fixture.ts";

async function tokensOnDisk(disk: MemoryFileSystem): Promise<number[] | undefined> {
  const tokens = (await readTokenFile(disk, TOKENS_FILE))?.tokens;
  return tokens === undefined ? undefined : [...tokens];
}

test("a member enters, is ready, and beats each period", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.member.enter("10.0.0.1:9095");
  assert.equal(node.own?.address, "10.0.0.1:9095");
  await clock.advance(10_000);
  assert.equal(node.own?.state, "JOINING", "not before what it is a part of runs");
  let isReady = false;
  const ready = node.member.ready().then(() => {
    isReady = true;
  });
  await clock.advance(10_000);
  assert.ok(isReady);
  await ready;
  assert.deepEqual(node.said, ["PENDING", "JOINING", "ACTIVE serving"]);
  assert.deepEqual(node.toldAt, [3], "others are told before it counts as ready");
  const beats = must(
    await node.metric("cortex_member_ring_heartbeats_total", { name: "ingester" }),
    "heartbeats are counted",
  );
  const before = node.self.heartbeatMs;
  await clock.advance(20_000);
  assert.equal(node.self.heartbeatMs, before + 20_000);
  const after = await node.metric("cortex_member_ring_heartbeats_total", { name: "ingester" });
  assert.equal(after, beats + 4);
});

test("tokens are on disk once it is ACTIVE, not before, and survive a crash", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.member.enter("10.0.0.1:9095");
  await clock.advance(10_000);
  assert.equal(node.own?.tokens.length, 16);
  assert.equal(await tokensOnDisk(node.disk), undefined);
  await node.member.ready();
  const tokens = [...node.self.tokens];
  assert.deepEqual(await tokensOnDisk(node.disk), tokens);

  const disk = node.disk.crash(new SeededRandom(1));
  const again = new RingNode("a", { clock, disk });
  await again.member.enter("10.0.0.2:9095");
  assert.equal(again.own?.state, "JOINING");
  assert.deepEqual([...again.self.tokens], tokens);
  assert.equal(again.own?.hasData, true);
  assert.equal(again.own?.lostDataAtMs, 0);
  await again.member.ready();
  assert.equal(again.own?.state, "ACTIVE", "without observing");
});

test("a member that stops before it was ever ACTIVE leaves no file that speaks of data", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.member.enter("10.0.0.1:9095");
  await clock.advance(1_000);
  await node.member.leave({ unregister: false });
  assert.deepEqual(node.said, ["PENDING", "JOINING", "LEAVING"]);
  assert.equal(await tokensOnDisk(node.disk), undefined);
});

test("one that comes back with an empty disk says so, and a later restart does not take it back", async () => {
  const clock = new TestClock();
  const witness = new RingNode("w", { clock });
  const node = new RingNode("a", { clock });
  exchange(clock, [witness, node]);
  await witness.join();
  await node.join();
  assert.equal(node.own?.lostDataAtMs, 0);
  node.isCut = true;

  const empty = new RingNode("a", { clock });
  empty.store.mergeRemoteState(witness.store.localState());
  await empty.join();
  const lostAtMs = empty.self.lostDataAtMs;
  assert.ok(lostAtMs > 0);
  assert.deepEqual(empty.own?.tokens, node.own?.tokens, "the ring knows its tokens");
  assert.ok((await tokensOnDisk(empty.disk)) !== undefined);

  const again = new RingNode("a", { clock, disk: empty.disk.crash(new SeededRandom(1)) });
  again.store.mergeRemoteState(empty.store.localState());
  await again.join();
  assert.equal(again.own?.lostDataAtMs, lostAtMs);
});

test("unregistering: the tombstone is told, the file is gone, nothing beats any more", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.join();
  await node.member.leave({ unregister: true });
  assert.deepEqual(node.said.slice(-2), ["LEAVING serving", "LEFT"]);
  assert.equal(await tokensOnDisk(node.disk), undefined);
  node.watch.stop();
  assert.equal(clock.timersWaiting, 0);
});

test("leaving: LEAVING is told while it serves, then the final sleep, then the last words", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock, member: { finalSleepMs: 2_000 } });
  await node.join();
  const tokens = await tokensOnDisk(node.disk);
  const left = node.member.leave({ unregister: false });
  await clock.advance(1_999);
  assert.deepEqual(node.said.slice(-1), ["LEAVING serving"]);
  assert.equal(node.toldAt.at(-1), node.said.length);
  await clock.advance(1);
  await left;
  assert.deepEqual(node.said.slice(-1), ["LEAVING"]);
  assert.equal(node.toldAt.at(-1), node.said.length);
  assert.deepEqual(await tokensOnDisk(node.disk), tokens, "it comes back with them");
  const heartbeatMs = node.own?.heartbeatMs;
  await clock.advance(60_000);
  assert.equal(node.own?.heartbeatMs, heartbeatMs);
  await node.member.leave({ unregister: true });
  assert.equal(node.own?.state, "LEAVING", "it left already");
});

test("who waits to be ready is let go when the member leaves", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.member.enter("10.0.0.1:9095");
  const ready = node.member.ready();
  await node.member.leave({ unregister: false });
  await ready;
  assert.notEqual(node.own?.state, "ACTIVE");
});

test("read-only is told, and taken back", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.join();
  node.member.setReadOnly(true);
  assert.equal(node.own?.readOnly, true);
  assert.equal(node.own?.readOnlyUpdatedAtMs, clock.nowMs());
  assert.equal(await node.metric("cortex_lifecycler_read_only", { name: "ingester" }), 1);
  node.member.setReadOnly(false);
  assert.equal(node.own?.readOnly, false);
  assert.equal(await node.metric("cortex_lifecycler_read_only", { name: "ingester" }), 0);
});

test("a live member that somebody forgot is back at once, with its tokens", async () => {
  const clock = new TestClock();
  const [a, b] = [new RingNode("a", { clock }), new RingNode("b", { clock })];
  exchange(clock, [a, b]);
  await a.join();
  await b.join();
  const tokens = a.self.tokens;
  assert.equal(b.watch.forget("a"), "forgotten");
  assert.equal(b.watch.view.members.length, 1);
  await clock.advance(1_000);
  assert.equal(b.watch.descriptor.get("a")?.state, "ACTIVE");
  assert.deepEqual(b.watch.descriptor.get("a")?.tokens, tokens);
  assert.equal(b.watch.forget("nobody"), "unknown");
  const labels = { name: "ingester", reason: "asked" };
  assert.equal(await b.metric("cortex_ring_forgotten_members_total", labels), 1);
});

test("a clock that is set while the process runs changes no heartbeat and kills nobody", async () => {
  class SetClock extends TestClock {
    offsetMs = 0;
    override nowMs(): number {
      return super.nowMs() + this.offsetMs;
    }
  }
  const clock = new SetClock();
  const node = new RingNode("a", { clock });
  await node.join();
  const before = node.self.heartbeatMs;
  clock.offsetMs = 3_600_000;
  await clock.advance(10_000);
  assert.equal(node.self.heartbeatMs, before + 10_000);
  assert.ok(node.watch.view.members.every(({ isAlive }) => isAlive));
});

test("members that join together over two stores end with the same ring, without a shared token", async () => {
  const clock = new TestClock();
  const nodes = ["a", "b", "c"].map((id) => new RingNode(id, { clock }));
  exchange(clock, nodes);
  await Promise.all(nodes.map(({ member }, index) => member.enter(`10.0.0.${index + 1}:9095`)));
  const ready = Promise.all(nodes.map(({ member }) => member.ready()));
  await clock.advance(20_000);
  await ready;
  for (const { watch } of nodes) {
    assert.equal(watch.view.members.length, 3);
    assert.ok(watch.view.members.every(({ instance }) => instance.state === "ACTIVE"));
    assert.equal(watch.view.table.tokens.length, 48);
  }
});

test("tokens that cannot be written are logged, and the member goes on", async () => {
  const clock = new TestClock();
  const disk = new MemoryFileSystem();
  disk.capacityBytes = 1;
  const node = new RingNode("a", { clock, disk });
  await node.join();
  assert.equal(node.own?.state, "ACTIVE");
  assert.deepEqual(
    node.logger.lines.filter(({ level }) => level === "error").map(({ message }) => message),
    ["the tokens could not be written"],
  );
});

test("a damaged token file stops the start, with the file's name", async () => {
  const clock = new TestClock();
  const disk = new MemoryFileSystem();
  await disk.writeFileAtomic(TOKENS_FILE, new TextEncoder().encode('{"tokens":[1,'));
  const node = new RingNode("a", { clock, disk });
  await assert.rejects(node.member.enter("10.0.0.1:9095"), /\/tokens|remove the file/);
  assert.equal(node.watch.view.members.length, 0);
});

test("a tombstone that arrives with a time ahead of its clock does not keep a live member out", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  await node.join();
  const ahead = tombstone(node.self, clock.nowMs() + 3_600_000);
  node.store.update(KEY, RING_VALUE, () => new Map([["a", ahead]]));
  await settle();
  assert.equal(node.own?.state, "ACTIVE");
  assert.ok(node.self.heartbeatMs > ahead.heartbeatMs);
});
