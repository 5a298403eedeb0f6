/** Whole clusters on virtual time: what SWIM and Lifeguard promise must hold on a bad network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isConverged, SimCluster, type SimNode, statusAt } from "./cluster.ts";

const LOSSY = { lossRate: 0.1, duplicateRate: 0.05, delayMsMin: 0.5, delayMsMax: 40 };

function at(cluster: SimCluster, index: number): SimNode {
  const node = cluster.nodes[index];
  assert.ok(node !== undefined);
  return node;
}

for (const [count, seed] of [
  [3, 1],
  [10, 2],
  [30, 3],
] as const) {
  test(`${count} nodes find each other, though a tenth of the packets is lost (seed ${seed})`, async () => {
    const cluster = new SimCluster({ seed, network: LOSSY });
    await cluster.grow(count);
    const tookMs = await cluster.until(() => isConverged(cluster.nodes), 20_000);
    assert.ok(tookMs !== undefined, "membership converges");
    // Nobody is slandered: lost packets alone make no member dead.
    await cluster.clock.advance(15_000);
    assert.ok(isConverged(cluster.nodes));
    await cluster.stopAll();
    // What is still under way arrives, or does not.
    await cluster.clock.advance(2 * LOSSY.delayMsMax);
    assert.equal(cluster.clock.timersWaiting, 0, "a stopped cluster leaves no timer");
  });
}

test("a killed node is found dead by everybody; restarted, it is back", async () => {
  const cluster = new SimCluster({ seed: 4, network: LOSSY });
  await cluster.grow(8);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  const victim = at(cluster, 5);
  await cluster.kill(victim);
  const others = cluster.nodes.filter((node) => node !== victim);
  const foundMs = await cluster.until(
    () => others.every((node) => statusAt(node, victim) === "dead"),
    60_000,
  );
  assert.ok(foundMs !== undefined);
  // A probe round of 8, the longest suspicion (24 s), and gossip.
  assert.ok(foundMs < 40_000, `${foundMs} ms`);
  await cluster.start(5);
  const reborn = at(cluster, 5);
  const { joined } = await cluster.during(reborn.gossip.join([at(cluster, 0).host]));
  assert.equal(joined, 1);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  await cluster.stopAll();
});

test("a node that left stays left, though old news of it still goes round", async () => {
  const cluster = new SimCluster({
    seed: 5,
    network: { ...LOSSY, duplicateRate: 0.3, delayMsMax: 3000 },
  });
  await cluster.grow(6);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 60_000)) !== undefined);
  const leaver = at(cluster, 3);
  await cluster.during(leaver.gossip.leave(20_000));
  await cluster.during(leaver.gossip.stop());
  const others = cluster.nodes.filter((node) => node !== leaver);
  const gone = (): boolean =>
    others.every((node) => ["left", "unknown"].includes(statusAt(node, leaver)));
  assert.ok((await cluster.until(gone, 30_000)) !== undefined);
  for (let round = 0; round < 100; round++) {
    await cluster.clock.advance(1000);
    assert.ok(gone(), `after ${round} s`);
  }
  await cluster.stopAll();
});

test("both sides of a partition take the other for dead, and are one again when it heals", async () => {
  const cluster = new SimCluster({ seed: 6 });
  await cluster.grow(10);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  const left = cluster.nodes.slice(0, 5);
  const right = cluster.nodes.slice(5);
  cluster.network.partition(
    left.map(({ host }) => host),
    right.map(({ host }) => host),
  );
  const split = await cluster.until(() => isConverged(left) && isConverged(right), 90_000);
  assert.ok(split !== undefined, "each side is a cluster of its own");
  cluster.network.heal();
  // The dead are gossiped to for 30 s; after that, only a join brings the sides together.
  await cluster.during(at(cluster, 0).gossip.join([at(cluster, 7).host]));
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 60_000)) !== undefined);
  await cluster.stopAll();
});

test("a node that some cannot reach is vouched for by others", async () => {
  const cluster = new SimCluster({ seed: 7 });
  await cluster.grow(6);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  const [one, other] = [at(cluster, 1), at(cluster, 2)];
  cluster.network.cut(one.host, other.host);
  cluster.network.cut(other.host, one.host);
  for (let round = 0; round < 60; round++) {
    await cluster.clock.advance(1000);
    assert.ok(cluster.nodes.every((node) => statusAt(node, other) !== "dead"));
    assert.ok(cluster.nodes.every((node) => statusAt(node, one) !== "dead"));
  }
  await cluster.stopAll();
});

test("a rumour about a living node is refuted with a higher incarnation", async () => {
  const cluster = new SimCluster({ seed: 8 });
  await cluster.grow(5);
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  const suspect = at(cluster, 4);
  // Deaf for five seconds: long enough to be suspected, too short to be dead.
  for (const { host } of cluster.nodes) {
    cluster.network.cut(suspect.host, host);
    cluster.network.cut(host, suspect.host);
  }
  const others = cluster.nodes.filter((node) => node !== suspect);
  const suspected = (): boolean => others.some((node) => statusAt(node, suspect) === "suspect");
  assert.ok((await cluster.until(suspected, 15_000)) !== undefined);
  cluster.network.heal();
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 15_000)) !== undefined);
  const own = suspect.gossip.members.find(({ name }) => name === suspect.name);
  assert.ok(own !== undefined && own.incarnation > 1, "it had to speak up");
  await cluster.stopAll();
});

test("two clusters with different labels do not merge, nor do strangers without one", async () => {
  const cluster = new SimCluster({ seed: 9 });
  await cluster.grow(2);
  const stranger = await cluster.start(2, { clusterLabel: "other" });
  const { joined, failures } = await cluster.during(stranger.gossip.join([at(cluster, 0).host]));
  assert.equal(joined, 0);
  assert.equal(failures.length, 1);
  await cluster.clock.advance(5000);
  assert.equal(at(cluster, 0).gossip.liveCount, 2);
  assert.equal(stranger.gossip.liveCount, 1);
  const text = await at(cluster, 0).registry.metrics();
  assert.match(text, /muninn_gossip_rejected_total\{transport="stream",reason="wrong-label"\} 1/);
  await cluster.stopAll();
});

test("new metadata reaches everybody", async () => {
  const cluster = new SimCluster({ seed: 10, network: LOSSY });
  await cluster.grow(6);
  const subject = at(cluster, 2);
  const seen: string[] = [];
  at(cluster, 5).gossip.onMemberChange(({ type, member }) => {
    if (type === "member-updated")
      seen.push(`${member.name} ${new TextDecoder().decode(member.meta)}`);
  });
  await cluster.during(subject.gossip.updateMeta(new TextEncoder().encode("zone-b"), 10_000));
  assert.ok((await cluster.until(() => seen.includes("node-2 zone-b"), 10_000)) !== undefined);
  await cluster.stopAll();
});

test("the same seed gives the same run", async () => {
  const run = async (): Promise<string> => {
    const cluster = new SimCluster({ seed: 11, network: LOSSY });
    await cluster.grow(5);
    await cluster.clock.advance(10_000);
    const members = cluster.nodes.map(({ gossip }) =>
      gossip.members.map(({ name, status, statusSinceMs }) => [name, status, statusSinceMs]),
    );
    const trace = JSON.stringify({ members, sent: cluster.network.sent });
    await cluster.stopAll();
    return trace;
  };
  assert.equal(await run(), await run());
});
