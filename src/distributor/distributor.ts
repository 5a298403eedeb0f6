/**
 * The way in: bodies of remote write become rows by SeriesId and go to the ingester.
 *
 *   admit      instance limits and request rate, before the body is read
 *   decode     snappy, protobuf, validation, all in the kernel (kernel/host/intake.ts); bad series fall out here
 *   elect      rows of HA pairs whose other replica is elected are left out (ha-tracker/)
 *   rate       ingestion rate over the samples that are left: all or nothing
 *   store      rows without labels, to the ingester of this process or to replicas (row-store.ts)
 *   answer     a failure of the ingester before anything, then what it did not store, then what was invalid
 *
 * The rows are views of kernel memory: valid until the next push is decoded, which may be during any await.
 * The compressed body is therefore what is kept for the second round, and is decoded again if it comes to that.
 */
import { assert } from "../base/assert.ts";
import { type Clock, every, type Timer } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import { EwmaRate } from "../base/ewma-rate.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { answerFor } from "../http/errors.ts";
import {
  type IntakeAnswer,
  type IntakeFailure,
  IntakeKernel,
  type IntakeLimits,
  type IntakeRows,
} from "../kernel/host/intake.ts";
import type { Limits, LimitsSource } from "../model/limits.ts";
import type { RejectedSamples, RejectReason } from "../rpc/ingester.ts";
import { decodeCanonicalLabels } from "../wire/remote-write.ts";
import { type Admission, Inflight } from "./admission.ts";
import { HaDedup, type KeptRows } from "./ha-dedup.ts";
import { clustersMax, type HaTracker } from "./ha-tracker/ha-tracker.ts";
import { intakeLimits } from "./intake-limits.ts";
import {
  haClustersText,
  ingestionRateText,
  instanceLimitText,
  problemText,
  rejectedText,
  requestRateText,
  seriesText,
  summaryText,
  writeMessageSizeText,
} from "./messages.ts";
import {
  addTo,
  type DistributorMetrics,
  type DistributorState,
  newDistributorMetrics,
} from "./metrics.ts";
import type { DistributorOptions, InstanceLimits } from "./options.ts";
import {
  DEDUPLICATED,
  invalid,
  type PushOutcome,
  type PushOutcomeKind,
  STORED,
} from "./push-outcome.ts";
import { retryAfterSeconds } from "./retry-after.ts";
import type { DecodedPush, RowStore } from "./row-store.ts";
import { type TenantState, Tenants } from "./tenants.ts";

export interface DistributorDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly registry: Parameters<typeof newDistributorMetrics>[0];
  readonly limits: LimitsSource;
  /** Read on every push. */
  readonly instanceLimits: () => InstanceLimits;
  readonly store: RowStore;
  /** Distributors that share the tenants' rate limits, this one included; 1 when absent. */
  readonly healthyDistributors?: () => number;
  /** Absent: pairs are not followed, whatever the tenants' limits say. */
  readonly haTracker?: HaTracker;
}

export interface PushContext {
  /** From `admit`; without it `push` admits by itself. */
  readonly admission?: Admission;
  /** The `Retry-Attempt` header. */
  readonly retryAttempt?: string | undefined;
}

const TICK_MS = 1_000;
/** Idle tenants and oversized buffers are looked for once a minute. */
const TICKS_PER_CLEANUP = 60;

/** Reasons of `cortex_discarded_samples_total` as Mimir's ingester has them. */
const DISCARD_REASONS: Readonly<Record<RejectReason, string>> = {
  "sample-out-of-order": "sample-out-of-order",
  "sample-timestamp-too-old": "sample-timestamp-too-old",
  "sample-duplicate-timestamp": "new-value-for-timestamp",
  "max-series-per-user": "per_user_series_limit",
  "ingester-max-series": "ingester_max_series",
};

/** What is known of a request after decoding; holds no view of kernel memory. */
interface Intake extends KeptRows {
  readonly tenant: string;
  readonly body: Uint8Array;
  readonly limits: Limits;
  readonly limitsVersion: number;
  readonly intakeLimits: IntakeLimits;
  readonly problems: IntakeRows["problems"];
  readonly rejections: IntakeRows["rejections"];
}

export class Distributor {
  readonly #options: DistributorOptions;
  readonly #dependencies: DistributorDependencies;
  readonly #clock: Clock;
  readonly #metrics: DistributorMetrics;
  readonly #kernel: IntakeKernel;
  readonly #store: RowStore;
  readonly #tenants = new Tenants();
  readonly #inflight = new Inflight();
  readonly #haDedup: HaDedup;
  readonly #ingestionRate = new EwmaRate();
  #limitsVersion: number;
  #ticker: Timer | undefined;
  #ticks = 0;
  /** Largest request, in bytes of a buffer, since the last cleanup. */
  #largestRequestBytes = 0;

