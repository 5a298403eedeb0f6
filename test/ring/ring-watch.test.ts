import assert from "node:assert/strict";
import { test } from "node:test";
import { must } from "../../src/base/assert.ts";
import { settle, TestClock } from "../testkit/test-clock.ts";
import { exchange, RingNode, TIMEOUT_MS } from "./member-fixture.ts";

/** Members "a", "b", … that know each other. */
async function cluster(
  size: number,
  watch: ConstructorParameters<typeof RingNode>[1]["watch"] = {},
): Promise<{ readonly clock: TestClock; readonly nodes: readonly [RingNode, ...RingNode[]] }> {
  const clock = new TestClock();
  const nodes = ["a", "b", "c", "d", "e"]
    .slice(0, size)
    .map((id) => new RingNode(id, { clock, watch }));
  exchange(clock, nodes);
  for (const [index, node] of nodes.entries()) await node.join(`10.0.0.${index + 1}:9095`);
  await clock.advance(1_000);
  return { clock, nodes: nodes as [RingNode, ...RingNode[]] };
}

function states({ watch }: RingNode): Record<string, string> {
  return Object.fromEntries(
    watch.view.members.map(({ instance, isAlive }) => [
      instance.id,
      isAlive ? instance.state : "UNHEALTHY",
    ]),
  );
}

test("who is silent is unhealthy after the timeout, and forgotten after ten of them", async () => {
  const { clock, nodes } = await cluster(4);
  const [first, , , last] = nodes;
  must(last, "it is there").isCut = true;
  await clock.advance(TIMEOUT_MS - 5_000);
  assert.equal(states(first)["d"], "ACTIVE");
  await clock.advance(10_000);
  assert.equal(states(first)["d"], "UNHEALTHY");
  const unhealthy = { name: "ingester", state: "Unhealthy" };
  assert.equal(await first.metric("cortex_ring_members", unhealthy), 1);
  await clock.advance(10 * TIMEOUT_MS);
  assert.deepEqual(Object.keys(states(first)), ["a", "b", "c"]);
  const forgotten = await Promise.all(
    nodes
      .slice(0, 3)
      .map((node) =>
        node.metric("cortex_ring_forgotten_members_total", { name: "ingester", reason: "auto" }),
      ),
  );
  assert.ok(forgotten.some((count) => count === 1));
  assert.ok(
    first.watch.events().some(({ text }) => text.startsWith("d (10.0.0.4:9095) left the ring")),
  );
});

test("one that is not reached any more comes back by itself after it was forgotten", async () => {
  const { clock, nodes } = await cluster(4);
  const [first, , , last] = nodes;
  must(last, "it is there").isCut = true;
  await clock.advance(11 * TIMEOUT_MS);
  assert.equal(states(first)["d"], undefined);
  assert.equal(must(last, "it is there").own?.state, "ACTIVE", "it does not know");
  must(last, "it is there").isCut = false;
  await clock.advance(10_000);
  assert.equal(states(first)["d"], "ACTIVE");
});

test("two dead of three are kept, and it is said once why", async () => {
  const { clock, nodes } = await cluster(3);
  const [first, second, third] = nodes;
  for (const node of [second, third]) must(node, "it is there").isCut = true;
  await clock.advance(20 * TIMEOUT_MS);
  assert.deepEqual(states(first), { a: "ACTIVE", b: "UNHEALTHY", c: "UNHEALTHY" });
  const kept = first.logger.lines.filter(({ message }) => message.includes("is not forgotten"));
  assert.equal(kept.length, 2, "one line each, though it is looked at every second");
  assert.match(
    must(first.watch.impactWithout("b").reasonToKeep, "it is there"),
    /could not be written/,
  );
  const texts = first.watch.events().filter(({ text }) => text.includes("is not forgotten"));
  assert.equal(texts.length, 2);
  for (const node of [second, third]) must(node, "it is there").isCut = false;
  await clock.advance(10_000);
  assert.deepEqual(states(first), { a: "ACTIVE", b: "ACTIVE", c: "ACTIVE" });
  for (const node of [second, third]) must(node, "it is there").isCut = true;
  await clock.advance(20 * TIMEOUT_MS);
  const again = first.logger.lines.filter(({ message }) => message.includes("is not forgotten"));
  assert.equal(again.length, 4, "what happens anew is said anew");
});

