/**
 * One process of the simulated cluster, made of the parts that the program is made of (src/app/cluster.ts, rings.ts): only
 * the HTTP servers are missing, and RPC is a call over the simulated network.
 */
import { Registry } from "prom-client";
import { Cluster } from "../../src/app/cluster.ts";
import type { Context, Overview } from "../../src/app/module.ts";
import { ingesterLifeOptions, ingesterOptions } from "../../src/app/options.ts";
import { instanceId, Rings } from "../../src/app/rings.ts";
import type { Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import type { Config } from "../../src/config/config.ts";
import { Distributor } from "../../src/distributor/distributor.ts";
import { REPLICA_VALUE } from "../../src/distributor/ha-tracker/replica-value.ts";
import { newReplicationMetrics } from "../../src/distributor/metrics.ts";
import { DISTRIBUTOR_DEFAULTS, INSTANCE_LIMITS_DEFAULTS } from "../../src/distributor/options.ts";
import { ReplicatedStore } from "../../src/distributor/replicated-store.ts";
import { Ingester } from "../../src/ingester/ingester.ts";
import { IngesterLife } from "../../src/ingester/ingester-life.ts";
import { ingesterMetrics } from "../../src/ingester/metrics.ts";
import { INGESTER_INSTANCE_LIMITS_DEFAULTS } from "../../src/ingester/options.ts";
import type { LimitsSource } from "../../src/model/limits.ts";
import { IngesterQueryable } from "../../src/querier/ingester-queryable.ts";
import { ingesterReadMetrics } from "../../src/querier/metrics.ts";
import type { RingMember } from "../../src/ring/ring-member.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import type { Member } from "../../src/ring/ring-view.ts";
import type { IngesterClient } from "../../src/rpc/ingester.ts";
import { headChunkMetrics } from "../../src/tsdb/head-chunks/metrics.ts";
import { walMetrics } from "../../src/tsdb/wal/metrics.ts";
import type { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import type { SimNetwork } from "../testkit/sim-network.ts";
import { ProcessNetwork } from "./process-network.ts";
import { ProcessClock, type SimClock } from "./sim-clock.ts";
import type { IngesterEndpoint, SimRpc } from "./sim-rpc.ts";

export type Role = "ingester" | "distributor" | "querier";

export interface SimProcessOptions {
  readonly name: string;
  readonly role: Role;
  readonly host: string;
  readonly config: Config;
  readonly seed: number;
  readonly skewMs: number;
  readonly disk: MemoryFileSystem;
}

export interface SimMachine {
  readonly clock: SimClock;
  readonly network: SimNetwork;
  readonly rpc: SimRpc;
  readonly logger: Logger;
}

export const RPC_PORT = 9095;

const NO_OVERVIEW: Overview = {
  services: () => [],
  readiness: () => ({ isReady: true, reasons: [] }),
  notices: () => [],
  tenants: () => [],
  whyStarting: () => "",
};

export class SimProcess {
  readonly options: SimProcessOptions;
  readonly clock: ProcessClock;
  readonly cluster: Cluster;
  readonly rings: Rings;
  readonly distributor: Distributor | undefined;
  readonly queryable: IngesterQueryable | undefined;
  readonly #ingester: Ingester | undefined;
  readonly #life: IngesterLife | undefined;
  readonly #member: RingMember | undefined;
  readonly #machine: SimMachine;
  #served: IngesterEndpoint | undefined;
  readonly #registry = new Registry();

  constructor(options: SimProcessOptions, machine: SimMachine) {
    this.options = options;
    this.#machine = machine;
    this.clock = new ProcessClock(machine.clock, options.skewMs);
    const context = this.#context();
    this.cluster = new Cluster(context, [RING_VALUE, REPLICA_VALUE]);
    this.rings = new Rings(context, this.cluster);
    switch (options.role) {
      case "ingester":
        this.#ingester = this.#newIngester(context);
        this.#life = new IngesterLife(ingesterLifeOptions(options.config), {
          ingester: this.#ingester,
          member: this.rings.ingesterMember(),
          files: options.disk,
          clock: this.clock,
          logger: context.machine.logger,
        });
        break;
      case "distributor":
        this.#member = this.rings.serviceMember("distributor");
        this.distributor = this.#newDistributor(context);
        break;
      case "querier":
        this.#member = this.rings.serviceMember("querier");
        this.queryable = this.#newQueryable();
        break;
    }
  }

  get address(): string {
    return `${this.options.host}:${RPC_PORT}`;
  }

  get endpoint(): { readonly host: string; readonly clock: ProcessClock } {
    return { host: this.options.host, clock: this.clock };
  }

  async start(): Promise<void> {
    await this.cluster.start();
    this.rings.start();
    if (this.#ingester !== undefined && this.#life !== undefined) {
      this.#served = { ...this.endpoint, ingester: this.#ingester };
      this.#machine.rpc.serve(this.address, this.#served);
      await this.#life.enter(this.address);
      await this.#ingester.start();
      await this.#life.ready();
    }
    await this.#member?.enter(this.address);
    await this.#member?.ready();
    this.distributor?.start();
  }

  /** As SIGTERM: in the order of src/app/modules.ts. */
  async stop(): Promise<void> {
    this.distributor?.stop();
    await this.#member?.leave({ unregister: true });
    await this.#life?.leave();
    await this.#ingester?.stop();
    this.rings.stop();
    await this.cluster.stop();
  }

  /** As SIGKILL: nothing runs any more, connections are reset. The disk is as it was. */
  kill(): void {
    this.clock.kill();
    this.#machine.network.crash(this.options.host);
    if (this.#served !== undefined) this.#machine.rpc.died(this.#served);
  }

  /** The ingester itself, to look at what it holds. */
  get ingester(): Ingester | undefined {
    return this.#ingester;
  }

  #context(): Context {
    const { config, seed, host, name, disk } = this.options;
    const { network, logger } = this.#machine;
    return {
      config,
      explicit: new Set(["memberlist.join_members"]),
      registry: this.#registry,
      overview: NO_OVERVIEW,
      machine: {
        clock: this.clock,
        random: new SeededRandom(seed),
        fileSystem: disk,
        network: new ProcessNetwork(network.host(host), this.clock),
        hostName: name,
        logger: logger.child({ process: name }),
        lockDirectory: async () => ({ release: async () => undefined }),
        probe: async () => ({ kind: "unreachable", reason: "no network" }),
      },
    };
  }

  get #limits(): LimitsSource {
    const { limits } = this.options.config;
    return { forTenant: () => limits, version: 1 };
  }

  readonly #clientFor = (member: Member): IngesterClient =>
    this.#machine.rpc.client(this.endpoint, member.instance.address);

  #newIngester({ config, machine }: Context): Ingester {
    const ingester: Ingester = new Ingester(ingesterOptions(config), {
      files: this.options.disk,
      clock: this.clock,
      random: machine.random,
      logger: machine.logger,
      limits: this.#limits,
      whyUnreadable: () => this.#life?.whyUnreadable(),
      instanceLimits: () => INGESTER_INSTANCE_LIMITS_DEFAULTS,
      metrics: ingesterMetrics(this.#registry, () => ingester.gauges),
      walMetrics: walMetrics(this.#registry),
      chunkMetrics: headChunkMetrics(this.#registry),
    });
    return ingester;
  }

  #newDistributor({ config, machine }: Context): Distributor {
    const { remoteTimeoutMs } = config.distributor;
    return new Distributor(
      { ...DISTRIBUTOR_DEFAULTS, remoteTimeoutMs },
      {
        clock: this.clock,
        random: machine.random,
        logger: machine.logger,
        registry: this.#registry,
        limits: this.#limits,
        instanceLimits: () => INSTANCE_LIMITS_DEFAULTS,
        store: new ReplicatedStore({
          ring: this.rings.ingester,
          clientFor: this.#clientFor,
          clock: this.clock,
          metrics: newReplicationMetrics(this.#registry),
          remoteTimeoutMs,
        }),
      },
    );
  }

  #newQueryable(): IngesterQueryable {
    return new IngesterQueryable(
      {},
      {
        ring: this.rings.ingester,
        clientFor: this.#clientFor,
        limits: this.#limits,
        clock: this.clock,
        metrics: ingesterReadMetrics(this.#registry),
      },
    );
  }

  /** In the ring. */
  get instanceId(): string {
    return instanceId(this.options.role, this.options.config, this.options.name);
  }
}
