/**
 * The one screen that says what the program is made of and which part needs which. Parts are built and started
 * from top to bottom and stopped from bottom to top; `http` listens early, so that /ready and /metrics answer
 * while the ingester replays, and `traffic` is last: it lets pushes and queries in once everything runs, and
 * on the way out it is first: no new work, then the work under way, then the parts below.
 */
import { Overrides } from "../config/overrides.ts";
import { flagTexts, limitsTree, printConfig } from "../config/print.ts";
import { DirectStore } from "../distributor/direct-store.ts";
import { Distributor } from "../distributor/distributor.ts";
import { HaTracker } from "../distributor/ha-tracker/ha-tracker.ts";
import { HA_TRACKER_DEFAULTS } from "../distributor/ha-tracker/options.ts";
import { REPLICA_VALUE } from "../distributor/ha-tracker/replica-value.ts";
import { newReplicationMetrics } from "../distributor/metrics.ts";
import { ReplicatedStore } from "../distributor/replicated-store.ts";
import { registerDistributorRoutes } from "../distributor/routes.ts";
import { HttpServer } from "../http/server.ts";
import { Ingester } from "../ingester/ingester.ts";
import { IngesterLife } from "../ingester/ingester-life.ts";
import { registerIngesterLifeRoutes } from "../ingester/life-routes.ts";
import { ingesterMetrics } from "../ingester/metrics.ts";
import { QuerierComponent } from "../querier/component.ts";
import { IngesterQueryable } from "../querier/ingester-queryable.ts";
import { ingesterReadMetrics } from "../querier/metrics.ts";
import type { RingMember } from "../ring/ring-member.ts";
import { RING_VALUE } from "../ring/ring-value.ts";
import type { DataDirLock } from "../sys/data-dir-lock.ts";
import { headChunkMetrics } from "../tsdb/head-chunks/metrics.ts";
import { walMetrics } from "../tsdb/wal/metrics.ts";
import { registerPages } from "../ui/pages.ts";
import { BUILD } from "./build.ts";
import { Cluster } from "./cluster.ts";
import { clusterSources, formKey } from "./cluster-pages.ts";
import { type Built, type Context, type Module, moduleOf } from "./module.ts";
import { ObjectStorageCheck } from "./object-storage.ts";
import {
  distributorOptions,
  httpOptions,
  ingesterLifeOptions,
  ingesterOptions,
  ingesterReadOptions,
  querierOptions,
} from "./options.ts";
import { replayText } from "./replay-text.ts";
import { healthyMembers, localSeriesMax } from "./ring-shares.ts";
import { instanceAddress, instanceId, Rings } from "./rings.ts";
import { Rpc } from "./rpc.ts";
import { TrafficGate } from "./traffic-gate.ts";

export interface Parts {
  readonly dataDir: undefined;
  readonly limits: Overrides;
  readonly objectStorage: ObjectStorageCheck;
  readonly http: HttpServer;
  readonly gate: TrafficGate;
  readonly cluster: Cluster;
  readonly rings: Rings;
  readonly rpc: Rpc;
  readonly ingester: { readonly ingester: Ingester; readonly life: IngesterLife };
  readonly ingesterRing: IngesterLife;
  readonly distributorRing: RingMember;
  /** Undefined: pairs are not followed. */
  readonly haTracker: HaTracker | undefined;
  readonly distributor: Distributor;
  readonly querierRing: RingMember;
  readonly querier: QuerierComponent;
  readonly pages: undefined;
  readonly traffic: undefined;
}

const module = moduleOf<Parts>();

