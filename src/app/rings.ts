/** The rings that a process follows, and those of which it is a member. */
import { addressText, type NetworkAddress } from "../base/network.ts";
import type { Config } from "../config/config.ts";
import { newRingMetrics, type RingMetrics } from "../ring/metrics.ts";
import { RingMember, type RingMemberOptions } from "../ring/ring-member.ts";
import { RingWatch } from "../ring/ring-watch.ts";
import { BUILD } from "./build.ts";
import type { Cluster } from "./cluster.ts";
import type { Context } from "./module.ts";

/** Mimir's keys in the key-value store. */
const KEYS = {
  ingester: "collectors/ring",
  distributor: "collectors/distributor",
  querier: "collectors/querier",
} as const;

export type RingName = keyof typeof KEYS;

/** A tenant's shard takes some kilobytes for each instance in it. */
const SHARDS_MAX = 2_000;
/** Components whose ring says only who is there. */
const SERVICE_TOKENS = 1;

export class Rings {
  readonly ingester: RingWatch;
  readonly distributor: RingWatch;
  readonly querier: RingWatch;
  readonly #context: Context;
  readonly #cluster: Cluster;
  readonly #metrics: RingMetrics;

  constructor(context: Context, cluster: Cluster) {
    const { ring, distributorRing, querierRing } = context.config;
    this.#context = context;
    this.#cluster = cluster;
    this.#metrics = newRingMetrics(context.registry);
    this.ingester = this.#watch("ingester", {
      heartbeatTimeoutMs: ring.heartbeatTimeoutMs,
      // One process holds every sample once, whatever factor a cluster's configuration asks for.
      replicationFactor: cluster.isAlone ? 1 : ring.replicationFactor,
      zoneAware: ring.zoneAwarenessEnabled,
      excludedZones: ring.excludedZones,
      holdsData: true,
      autoForgetPeriods: ring.autoForgetUnhealthyPeriods,
    });
    const service = {
      replicationFactor: 1,
      zoneAware: false,
      excludedZones: [],
      holdsData: false,
      autoForgetPeriods: 10,
    };
    this.distributor = this.#watch("distributor", {
      ...service,
      heartbeatTimeoutMs: distributorRing.heartbeatTimeoutMs,
    });
    this.querier = this.#watch("querier", {
      ...service,
      heartbeatTimeoutMs: querierRing.heartbeatTimeoutMs,
    });
  }

  get all(): readonly RingWatch[] {
    return [this.ingester, this.distributor, this.querier];
  }

  start(): void {
    for (const ring of this.all) ring.start();
  }

  stop(): void {
    for (const ring of this.all) ring.stop();
  }

  /** The membership of this process's ingester. */
  ingesterMember(): RingMember {
    const { ring, tsdb } = this.#context.config;
    return this.#member("ingester", {
      heartbeatPeriodMs: ring.heartbeatPeriodMs,
      // Nobody can join a process that is alone: there is nothing to see.
      observePeriodMs: this.#cluster.isAlone ? 0 : ring.observePeriodMs,
      observationsMax: Math.ceil(
        ring.waitStabilityMaxDurationMs / Math.max(1, ring.observePeriodMs),
      ),
      tokens: {
        tokenCount: ring.numTokens,
        zoneAware: ring.zoneAwarenessEnabled,
        heartbeatTimeoutMs: ring.heartbeatTimeoutMs,
      },
      tokensFile: ring.tokensFilePath === "" ? `${tsdb.dir}/tokens` : ring.tokensFilePath,
      finalSleepMs: ring.finalSleepMs,
    });
  }

  /** The membership of a component without data: others count it. */
  serviceMember(name: "distributor" | "querier"): RingMember {
    const { heartbeatPeriodMs, heartbeatTimeoutMs } = this.#context.config[`${name}Ring`];
    return this.#member(name, {
      heartbeatPeriodMs,
      observePeriodMs: 0,
      observationsMax: 1,
      tokens: { tokenCount: SERVICE_TOKENS, zoneAware: false, heartbeatTimeoutMs },
      tokensFile: undefined,
      finalSleepMs: 0,
    });
  }

  #watch(
    name: RingName,
    options: Omit<ConstructorParameters<typeof RingWatch>[0], "name" | "key" | "shardsMax">,
  ): RingWatch {
    const { clock, logger } = this.#context.machine;
    return new RingWatch(
      { ...options, name, key: KEYS[name], shardsMax: SHARDS_MAX },
      {
        store: this.#cluster.store,
        clock,
        logger: logger.child({ component: "ring" }),
        metrics: this.#metrics,
      },
    );
  }

  #member(
    name: RingName,
    options: Omit<RingMemberOptions, "id" | "zone" | "versions" | "key">,
  ): RingMember {
    const { config, machine } = this.#context;
    return new RingMember(
      {
        ...options,
        id: instanceId(name, config, machine.hostName),
        zone: config.ring.instanceAvailabilityZone,
        versions: {
          muninn: BUILD.version,
          replication_factor: String(this.ingester.view.options.replicationFactor),
        },
        key: KEYS[name],
      },
      {
        store: this.#cluster.store,
        watch: this[name],
        files: machine.fileSystem,
        clock: machine.clock,
        logger: machine.logger.child({ component: "ring" }),
        metrics: this.#metrics,
        told: this.#cluster.told,
      },
    );
  }
}

/** What the operator set for this ring, or for the ingester ring, or for gossip, or the name of the machine. */
export function instanceId(name: RingName, config: Config, hostName: string): string {
  const own = name === "ingester" ? "" : config[`${name}Ring`].instanceId;
  return own || config.ring.instanceId || config.memberlist.nodeName || hostName;
}

/** host:port where others reach this process: as the operator says, or as far as we can see. */
export function instanceAddress(
  { config, machine }: Context,
  name: RingName,
  bound: NetworkAddress | undefined,
): string {
  const own = name === "ingester" ? "" : config[`${name}Ring`].instanceAddr;
  const boundHost = bound === undefined || isAnyHost(bound.host) ? "" : bound.host;
  const host =
    own || config.ring.instanceAddr || boundHost || machine.network.reachableHost() || "127.0.0.1";
  const port = config.ring.instancePort || bound?.port || config.server.rpcListenPort;
  return addressText({ host, port });
}

function isAnyHost(host: string): boolean {
  return host === "" || host === "0.0.0.0" || host === "::";
}
