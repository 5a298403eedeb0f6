/** Strangers at the gossip port who know the protocol but not the label or the key, and old words said again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry } from "prom-client";
import type { DatagramSocket, NetworkAddress } from "../../src/base/network.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { concatBytes } from "../../src/gossip/codec/byte-writer.ts";
import { Keyring } from "../../src/gossip/codec/keyring.ts";
import { encodeMessage, type Message } from "../../src/gossip/codec/messages.ts";
import { encodePacket } from "../../src/gossip/codec/packet.ts";
import { Security, type SecurityOptions } from "../../src/gossip/codec/security.ts";
import { encodeStreamMessage, type PushPull } from "../../src/gossip/codec/stream.ts";
import { KvStore } from "../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../src/gossip/kv/options.ts";
import { isConverged, SimCluster, type SimNode, statusAt } from "./cluster.ts";
import { LAST_WRITE_MAP } from "./kv/last-write-map.ts";

const KEY = new Uint8Array(32).fill(5);
const OTHER_KEY = new Uint8Array(32).fill(6);
const STRANGER = "10.9.9.9";

function securityOf(options: Partial<SecurityOptions>): Security {
  return new Security(
    {
      label: "sim",
      acceptUnlabelled: false,
      verifyIncoming: true,
      verifyOutgoing: true,
      encryptionVersion: 1,
      ...options,
    },
    new SeededRandom(99),
  );
}

const MEMBER = securityOf({ keyring: new Keyring(KEY) });

/** A cluster with a key and a store on each node, and a socket of somebody who is no member. */
class Scene {
  readonly cluster: SimCluster;
  readonly stores: KvStore[] = [];
  readonly #socket: Promise<DatagramSocket>;

  constructor(seed: number) {
    this.cluster = new SimCluster({
      seed,
      gossip: { keyring: new Keyring(KEY) },
      userOf: (index, { clock }) => {
        const kv: KvStore = new KvStore(KV_DEFAULTS, {
          clock,
          metrics: newKvMetrics(new Registry(), () => kv.metricsState),
          types: [LAST_WRITE_MAP],
        });
        this.stores[index] = kv;
        return kv;
      },
    });
    const network = this.cluster.network.host(STRANGER);
    this.#socket = network.bindDatagrams({ host: STRANGER, port: 7946 }, () => {});
  }

  async grow(count: number): Promise<void> {
    await this.cluster.grow(count);
    this.put("x", 1);
    assert.ok((await this.cluster.until(() => this.isSettled, 30_000)) !== undefined);
  }

  put(text: string, atMs: number): void {
    this.at(0).kv.update("ring", LAST_WRITE_MAP, () => new Map([["a", { atMs, text }]]));
  }

  at(index: number): { node: SimNode; kv: KvStore; address: NetworkAddress } {
    const [node, kv] = [this.cluster.nodes[index], this.stores[index]];
    assert.ok(node !== undefined && kv !== undefined);
    return { node, kv, address: { host: node.host, port: 7946 } };
  }

  get isSettled(): boolean {
    const digests = new Set(this.stores.map((kv) => kv.keyStatuses[0]?.digest));
    return isConverged(this.cluster.nodes) && digests.size === 1;
  }

  /** Everything that a stranger could want to change. */
  get state(): string {
    return JSON.stringify(
      this.cluster.nodes.map(({ gossip }, index) => [
        gossip.members
          .map(({ name, status, incarnation, host }) => [name, status, incarnation, host].join())
          .toSorted(),
        this.stores[index]?.keyStatuses.map(({ version, digest }) => [version, digest]),
      ]),
    );
  }

