/** From the keys of the configuration to the options of each component. What has no key keeps the component's default. */
import type { Config } from "../config/config.ts";
import { DISTRIBUTOR_DEFAULTS, type DistributorOptions } from "../distributor/options.ts";
import { HTTP_DEFAULTS, type HttpOptions } from "../http/options.ts";
import { DEFAULT_INGESTER_OPTIONS, type IngesterOptions } from "../ingester/options.ts";
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

export function distributorOptions({ distributor }: Config): DistributorOptions {
  // One process holds every sample once, whatever factor a cluster's configuration asks for.
  return {
    ...DISTRIBUTOR_DEFAULTS,
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
