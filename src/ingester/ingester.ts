import type { Clock, Timer } from "../base/clock.ts";
import { every } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { AppendReport, Refusal } from "../kernel/host/head-kernel.ts";
import type { Labels } from "../model/labels.ts";
import type { Limits, LimitsSource } from "../model/limits.ts";
import type {
  LocalIngester,
  PushAnswer,
  RejectedSamples,
  SeriesBatch,
  UserStats,
} from "../rpc/ingester.ts";
import { type EncodedSeriesSet, emptySeriesSet } from "../storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../storage/queryable.ts";
import type { HeadChunkMetrics } from "../tsdb/head-chunks/metrics.ts";
import type { WalMetrics } from "../tsdb/wal/metrics.ts";
import { type ReplayProgress, Wal } from "../tsdb/wal/wal.ts";
import type { PushFrameHeader } from "../wire/push-frame.ts";
import { Checkpoint } from "./checkpoint.ts";
import { HeadReplay } from "./head-replay.ts";
import { Maintenance } from "./maintenance.ts";
import type { IngesterGauges, IngesterMetrics } from "./metrics.ts";
import type { IngesterInstanceLimits, IngesterOptions } from "./options.ts";
import { PushAdmission } from "./push-admission.ts";
import { batchRows, frameRows, type PushRows } from "./push-rows.ts";
import { RECORD } from "./record-types.ts";
import { type Tenant, Tenants } from "./tenants.ts";
import { untilAborted } from "./until-aborted.ts";

export interface IngesterDependencies {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: LimitsSource;
  /** The part of a tenant's series limit that is this ingester's; absent: all of it. 0 is no limit. */
  readonly seriesMax?: (tenant: string) => number;
  /** Why queries may not see what is here, while that is so. */
  readonly whyUnreadable?: () => string | undefined;
  /** Read at every push. */
  readonly instanceLimits: () => IngesterInstanceLimits;
  readonly metrics: IngesterMetrics;
  readonly walMetrics: WalMetrics;
  readonly chunkMetrics: HeadChunkMetrics;
}

export type IngesterState = "new" | "replaying" | "running" | "stopping" | "stopped" | "failed";

/** One plain snapshot for pages, tests and /ready. */
export interface IngesterStatus {
  readonly state: IngesterState;
  /** While "replaying". */
  readonly replay: ReplayProgress | undefined;
  /** Why the disk refuses writes, while it does. */
  readonly blocked: string | undefined;
  readonly tenants: readonly TenantStatus[];
}

export interface TenantStatus {
  readonly tenant: string;
  readonly seriesCount: number;
  readonly labelPairCount: number;
  readonly memoryBytes: number;
  readonly minTimeMs: number | undefined;
  readonly maxTimeMs: number | undefined;
}

/** Log bytes that a push may need beyond its samples: asked of the log before the head is touched. */
const ADMIT_OVERHEAD_BYTES = 64 * 1024;
const ADMIT_SAMPLE_BYTES = 40;

const RATE_TICK_MS = 1000;

/**
 * Holds the recent samples of its tenants: a head each, one write-ahead log for all.
 *
 *     push ──► limits ──► log admits? ──► head decides sample by sample ──► log writes ──► answer
 *
 * Head and log are changed in the same tick, so the log has the order of the head. A push is answered when the
 * log has its records, also when all its samples were duplicates: those may still be on their way to the disk.
 */
export class Ingester implements LocalIngester {
  readonly #options: IngesterOptions;
  readonly #deps: IngesterDependencies;
  readonly #tenants: Tenants;
  #wal: Wal | undefined;
  #maintenance: Maintenance | undefined;
  #timers: Timer[] = [];
  #state: IngesterState = "new";
  #replay: ReplayProgress | undefined;
  readonly #admission: PushAdmission;
  #series = 0;

