import { Registry } from "prom-client";
import { App } from "../../src/app/app.ts";
import type { Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { newGossipMetrics } from "../../src/gossip/metrics.ts";
import { ingesterReadMetrics } from "../../src/querier/metrics.ts";
import { NodeFileSystem } from "../../src/sys/node-file-system.ts";
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
    logger: SILENT,
    lockDirectory: () => Promise.resolve({ release: () => Promise.resolve() }),
    probe: () => Promise.resolve({ kind: "unreachable", reason: "not asked" }),
  });
  await app.stop();
  const registries = [app.registry, registryOfUnwiredParts()];
  return registries.flatMap(
    (registry) => registry.getMetricsAsArray() as unknown as MetricObject[],
  );
}

/** Parts that the program has and `App` does not build yet; empty, it can go. */
function registryOfUnwiredParts(): Registry {
  const registry = new Registry();
  newGossipMetrics(registry, () => ({ liveCount: 0, healthScore: 0 }));
  newKvMetrics(registry, () => ({
    keyCount: 0,
    queue: { length: 0, sizeBytes: 0, dropped: 0 },
    tombstones: new Map(),
  }));
  ingesterReadMetrics(registry);
  return registry;
}
