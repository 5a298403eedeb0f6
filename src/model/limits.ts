/**
 * What one tenant may do. Mimir's limits with Mimir's names (`ingestionRate` is `ingestion_rate` in YAML),
 * units last where Mimir's name has none. 0 means unlimited unless the comment says otherwise.
 * Read through `LimitsSource` on every use: overrides change while the process runs.
 * Defaults and the texts of the reference are in config/options/limits.ts; docs/configuration.md says which of these
 * wait for a feature that is not there yet.
 */
export interface Limits extends WriteLimits, SeriesLimits, QueryLimits, StorageLimits {}

/** Checked by the distributor before anything is stored. */
export interface WriteLimits {
  /** Requests a second and burst. */
  readonly requestRate: number;
  readonly requestBurstSize: number;
  /** Samples a second over all distributors; the burst is per distributor. Never unlimited. */
  readonly ingestionRate: number;
  readonly ingestionBurstSize: number;
  /** >= 1: burst = factor x rate in place of ingestionBurstSize. */
  readonly ingestionBurstFactor: number;
  readonly ingestionArtificialDelayMs: number;
  /** 429 (false) or 529 (true) on rate limits. */
  readonly serviceOverloadStatusCodeOnRateLimitEnabled: boolean;
  readonly acceptHaSamples: boolean;
  readonly haClusterLabel: string;
  readonly haReplicaLabel: string;
  readonly haMaxClusters: number;
  readonly haTrackerUpdateTimeoutMs: number;
  readonly haTrackerUpdateTimeoutJitterMaxMs: number;
  readonly haTrackerFailoverTimeoutMs: number;
  readonly dropLabels: readonly string[];
  readonly metricRelabelConfigs: readonly MetricRelabelConfig[];
  readonly maxLabelNameLength: number;
  readonly maxLabelValueLength: number;
  readonly maxLabelNamesPerSeries: number;
  /** For metrics whose name ends in `_info`. */
  readonly maxLabelNamesPerInfoSeries: number;
  readonly maxMetadataLength: number;
  readonly enforceMetadataMetricName: boolean;
  readonly maxNativeHistogramBuckets: number;
  readonly reduceNativeHistogramOverMaxBuckets: boolean;
  readonly maxExemplarsPerSeriesPerRequest: number;
  /** Samples further than this in the future are refused. */
  readonly creationGracePeriodMs: number;
  /** 0 = off: samples further than this (plus the out-of-order window) in the past are refused. */
  readonly pastGracePeriodMs: number;
  /** "legacy": [a-zA-Z_:][a-zA-Z0-9_:]* ; "utf8": any non-empty UTF-8. */
  readonly nameValidationScheme: "legacy" | "utf8";
  readonly separateMetricsGroupLabel: string;
  readonly ingestionTenantShardSize: number;
  readonly otelMetricSuffixesEnabled: boolean;
  readonly otelCreatedTimestampZeroIngestionEnabled: boolean;
  readonly promoteOtelResourceAttributes: readonly string[];
}

/** What the ingester holds for a tenant. */
export interface SeriesLimits {
  readonly maxGlobalSeriesPerUser: number;
  readonly maxGlobalSeriesPerMetric: number;
  readonly maxActiveSeriesPerUser: number;
  readonly maxGlobalMetadataPerUser: number;
  readonly maxGlobalMetadataPerMetric: number;
  /** 0 = exemplars are not kept. */
  readonly maxGlobalExemplarsPerUser: number;
  readonly ignoreOooExemplars: boolean;
  readonly nativeHistogramsIngestionEnabled: boolean;
  /** Name to series selector. */
  readonly activeSeriesCustomTrackers: Readonly<Record<string, string>>;
  /** 0 = samples must come in order. */
  readonly outOfOrderTimeWindowMs: number;
  readonly outOfOrderBlocksExternalLabelEnabled: boolean;
}

