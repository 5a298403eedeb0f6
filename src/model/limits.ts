/**
 * What one tenant may do. Mimir's limits with Mimir's names (`ingestionRate` is `ingestion_rate` in YAML),
 * units last where Mimir's name has none. 0 means unlimited unless the comment says otherwise.
 * Read through `LimitsSource` on every use: overrides change while the process runs.
 */
export interface Limits {
  /** Requests a second and burst. */
  readonly requestRate: number;
  readonly requestBurstSize: number;
  /** Samples a second over all distributors; the burst is per distributor. Never unlimited. */
  readonly ingestionRate: number;
  readonly ingestionBurstSize: number;
  /** >= 1: burst = factor x rate in place of ingestionBurstSize. */
  readonly ingestionBurstFactor: number;
  readonly maxLabelNameLength: number;
  readonly maxLabelValueLength: number;
  readonly maxLabelNamesPerSeries: number;
  /** For metrics whose name ends in `_info`. */
  readonly maxLabelNamesPerInfoSeries: number;
  /** Samples further than this in the future are refused. */
  readonly creationGracePeriodMs: number;
  /** 0 = off: samples further than this (plus the out-of-order window) in the past are refused. */
  readonly pastGracePeriodMs: number;
  /** "legacy": [a-zA-Z_:][a-zA-Z0-9_:]* ; "utf8": any non-empty UTF-8. */
  readonly nameValidationScheme: "legacy" | "utf8";
  readonly maxGlobalSeriesPerUser: number;
  readonly outOfOrderTimeWindowMs: number;
  readonly maxFetchedSeriesPerQuery: number;
  readonly maxFetchedChunksPerQuery: number;
  readonly maxFetchedChunkBytesPerQuery: number;
  /** Longest range of a query; 0 = any. */
  readonly maxTotalQueryLengthMs: number;
  readonly maxQueryLookbackMs: number;
  readonly maxQueryExpressionSizeBytes: number;
  readonly maxLabelsQueryLengthMs: number;
  /** Comma list in configuration: names of experimental PromQL functions, or "all". */
  readonly enabledPromqlExperimentalFunctions: readonly string[];
  /** 429 (false) or 529 (true) on rate limits. */
  readonly serviceOverloadStatusCodeOnRateLimitEnabled: boolean;
}

export interface LimitsSource {
  forTenant(tenant: string): Limits;
  /** Grows whenever any tenant's limits may have changed: caches of validation results compare it. */
  readonly version: number;
}
