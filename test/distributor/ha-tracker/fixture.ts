import { Registry } from "prom-client";
import { SeededRandom } from "../../../src/base/random.ts";
import { defaultConfig } from "../../../src/config/defaults.ts";
import {
  type HaStore,
  HaTracker,
  type HaVerdict,
} from "../../../src/distributor/ha-tracker/ha-tracker.ts";
import {
  HA_TRACKER_DEFAULTS,
  type HaTrackerOptions,
} from "../../../src/distributor/ha-tracker/options.ts";
import { REPLICA_VALUE } from "../../../src/distributor/ha-tracker/replica-value.ts";
import { KvStore } from "../../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../../src/gossip/kv/options.ts";
import type { Limits } from "../../../src/model/limits.ts";
import { TestClock } from "../../testkit/test-clock.ts";

export const LIMITS: Limits = { ...defaultConfig().limits, acceptHaSamples: true };

export function newKv(clock: TestClock): KvStore {
  const store: KvStore = new KvStore(KV_DEFAULTS, {
    clock,
    metrics: newKvMetrics(new Registry(), () => store.metricsState),
    types: [REPLICA_VALUE],
  });
  return store;
}

export interface TrackerFixture {
  readonly tracker: HaTracker;
  readonly clock: TestClock;
  readonly store: HaStore;
  readonly registry: Registry;
  readonly setLimits: (changes: Partial<Limits>) => void;
  /** Of tenant "t". */
  readonly decide: (cluster: string, replica: string) => HaVerdict;
  /** Of tenant "t". */
  readonly electedOf: (cluster: string) => string | undefined;
}

/** A tracker that is started. `seed` decides its jitter; with 0 as the largest there is none. */
export function newTracker({
  clock = new TestClock(),
  store = newKv(clock),
  seed = 1,
  jitterMaxMs = 0,
  options = {},
}: {
  readonly clock?: TestClock;
  readonly store?: HaStore;
  readonly seed?: number;
  readonly jitterMaxMs?: number;
  readonly options?: Partial<HaTrackerOptions>;
} = {}): TrackerFixture {
  let limits: Limits = { ...LIMITS, haTrackerUpdateTimeoutJitterMaxMs: jitterMaxMs };
  const registry = new Registry();
  const tracker = new HaTracker(
    { ...HA_TRACKER_DEFAULTS, ...options },
    {
      clock,
      store,
      registry,
      random: new SeededRandom(seed),
      limits: { forTenant: () => limits, version: 1 },
    },
  );
  tracker.start();
  return {
    tracker,
    clock,
    store,
    registry,
    setLimits(changes) {
      limits = { ...limits, ...changes };
    },
    decide: (cluster, replica) => tracker.decide("t", { cluster, replica }, limits),
    electedOf: (cluster) =>
      tracker.status().find((row) => row.tenant === "t" && row.cluster === cluster)?.replica,
  };
}