/** What a query may cost. */
export interface QueryLimits {
  readonly maxFetchedSeriesPerQuery: number;
  readonly maxFetchedChunksPerQuery: number;
  readonly maxEstimatedFetchedChunksPerQueryMultiplier: number;
  readonly maxFetchedChunkBytesPerQuery: number;
  readonly maxEstimatedMemoryConsumptionPerQueryBytes: number;
  /** Longest range of a query; 0 = any. */
  readonly maxTotalQueryLengthMs: number;
  readonly maxPartialQueryLengthMs: number;
  readonly maxQueryLookbackMs: number;
  readonly maxQueryExpressionSizeBytes: number;
  readonly maxLabelsQueryLengthMs: number;
  /** Never unlimited. */
  readonly maxQueryParallelism: number;
  readonly maxCacheFreshnessMs: number;
  readonly maxQueriersPerTenant: number;
  readonly queryShardingTotalShards: number;
  readonly queryShardingMaxShardedQueries: number;
  readonly queryShardingMaxRegexpSizeBytes: number;
  readonly splitInstantQueriesByIntervalMs: number;
  readonly queryIngestersWithinMs: number;
  readonly resultsCacheTtlMs: number;
  readonly resultsCacheTtlForOutOfOrderTimeWindowMs: number;
  readonly resultsCacheTtlForCardinalityQueryMs: number;
  readonly resultsCacheTtlForLabelsQueryMs: number;
  readonly resultsCacheTtlForErrorsMs: number;
  readonly cacheUnalignedRequests: boolean;
  readonly alignQueriesWithStep: boolean;
  readonly blockedQueries: readonly BlockedQuery[];
  /** Comma list in configuration: names of experimental PromQL functions, or "all". */
  readonly enabledPromqlExperimentalFunctions: readonly string[];
  readonly cardinalityAnalysisEnabled: boolean;
  readonly labelNamesAndValuesResultsMaxSizeBytes: number;
  readonly labelValuesMaxCardinalityLabelNamesPerRequest: number;
  readonly activeSeriesResultsMaxSizeBytes: number;
}

/** What happens to a tenant's blocks and rules. */
export interface StorageLimits {
  readonly rulerEvaluationDelayDurationMs: number;
  readonly rulerMaxRulesPerRuleGroup: number;
  readonly rulerMaxRuleGroupsPerTenant: number;
  readonly storeGatewayTenantShardSize: number;
  readonly compactorBlocksRetentionPeriodMs: number;
  readonly compactorSplitAndMergeShards: number;
  readonly compactorSplitGroups: number;
  readonly compactorTenantShardSize: number;
  readonly compactorPartialBlockDeletionDelayMs: number;
  readonly compactorBlockUploadEnabled: boolean;
  readonly compactorBlockUploadValidationEnabled: boolean;
  readonly compactorBlockUploadVerifyChunks: boolean;
  readonly compactorBlockUploadMaxBlockSizeBytes: number;
  readonly compactorMaxLookbackMs: number;
  readonly compactorMaxPerBlockUploadConcurrency: number;
  readonly s3SseType: "" | "SSE-KMS" | "SSE-S3";
  readonly s3SseKmsKeyId: string;
  readonly s3SseKmsEncryptionContext: string;
}

/** One rule with Prometheus' names; an absent field has Prometheus' default. */
export interface MetricRelabelConfig {
  readonly source_labels?: readonly string[];
  readonly separator?: string;
  readonly regex?: string;
  readonly modulus?: number;
  readonly target_label?: string;
  readonly replacement?: string;
  readonly action?:
    | "replace"
    | "keep"
    | "drop"
    | "keepequal"
    | "dropequal"
    | "hashmod"
    | "labelmap"
    | "labeldrop"
    | "labelkeep"
    | "lowercase"
    | "uppercase";
}

/** A query that is refused: its text is `pattern`, or `pattern` is a regular expression that matches it. */
export interface BlockedQuery {
  readonly pattern: string;
  readonly regex?: boolean;
  readonly reason?: string;
}

export interface LimitsSource {
  forTenant(tenant: string): Limits;
  /** Grows whenever any tenant's limits may have changed: caches of validation results compare it. */
  readonly version: number;
}