test("members without data are forgotten whatever quorum says; with periods of 0 nobody is", async () => {
  const gone = await cluster(2, { holdsData: false });
  must(gone.nodes[1], "it is there").isCut = true;
  await gone.clock.advance(12 * TIMEOUT_MS);
  assert.deepEqual(Object.keys(states(gone.nodes[0])), ["a"]);
  assert.equal(gone.nodes[0].watch.impactWithout("a").reasonToKeep, undefined);

  const kept = await cluster(4, { autoForgetPeriods: 0 });
  must(kept.nodes[3], "it is there").isCut = true;
  await kept.clock.advance(30 * TIMEOUT_MS);
  assert.equal(states(kept.nodes[0])["d"], "UNHEALTHY");
});

test("`changed` resolves with the first new view, or after its time, and leaves nothing behind", async () => {
  const { clock, nodes } = await cluster(3);
  const [first, second] = nodes;
  const timers = clock.timersWaiting;
  const outcome = async (waiting: Promise<boolean>, ms: number): Promise<boolean | undefined> => {
    let result: boolean | undefined;
    void waiting.then((isChanged) => {
      result = isChanged;
    });
    await clock.advance(ms);
    return result;
  };
  assert.equal(
    await outcome(first.watch.changed(7_000), 6_999),
    undefined,
    "heartbeats are no change",
  );
  await clock.advance(1);
  assert.equal(clock.timersWaiting, timers);
  const waiting = first.watch.changed(7_000);
  must(second, "it is there").member.setReadOnly(true);
  assert.equal(await outcome(waiting, 400), true);
  assert.equal(clock.timersWaiting, timers);
  assert.equal(await outcome(first.watch.changed(100), 100), false);
});

test("instances of excluded zones are not there", async () => {
  const clock = new TestClock();
  const a = new RingNode("a", { clock, watch: { excludedZones: ["broken"] } });
  const b = new RingNode("b", { clock, member: { zone: "broken" } });
  exchange(clock, [a, b]);
  await a.join();
  await b.join();
  await clock.advance(1_000);
  assert.deepEqual(Object.keys(states(a)), ["a"]);
  assert.equal(a.watch.forget("b"), "unknown");
  assert.deepEqual(Object.keys(states(b)), ["a", "b"]);
});

test("what changes is told to people in one line each, newest first, and not without end", async () => {
  const { clock, nodes } = await cluster(3);
  const [first, second] = nodes;
  const before = first.watch.events().length;
  must(second, "it is there").member.setReadOnly(true);
  await clock.advance(400);
  assert.equal(first.watch.events()[0]?.text, "b: ACTIVE → ACTIVE, read-only");
  assert.equal(first.watch.events().length, before + 1);
  for (let i = 0; i < 250; i++) {
    must(second, "it is there").member.setReadOnly(i % 2 === 0);
    await clock.advance(200);
  }
  assert.equal(first.watch.events().length, 200);
});

test("gauges tell of members by state, the oldest heartbeat and the tokens", async () => {
  const { nodes } = await cluster(3);
  const [first] = nodes;
  const ring = { name: "ingester" };
  assert.equal(await first.metric("cortex_ring_members", { ...ring, state: "ACTIVE" }), 3);
  assert.equal(await first.metric("cortex_ring_members", { ...ring, state: "LEAVING" }), 0);
  assert.equal(await first.metric("cortex_ring_tokens_total", ring), 48);
  const oldest = Math.min(
    ...[...first.watch.descriptor.values()].map(({ heartbeatMs }) => heartbeatMs / 1000),
  );
  const shown = await first.metric("cortex_ring_oldest_member_timestamp", {
    ...ring,
    state: "ACTIVE",
  });
  assert.equal(shown, oldest);
});

test("after `stop` it does not look any more, and holds no timer", async () => {
  const clock = new TestClock();
  const node = new RingNode("a", { clock });
  assert.equal(clock.timersWaiting, 1);
  node.watch.stop();
  assert.equal(clock.timersWaiting, 0);
  await node.member.enter("10.0.0.1:9095");
  await settle();
  assert.equal(node.watch.view.members.length, 0);
});
