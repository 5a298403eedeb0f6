/** From the keys of the configuration to the options of each component. What has no key keeps the component's default. */
import type { Config } from "../config/config.ts";
import { inside } from "../config/defaults.ts";
import { DISTRIBUTOR_DEFAULTS, type DistributorOptions } from "../distributor/options.ts";
import { HTTP_DEFAULTS, type HttpOptions } from "../http/options.ts";
import type { IngesterLifeOptions } from "../ingester/ingester-life.ts";
import { DEFAULT_INGESTER_OPTIONS, type IngesterOptions } from "../ingester/options.ts";
import type { IngesterQueryableOptions } from "../querier/ingester-queryable.ts";
import { QUERIER_DEFAULTS, type QuerierOptions } from "../querier/options.ts";
import { DEFAULT_WAL_OPTIONS } from "../tsdb/wal/options.ts";

export function httpOptions({ server, auth }: Config): HttpOptions {
  return {
    ...HTTP_DEFAULTS,
    listenAddress: server.httpListenAddress,
    listenPort: server.httpListenPort,
    pathPrefix: server.pathPrefix,
    prometheusPrefix: server.prometheusHttpPrefix,
    multitenancyEnabled: auth.multitenancyEnabled,
    noAuthTenant: auth.noAuthTenant,
    readTimeoutMs: server.httpReadTimeoutMs,
    writeTimeoutMs: server.httpWriteTimeoutMs,
    idleTimeoutMs: server.httpIdleTimeoutMs,
    shutdownTimeoutMs: server.gracefulShutdownTimeoutMs,
  };
}

export function distributorOptions(
  { distributor }: Config,
  replicationFactor: number,
): DistributorOptions {
  return {
    ...DISTRIBUTOR_DEFAULTS,
    replicationFactor,
    maxRecvMsgSizeBytes: distributor.maxRecvMsgSizeBytes,
    remoteTimeoutMs: distributor.remoteTimeoutMs,
  };
}

export function ingesterOptions({ ingester, tsdb }: Config): IngesterOptions {
  const { wal } = ingester;
  return {
    ...DEFAULT_INGESTER_OPTIONS,
    tsdbDirectory: tsdb.dir,
    wal: {
      ...DEFAULT_WAL_OPTIONS,
      directory: wal.dir,
      segmentBytes: wal.segmentSizeBytes,
      sync: wal.sync,
      syncIntervalMs: wal.syncIntervalMs,
      onCorruption: wal.onCorruption,
    },
    chunkRangeMs: tsdb.blockRangeMs,
    retentionPeriodMs: tsdb.retentionPeriodMs,
    chunkIdleTimeoutMs: tsdb.headChunkIdleTimeoutMs,
    headChunkWriteBufferBytes: tsdb.headChunksWriteBufferSizeBytes,
    closeIdleTimeoutMs: tsdb.closeIdleTsdbTimeoutMs,
  };
}

export function querierOptions({ querier, queryFrontend }: Config): QuerierOptions {
  return {
    ...QUERIER_DEFAULTS,
    concurrentMax: querier.maxConcurrent,
    timeoutMs: querier.timeoutMs,
    lookbackMs: querier.lookbackDeltaMs,
    samplesMax: querier.maxSamples,
    defaultSubqueryStepMs: querier.defaultEvaluationIntervalMs,
    logLongerThanMs: queryFrontend.logQueriesLongerThanMs,
  };
}

export function ingesterLifeOptions({ ring, dataDir }: Config): IngesterLifeOptions {
  return {
    unregisterOnShutdown: ring.unregisterOnShutdown,
    preparedFile: inside(dataDir, "shutdown-requested"),
    minReadyDurationMs: ring.minReadyDurationMs,
  };
}

export function ingesterReadOptions(
  { querier, tsdb, ring }: Config,
  localInstanceId: string,
): Partial<IngesterQueryableOptions> {
  return {
    shuffleShardingEnabled: querier.shuffleShardingIngestersEnabled,
    minimizeRequests: querier.minimizeIngesterRequests,
    hedgingDelayMs: querier.minimizeIngesterRequestsHedgingDelayMs,
    lookBackMs: tsdb.retentionPeriodMs,
    localInstanceId,
    localZone: ring.instanceAvailabilityZone,
  };
}
