/**
 * What processes a development cluster is made of, and with which flags: a pure function of what was asked for and of ports
 * that are free.
 *
 *     DIR/ingester-1/…     one data directory for each node, so that the same command later finds everything again
 *
 * Names, zones and (where they are still free) ports are the same each time.
 */
import { hashText } from "../../ring/hash-text.ts";

export interface ClusterShape {
  readonly distributors: number;
  readonly queriers: number;
  readonly ingesters: number;
  /** So many processes with all components, in place of the others. */
  readonly all: number;
  /** 0: none. */
  readonly zones: number;
  /** Undefined: 3, or 1 where there are fewer than 3 ingesters. */
  readonly replicationFactor: number | undefined;
  /** Absolute. */
  readonly dataDir: string;
  /** Flags for every node, after ours: they win. */
  readonly extraFlags: readonly string[];
}

/** One of each for every node, in the order of `nodesOf`. */
export interface ClusterPorts {
  readonly http: readonly number[];
  readonly rpc: readonly number[];
  readonly gossip: readonly number[];
}

export interface NodePlan {
  readonly name: string;
  readonly target: Target;
  readonly httpPort: number;
  readonly rpcPort: number;
  readonly gossipPort: number;
  readonly flags: readonly string[];
}

type Target = "distributor" | "querier" | "ingester" | "all";

/** Nothing of a development cluster is open to other machines. */
export const HOST = "127.0.0.1";

/** Members that a node asks for the others; more of them are no more certain. */
const SEEDS_MAX = 3;

export function planCluster(shape: ClusterShape, ports: ClusterPorts): NodePlan[] {
  return nodesOf(shape).map((node, at) => {
    const { name, target } = node;
    const gossipPort = ports.gossip[at] ?? 0;
    const place = {
      name,
      target,
      httpPort: ports.http[at] ?? 0,
      rpcPort: ports.rpc[at] ?? 0,
      gossipPort,
    };
    const seeds = ports.gossip.filter((port) => port !== gossipPort).slice(0, SEEDS_MAX);
    return { ...place, flags: flagsOf({ ...place, index: node.index }, shape, seeds) };
  });
}

interface NodeName {
  readonly name: string;
  readonly target: Target;
  /** Counted among those of its target, from 0. */
  readonly index: number;
}

/** Distributors first: the usual port is where one pushes to. */
export function nodesOf({ all, distributors, queriers, ingesters }: ClusterShape): NodeName[] {
  if (all > 0) return named("all", "muninn", all);
  return [
    ...named("distributor", "distributor", distributors),
    ...named("querier", "querier", queriers),
    ...named("ingester", "ingester", ingesters),
  ];
}

function named(target: Target, prefix: string, count: number): NodeName[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${prefix}-${index + 1}`,
    target,
    index,
  }));
}

export function replicationFactorOf({ replicationFactor, all, ingesters }: ClusterShape): number {
  return replicationFactor ?? ((all || ingesters) >= 3 ? 3 : 1);
}

type Place = NodeName & Omit<NodePlan, "flags">;

function flagsOf(node: Place, shape: ClusterShape, seeds: readonly number[]): string[] {
  const { name, target, index } = node;
  const { dataDir, zones } = shape;
  const isIngester = target === "ingester" || target === "all";
  const isDistributor = target === "distributor" || target === "all";
  return [
    `-target=${target}`,
    `-data-dir=${dataDir}/${name}`,
    `-server.http-listen-address=${HOST}`,
    `-server.http-listen-port=${node.httpPort}`,
    `-server.rpc-listen-address=${HOST}`,
    `-server.rpc-listen-port=${node.rpcPort}`,
    `-memberlist.nodename=${name}`,
    `-memberlist.bind-addr=${HOST}`,
    `-memberlist.bind-port=${node.gossipPort}`,
    // Each node has a directory of its own, so the label cannot be derived from where blocks are.
    `-memberlist.cluster-label=${labelOf(dataDir)}`,
    ...seeds.map((port) => `-memberlist.join=${HOST}:${port}`),
    `-ingester.ring.replication-factor=${replicationFactorOf(shape)}`,
    ...(zones > 0 ? ["-ingester.ring.zone-awareness-enabled"] : []),
    ...(isIngester
      ? [`-ingester.ring.instance-id=${name}`, `-ingester.ring.instance-addr=${HOST}`]
      : []),
    ...(isIngester && zones > 0
      ? [`-ingester.ring.instance-availability-zone=zone-${(index % zones) + 1}`]
      : []),
    ...(isDistributor
      ? [`-distributor.ring.instance-id=${name}`, `-distributor.ring.instance-addr=${HOST}`]
      : []),
    ...shape.extraFlags,
  ];
}

/** Another cluster on this machine may have had these ports before. */
function labelOf(dataDir: string): string {
  return `dev-cluster-${hashText(dataDir).toString(16).padStart(8, "0")}`;
}