  async packet(bytes: Uint8Array, to: NetworkAddress): Promise<void> {
    await (await this.#socket).send(bytes, to);
    await this.cluster.clock.advance(10);
  }

  async say(message: Message, to: NetworkAddress, security: Security): Promise<void> {
    const how = { withCrc: true, compress: false };
    await this.packet(encodePacket(encodeMessage(message), how, security), to);
  }

  /** Over TCP, as the dialling side. */
  async pushPull(said: PushPull, to: NetworkAddress, security: Security): Promise<void> {
    const network = this.cluster.network.host(STRANGER);
    const stream = await this.cluster.during(network.dial(to, 1000));
    const body = encodeStreamMessage(said, { compress: false }, security);
    await stream.write(concatBytes(security.header, body));
    await this.cluster.clock.advance(100);
    stream.close();
    await this.cluster.clock.advance(100);
  }

  async rejected(index: number): Promise<Record<string, number>> {
    const metric = this.at(index).node.registry.getSingleMetric("muninn_gossip_rejected_total");
    const { values = [] } = (await metric?.get()) ?? {};
    return Object.fromEntries(
      values.map(({ labels, value }) => [`${labels["transport"]} ${labels["reason"]}`, value]),
    );
  }
}

const FALSEHOODS: readonly Message[] = [
  { type: "dead", incarnation: 100, node: "node-1", from: "node-2" },
  { type: "suspect", incarnation: 100, node: "node-1", from: "node-2" },
  {
    type: "alive",
    incarnation: 100,
    node: "node-1",
    host: "10.0.0.2",
    port: 7946,
    meta: Uint8Array.of(1),
    versions: Uint8Array.of(1, 5, 2, 0, 0, 0),
  },
  { type: "user", payload: new Uint8Array(10) },
];

for (const [what, options, reason] of [
  ["another label", { label: "prod", keyring: new Keyring(KEY) }, "wrong-label"],
  ["no label", { label: "", keyring: new Keyring(KEY) }, "wrong-label"],
  ["another key", { keyring: new Keyring(OTHER_KEY) }, "wrong-key"],
  ["no key", {}, "wrong-key"],
] as const) {
  test(`${what}: packets and streams are dropped and counted, nothing changes`, async () => {
    const scene = new Scene(31);
    await scene.grow(3);
    const before = scene.state;
    const { address, kv } = scene.at(0);
    const security = securityOf(options);
    for (const falsehood of FALSEHOODS) await scene.say(falsehood, address, security);
    const nodes = scene.at(0).node.gossip.members.map((member) => ({
      ...member,
      incarnation: 100,
      status: "dead" as const,
    }));
    const userState = kv.localState();
    await scene.pushPull({ type: "push-pull", join: true, nodes, userState }, address, security);
    assert.deepEqual(await scene.rejected(0), { [`packet ${reason}`]: 4, [`stream ${reason}`]: 1 });
    assert.equal(scene.state, before);
    await scene.cluster.stopAll();
  });
}

test("old packets said again change nothing: every packet of a cluster's life, in any order, to everybody", async () => {
  const scene = new Scene(32);
  const { cluster } = scene;
  const recorded: Uint8Array[] = [];
  const send = cluster.network.sendDatagram.bind(cluster.network);
  cluster.network.sendDatagram = (bytes, from, to) => {
    if (from.host !== STRANGER) recorded.push(bytes.slice());
    send(bytes, from, to);
  };
  await scene.grow(4);
  // A life: new values, a node that is cut off until it is suspected, one that leaves and comes back.
  scene.put("y", 2);
  const [alone, leaver] = [scene.at(2).node, scene.at(3).node];
  const others = cluster.nodes.filter((node) => node !== alone).map(({ host }) => host);
  cluster.network.partition([alone.host], others);
  const suspected = (): boolean => statusAt(scene.at(0).node, alone) === "suspect";
  assert.ok((await cluster.until(suspected, 20_000)) !== undefined);
  cluster.network.heal();
  assert.ok((await cluster.until(() => isConverged(cluster.nodes), 20_000)) !== undefined);
  await cluster.during(leaver.gossip.leave(5000));
  await cluster.during(leaver.gossip.stop());
  const back = await cluster.start(3);
  await cluster.during(back.gossip.join([scene.at(0).node.host]));
  assert.ok((await cluster.until(() => scene.isSettled, 60_000)) !== undefined);
  const textsOf = (): unknown[] =>
    scene.stores.map((kv) => kv.get("ring", LAST_WRITE_MAP).get("a")?.text);
  assert.deepEqual(textsOf(), ["y", "y", "y", "y"]);

  const old = recorded.slice();
  assert.ok(old.length > 100, `${old.length}`);
  const before = scene.state;
  const random = new SeededRandom(5);
  const socket = await cluster.network
    .host(STRANGER)
    .bindDatagrams({ host: STRANGER, port: 1 }, () => {});
  for (let round = 0; round < 10 * old.length; round++) {
    const packet = old[random.uint32() % old.length];
    const { address } = scene.at(random.uint32() % 4);
    if (packet !== undefined) await socket.send(packet, address);
    if (round % 50 === 0) await cluster.clock.advance(5);
  }
  await cluster.clock.advance(100);
  assert.equal(scene.state, before);
  await cluster.stopAll();
});

test("an old push/pull said again brings back neither an old value nor an old state of a member", async () => {
  const scene = new Scene(33);
  await scene.grow(3);
  const { node, kv, address } = scene.at(0);
  const userState = kv.localState();
  const old: PushPull = { type: "push-pull", join: false, nodes: node.gossip.members, userState };
  const subject = scene.at(1).node.gossip;
  await scene.cluster.during(subject.updateMeta(Uint8Array.of(9), 10_000));
  scene.put("y", 2);
  await scene.cluster.clock.advance(5000);
  assert.ok(scene.isSettled);
  const before = scene.state;
  for (let count = 0; count < 3; count++) await scene.pushPull(old, address, MEMBER);
  assert.equal(scene.state, before);
  assert.deepEqual(await scene.rejected(0), {});
  await scene.cluster.stopAll();
});

test("an old alive message of a forgotten node brings it back no longer than probes need", async () => {
  const scene = new Scene(34);
  await scene.grow(3);
  const { cluster } = scene;
  const gone = scene.at(2).node;
  const [known] = scene.at(0).node.gossip.members.filter(({ name }) => name === gone.name);
  assert.ok(known !== undefined);
  await cluster.during(gone.gossip.leave(5000));
  await cluster.during(gone.gossip.stop());
  const rest = cluster.nodes.slice(0, 2);
  const forgotten = (): boolean => rest.every((node) => statusAt(node, gone) === "unknown");
  assert.ok((await cluster.until(forgotten, 90_000)) !== undefined);
  const { incarnation, host, port, meta, versions } = known;
  const alive: Message = {
    type: "alive",
    incarnation,
    node: gone.name,
    host,
    port,
    meta,
    versions,
  };
  await scene.say(alive, scene.at(0).address, MEMBER);
  assert.equal(statusAt(scene.at(0).node, gone), "alive");
  const isGone = (): boolean =>
    rest.every((node) => ["dead", "unknown"].includes(statusAt(node, gone)));
  assert.ok((await cluster.until(isGone, 30_000)) !== undefined);
  assert.ok(isConverged(rest));
  await cluster.stopAll();
});
