/** Real sockets on loopback, real time: three nodes, and strangers at their port. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import { every } from "../../src/base/clock.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { Gossip } from "../../src/gossip/gossip.ts";
import { LAN_MEMBERSHIP } from "../../src/gossip/membership/options.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import { GOSSIP_DEFAULTS, type GossipOptions } from "../../src/gossip/options.ts";
import { NodeNetwork } from "../../src/sys/node-network.ts";
import { SystemClock } from "../../src/sys/system-clock.ts";
import { SystemRandom } from "../../src/sys/system-random.ts";
import { NO_USER, SILENT } from "./cluster.ts";

const clock = new SystemClock();
const network = new NodeNetwork();

/** Faster than the defaults, so that the test is. */
const FAST = {
  ...LAN_MEMBERSHIP,
  probeIntervalMs: 100,
  probeTimeoutMs: 50,
  gossipIntervalMs: 20,
};

async function start(name: string, options: Partial<GossipOptions> = {}): Promise<Gossip> {
  const gossip: Gossip = new Gossip(
    {
      ...GOSSIP_DEFAULTS,
      nodeName: name,
      clusterLabel: "loopback",
      bind: { host: "127.0.0.1", port: 0 },
      membership: FAST,
      ...options,
    },
    {
      clock,
      random: new SystemRandom(),
      network,
      logger: SILENT,
      metrics: newGossipMetrics(new Registry(), () => gossip),
      user: NO_USER,
    },
  );
  await gossip.start();
  return gossip;
}

/** Resolves when it holds; a test that waits in vain runs into the time limit of the runner. */
async function until(holds: () => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    // Keeps the process alive: the sockets and timers of the program do not.
    const keepAlive = setInterval(() => {}, 1000);
    const timer = every(clock, 10, () => {
      if (!holds()) return;
      timer.cancel();
      clearInterval(keepAlive);
      resolve();
    });
  });
}

function addressOf({ address: { host, port } }: Gossip): string {
  return `${host}:${port}`;
}

const KEY = new Uint8Array(32).fill(7);

for (const [what, options] of [
  ["plain", { compress: false }],
  ["compressed", {}],
  ["encrypted", { keyring: new Keyring(KEY) }],
] as const) {
  test(`three nodes on UDP and TCP, ${what}: join, failure, leaving`, async () => {
    const one = await start("one", options);
    const two = await start("two", options);
    const three = await start("three", options);
    for (const node of [two, three]) {
      assert.deepEqual(await node.join([addressOf(one)]), { joined: 1, failures: [] });
    }
    await until(() => [one, two, three].every((node) => node.liveCount === 3));
    await three.stop();
    await until(() => one.liveCount === 2 && two.liveCount === 2);
    assert.equal(one.members.find(({ name }) => name === "three")?.status, "dead");
    await two.leave(5000);
    await until(() => one.liveCount === 1);
    assert.equal(one.members.find(({ name }) => name === "two")?.status, "left");
    await Promise.all([one.stop(), two.stop()]);
  });
}

test("garbage at the port changes nothing", async () => {
  const one = await start("one");
  const two = await start("two");
  await two.join([addressOf(one)]);
  await until(() => one.liveCount === 2 && two.liveCount === 2);
  const random = new SeededRandom(1);
  const garbage = (size: number): Uint8Array =>
    Uint8Array.from({ length: size }, () => random.uint32());
  const stranger = await network.bindDatagrams({ host: "127.0.0.1", port: 0 }, () => {});
  for (let count = 0; count < 2000; count++) {
    await stranger.send(garbage(1 + (random.uint32() % 200)), one.address);
  }
  for (let count = 0; count < 20; count++) {
    const stream = await network.dial(one.address, 1000);
    await stream.write(garbage(500)).catch(() => {});
    stream.close();
  }
  await stranger.close();
  await until(() => one.liveCount === 2 && two.liveCount === 2);
  assert.equal(one.members.length, 2);
  await Promise.all([one.stop(), two.stop()]);
});

test("a port that is taken is an error at start", async () => {
  const one = await start("one");
  await assert.rejects(start("two", { bind: one.address }), /EADDRINUSE/);
  await one.stop();
});

test("a stream to nobody is refused, and a name resolves", async () => {
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, () => {});
  await listener.close();
  await assert.rejects(network.dial(listener.address, 1000), /ECONNREFUSED/);
  assert.ok((await network.lookup("localhost")).length > 0);
});
