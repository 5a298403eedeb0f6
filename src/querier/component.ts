/** The querier with all that belongs to it: what the composition root builds, registers and closes. */
import type { FastifyInstance, onRequestHookHandler } from "fastify";
import type { Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { LimitsSource } from "../model/limits.ts";
import type { Queryable } from "../storage/queryable.ts";
import { defaultQueryThreads, openWorkerPool, type WorkerPool } from "../sys/worker-pool.ts";
import { mergedQueryable } from "./merged-queryable.ts";
import { type QuerierMetrics, querierMetrics } from "./metrics.ts";
import { QUERIER_DEFAULTS, type QuerierOptions } from "./options.ts";
import { Querier } from "./querier.ts";
import { QueryGate } from "./query-gate.ts";
import { registerQueryRoutes } from "./routes.ts";

export interface QuerierComponentOptions extends Partial<QuerierOptions> {
  /** Threads that evaluate; absent: by the number of cores. */
  readonly threads?: number;
  /** What a thread runs; absent: the PromQL engine. */
  readonly workerFile?: URL;
}

export interface QuerierComponentDependencies {
  /** Ingesters, store-gateways: all are asked and their answers merged. */
  readonly sources: readonly Queryable[];
  readonly limits: LimitsSource;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

const ENGINE_FILE = new URL("./query-worker.ts", import.meta.url);

export class QuerierComponent {
  readonly querier: Querier;
  readonly #options: QuerierOptions;
  readonly #pool: WorkerPool;
  readonly #metrics: QuerierMetrics;
  readonly #clock: Clock;
  readonly #logger: Logger;

  /** Starts the threads at once, so that they are warm when the first query comes. */
  constructor(options: QuerierComponentOptions, dependencies: QuerierComponentDependencies) {
    const { threads, workerFile, ...others } = options;
    const { sources, limits, clock, logger, registry } = dependencies;
    this.#options = { ...QUERIER_DEFAULTS, ...others };
    this.#clock = clock;
    this.#logger = logger;
    const gate = new QueryGate(this.#options);
    this.#pool = openWorkerPool({
      file: workerFile ?? ENGINE_FILE,
      threads: threads ?? defaultQueryThreads(),
      // Whoever has passed the gate may wait for a thread.
      queueMax: this.#options.concurrentMax,
    });
    this.#metrics = querierMetrics(registry, { gate, pool: this.#pool });
    this.querier = new Querier(this.#options, {
      queryable: mergedQueryable(sources),
      gate,
      pool: this.#pool,
      limits,
      clock,
      metrics: this.#metrics,
    });
  }

  /** `onRequest`: the tenant hook and whatever else stands before queries. */
  registerRoutes(
    app: FastifyInstance,
    prometheusPrefix: string,
    onRequest: readonly onRequestHookHandler[],
  ): void {
    const { logLongerThanMs } = this.#options;
    registerQueryRoutes(
      app,
      { prometheusPrefix, logLongerThanMs },
      {
        querier: this.querier,
        metrics: this.#metrics,
        clock: this.#clock,
        logger: this.#logger,
        onRequest,
      },
    );
  }

  /** Queries under way are killed: stop the HTTP server first. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}
