/** What the runtime configuration tells of itself, by Mimir's names. */
import { Gauge, type Registry } from "prom-client";
import type { Limits } from "../model/limits.ts";

/** The limits that Mimir exports, so that its dashboards and alerts work; more would cost a series for each tenant. */
const exportedLimits: readonly (readonly [name: string, key: keyof Limits])[] = [
  ["ingestion_rate", "ingestionRate"],
  ["ingestion_burst_size", "ingestionBurstSize"],
  ["max_global_series_per_user", "maxGlobalSeriesPerUser"],
  ["max_global_series_per_metric", "maxGlobalSeriesPerMetric"],
  ["max_global_exemplars_per_user", "maxGlobalExemplarsPerUser"],
  ["max_fetched_chunks_per_query", "maxFetchedChunksPerQuery"],
  ["max_fetched_series_per_query", "maxFetchedSeriesPerQuery"],
  ["max_fetched_chunk_bytes_per_query", "maxFetchedChunkBytesPerQuery"],
  ["ruler_max_rules_per_rule_group", "rulerMaxRulesPerRuleGroup"],
  ["ruler_max_rule_groups_per_tenant", "rulerMaxRuleGroupsPerTenant"],
];

export interface OverridesMetrics {
  /** After each reading; `sha256` is of the files whose limits are in force. */
  reloaded(ok: boolean, sha256: string | undefined): void;
}

export interface LimitsSnapshot {
  readonly defaults: Limits;
  readonly tenants: ReadonlyMap<string, Limits>;
}

/** `snapshot` is asked at each scrape. */
export function newOverridesMetrics(
  registry: Registry,
  snapshot: () => LimitsSnapshot,
): OverridesMetrics {
  const successful = new Gauge({
    name: "cortex_runtime_config_last_reload_successful",
    help: "1 if the last reading of the runtime configuration succeeded, 0 if not.",
    registers: [registry],
  });
  const hash = new Gauge({
    name: "cortex_runtime_config_hash",
    help: "1 for the SHA-256 of the runtime configuration in force.",
    labelNames: ["sha256"],
    registers: [registry],
  });
  newLimitsGauges(registry, snapshot);
  return {
    reloaded(ok, sha256) {
      successful.set(ok ? 1 : 0);
      hash.reset();
      if (sha256 !== undefined) hash.set({ sha256 }, 1);
    },
  };
}

function newLimitsGauges(registry: Registry, snapshot: () => LimitsSnapshot): void {
  new Gauge({
    name: "cortex_limits_defaults",
    help: "Limit of a tenant without overrides.",
    labelNames: ["limit_name"],
    registers: [registry],
    collect() {
      const { defaults } = snapshot();
      for (const [name, key] of exportedLimits) {
        this.set({ limit_name: name }, Number(defaults[key]));
      }
    },
  });
  new Gauge({
    name: "cortex_limits_overrides",
    help: "Limit of a tenant with overrides.",
    labelNames: ["user", "limit_name"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [user, limits] of snapshot().tenants) {
        for (const [name, key] of exportedLimits) {
          this.set({ user, limit_name: name }, Number(limits[key]));
        }
      }
    },
  });
}