export const modules: readonly Module<Parts>[] = [
  module("dataDir", [], ({ config, machine }) => {
    // Each by itself: any of them may lie elsewhere, or inside of what another process calls its data directory.
    const directories = [config.dataDir, config.tsdb.dir, config.ingester.wal.dir];
    const locks: DataDirLock[] = [];
    const release = async (): Promise<void> => {
      for (const lock of locks.splice(0).reverse()) await lock.release();
    };
    return {
      part: undefined,
      start: async () => {
        try {
          for (const path of directories) locks.push(await machine.lockDirectory(path));
        } catch (error) {
          await release();
          throw error;
        }
      },
      stop: release,
    };
  }),

  module("limits", [], ({ config, machine, registry }) => {
    const part = new Overrides(config, { ...machine, registry });
    return { part, start: () => part.start(), stop: () => part.stop() };
  }),

  module("objectStorage", [], ({ config, machine }) => {
    const part = new ObjectStorageCheck(config.storage, machine);
    return {
      part,
      start: async () => part.start(),
      stop: async () => part.stop(),
    };
  }),

  module("http", [], ({ config, machine, registry }) => {
    const part = new HttpServer(httpOptions(config), { ...machine, registry });
    return {
      part,
      start: async () => void (await part.listen()),
      // `traffic` has done so already, unless the start did not come that far.
      stop: () => part.shutdown(),
    };
  }),

  module("gate", [], ({ overview }) => ({
    part: new TrafficGate(() => overview.whyStarting()),
  })),

  module("cluster", [], (context) => {
    const part = new Cluster(context, [RING_VALUE, REPLICA_VALUE]);
    return { part, start: () => part.start(), stop: () => part.stop() };
  }),

  module("rings", ["cluster"], (context, { cluster }) => {
    const part = new Rings(context, cluster);
    return { part, start: async () => part.start(), stop: async () => part.stop() };
  }),

  // Listens before the ingester has replayed its log: callers are told so, and do not wait for a connection.
  module("rpc", ["cluster", "rings", "http"], (context, { cluster, rings, http }) => {
    const part = new Rpc(context, { cluster, ring: rings.ingester, httpMetrics: http.metrics });
    return { part, start: () => part.start(), stop: () => part.stop() };
  }),

  module("ingester", ["dataDir", "limits", "rings", "rpc"], (context, parts) => {
    const { config, machine, registry } = context;
    const { limits, rings, rpc } = parts;
    const part: Ingester = new Ingester(ingesterOptions(config), {
      ...machine,
      files: machine.fileSystem,
      logger: machine.logger.child({ component: "ingester" }),
      limits,
      whyUnreadable: () => life.whyUnreadable(),
      seriesMax: (tenant) => localSeriesMax(limits.forTenant(tenant), rings.ingester, tenant),
      instanceLimits: () => limits.instanceLimits.ingester,
      metrics: ingesterMetrics(registry, () => part.gauges),
      walMetrics: walMetrics(registry),
      chunkMetrics: headChunkMetrics(registry),
    });
    rpc.serveIngester(part);
    const life: IngesterLife = new IngesterLife(ingesterLifeOptions(config), {
      ...machine,
      files: machine.fileSystem,
      logger: machine.logger.child({ component: "ingester" }),
      ingester: part,
      member: rings.ingesterMember(),
    });
    return {
      part: { ingester: part, life },
      start: async () => {
        await life.enter(instanceAddress(context, "ingester", rpc.address));
        await part.start();
      },
      stop: () => part.stop(),
      progress: () => replayText(part.status.replay),
    };
  }),

  module("ingesterRing", ["ingester", "http"], (_context, { ingester: { life }, http }) => {
    http.routes((app) => registerIngesterLifeRoutes(app, life));
    return {
      part: life,
      start: () => life.ready(),
      stop: () => life.leave(),
      progress: () => "entering the ring",
    };
  }),

  module("distributorRing", ["rings", "rpc"], (context, parts) =>
    serviceRing("distributor", context, parts),
  ),

  module("haTracker", ["limits", "cluster"], ({ config, machine, registry }, parts) => {
    if (!config.distributor.haTracker.enable) return { part: undefined };
    const { limits, cluster } = parts;
    const { store } = cluster;
    const part = new HaTracker(HA_TRACKER_DEFAULTS, { ...machine, registry, limits, store });
    return { part, start: async () => part.start(), stop: async () => part.stop() };
  }),

  module(
    "distributor",
    [
      "http",
      "gate",
      "limits",
      "cluster",
      "rings",
      "rpc",
      "distributorRing",
      "haTracker",
      "ingesterRing?",
      "ingester?",
    ],
    ({ config, machine, registry }, parts) => {
      const { http, gate, limits, cluster, rings, rpc, ingester, haTracker } = parts;
      const { clock } = machine;
      const options = distributorOptions(config, rings.ingester.view.options.replicationFactor);
      const { remoteTimeoutMs } = options;
      const metrics = newReplicationMetrics(registry);
      const store =
        cluster.isAlone && ingester !== undefined
          ? new DirectStore({ ingester: ingester.ingester, clock, metrics, remoteTimeoutMs })
          : new ReplicatedStore({
              ring: rings.ingester,
              clientFor: rpc.ingesterFor,
              clock,
              metrics,
              remoteTimeoutMs,
            });
      const part = new Distributor(options, {
        ...machine,
        logger: machine.logger.child({ component: "distributor" }),
        registry,
        limits,
        instanceLimits: () => limits.instanceLimits.distributor,
        store,
        healthyDistributors: () => healthyMembers(rings.distributor),
        ...(haTracker === undefined ? {} : { haTracker }),
      });
      http.routes((app) => {
        app.addHook("onRequest", gate.hook);
        registerDistributorRoutes(app, part, options);
      });
      return { part, start: async () => part.start(), stop: async () => part.stop() };
    },
  ),

  module("querierRing", ["rings", "rpc"], (context, parts) =>
    serviceRing("querier", context, parts),
  ),

  module(
    "querier",
    [
      "http",
      "gate",
      "limits",
      "cluster",
      "rings",
      "rpc",
      "querierRing",
      "ingesterRing?",
      "ingester?",
    ],
    ({ config, machine, registry }, parts) => {
      const { http, gate, limits, cluster, rings, rpc, ingester } = parts;
      const { clock } = machine;
      const ownIngester =
        ingester === undefined ? "" : instanceId("ingester", config, machine.hostName);
      const ring = new IngesterQueryable(ingesterReadOptions(config, ownIngester), {
        ring: rings.ingester,
        clientFor: rpc.ingesterFor,
        limits,
        clock,
        metrics: ingesterReadMetrics(registry),
      });
      const part = new QuerierComponent(querierOptions(config), {
        ...machine,
        logger: machine.logger.child({ component: "querier" }),
        registry,
        limits,
        sources: [cluster.isAlone && ingester !== undefined ? ingester.ingester : ring],
      });
      http.routes((app) =>
        part.registerRoutes(app, config.server.prometheusHttpPrefix, [
          gate.hook,
          app.requireTenant,
        ]),
      );
      return { part, stop: () => part.close(), discard: () => part.close() };
    },
  ),

  module("pages", ["http", "limits", "cluster", "rings", "rpc", "haTracker?"], (context, parts) => {
    const { config, registry, overview } = context;
    const { http, limits, cluster } = parts;
    const options = {
      ...httpOptions(config),
      build: BUILD,
      formKey: formKey(context, cluster),
    };
    http.routes((app) =>
      registerPages(app, options, {
        ...overview,
        registry,
        configText: (mode) => printConfig(config, mode),
        flags: () => flagTexts(config),
        runtimeConfigText: (mode) => limits.page(mode),
        userLimits: (tenant) => limitsTree(limits.forTenant(tenant)),
        cluster: clusterSources(context, parts),
      }),
    );
    return { part: undefined };
  }),

  module("traffic", ["http", "gate"], (_context, { http, gate }) => ({
    part: undefined,
    start: async () => gate.open(),
    stop: async () => {
      gate.close();
      await http.shutdown();
    },
  })),
];

/** What each target is made of, beside what that needs. */
export const TARGETS = {
  all: ["objectStorage", "ingesterRing", "distributor", "querier", "pages", "traffic"],
  distributor: ["distributor", "pages", "traffic"],
  ingester: ["ingesterRing", "pages", "traffic"],
  querier: ["querier", "pages", "traffic"],
} as const satisfies Record<string, readonly (keyof Parts)[]>;

/** The membership of a component without data, so that others can count it. */
function serviceRing(
  name: "distributor" | "querier",
  context: Context,
  { rings, rpc }: Pick<Parts, "rings" | "rpc">,
): Built<RingMember> {
  const part = rings.serviceMember(name);
  return {
    part,
    start: async () => {
      await part.enter(instanceAddress(context, name, rpc.address));
      await part.ready();
    },
    stop: () => part.leave({ unregister: true }),
  };
}
