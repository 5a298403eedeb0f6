/** A distributor before a ring of ingesters in plain maps, which do what a test tells each of them. */
import { Registry } from "prom-client";
import { must } from "../../src/base/assert.ts";
import { OpError } from "../../src/base/errors.ts";
import { Distributor } from "../../src/distributor/distributor.ts";
import { newReplicationMetrics } from "../../src/distributor/metrics.ts";
import { DISTRIBUTOR_DEFAULTS } from "../../src/distributor/options.ts";
import type { PushOutcome } from "../../src/distributor/push-outcome.ts";
import { ReplicatedStore } from "../../src/distributor/replicated-store.ts";
import type { RingView } from "../../src/ring/ring-view.ts";
import type { PushAnswer } from "../../src/rpc/ingester.ts";
import { alive, grow, viewOf } from "../ring/fixture.ts";
import { FakeIngester } from "../testkit/fake-ingester.ts";
import type { TestClock } from "../testkit/test-clock.ts";
import { type DistributorFixture, newFixture } from "./fixture.ts";

export const TIMEOUT_MS = 2_000;

export interface Behaviour {
  readonly does: "stores" | "fails" | "rejects" | "hangs";
  readonly afterMs: number;
}

export class Replica extends FakeIngester {
  readonly #clock: TestClock;
  behaviour: Behaviour = { does: "stores", afterMs: 0 };
  error = (): Error => new OpError("unavailable", "the disk is on fire");

  constructor(clock: TestClock) {
    super();
    this.#clock = clock;
  }

  /** Of each call: whether the others did not suffice. */
  readonly needed: boolean[] = [];

  override async pushFrame(
    tenant: string,
    frame: Uint8Array,
    _signal?: AbortSignal,
    isNeeded = false,
  ): Promise<PushAnswer> {
    this.needed.push(isNeeded);
    const { does, afterMs } = this.behaviour;
    if (does === "hangs") return new Promise(() => undefined);
    if (afterMs > 0) {
      await new Promise<void>((resolve) => void this.#clock.after(afterMs, resolve));
    }
    if (does === "fails") throw this.error();
    if (does === "stores") return super.pushFrame(tenant, frame);
    const rejected = {
      reason: "sample-out-of-order",
      count: 1,
      seriesIndex: 0,
      timestampMs: 1,
    } as const;
    return { unknownSeries: new Uint32Array(0), rejected: [rejected] };
  }
}

export class ReplicaFixture {
  readonly base: DistributorFixture;
  readonly registry = new Registry();
  readonly distributor: Distributor;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly #waiting = new Set<() => void>();
  view: RingView;

  constructor({ count = 3, ha = false }: { readonly count?: number; readonly ha?: boolean } = {}) {
    this.base = newFixture({}, { ha });
    const { clock } = this.base;
    this.view = viewOf(alive(...grow({ count, tokenCount: 16 })));
    this.replicas = new Map(
      this.view.members.map(({ instance }) => [instance.id, new Replica(clock)]),
    );
    const store = new ReplicatedStore({
      ring: { shard: () => this.view, changed: (timeoutMs) => this.#changed(timeoutMs) },
      clientFor: ({ instance }) => this.replica(instance.id),
      clock,
      metrics: newReplicationMetrics(this.registry),
      remoteTimeoutMs: TIMEOUT_MS,
    });
    this.distributor = new Distributor(DISTRIBUTOR_DEFAULTS, {
      ...this.base.dependencies,
      registry: this.registry,
      store,
    });
  }

  get clock(): TestClock {
    return this.base.clock;
  }

  replica(id: string): Replica {
    return must(this.replicas.get(id), "the replica is one of the ring");
  }

  /** By position, in the order of ids. */
  behave(...behaviours: readonly (Behaviour["does"] | Behaviour)[]): void {
    for (const [position, one] of behaviours.entries()) {
      const behaviour = typeof one === "string" ? { does: one, afterMs: 0 } : one;
      must([...this.replicas.values()][position], "there are so many").behaviour = behaviour;
    }
  }

  changeRing(view: RingView): void {
    this.view = view;
    for (const resolve of [...this.#waiting]) resolve();
  }

  /** Lets time pass until there is an outcome; says how much. */
  async push(body: Buffer, tenant = "t"): Promise<PushOutcome & { readonly tookMs: number }> {
    let outcome: PushOutcome | undefined;
    const startMs = this.clock.monotonicMs();
    void this.distributor.push(tenant, body).then((one) => {
      outcome = one;
    });
    await this.clock.advance(0);
    while (outcome === undefined && this.clock.monotonicMs() - startMs < 10 * TIMEOUT_MS) {
      await this.clock.advance(10);
    }
    const tookMs = this.clock.monotonicMs() - startMs;
    return { ...must(outcome, "every push has an outcome"), tookMs };
  }

  async metric(name: string, ingester?: string): Promise<number> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    return values
      .filter(({ labels }) => ingester === undefined || labels["ingester"] === ingester)
      .reduce((sum, { value }) => sum + value, 0);
  }

  #changed(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const finish = (isChanged: boolean): void => {
        timer.cancel();
        this.#waiting.delete(onChange);
        resolve(isChanged);
      };
      const onChange = (): void => finish(true);
      const timer = this.clock.after(timeoutMs, () => finish(false));
      this.#waiting.add(onChange);
    });
  }
}
