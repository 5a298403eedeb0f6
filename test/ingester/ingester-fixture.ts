import { Registry } from "prom-client";
import { SeededRandom } from "../../src/base/random.ts";
import { Ingester } from "../../src/ingester/ingester.ts";
import { type IngesterGauges, ingesterMetrics } from "../../src/ingester/metrics.ts";
import {
  DEFAULT_INGESTER_OPTIONS,
  INGESTER_INSTANCE_LIMITS_DEFAULTS,
  type IngesterInstanceLimits,
  type IngesterOptions,
} from "../../src/ingester/options.ts";
import type { Limits, LimitsSource } from "../../src/model/limits.ts";
import type { PushAnswer } from "../../src/rpc/ingester.ts";
import { headChunkMetrics } from "../../src/tsdb/head-chunks/metrics.ts";
import { walMetrics } from "../../src/tsdb/wal/metrics.ts";
import { DEFAULT_WAL_OPTIONS, type WalOptions } from "../../src/tsdb/wal/options.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { readSeriesSet } from "../testkit/read-series-set.ts";
import { type BatchSeries, seriesBatch } from "../testkit/series-batch.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { LinesLogger } from "../tsdb/disk-fixtures.ts";

const NO_LIMITS = { seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 };
export const FOREVER = { minTimeMs: -1e15, maxTimeMs: 1e15 };

export interface FixtureOptions {
  readonly files?: MemoryFileSystem;
  readonly clock?: TestClock;
  readonly wal?: Partial<WalOptions>;
  readonly ingester?: Partial<IngesterOptions>;
  readonly limits?: Partial<Limits>;
  readonly instanceLimits?: () => Partial<IngesterInstanceLimits>;
}

/** An ingester on a disk in memory and virtual time, and what a distributor and a querier do with it. */
export class IngesterFixture {
  readonly files: MemoryFileSystem;
  readonly clock: TestClock;
  readonly logger = new LinesLogger();
  readonly registry = new Registry();
  readonly ingester: Ingester;

  constructor(options: FixtureOptions = {}) {
    this.files = options.files ?? new MemoryFileSystem();
    this.clock = options.clock ?? new TestClock();
    const limits = {
      maxGlobalSeriesPerUser: 0,
      outOfOrderTimeWindowMs: 30 * 60_000,
      ...options.limits,
    };
    const source: LimitsSource = { forTenant: () => limits as Limits, version: 1 };
    const gauges = (): IngesterGauges => this.ingester.gauges;
    this.ingester = new Ingester(
      {
        ...DEFAULT_INGESTER_OPTIONS,
        tsdbDirectory: "/data/tsdb",
        wal: { ...DEFAULT_WAL_OPTIONS, directory: "/data/wal", sync: "commit", ...options.wal },
        ...options.ingester,
      },
      {
        files: this.files,
        clock: this.clock,
        random: new SeededRandom(1),
        logger: this.logger,
        limits: source,
        instanceLimits: () => ({
          ...INGESTER_INSTANCE_LIMITS_DEFAULTS,
          ...options.instanceLimits?.(),
        }),
        metrics: ingesterMetrics(this.registry, gauges),
        walMetrics: walMetrics(this.registry),
        chunkMetrics: headChunkMetrics(this.registry),
      },
    );
  }

  static async start(options: FixtureOptions = {}): Promise<IngesterFixture> {
    const fixture = new IngesterFixture(options);
    await fixture.ingester.start();
    return fixture;
  }

  /** As a distributor does: ids first, labels for those that the ingester does not know. */
  async push(tenant: string, series: readonly BatchSeries[]): Promise<PushAnswer> {
    const first = await this.ingester.push(tenant, seriesBatch(series, false));
    const unknown = [...first.unknownSeries].map((index) => series[index] as BatchSeries);
    if (unknown.length === 0) return first;
    const second = await this.ingester.push(tenant, seriesBatch(unknown, true));
    return {
      unknownSeries: second.unknownSeries,
      rejected: [...first.rejected, ...second.rejected],
    };
  }

  /** A maintenance run; it pauses between slices, so virtual time goes on until it is through. */
  async maintain(): Promise<void> {
    let isDone = false;
    const run = this.ingester.maintain().finally(() => {
      isDone = true;
    });
    while (!isDone) await this.clock.advance(1);
    await run;
  }

  /** All samples of series with a name, by their labels as text. */
  async read(tenant: string, matcher = { name: "__name__", value: ".+" }) {
    const set = await this.ingester.select(tenant, {
      matchers: [{ type: "=~", ...matcher }],
      ...FOREVER,
      limits: NO_LIMITS,
    });
    return readSeriesSet(set);
  }
}
