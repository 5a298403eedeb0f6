import type { BuildView } from "./views.ts";

/**
 * Prometheus' build information, plus what Grafana looks for to tell a Mimir-like server from a plain Prometheus: the
 * presence of `features`. Values are the strings "true" and "false".
 */
export function buildInfo(build: BuildView): object {
  return {
    status: "success",
    data: {
      application: "Muninn",
      version: build.version,
      revision: build.revision,
      branch: build.branch,
      buildUser: "",
      buildDate: "",
      goVersion: "",
      nodeVersion: build.nodeVersion,
      features: {
        ruler_config_api: "false",
        alertmanager_config_api: "false",
        query_sharding: "false",
        federated_rules: "false",
      },
    },
  };
}
