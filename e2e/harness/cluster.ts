/**
 * A cluster of processes: ingesters, distributors and queriers (or nodes with all components), on 127.0.0.1 or in network
 * namespaces. Heartbeats are short, so that a test does not wait for minutes until a dead one counts as dead.
 */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ClusterNode, type NodePlace } from "./cluster-node.ts";
import { type TemporaryFolder, temporaryFolder } from "./folder.ts";
import type { Muninn } from "./muninn.ts";
import { pollUntil } from "./poll.ts";
import { Api } from "./query.ts";

export const HEARTBEAT_TIMEOUT_MS = 5000;
const SETTLE_TIMEOUT_MS = 60_000;

export interface ClusterOptions {
  readonly ingesters?: number;
  readonly distributors?: number;
  readonly queriers?: number;
  /** So many with all components, in place of the others. */
  readonly all?: number;
  /** For every node. */
  readonly flags?: readonly string[];
  /** For nodes by name, after the others: they win. */
  readonly flagsOf?: Readonly<Record<string, readonly string[]>>;
  /** By name of the node, where the data directory is not to be an ordinary one. */
  readonly dataDirectories?: Readonly<Record<string, string>>;
  /** By name of the node, where it is not to be on 127.0.0.1. */
  readonly places?: Readonly<Record<string, NodePlace>>;
}

/** An instance as /ingester/ring says it. */
export interface RingInstance {
  readonly id: string;
  readonly state: string;
  readonly address: string;
  readonly read_only: boolean;
  readonly serving: boolean;
  readonly token_count: number;
  readonly heartbeat_age_ms: number;
}

const FLAGS = [
  "-ingester.ring.heartbeat-period=1s",
  `-ingester.ring.heartbeat-timeout=${HEARTBEAT_TIMEOUT_MS}ms`,
  "-ingester.ring.observe-period=500ms",
  "-distributor.ring.heartbeat-period=1s",
  "-distributor.ring.heartbeat-timeout=10s",
  "-querier.ring.heartbeat-period=1s",
  "-querier.ring.heartbeat-timeout=10s",
  "-memberlist.cluster-label=e2e",
  "-distributor.ingestion-rate-limit=10000000",
  "-distributor.ingestion-burst-size=10000000",
];

export class Cluster implements AsyncDisposable {
  readonly nodes: readonly ClusterNode[];
  readonly #folder: TemporaryFolder;

  private constructor(nodes: readonly ClusterNode[], folder: TemporaryFolder) {
    this.nodes = nodes;
    this.#folder = folder;
  }

  /** Starts all nodes at once, and waits until everybody sees all ingesters as ACTIVE. */
  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = await Cluster.launch(options);
    try {
      await cluster.settled();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** Starts all nodes at once and waits for nothing. */
  static async launch(options: ClusterOptions = {}): Promise<Cluster> {
    const folder = await temporaryFolder("cluster");
    const names = namesOf(options);
    const places = await Promise.all(
      names.map(async (name) => options.places?.[name] ?? (await ClusterNode.freePlace())),
    );
    const nodes = await Promise.all(
      names.map(async (name, at) => {
        const dataDirectory = options.dataDirectories?.[name] ?? join(folder.path, name);
        await mkdir(dataDirectory, { recursive: true });
        const place = places[at] as NodePlace;
        const others = places.filter((other) => other !== place).slice(0, 3);
        const flags = [
          ...FLAGS,
          ...others.map(({ host, gossipPort }) => `-memberlist.join=${host}:${gossipPort}`),
          ...(options.flags ?? []),
          ...(options.flagsOf?.[name] ?? []),
        ];
        return new ClusterNode({ name, target: targetOf(name), dataDirectory, place, flags });
      }),
    );
    await Promise.all(nodes.map((node) => node.launch()));
    return new Cluster(nodes, folder);
  }

  node(name: string): ClusterNode {
    const found = this.nodes.find((node) => node.name === name);
    assert.ok(found !== undefined, `no node ${name}`);
    return found;
  }

  get ingesters(): readonly ClusterNode[] {
    return this.nodes.filter(({ holdsData }) => holdsData);
  }

  get distributors(): readonly ClusterNode[] {
    return this.nodes.filter(({ target }) => target === "distributor" || target === "all");
  }

  /** Of the first querier. */
  api(tenant: string): Api {
    const querier = this.nodes.find(({ target }) => target === "querier" || target === "all");
    assert.ok(querier !== undefined);
    return new Api(`${querier.muninn.url}/prometheus`, tenant);
  }

  /** Every node is ready, and sees every ingester as ACTIVE and alive. */
  async settled(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.muninn.ready()));
    const wanted = Object.fromEntries(this.ingesters.map(({ name }) => [name, "ACTIVE"]));
    await this.seen(wanted);
  }

  /** Every node that runs shows the ingesters in these states ("UNHEALTHY" for silent ones, undefined: not at all). */
  async seen(states: Readonly<Record<string, string | undefined>>): Promise<void> {
    await Promise.all(this.running.map((node) => seenBy(node.muninn, states)));
  }

  /** Those that can be talked to. */
  get running(): readonly ClusterNode[] {
    return this.nodes.filter((node) => node.isRunning);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
    await this.#folder[Symbol.asyncDispose]();
  }
}

export async function seenBy(
  muninn: Muninn,
  states: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  let last = "nothing";
  await pollUntil(`${JSON.stringify(states)} at ${muninn.url}`, SETTLE_TIMEOUT_MS, async () => {
    const shown = new Map((await ringOf(muninn)).map(({ id, state }) => [id, state]));
    last = JSON.stringify([...shown]);
    const isSeen = Object.entries(states).every(([id, state]) => shown.get(id) === state);
    return isSeen ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`the ring there is ${last}`, { cause: error });
  });
}

/** The ring of ingesters as a node sees it. */
export async function ringOf(muninn: Muninn): Promise<readonly RingInstance[]> {
  const answer = await muninn.request("/ingester/ring", {
    headers: { accept: "application/json" },
  });
  assert.equal(answer.status, 200, answer.body);
  return (JSON.parse(answer.body) as { shards: RingInstance[] }).shards;
}

function namesOf({ all, ingesters = 3, distributors = 2, queriers = 1 }: ClusterOptions): string[] {
  const named = (target: string, count: number): string[] =>
    Array.from({ length: count }, (_, at) => `${target}-${at + 1}`);
  if (all !== undefined) return named("all", all);
  return [
    ...named("ingester", ingesters),
    ...named("distributor", distributors),
    ...named("querier", queriers),
  ];
}

function targetOf(name: string): string {
  return name.slice(0, name.lastIndexOf("-"));
}
