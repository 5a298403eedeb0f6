/**
 * Gossip at 100 nodes, simulated in this process on virtual time (no servers, no sockets): how soon all know of a change and
 * of a death, and what a node sends when nothing happens but heartbeats. The network delays packets by 0.2 to 2 ms and
 * loses none; each node holds a ring of all nodes with 512 tokens each.
 */
import assert from "node:assert/strict";
import { Registry } from "prom-client";
import { every } from "../../src/base/clock.ts";
import { KvStore } from "../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../src/gossip/kv/options.ts";
import { withoutTokens } from "../../src/ring/descriptor.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { isConverged, SimCluster, statusAt } from "../../test/gossip/cluster.ts";
import { MUNINN } from "../servers/kinds.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const NODES = 100;
const TOKENS = 512;
const HEARTBEAT_MS = 5000;
const KEY = "ring/ingester";

const CHANGE_MEDIAN = {
  id: "gossip-change-p50",
  what: "gossip, 100 simulated nodes: a change of one is known to all, median of 20",
  unit: "s",
};
const CHANGE_WORST = { id: "gossip-change-max", what: "the same, worst of 20", unit: "s" };
const PACKETS = {
  id: "gossip-packets",
  what: "the same, a heartbeat of each node every 5 s: packets a node sends",
  unit: "1/s",
};
const BYTES = {
  id: "gossip-bytes",
  what: "the same, bytes a node sends, UDP and TCP",
  unit: "KiB/s",
};
const DEATH = {
  id: "gossip-death",
  what: "the same, a killed node is known dead by all",
  unit: "s",
};

export const gossipConvergence: BenchProgram = {
  name: "gossip-convergence",
  what: "100 simulated gossip nodes: changes, deaths, traffic at rest",
  async run({ table, scale }: BenchContext) {
    const add = (row: Parameters<typeof table.add>[1], value: number): void =>
      table.add(MUNINN.name, row, value);
    const ring = new SimulatedRing(scaled(NODES, Math.sqrt(scale), 10));
    await ring.start();
    const changesMs: number[] = [];
    for (let count = scaled(20, scale, 3); count > 0; count--)
      changesMs.push(await ring.changeMs());
    changesMs.sort((left, right) => left - right);
    add(CHANGE_MEDIAN, (changesMs[changesMs.length >> 1] ?? Number.NaN) / 1000);
    add(CHANGE_WORST, (changesMs.at(-1) ?? Number.NaN) / 1000);
    const { packets, bytes } = await ring.restPerNodeSecond(scaled(60, scale, 10));
    add(PACKETS, packets);
    add(BYTES, bytes / 1024);
    add(DEATH, (await ring.deathMs()) / 1000);
    await ring.cluster.stopAll();
  },
};

class SimulatedRing {
  readonly cluster: SimCluster;
  readonly #nodes: number;
  readonly #stores: KvStore[] = [];
  #changes = 0;

  constructor(nodes: number) {
    this.#nodes = nodes;
    this.cluster = new SimCluster({
      seed: 1,
      userOf: (index, { clock }) => {
        const kv: KvStore = new KvStore(KV_DEFAULTS, {
          clock,
          metrics: newKvMetrics(new Registry(), () => kv.metricsState),
          types: [RING_VALUE],
        });
        this.#stores[index] = kv;
        return kv;
      },
    });
  }

  /** All nodes know each other and the whole ring; then each begins its heartbeats. */
  async start(): Promise<void> {
    await this.cluster.grow(this.#nodes);
    for (const [index, kv] of this.#stores.entries()) this.#write(kv, this.#instance(index));
    const isWhole = (): boolean =>
      this.#stores.every((kv) => kv.get(KEY, RING_VALUE).size === this.#nodes);
    assert.ok((await this.cluster.until(isWhole, 300_000)) !== undefined, "the ring is whole");
    assert.ok(
      (await this.cluster.until(() => isConverged(this.cluster.nodes), 60_000)) !== undefined,
    );
    for (const [index, kv] of this.#stores.entries()) {
      const { clock } = this.cluster;
      clock.after((HEARTBEAT_MS * index) / this.#nodes, () => {
        every(clock, HEARTBEAT_MS, () => this.#write(kv, withoutTokens(this.#instance(index))));
      });
    }
    await this.cluster.clock.advance(2 * HEARTBEAT_MS);
  }

  #write(kv: KvStore, instance: Instance): void {
    kv.update(KEY, RING_VALUE, () => new Map([[instance.id, instance]]));
  }

  #instance(index: number): Instance {
    const nowMs = this.cluster.clock.nowMs();
    const tokens = Uint32Array.from({ length: TOKENS }, (_, at) => at * 8_388_608 + index);
    return {
      id: `ingester-${index}`,
      address: `10.0.0.${index}:9095`,
      zone: `zone-${index % 3}`,
      state: "ACTIVE",
      heartbeatMs: nowMs,
      registeredAtMs: 1,
      readOnly: false,
      readOnlyUpdatedAtMs: 0,
      serving: true,
      hasData: true,
      lostDataAtMs: 0,
      firstDataAtMs: 0,
      versions: { muninn: "1" },
      tokensUpdatedAtMs: nowMs,
      tokens,
    };
  }

  /** A change among all the heartbeats: from its making until the last node has it. */
  async changeMs(): Promise<number> {
    const index = (this.#changes * 37) % this.#nodes;
    const kv = this.#stores[index];
    assert.ok(kv !== undefined);
    const id = `change-${this.#changes++}`;
    this.#write(kv, { ...withoutTokens(this.#instance(index)), id });
    const isKnown = (): boolean =>
      this.#stores.every((store) => store.get(KEY, RING_VALUE).has(id));
    const tookMs = await this.cluster.until(isKnown, 120_000, 20);
    assert.ok(tookMs !== undefined, "the change reaches everybody");
    return tookMs;
  }

  async restPerNodeSecond(seconds: number): Promise<{ packets: number; bytes: number }> {
    const before = { ...this.cluster.network.sent };
    await this.cluster.clock.advance(1000 * seconds);
    const { datagrams, datagramBytes, streamBytes } = this.cluster.network.sent;
    const nodeSeconds = this.#nodes * seconds;
    return {
      packets: (datagrams - before.datagrams) / nodeSeconds,
      bytes:
        (datagramBytes - before.datagramBytes + streamBytes - before.streamBytes) / nodeSeconds,
    };
  }

  async deathMs(): Promise<number> {
    const [victim, ...others] = this.cluster.nodes;
    assert.ok(victim !== undefined);
    await this.cluster.kill(victim);
    const isKnown = (): boolean => others.every((node) => statusAt(node, victim) === "dead");
    const tookMs = await this.cluster.until(isKnown, 120_000);
    assert.ok(tookMs !== undefined, "the death is known to everybody");
    return tookMs;
  }
}
