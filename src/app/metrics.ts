/** Metrics of the process as such. Those of the components are made by the components. */
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { BuildView } from "../ui/views.ts";

/** Every App has a registry of its own: two of them can live in one process. */
export function newRegistry(build: BuildView, target: string): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "cortex_build_info",
    help: "1 for the build of this process.",
    labelNames: ["version", "revision", "branch", "nodeversion", "target"],
    registers: [registry],
  }).set(
    {
      version: build.version,
      revision: build.revision,
      branch: build.branch,
      nodeversion: build.nodeVersion,
      target,
    },
    1,
  );
  return registry;
}
