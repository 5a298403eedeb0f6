import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Wal } from "../tsdb/wal/wal.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { IngesterMetrics } from "./metrics.ts";
import type { IngesterOptions } from "./options.ts";
import { RECORD } from "./record-types.ts";
import type { Tenant, Tenants } from "./tenants.ts";

interface MaintenanceDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: IngesterMetrics;
}

/** The head is truncated in steps of this share of the retention period: a truncation walks over all series. */
const TRUNCATE_STEPS = 12;

/**
 * What an ingester does by the clock: retention, idle chunks and tenants, checkpoints, active series. One run at a time;
 * a failure (a full disk, as a rule) is logged, counted and tried again in the next run.
 */
export class Maintenance {
  readonly #options: IngesterOptions;
  readonly #deps: MaintenanceDependencies;
  readonly #wal: Wal;
  readonly #tenants: Tenants;
  readonly #checkpoint: Checkpoint;
  readonly #truncatedBeforeMs = new WeakMap<Tenant, number>();
  #running: Promise<void> | undefined;

  constructor(
    options: IngesterOptions,
    deps: MaintenanceDependencies,
    wal: Wal,
    tenants: Tenants,
    checkpoint: Checkpoint,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#wal = wal;
    this.#tenants = tenants;
    this.#checkpoint = checkpoint;
  }

  /** Resolves when no run is under way. */
  async finished(): Promise<void> {
    await this.#running;
  }

  async run(): Promise<void> {
    await this.#running;
    this.#running = this.#runAll();
    await this.#running;
    this.#running = undefined;
  }

  async #runAll(): Promise<void> {
    const { metrics } = this.#deps;
    for (const tenant of [...this.#tenants.all()]) {
      await this.#try("truncating a head", metrics.headTruncationsFailed, () =>
        this.#truncate(tenant),
      );
      await this.#try("closing idle chunks", undefined, () => this.#closeIdleChunks(tenant));
      await this.#try("closing an idle tenant", undefined, () => this.#closeIfIdle(tenant));
      this.#countActive(tenant);
    }
    await this.#try("writing a checkpoint", metrics.checkpointCreationsFailed, async () => {
      if (!(await this.#checkpoint.isDue())) return;
      metrics.checkpointCreations.inc();
      await this.#checkpoint.write(() => this.#pause());
    });
  }

  async #try(
    what: string,
    failures: { inc(): void } | undefined,
    step: () => Promise<void>,
  ): Promise<void> {
    try {
      await step();
    } catch (err) {
      failures?.inc();
      this.#deps.logger.error({ err }, `${what} failed, trying again later`);
    }
  }

  /** Retention counts from the tenant's newest sample: imported old data lives as long as new data would. */
  async #truncate(tenant: Tenant): Promise<void> {
    const { retentionPeriodMs } = this.#options;
    const newestMs = tenant.head.maxTimeMs;
    if (newestMs === undefined || retentionPeriodMs === 0) return;
    const { clock, metrics } = this.#deps;
    const beforeMs = Math.min(clock.nowMs(), newestMs) - retentionPeriodMs;
    const lastMs = this.#truncatedBeforeMs.get(tenant) ?? tenant.head.stats.minTimeMs ?? beforeMs;
    if (beforeMs < lastMs + retentionPeriodMs / TRUNCATE_STEPS) return;
    const startMs = clock.monotonicMs();
    metrics.headTruncations.inc();
    const writes: Promise<void>[] = [];
    const log = (entries: Uint8Array): void => {
      writes.push(this.#wal.append(tenant.name, RECORD.entries, entries));
    };
    const { removedSeries } = await tenant.head.truncate(beforeMs, log, () => this.#pause());
    metrics.seriesRemoved.inc({ user: tenant.name }, removedSeries);
    metrics.headGcSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    this.#truncatedBeforeMs.set(tenant, beforeMs);
    await Promise.all(writes);
  }

  /**
   * While a tenant pushes, its newest sample tells the time: series of an import of old data are not idle because
   * their samples are old.
   */
  async #closeIdleChunks(tenant: Tenant): Promise<void> {
    const { chunkIdleTimeoutMs: idleMs } = this.#options;
    const newestMs = tenant.head.maxTimeMs;
    if (idleMs === 0 || newestMs === undefined) return;
    const nowMs = this.#deps.clock.nowMs();
    const pushes = nowMs - tenant.lastPushMs < idleMs;
    const beforeMs = (pushes ? Math.min(nowMs, newestMs) : nowMs) - idleMs;
    const closed = await tenant.head.closeIdleChunks(beforeMs, () => this.#pause());
    if (closed > 0) this.#deps.metrics.idleChunksClosed.inc(closed);
  }

  async #closeIfIdle(tenant: Tenant): Promise<void> {
    const { closeIdleTimeoutMs, retentionPeriodMs } = this.#options;
    const nowMs = this.#deps.clock.nowMs();
    const newestMs = tenant.head.maxTimeMs ?? 0;
    const isIdle = closeIdleTimeoutMs > 0 && nowMs - tenant.lastPushMs >= closeIdleTimeoutMs;
    const isExpired = retentionPeriodMs > 0 && newestMs < nowMs - retentionPeriodMs;
    if (!isIdle || !(isExpired || tenant.head.seriesCount === 0)) return;
    // From here no push finds this head; one that comes now opens a new one, whose records follow this one.
    const closed = this.#wal.append(tenant.name, RECORD.tenantClosed, new Uint8Array(0));
    const removed = this.#tenants.remove(tenant.name);
    await closed;
    await removed;
    this.#forgetMetrics(tenant.name);
    this.#deps.logger.info({ user: tenant.name }, "closed an idle tenant");
  }

  #forgetMetrics(user: string): void {
    const { metrics } = this.#deps;
    for (const metric of [
      metrics.ingestedSamples,
      metrics.ingestedSamplesFailures,
      metrics.seriesCreated,
      metrics.seriesRemoved,
      metrics.outOfOrderSamples,
      metrics.activeSeries,
    ]) {
      metric.remove({ user });
    }
  }

  #countActive(tenant: Tenant): void {
    const sinceMs = this.#deps.clock.nowMs() - this.#options.activeSeriesIdleTimeoutMs;
    this.#deps.metrics.activeSeries.set({ user: tenant.name }, tenant.head.countActive(sinceMs));
  }

  /** Lets requests that wait go first. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#deps.clock.after(0, resolve);
    });
  }
}