  constructor(options: IngesterOptions, deps: IngesterDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#tenants = new Tenants(options, deps);
    this.#admission = new PushAdmission(deps.instanceLimits, (reason) =>
      deps.metrics.instanceRejected.inc({ reason }),
    );
  }

  // -------------------------------------------------------------------------------------------- life

  /** Reads the log; resolves when all of it is queryable. A damaged log is a CorruptionError. */
  async start(): Promise<void> {
    const { clock, logger, metrics, files, walMetrics } = this.#deps;
    const startMs = clock.monotonicMs();
    this.#state = "replaying";
    try {
      for (const name of await this.#tenants.onDisk()) await this.#tenants.mustOpen(name);
      this.#wal = await Wal.open(this.#options.wal, { files, clock, logger, metrics: walMetrics });
      await this.#replayLog(this.#wal);
      this.#startMaintenance(this.#wal);
    } catch (error) {
      this.#state = "failed";
      throw error;
    }
    this.#countSeries();
    metrics.openSeconds.inc((clock.monotonicMs() - startMs) / 1000);
    this.#state = "running";
    logger.info(
      {
        tenants: this.#tenants.size,
        series: this.#series,
        durationMs: clock.monotonicMs() - startMs,
      },
      "ingester is running",
    );
  }

  async #replayLog(wal: Wal): Promise<void> {
    const { logger } = this.#deps;
    const replay = new HeadReplay(this.#tenants, this.#options.wal.directory);
    let loggedPercent = 0;
    const report = await wal.replay(replay.visit, {
      onProgress: (progress) => {
        this.#replay = progress;
        const percent = Math.floor((100 * progress.bytesDone) / Math.max(1, progress.bytesTotal));
        if (percent < loggedPercent + 10) return;
        loggedPercent = percent;
        logger.info({ ...progress, percent }, "replaying the write-ahead log");
      },
    });
    const { samples, lostSamples } = await replay.finish();
    this.#replay = undefined;
    logger.info({ ...report, samples }, "write-ahead log replayed");
    if (lostSamples > 0) {
      this.#deps.walMetrics.corruptions.inc();
      logger.error(
        { samples: lostSamples },
        "the write-ahead log holds samples of series that it does not define; a segment is missing or was set aside",
      );
    }
    for (const tenant of [...this.#tenants.all()]) {
      if (tenant.head.seriesCount === 0) await this.#tenants.remove(tenant.name);
      else await tenant.head.finishReplay();
    }
  }

  #startMaintenance(wal: Wal): void {
    const checkpoint = new Checkpoint(
      { growthBytes: this.#options.checkpointBytes },
      wal,
      this.#tenants,
    );
    const maintenance = new Maintenance(this.#options, this.#deps, wal, this.#tenants, checkpoint);
    this.#maintenance = maintenance;
    const { clock } = this.#deps;
    this.#timers = [
      every(clock, this.#options.maintenancePeriodMs, async () => {
        await maintenance.run();
        this.#countSeries();
      }),
      every(clock, RATE_TICK_MS, () => this.#tickRates()),
    ];
  }

  #tickRates(): void {
    this.#admission.tick(RATE_TICK_MS);
    for (const { rate } of this.#tenants.all()) rate.tick(RATE_TICK_MS);
  }

  /** Refuses pushes from now on, lets those under way finish, writes the log out. */
  async stop(): Promise<void> {
    if (this.#state === "stopped") return;
    this.#state = "stopping";
    for (const timer of this.#timers) timer.cancel();
    await this.#maintenance?.finished();
    await this.#wal?.close();
    await this.#tenants.closeAll();
    this.#state = "stopped";
  }

  /** Looks at retention, checkpoints and idle tenants now instead of at the next period. */
  async maintain(): Promise<void> {
    await this.#maintenance?.run();
    this.#countSeries();
  }

  get status(): IngesterStatus {
    return {
      state: this.#state,
      replay: this.#replay,
      blocked: this.#wal?.blocked?.message,
      tenants: [...this.#tenants.all()].map(({ name, head }) => ({ tenant: name, ...head.stats })),
    };
  }

  /** What the gauges show at a scrape. */
  get gauges(): IngesterGauges {
    const sum = { series: 0, symbolTableBytes: 0, headMemoryBytes: 0, pendingChunkBytes: 0 };
    let minTimeMs: number | undefined;
    let maxTimeMs: number | undefined;
    for (const { head } of this.#tenants.all()) {
      const stats = head.stats;
      sum.series += stats.seriesCount;
      sum.symbolTableBytes += stats.symbolTableBytes;
      sum.headMemoryBytes += stats.memoryBytes;
      sum.pendingChunkBytes += head.files.pendingBytes;
      minTimeMs = least(minTimeMs, stats.minTimeMs);
      maxTimeMs = greatest(maxTimeMs, stats.maxTimeMs);
    }
    return {
      ...sum,
      tenants: this.#tenants.size,
      minTimeMs,
      maxTimeMs,
      inflightPushRequests: this.#admission.requests,
      inflightPushBytes: this.#admission.bytes,
      samplesPerSecond: this.#admission.samplesPerSecond,
      instanceLimits: this.#deps.instanceLimits(),
    };
  }

  // ------------------------------------------------------------------------------------------- write

  async push(tenant: string, batch: SeriesBatch): Promise<PushAnswer> {
    return await this.#push(tenant, batchRows(batch));
  }

  async pushFrame(tenant: string, frame: Uint8Array, signal?: AbortSignal): Promise<PushAnswer> {
    signal?.throwIfAborted();
    return await untilAborted(this.#push(tenant, frameRows(frame)), signal);
  }

  async #push(tenant: string, rows: PushRows): Promise<PushAnswer> {
    this.#mustRun();
    this.#askLog(rows.size);
    const sizeBytes = this.#admission.enter(rows.size);
    try {
      const open = this.#tenants.get(tenant);
      if (open) return await this.#pushOpen(open, rows);
      const kept = rows.kept();
      return await this.#pushOpen(await this.#tenants.openForPush(tenant), kept);
    } finally {
      this.#admission.leave(sizeBytes);
    }
  }

  #mustRun(): void {
    if (this.#state === "running") return;
    if (this.#state === "stopping" || this.#state === "stopped") {
      throw new OpError(
        "stopping",
        "the ingester is shutting down; retry, another one will answer",
      );
    }
    throw new OpError("starting", `the ingester is starting (${this.#state}); retry in a moment`);
  }

  #askLog({ sampleCount, labelBytes }: PushFrameHeader): void {
    const refused = this.#wal?.admit(
      ADMIT_OVERHEAD_BYTES + sampleCount * ADMIT_SAMPLE_BYTES + 2 * labelBytes,
    );
    if (refused) throw refused;
  }

  async #pushOpen(tenant: Tenant, rows: PushRows): Promise<PushAnswer> {
    const limits = this.#deps.limits.forTenant(tenant.name);
    const report = rows.append(tenant.head, {
      seriesMax: this.#seriesMax(tenant, limits),
      outOfOrderWindowMs: limits.outOfOrderTimeWindowMs,
    });
    tenant.lastPushMs = this.#deps.clock.nowMs();
    // Views end with the next call of the head: the log copies before `append` returns.
    const logged = this.#log(tenant.name, report);
    this.#count(tenant, report);
    const answer: PushAnswer = {
      unknownSeries: report.unknownSeries,
      rejected: report.refused.map((refusal) => this.#rejected(refusal, limits)),
    };
    await logged;
    return answer;
  }

  /** Entries go first: they define what the rows refer to. */
  #log(tenant: string, report: AppendReport): Promise<unknown> {
    const wal = this.#wal as Wal;
    const writes: Promise<void>[] = [];
    if (report.entries.length > 0) writes.push(wal.append(tenant, RECORD.entries, report.entries));
    if (report.rows.length > 0 || report.duplicateSamples > 0) {
      writes.push(wal.append(tenant, RECORD.rows, report.rows));
    }
    return writes.length === 1 ? (writes[0] as Promise<void>) : Promise.all(writes);
  }

  /** The tenant's limit, or what the instance has left if that is less. */
  #seriesMax(tenant: Tenant, limits: Limits): number {
    const { maxSeries } = this.#deps.instanceLimits();
    const own = this.#deps.seriesMax?.(tenant.name) ?? limits.maxGlobalSeriesPerUser;
    if (maxSeries === 0) return own;
    const left = Math.max(0, maxSeries - this.#series) + tenant.head.seriesCount;
    // 0 would mean no limit; one series more than none does no harm.
    return Math.max(1, own === 0 ? left : Math.min(own, left));
  }

  #rejected(refusal: Refusal, limits: Limits): RejectedSamples {
    const { reason, count, seriesIndex, timestampMs } = refusal;
    const common = { count, seriesIndex, timestampMs };
    if (reason === "sample-timestamp-too-old") {
      return { reason, ...common, limit: limits.outOfOrderTimeWindowMs };
    }
    if (reason !== "max-series-per-user") return { reason, ...common };
    const { maxSeries } = this.#deps.instanceLimits();
    if (maxSeries > 0 && this.#series >= maxSeries) {
      this.#deps.metrics.instanceRejected.inc({ reason: "ingester_max_series" });
      return { reason: "ingester-max-series", ...common, limit: maxSeries };
    }
    return { reason, ...common, limit: limits.maxGlobalSeriesPerUser };
  }

  #count({ name: user, rate }: Tenant, report: AppendReport): void {
    const { metrics } = this.#deps;
    const samples = report.acceptedSamples + report.duplicateSamples;
    this.#admission.stored(samples);
    rate.add(samples);
    metrics.ingestedSamples.inc({ user }, samples);
    if (report.createdSeries > 0) {
      this.#series += report.createdSeries;
      metrics.seriesCreated.inc({ user }, report.createdSeries);
    }
    if (report.outOfOrderSamples > 0) {
      metrics.outOfOrderSamples.inc({ user }, report.outOfOrderSamples);
    }
    for (const { count } of report.refused) metrics.ingestedSamplesFailures.inc({ user }, count);
  }

  #countSeries(): void {
    this.#series = 0;
    for (const { head } of this.#tenants.all()) this.#series += head.seriesCount;
  }

  // -------------------------------------------------------------------------------------------- read

  async select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    const head = this.#headToRead(tenant);
    const set = head ? await head.select(request) : emptySeriesSet();
    this.#deps.metrics.queriedSeries.observe(set.seriesCount);
    return set;
  }

  async labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    return this.#headToRead(tenant)?.labelNames(request) ?? [];
  }

  async labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    return this.#headToRead(tenant)?.labelValues(name, request) ?? [];
  }

  async series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    return this.#headToRead(tenant)?.series(request) ?? [];
  }

  async allUserStats(): Promise<UserStats[]> {
    this.#mustRead();
    return Array.from(this.#tenants.all(), ({ name, head, rate }) => ({
      tenant: name,
      seriesCount: head.seriesCount,
      samplesPerSecond: rate.perSecond,
    }));
  }

  #headToRead(tenant: string) {
    this.#mustRead();
    this.#deps.metrics.queries.inc();
    return this.#tenants.get(tenant)?.head;
  }

  /** Reads go on while the ingester shuts down. */
  #mustRead(): void {
    if (this.#state !== "stopping") this.#mustRun();
    const unreadable = this.#deps.whyUnreadable?.();
    if (unreadable !== undefined) throw new OpError("starting", unreadable);
  }
}

function least(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function greatest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.max(a, b);
}
