/** Clusters in one process, on a clock and a network that a test owns. */
import { Registry } from "prom-client";
import type { Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { NodeStatus } from "../../src/gossip/codec/node-state.ts";
import { Gossip, type GossipUser } from "../../src/gossip/gossip.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import { GOSSIP_DEFAULTS, type GossipOptions } from "../../src/gossip/options.ts";
import { SimNetwork, type SimNetworkOptions } from "../testkit/sim-network.ts";
import { TestClock } from "../testkit/test-clock.ts";

export const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => SILENT,
};

/** Says and keeps nothing. */
export const NO_USER: GossipUser = {
  broadcasts: () => [],
  largeBroadcast: () => undefined,
  localState: () => new Uint8Array(),
  mergeRemoteState: () => {},
  receive: () => {},
};

export interface SimNode {
  readonly name: string;
  readonly host: string;
  readonly gossip: Gossip;
  readonly registry: Registry;
}

export interface SimClusterOptions {
  readonly seed: number;
  readonly network?: Partial<SimNetworkOptions>;
  readonly gossip?: Partial<GossipOptions>;
  readonly userOf?: (index: number, cluster: SimCluster) => GossipUser;
}

export class SimCluster {
  readonly clock = new TestClock();
  readonly network: SimNetwork;
  readonly nodes: SimNode[] = [];
  readonly #options: SimClusterOptions;

  constructor(options: SimClusterOptions) {
    this.#options = options;
    this.network = new SimNetwork(options.network ?? {}, {
      clock: this.clock,
      random: new SeededRandom(options.seed),
    });
  }

  /** Starts `count` nodes more; each joins through the first. */
  async grow(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const node = await this.start(this.nodes.length);
      const first = this.nodes[0] as SimNode;
      if (node !== first) await this.during(node.gossip.join([first.host]));
    }
  }

  /** Starts the node with this number, or starts it again. */
  async start(number: number, options: Partial<GossipOptions> = {}): Promise<SimNode> {
    const name = `node-${number}`;
    const host = `10.0.${Math.trunc(number / 200)}.${1 + (number % 200)}`;
    const registry = new Registry();
    const gossip: Gossip = new Gossip(
      {
        ...GOSSIP_DEFAULTS,
        nodeName: name,
        clusterLabel: "sim",
        bind: { host, port: 7946 },
        compress: false,
        ...this.#options.gossip,
        ...options,
      },
      {
        clock: this.clock,
        random: new SeededRandom(this.#options.seed * 1000 + number),
        network: this.network.host(host),
        logger: SILENT,
        metrics: newGossipMetrics(registry, () => gossip),
        user: this.#options.userOf?.(number, this) ?? NO_USER,
      },
    );
    await gossip.start();
    const node = { name, host, gossip, registry };
    this.nodes[number] = node;
    return node;
  }

  /** Lets time pass until the promise settles. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const both = promise.finally(() => {
      settled = true;
    });
    // The result is awaited below; a rejection in between is not unhandled.
    both.catch(() => {});
    while (!settled) await this.clock.advance(10);
    return await both;
  }

  /** Lets time pass until it holds; how long that took, or undefined if it did not happen. */
  async until(holds: () => boolean, limitMs: number, stepMs = 100): Promise<number | undefined> {
    for (let passedMs = 0; passedMs <= limitMs; passedMs += stepMs) {
      if (holds()) return passedMs;
      await this.clock.advance(stepMs);
    }
    return undefined;
  }

  /** The process is gone, without a word. */
  async kill(node: SimNode): Promise<void> {
    this.network.crash(node.host);
    await node.gossip.stop();
  }

  async stopAll(): Promise<void> {
    await this.during(Promise.all(this.nodes.map(({ gossip }) => gossip.stop())));
  }
}

export function statusAt(observer: SimNode, subject: SimNode): NodeStatus | "unknown" {
  const found = observer.gossip.members.find(({ name }) => name === subject.name);
  return found?.status ?? "unknown";
}

/** Whether these see exactly each other alive. */
export function isConverged(nodes: readonly SimNode[]): boolean {
  const names = nodes.map(({ name }) => name).toSorted();
  return nodes.every(({ gossip }) => {
    const live = gossip.members.filter(({ status }) => status === "alive").map(({ name }) => name);
    return live.toSorted().join() === names.join();
  });
}
