/** Querier and query frontend: how questions are answered. */
import { bool, duration, int } from "../option.ts";

export const querierOptions = {
  maxConcurrent: int({
    yaml: "querier.max_concurrent",
    default: 20,
    min: 1,
    doc: "Queries evaluated at once in this process; more wait their turn.",
  }),
  timeoutMs: duration({
    yaml: "querier.timeout",
    default: "2m",
    min: 1,
    scope: "cluster",
    doc: "Longest time a query may take.",
  }),
  maxSamples: int({
    yaml: "querier.max_samples",
    default: 50_000_000,
    min: 1,
    scope: "cluster",
    doc: "Most samples a query may hold in memory at once.",
  }),
  lookbackDeltaMs: duration({
    yaml: "querier.lookback_delta",
    default: "5m",
    min: 1,
    scope: "cluster",
    doc: "How far back an instant vector looks for a series' last sample.",
  }),
  defaultEvaluationIntervalMs: duration({
    yaml: "querier.default_evaluation_interval",
    default: "1m",
    min: 1,
    scope: "cluster",
    doc: "Step of a subquery that names none.",
  }),
  shuffleShardingIngestersEnabled: bool({
    yaml: "querier.shuffle_sharding_ingesters_enabled",
    default: true,
    doc: "Ask only the ingesters that hold the tenant, where `ingestion_tenant_shard_size` limits them.",
  }),
  minimizeIngesterRequests: bool({
    yaml: "querier.minimize_ingester_requests",
    default: true,
    doc: "Ask only as many replicas as an answer needs, and more when one fails or takes long. False asks all at once.",
  }),
  minimizeIngesterRequestsHedgingDelayMs: duration({
    yaml: "querier.minimize_ingester_requests_hedging_delay",
    default: "3s",
    doc: "With `minimize_ingester_requests`: after so long another replica is asked beside one that has not answered.",
  }),
};

export const queryFrontendOptions = {
  splitQueriesByIntervalMs: duration({
    yaml: "frontend.split_queries_by_interval",
    flag: "query-frontend.split-queries-by-interval",
    default: "24h",
    waitsFor: "query frontend",
    aliases: ["query_frontend.split_queries_by_interval"],
    doc: "Range queries are cut into pieces of this length, which run side by side and are cached apart. 0 is never.",
  }),
  logQueriesLongerThanMs: duration({
    yaml: "frontend.log_queries_longer_than",
    flag: "query-frontend.log-queries-longer-than",
    default: "0",
    min: Number.MIN_SAFE_INTEGER,
    aliases: ["query_frontend.log_queries_longer_than"],
    doc: "Queries that take longer are logged with what they cost. 0 is off, less than 0 is every query.",
  }),
};
