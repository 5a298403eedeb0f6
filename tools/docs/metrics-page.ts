import { Registry } from "prom-client";
import { App } from "../../src/app/app.ts";
import type { Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { newHaTrackerMetrics } from "../../src/distributor/ha-tracker/metrics.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import {
  IngesterCallMetrics,
  newGuardCounts,
  newRpcServerMetrics,
  registerGuardMetrics,
} from "../../src/rpc/metrics.ts";
import { NodeFileSystem } from "../../src/sys/node-file-system.ts";
import { NodeNetwork } from "../../src/sys/node-network.ts";
import { SystemClock } from "../../src/sys/system-clock.ts";

const SILENT: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => SILENT,
};

interface MetricObject {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly labelNames: readonly string[];
}

/** docs/metrics.md, from the registry of a whole program, which is built and never started. */
export async function metricsPage(): Promise<string> {
  const rows = (await allMetrics())
    .filter(({ name }) => !/^(?:process|nodejs)_/.test(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(
      ({ name, type, labelNames, help }) =>
        `| \`${name}\` | ${type} | ${labelNames.join(", ")} | ${help} |`,
    );
  return `# Metrics

What \`GET /metrics\` has, besides the \`process_…\` and \`nodejs_…\` metrics of the runtime. Names that begin with
\`cortex_\` are Mimir's and mean the same, so that its dashboards and alerts work; \`muninn_\` are our own. The
label \`user\` is the tenant.

Made from the program by \`node tools/generate-docs.ts\`.

| Metric | Type | Labels | Meaning |
| --- | --- | --- | --- |
${rows.join("\n")}
`;
}

async function allMetrics(): Promise<readonly MetricObject[]> {
  const app = new App(defaultConfig(), {
    clock: new SystemClock(),
    random: new SeededRandom(1),
    fileSystem: new NodeFileSystem(),
    network: new NodeNetwork(),
    hostName: "host",
    logger: SILENT,
    lockDirectory: () => Promise.resolve({ release: () => Promise.resolve() }),
    probe: () => Promise.resolve({ kind: "unreachable", reason: "not asked" }),
  });
  await app.stop();
  const registries = [app.registry, registryOfMembers()];
  return registries.flatMap(
    (registry) => registry.getMetricsAsArray() as unknown as MetricObject[],
  );
}

/** What a process has only as a member of a cluster: one with the default configuration is alone. */
function registryOfMembers(): Registry {
  const registry = new Registry();
  newHaTrackerMetrics(registry, () => []);
  newGossipMetrics(registry, () => ({ liveCount: 0, healthScore: 0 }));
  newRpcServerMetrics(registry, () => 0);
  new IngesterCallMetrics(registry);
  registerGuardMetrics(registry, newGuardCounts(), () => []);
  return registry;
}