  constructor(options: DistributorOptions, dependencies: DistributorDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#clock = dependencies.clock;
    this.#limitsVersion = dependencies.limits.version;
    this.#kernel = new IntakeKernel({
      knownSeriesMax: options.knownSeriesMax,
      hashSeedLow: dependencies.random.uint32(),
      hashSeedHigh: dependencies.random.uint32(),
    });
    this.#haDedup = new HaDedup(dependencies.haTracker, this.#kernel);
    this.#metrics = newDistributorMetrics(dependencies.registry, () => this.status());
    this.#store = dependencies.store;
  }

  /** Begins housekeeping. Pushes work without it. */
  start(): void {
    this.#ticker ??= every(this.#clock, TICK_MS, () => this.#tick());
  }

  stop(): void {
    this.#ticker?.cancel();
    this.#ticker = undefined;
  }

  status(): DistributorState {
    return {
      tenants: this.#tenants.all,
      inflightRequests: this.#inflight.requests,
      inflightBytes: this.#inflight.bytes,
      ingestionRate: this.#ingestionRate.perSecond,
      instanceLimits: this.#dependencies.instanceLimits(),
      replicationFactor: this.#options.replicationFactor,
      knownSeries: this.#kernel.knownSeries,
      kernelMemoryBytes: this.#kernel.memoryBytes,
    };
  }

  /**
   * Before the body is read. The caller releases the admission when the answer is out; an outcome instead of one
   * is the refusal.
   */
  admit(tenant: string, sizeBytes: number, retryAttempt?: string): Admission | PushOutcome {
    const limit = this.#inflight.exceeded(
      this.#dependencies.instanceLimits(),
      this.#ingestionRate.perSecond,
    );
    if (limit !== undefined) {
      this.#metrics.instanceRejectedRequests.inc({ reason: `distributor_${limit.name}` });
      const message = instanceLimitText(limit.name, limit.limit);
      return this.#refuse("instance-limit", 500, message, retryAttempt);
    }
    const limits = this.#dependencies.limits.forTenant(tenant);
    if (limits.requestRate > 0 && !this.#takeRequest(tenant, limits)) {
      return this.#rateLimited(limits, requestRateText(limits), retryAttempt);
    }
    return this.#inflight.enter(sizeBytes);
  }

  /** `body` must not change until the promise is settled. Never rejects for what a sender or an ingester does. */
  async push(tenant: string, body: Uint8Array, context: PushContext = {}): Promise<PushOutcome> {
    if (context.admission !== undefined) return this.#push(tenant, body, context.retryAttempt);
    const admitted = this.admit(tenant, body.length, context.retryAttempt);
    if ("status" in admitted) return admitted;
    try {
      return await this.#push(tenant, body, context.retryAttempt);
    } finally {
      admitted.release();
    }
  }

  async #push(
    tenant: string,
    body: Uint8Array,
    retryAttempt: string | undefined,
  ): Promise<PushOutcome> {
    const state = this.#tenants.touch(tenant, this.#clock.monotonicMs());
    state.counts.requestsIn++;
    const limits = this.#dependencies.limits.forTenant(tenant);
    this.#forgetSeriesOnNewLimits();
    const forKernel = intakeLimits(limits, {
      nowMs: this.#clock.nowMs(),
      decodedBytesMax: this.#options.maxRecvMsgSizeBytes,
      hasHaTracker: this.#dependencies.haTracker !== undefined,
    });
    const rows = this.#kernel.decode(tenant, body, forKernel);
    if (rows.kind !== "rows") return this.#unreadable(rows, retryAttempt);
    this.#largestRequestBytes = Math.max(this.#largestRequestBytes, rows.counts.decodedBytes);
    this.#account(tenant, state, rows);
    const kept = this.#haDedup.elect(tenant, state, limits, rows);
    const { samples } = kept;
    if (!this.#takeSamples(state, limits, samples)) {
      addTo(state.counts.discardedSamples, "rate_limited", samples);
      const text = ingestionRateText(limits, this.#ingestionBurst(limits));
      return this.#rateLimited(limits, text, retryAttempt);
    }
    this.#accept(state, samples);
    const { problems, rejections } = rows;
    const intake: Intake = {
      tenant,
      body,
      limits,
      limitsVersion: this.#limitsVersion,
      intakeLimits: forKernel,
      ...kept,
      problems,
      rejections,
    };
    const keptCount = kept.kept?.length ?? rows.seriesCount;
    if (keptCount === 0) return this.#outcome(intake, state, [], retryAttempt);
    try {
      const rejected = await this.#store.store(this.#decodedPush(intake, rows));
      return this.#outcome(intake, state, rejected, retryAttempt);
    } catch (error) {
      return this.#failed(error, retryAttempt);
    }
  }

  #forgetSeriesOnNewLimits(): void {
    const { version } = this.#dependencies.limits;
    if (version === this.#limitsVersion) return;
    this.#limitsVersion = version;
    this.#kernel.forgetSeries();
  }

  /** What came in, and what fell out in the kernel. */
  #account(tenant: string, state: TenantState, rows: IntakeRows): void {
    const { counts } = state;
    const { samples, exemplars, histograms, metadata, decodedBytes, unknownToTable } = rows.counts;
    counts.samplesIn += samples + histograms;
    counts.exemplarsIn += exemplars;
    counts.metadataIn += metadata;
    // Passed over by the kernel until their features come; counted, so that nobody misses them silently.
    if (histograms > 0)
      addTo(counts.discardedSamples, "native_histograms_not_supported", histograms);
    if (exemplars > 0) addTo(counts.discardedExemplars, "exemplars_not_supported", exemplars);
    if (metadata > 0) addTo(counts.discardedMetadata, "metadata_not_supported", metadata);
    for (const { code, samples: count } of rows.rejections) {
      addTo(counts.discardedSamples, code.replaceAll("-", "_"), count);
    }
    if (rows.latestTimeMs !== undefined) {
      counts.latestSampleSeconds = Math.max(counts.latestSampleSeconds, rows.latestTimeMs / 1000);
    }
    const user = { user: tenant };
    this.#metrics.samplesPerRequest.observe(user, samples);
    this.#metrics.exemplarsPerRequest.observe(user, exemplars);
    this.#metrics.uncompressedBodySize.observe(user, decodedBytes);
    if (unknownToTable > 0) this.#metrics.seriesChecked.inc(unknownToTable);
  }

  #accept(state: TenantState, samples: number): void {
    state.counts.requestsReceived++;
    state.counts.samplesReceived += samples;
    this.#ingestionRate.add(samples);
  }

  #takeRequest(tenant: string, limits: Limits): boolean {
    const nowMs = this.#clock.monotonicMs();
    const state = this.#tenants.touch(tenant, nowMs);
    const rate = {
      ratePerSecond: limits.requestRate / this.#distributors(),
      burst: limits.requestBurstSize,
    };
    if (state.requestLimiter.tryTake(1, rate, nowMs)) return true;
    addTo(state.counts.discardedRequests, "rate_limited", 1);
    return false;
  }

  #takeSamples(state: TenantState, limits: Limits, samples: number): boolean {
    const rate = {
      ratePerSecond: limits.ingestionRate / this.#distributors(),
      burst: this.#ingestionBurst(limits),
    };
    return state.ingestionLimiter.tryTake(samples, rate, this.#clock.monotonicMs());
  }

  #ingestionBurst(limits: Limits): number {
    const { ingestionBurstFactor: factor, ingestionRate, ingestionBurstSize } = limits;
    return factor >= 1 ? (factor * ingestionRate) / this.#distributors() : ingestionBurstSize;
  }

  #distributors(): number {
    return Math.max(1, this.#dependencies.healthyDistributors?.() ?? 1);
  }

  #decodedPush(intake: Intake, rows: IntakeRows): DecodedPush {
    const { tenant, limits, body, intakeLimits } = intake;
    return {
      tenant,
      limits,
      rows,
      kept: intake.kept,
      frame: (numbers) => this.#kernel.encodeFrame(numbers).slice(),
      again: () => {
        this.#mustHaveSameLimits(intake);
        return mustDecode(this.#kernel.decode(tenant, body, intakeLimits));
      },
      withLabels: (wanted) => this.#withLabels(intake, wanted),
    };
  }

  /** With other limits, decoding a body again may give other rows: the sender has to repeat the push. */
  #mustHaveSameLimits({ limitsVersion }: Intake): void {
    if (this.#dependencies.limits.version === limitsVersion) return;
    throw new OpError("unavailable", "the tenant's limits changed while the request was stored");
  }

  #withLabels(intake: Intake, wanted: Uint32Array): IntakeRows {
    this.#mustHaveSameLimits(intake);
    const { tenant, body, intakeLimits } = intake;
    const rows = mustDecode(this.#kernel.decodeWithLabels(tenant, body, intakeLimits, wanted));
    assert(rows.seriesCount === wanted.length, "decoding a body again gave other rows");
    return rows;
  }

  #outcome(
    intake: Intake,
    state: TenantState,
    rejected: readonly RejectedSamples[],
    retryAttempt: string | undefined,
  ): PushOutcome {
    const [problem] = intake.problems;
    const { refusedSamples } = intake;
    if (rejected.length === 0 && problem === undefined && refusedSamples === 0) {
      return intake.kept?.length === 0 ? DEDUPLICATED : STORED;
    }
    const summary: { id: string; samples: number; series?: number }[] = [];
    let stored = intake.samples;
    for (const { reason, count } of rejected) {
      addTo(state.counts.discardedSamples, DISCARD_REASONS[reason], count);
      summary.push({ id: reason, samples: count });
      stored -= count;
    }
    for (const { code, samples, series } of intake.rejections) {
      summary.push({ id: code, samples, series });
    }
    if (refusedSamples > 0) {
      summary.push({ id: "tenant-too-many-ha-clusters", samples: refusedSamples });
    }
    // A full ingester may have room later: the sender is to come back, and what is stored already is no harm.
    const full = rejected.find(({ reason }) => reason === "ingester-max-series");
    const worst = full ?? rejected[0];
    const text =
      worst !== undefined
        ? rejectedText(worst, intake.tenant, this.#rowText(intake, worst.seriesIndex))
        : problem !== undefined
          ? problemText(problem, intake.limits)
          : haClustersText(clustersMax(intake.limits));
    const message = `${text}. ${summaryText(summary, stored)}`.replace("..", ".");
    return full === undefined
      ? invalid(message)
      : this.#refuse("failed", 500, message, retryAttempt);
  }

  /** Labels of a row, for a message. */
  #rowText(intake: Intake, row: number): string {
    const { labels } = this.#withLabels(intake, Uint32Array.of(row));
    return labels === undefined ? "" : seriesText(decodeCanonicalLabels(labels.bytes));
  }

  #unreadable(failure: IntakeFailure, retryAttempt: string | undefined): PushOutcome {
    switch (failure.kind) {
      case "bad-snappy":
        return invalid("the body is not a snappy block, or it is cut off");
      case "too-large":
        return invalid(
          writeMessageSizeText(failure.declaredBytes, this.#options.maxRecvMsgSizeBytes),
        );
      case "malformed":
        return invalid(
          `the body is not a remote write 1.0 request: malformed protobuf in the field at byte ${failure.offsetBytes}`,
        );
      case "too-many-samples":
        return invalid("the body holds more samples than bytes for them: most have no timestamp");
      case "out-of-memory":
        this.#dependencies.logger.error(
          {},
          "the kernel of the distributor ran out of memory and was restarted",
        );
        return this.#refuse("failed", 500, "no memory left to decode the request", retryAttempt);
    }
  }

  #rateLimited(limits: Limits, message: string, retryAttempt: string | undefined): PushOutcome {
    const status = limits.serviceOverloadStatusCodeOnRateLimitEnabled ? 529 : 429;
    return this.#refuse("rate-limited", status, message, retryAttempt);
  }

  /** Nothing of the batch counts as stored: always a 5xx, so that the sender repeats it. */
  #failed(error: unknown, retryAttempt: string | undefined): PushOutcome {
    const answer = answerFor(error);
    const status = answer.status >= 500 ? answer.status : 500;
    const message = `send data to ingesters: ${answer.message}`;
    // An ingester that protects itself is no failure to log push by push.
    const isLimit = error instanceof OpError && error.code.startsWith("ingester-max-");
    const kind = isLimit ? "instance-limit" : "failed";
    return { ...this.#refuse(kind, status, message, retryAttempt), cause: error };
  }

  #refuse(
    kind: PushOutcomeKind,
    status: number,
    message: string,
    retryAttempt: string | undefined,
  ): PushOutcome {
    const seconds = retryAfterSeconds(retryAttempt, this.#dependencies.random);
    return { kind, status, message, retryAfterSeconds: seconds };
  }

  #tick(): void {
    this.#ingestionRate.tick(TICK_MS);
    const parts = Math.max(1, Math.round(this.#options.knownSeriesIdleMs / TICK_MS));
    this.#kernel.sweep(this.#ticks % parts, parts);
    this.#ticks++;
    if (this.#ticks % TICKS_PER_CLEANUP === 0) this.#cleanUp();
  }

  #cleanUp(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const tenant of this.#tenants.dropIdle(nowMs, this.#options.tenantIdleMs)) {
      this.#kernel.forgetTenant(tenant);
      this.#metrics.forgetTenant(tenant);
    }
    this.#haDedup.cleanUp(this.#tenants);
    const { retainedBufferBytesMax } = this.#options;
    if (this.#largestRequestBytes <= retainedBufferBytesMax) {
      this.#kernel.trim(retainedBufferBytesMax);
    }
    this.#largestRequestBytes = 0;
  }
}

/** Of a body that was decoded before. */
function mustDecode(answer: IntakeAnswer): IntakeRows {
  if (answer.kind === "out-of-memory") {
    throw new OpError("unavailable", "no memory left to decode the request a second time");
  }
  assert(answer.kind === "rows", "a body that was decoded once cannot be decoded again");
  return answer;
}
