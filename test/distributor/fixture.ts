import { Registry } from "prom-client";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { SeededRandom } from "../../src/base/random.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { DirectStore } from "../../src/distributor/direct-store.ts";
import { Distributor, type DistributorDependencies } from "../../src/distributor/distributor.ts";
import { HaTracker } from "../../src/distributor/ha-tracker/ha-tracker.ts";
import { HA_TRACKER_DEFAULTS } from "../../src/distributor/ha-tracker/options.ts";
import { newReplicationMetrics } from "../../src/distributor/metrics.ts";
import {
  DISTRIBUTOR_DEFAULTS,
  type DistributorOptions,
  INSTANCE_LIMITS_DEFAULTS,
  type InstanceLimits,
} from "../../src/distributor/options.ts";
import type { Limits } from "../../src/model/limits.ts";
import { FakeIngester } from "../testkit/fake-ingester.ts";
import { TestClock } from "../testkit/test-clock.ts";
import { newKv } from "./ha-tracker/fixture.ts";

export interface DistributorFixture {
  readonly distributor: Distributor;
  readonly ingester: FakeIngester;
  readonly clock: TestClock;
  readonly registry: Registry;
  readonly dependencies: DistributorDependencies;
  /** Changes limits of all tenants, as a reload of the runtime file does. */
  readonly setLimits: (changes: Partial<Limits>) => void;
  readonly setInstanceLimits: (changes: Partial<InstanceLimits>) => void;
  /** Value of a metric's series as /metrics has it; undefined when there is none. */
  readonly metric: (name: string, labels?: Record<string, string>) => Promise<number | undefined>;
}

class SilentLogger implements Logger {
  debug(_fields: LogFields, _message: string): void {}
  info(_fields: LogFields, _message: string): void {}
  warn(_fields: LogFields, _message: string): void {}
  error(_fields: LogFields, _message: string): void {}
  child(_fields: LogFields): Logger {
    return this;
  }
}

/** With `ha` it follows pairs, for all tenants. */
export function newFixture(
  options: Partial<DistributorOptions> = {},
  { ha = false }: { readonly ha?: boolean } = {},
): DistributorFixture {
  const ingester = new FakeIngester();
  const clock = new TestClock();
  const registry = new Registry();
  const defaults: Limits = defaultConfig().limits;
  const source = { limits: { ...defaults, acceptHaSamples: ha }, version: 1 };
  let instanceLimits = INSTANCE_LIMITS_DEFAULTS;
  const limits = {
    forTenant: () => source.limits,
    get version() {
      return source.version;
    },
  };
  const random = new SeededRandom(1);
  const store = newKv(clock);
  const haTracker = new HaTracker(HA_TRACKER_DEFAULTS, { clock, random, registry, limits, store });
  const dependencies: DistributorDependencies = {
    clock,
    random,
    logger: new SilentLogger(),
    registry,
    limits,
    ...(ha ? { haTracker } : {}),
    instanceLimits: () => instanceLimits,
    store: new DirectStore({
      ingester,
      clock,
      metrics: newReplicationMetrics(registry),
      remoteTimeoutMs: { ...DISTRIBUTOR_DEFAULTS, ...options }.remoteTimeoutMs,
    }),
  };
  const distributor = new Distributor({ ...DISTRIBUTOR_DEFAULTS, ...options }, dependencies);
  return {
    distributor,
    ingester,
    clock,
    registry,
    dependencies,
    setLimits(changes) {
      source.limits = { ...source.limits, ...changes };
      source.version++;
    },
    setInstanceLimits(changes) {
      instanceLimits = { ...instanceLimits, ...changes };
    },
    async metric(name, labels = {}) {
      const all = await registry.getMetricsAsJSON();
      for (const metric of all) {
        const values = metric.values as {
          metricName?: string;
          value: number;
          labels: Record<string, unknown>;
        }[];
        for (const sample of values) {
          if ((sample.metricName ?? metric.name) !== name) continue;
          const same = Object.entries(labels).every(([key, value]) => sample.labels[key] === value);
          if (same) return sample.value;
        }
      }
      return undefined;
    },
  };
}
