/** Members of one ring over key-value stores that exchange all they hold every 200 ms: what gossip does, without packets. */
import { Registry } from "prom-client";
import { must } from "../../src/base/assert.ts";
import { every } from "../../src/base/clock.ts";
import { KvStore } from "../../src/gossip/kv/kv-store.ts";
import { newKvMetrics } from "../../src/gossip/kv/metrics.ts";
import { KV_DEFAULTS } from "../../src/gossip/kv/options.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { newRingMetrics } from "../../src/ring/metrics.ts";
import { RingMember, type RingMemberOptions } from "../../src/ring/ring-member.ts";
import { RING_VALUE } from "../../src/ring/ring-value.ts";
import { RingWatch, type RingWatchOptions } from "../../src/ring/ring-watch.ts";
import { MemoryLogger } from "../http/http-fixture.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { TestClock } from "../testkit/test-clock.ts";

export const KEY = "collectors/ring";
export const TOKENS_FILE = "/tokens";
export const TIMEOUT_MS = 60_000;
const EXCHANGE_MS = 200;

/** One process: what it knows of the ring, and its own place in it. */
export class RingNode {
  readonly clock: TestClock;
  readonly disk: MemoryFileSystem;
  readonly logger = new MemoryLogger();
  readonly registry = new Registry();
  readonly store: KvStore;
  readonly watch: RingWatch;
  readonly member: RingMember;
  /** What it published, by state and whether it serves. */
  readonly said: string[] = [];
  /** How much was said each time that others were told. */
  readonly toldAt: number[] = [];
  isCut = false;

  constructor(
    id: string,
    {
      clock,
      disk = new MemoryFileSystem(),
      member = {},
      watch = {},
    }: {
      readonly clock: TestClock;
      readonly disk?: MemoryFileSystem;
      readonly member?: Partial<RingMemberOptions>;
      readonly watch?: Partial<RingWatchOptions>;
    },
  ) {
    this.clock = clock;
    this.disk = disk;
    const kv: KvStore = new KvStore(KV_DEFAULTS, {
      clock,
      metrics: newKvMetrics(new Registry(), () => kv.metricsState),
      types: [RING_VALUE],
    });
    this.store = kv;
    const metrics = newRingMetrics(this.registry);
    const { logger } = this;
    this.watch = new RingWatch(
      {
        name: "ingester",
        key: KEY,
        replicationFactor: 3,
        zoneAware: false,
        heartbeatTimeoutMs: TIMEOUT_MS,
        shardsMax: 10,
        autoForgetPeriods: 10,
        holdsData: true,
        excludedZones: [],
        ...watch,
      },
      { store: kv, clock, logger, metrics },
    );
    this.member = new RingMember(
      {
        id,
        zone: "",
        versions: {},
        key: KEY,
        heartbeatPeriodMs: 5_000,
        observePeriodMs: 3_000,
        observationsMax: 5,
        tokens: { tokenCount: 16, zoneAware: false, heartbeatTimeoutMs: TIMEOUT_MS },
        tokensFile: TOKENS_FILE,
        finalSleepMs: 0,
        ...member,
      },
      {
        store: kv,
        watch: this.watch,
        files: disk,
        clock,
        logger,
        metrics,
        told: async () => void this.toldAt.push(this.said.length),
      },
    );
    kv.watchKey(KEY, RING_VALUE, (ring) => {
      const own = ring.get(id);
      const text = own === undefined ? "unknown" : `${own.state}${own.serving ? " serving" : ""}`;
      if (this.said.at(-1) !== text) this.said.push(text);
    });
    this.watch.start();
  }

  /** As the ring has it. */
  get own(): Instance | undefined {
    return this.watch.descriptor.get(this.member.instance?.id ?? "");
  }

  /** The same, for when it is in the ring. */
  get self(): Instance {
    return must(this.own, "it has entered the ring");
  }

  /** From nothing to ACTIVE. */
  async join(address = "10.0.0.1:9095"): Promise<void> {
    await this.member.enter(address);
    let isReady = false;
    void this.member.ready().then(() => {
      isReady = true;
    });
    for (let i = 0; i < 100 && !isReady; i++) await this.clock.advance(500);
    if (!isReady) throw new Error("it does not become ACTIVE");
  }

  async metric(name: string, labels: Record<string, string>): Promise<number | undefined> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    return values.find((one) =>
      Object.entries(labels).every(
        ([label, value]) => (one.labels as Record<string, unknown>)[label] === value,
      ),
    )?.value;
  }
}

/** From now on they exchange what they hold, but for those that are cut off. */
export function exchange(clock: TestClock, nodes: readonly RingNode[]): void {
  every(clock, EXCHANGE_MS, () => {
    const connected = nodes.filter(({ isCut }) => !isCut);
    for (const from of connected) {
      for (const to of connected) {
        if (from !== to) to.store.mergeRemoteState(from.store.localState());
      }
    }
  });
}
