/**
 * The one screen that says what the program is made of and which part needs which. Parts are built and started
 * from top to bottom and stopped from bottom to top; `http` listens early, so that /ready and /metrics answer
 * while the ingester replays, and `traffic` is last: it lets pushes and queries in once everything runs, and
 * on the way out it is first: no new work, then the work under way, then the parts below.
 */
import { Overrides } from "../config/overrides.ts";
import { flagTexts, limitsTree, printConfig } from "../config/print.ts";
import { Distributor } from "../distributor/distributor.ts";
import { HaTracker } from "../distributor/ha-tracker/ha-tracker.ts";
import { HA_TRACKER_DEFAULTS } from "../distributor/ha-tracker/options.ts";
import { REPLICA_VALUE } from "../distributor/ha-tracker/replica-value.ts";
import { registerDistributorRoutes } from "../distributor/routes.ts";
import { KvStore } from "../gossip/kv/kv-store.ts";
import { newKvMetrics } from "../gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../gossip/kv/options.ts";
import { HttpServer } from "../http/server.ts";
import { Ingester } from "../ingester/ingester.ts";
import { ingesterMetrics } from "../ingester/metrics.ts";
import { QuerierComponent } from "../querier/component.ts";
import type { DataDirLock } from "../sys/data-dir-lock.ts";
import { headChunkMetrics } from "../tsdb/head-chunks/metrics.ts";
import { walMetrics } from "../tsdb/wal/metrics.ts";
import { registerPages } from "../ui/pages.ts";
import { BUILD } from "./build.ts";
import { type Module, moduleOf } from "./module.ts";
import { ObjectStorageCheck } from "./object-storage.ts";
import { distributorOptions, httpOptions, ingesterOptions, querierOptions } from "./options.ts";
import { replayText } from "./replay-text.ts";
import { TrafficGate } from "./traffic-gate.ts";

export interface Parts {
  readonly dataDir: undefined;
  readonly limits: Overrides;
  readonly objectStorage: ObjectStorageCheck;
  readonly http: HttpServer;
  readonly gate: TrafficGate;
  readonly ingester: Ingester;
  /** Undefined: pairs are not followed. */
  readonly haTracker: HaTracker | undefined;
  readonly distributor: Distributor;
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

  module("ingester", ["dataDir", "limits"], ({ config, machine, registry }, { limits }) => {
    const part: Ingester = new Ingester(ingesterOptions(config), {
      ...machine,
      files: machine.fileSystem,
      logger: machine.logger.child({ component: "ingester" }),
      limits,
      instanceLimits: () => limits.instanceLimits.ingester,
      metrics: ingesterMetrics(registry, () => part.gauges),
      walMetrics: walMetrics(registry),
      chunkMetrics: headChunkMetrics(registry),
    });
    return {
      part,
      start: () => part.start(),
      stop: () => part.stop(),
      progress: () => replayText(part.status.replay),
    };
  }),

  module("haTracker", ["limits"], ({ config, machine, registry }, { limits }) => {
    if (!config.distributor.haTracker.enable) return { part: undefined };
    const store: KvStore = new KvStore(KV_DEFAULTS, {
      clock: machine.clock,
      metrics: newKvMetrics(registry, () => store.metricsState),
      types: [REPLICA_VALUE],
    });
    const part = new HaTracker(HA_TRACKER_DEFAULTS, { ...machine, registry, limits, store });
    return { part, start: async () => part.start(), stop: async () => part.stop() };
  }),

  module(
    "distributor",
    ["http", "gate", "limits", "ingester", "haTracker"],
    ({ config, machine, registry }, { http, gate, limits, ingester, haTracker }) => {
      const options = distributorOptions(config);
      const part = new Distributor(options, {
        ...machine,
        logger: machine.logger.child({ component: "distributor" }),
        registry,
        limits,
        instanceLimits: () => limits.instanceLimits.distributor,
        ingester,
        ...(haTracker === undefined ? {} : { haTracker }),
      });
      http.routes((app) => {
        app.addHook("onRequest", gate.hook);
        registerDistributorRoutes(app, part, options);
      });
      return { part, start: async () => part.start(), stop: async () => part.stop() };
    },
  ),

  module(
    "querier",
    ["http", "gate", "limits", "ingester"],
    ({ config, machine, registry }, { http, gate, limits, ingester }) => {
      const part = new QuerierComponent(querierOptions(config), {
        ...machine,
        logger: machine.logger.child({ component: "querier" }),
        registry,
        limits,
        sources: [ingester],
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

  module("pages", ["http", "limits"], ({ config, registry, overview }, { http, limits }) => {
    const options = { ...httpOptions(config), build: BUILD };
    http.routes((app) =>
      registerPages(app, options, {
        ...overview,
        registry,
        configText: (mode) => printConfig(config, mode),
        flags: () => flagTexts(config),
        runtimeConfigText: (mode) => limits.page(mode),
        userLimits: (tenant) => limitsTree(limits.forTenant(tenant)),
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

/** What `-target=all` is. */
export const ALL: readonly (keyof Parts)[] = [
  "objectStorage",
  "distributor",
  "querier",
  "pages",
  "traffic",
];
