/** The processes of one run, and what can be done to them. */
import type { Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { SimNetwork } from "../testkit/sim-network.ts";
import type { RunPlan } from "./plan.ts";
import { SimClock } from "./sim-clock.ts";
import { type Role, SimProcess } from "./sim-process.ts";
import { SimRpc } from "./sim-rpc.ts";

export interface SimNode {
  readonly number: number;
  readonly name: string;
  readonly role: Role;
  readonly host: string;
  disk: MemoryFileSystem;
  process: SimProcess | undefined;
  state: "down" | "starting" | "up" | "stopping" | "gone";
  starts: number;
}

/** Heartbeats and timeouts are shorter than in life, in about the same proportions. */
export const HEARTBEAT_TIMEOUT_MS = 6_000;
export const AUTO_FORGET_PERIODS = 3;

export class SimCluster {
  readonly plan: RunPlan;
  readonly clock = new SimClock();
  readonly network: SimNetwork;
  readonly rpc: SimRpc;
  readonly nodes: readonly SimNode[];
  readonly #logger: Logger;
  readonly #chance: SeededRandom;

  constructor(plan: RunPlan, logger: Logger) {
    this.plan = plan;
    this.#logger = logger;
    this.#chance = new SeededRandom(plan.seed ^ 0x5eed);
    this.network = new SimNetwork(plan.network, {
      clock: this.clock,
      random: new SeededRandom(plan.seed ^ 0x0e7),
    });
    this.rpc = new SimRpc(this.network, this.clock);
    const roles: Role[] = [
      ...Array.from({ length: plan.ingesters }, () => "ingester" as const),
      ...Array.from({ length: plan.distributors }, () => "distributor" as const),
      "querier",
    ];
    this.nodes = roles.map((role, number) => ({
      number,
      role,
      name: `${role}-${number}`,
      host: `10.0.0.${number + 1}`,
      disk: new MemoryFileSystem(),
      process: undefined,
      state: "down",
      starts: 0,
    }));
  }

  node(number: number): SimNode {
    return this.nodes[number] as SimNode;
  }

  up(role: Role): SimNode[] {
    return this.nodes.filter((node) => node.role === role && node.state === "up");
  }

  /** Resolves when the process is ready, or was killed before. */
  async start(node: SimNode): Promise<void> {
    if (node.state !== "down") return;
    node.state = "starting";
    node.starts++;
    const process = new SimProcess(
      {
        name: node.name,
        role: node.role,
        host: node.host,
        config: configOf(this.plan, node),
        seed: this.plan.seed * 1000 + node.number * 50 + node.starts,
        skewMs: this.plan.skewsMs[node.number] ?? 0,
        disk: node.disk,
      },
      {
        clock: this.clock,
        network: this.network,
        rpc: this.rpc,
        logger: this.#logger,
      },
    );
    node.process = process;
    await process.start();
    if (node.process === process && node.state === "starting") node.state = "up";
  }

  async stop(node: SimNode): Promise<void> {
    const { process } = node;
    if (node.state !== "up" || process === undefined) return;
    node.state = "stopping";
    await process.stop();
    if (node.process === process) this.#end(node, process);
  }

  kill(node: SimNode): void {
    const { process } = node;
    if (process === undefined || node.state === "gone") return;
    node.disk = node.disk.copy();
    this.#end(node, process);
  }

  powerCut(node: SimNode): void {
    const { process } = node;
    if (process === undefined || node.state === "gone") return;
    node.disk = node.disk.crash(this.#chance);
    this.#end(node, process);
  }

  loseDisk(node: SimNode): void {
    if (node.state === "gone") return;
    this.kill(node);
    node.disk = new MemoryFileSystem();
  }

  #end(node: SimNode, process: SimProcess): void {
    process.kill();
    node.process = undefined;
    node.state = "down";
  }
}

function configOf(plan: RunPlan, node: SimNode): Config {
  const defaults = defaultConfig();
  const heartbeats = { heartbeatPeriodMs: 1_000, heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS };
  return {
    ...defaults,
    dataDir: "data",
    server: { ...defaults.server },
    limits: {
      ...defaults.limits,
      ingestionRate: 1e9,
      ingestionBurstSize: 1e9,
      ingestionTenantShardSize: plan.shardSize,
    },
    tsdb: { ...defaults.tsdb, dir: "data/tsdb" },
    ingester: {
      ...defaults.ingester,
      wal: { ...defaults.ingester.wal, dir: "data/wal", sync: plan.walSync },
    },
    ring: {
      ...defaults.ring,
      ...heartbeats,
      instanceId: node.name,
      instanceAvailabilityZone: plan.zones === 1 ? "" : `zone-${node.number % plan.zones}`,
      zoneAwarenessEnabled: plan.zones > 1,
      numTokens: 32,
      tokensFilePath: "data/tokens",
      observePeriodMs: 1_000,
      autoForgetUnhealthyPeriods: AUTO_FORGET_PERIODS,
    },
    distributorRing: { ...defaults.distributorRing, ...heartbeats, instanceId: node.name },
    querierRing: { ...defaults.querierRing, ...heartbeats, instanceId: node.name },
    memberlist: {
      ...defaults.memberlist,
      nodeName: node.name,
      bindAddr: node.host,
      bindPort: 7946,
      joinMembers: ["10.0.0.1", "10.0.0.2"],
      clusterLabel: "sim",
      compressionEnabled: false,
      gossipIntervalMs: 400,
      messageHistoryBufferBytes: 0,
      pullPushIntervalMs: 5_000,
      rejoinIntervalMs: 5_000,
      streamTimeoutMs: 2_000,
      minJoinBackoffMs: 500,
      maxJoinBackoffMs: 2_000,
    },
  };
}
