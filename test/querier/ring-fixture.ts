import { Registry } from "prom-client";
import { OpError } from "../../src/base/errors.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import type { Labels } from "../../src/model/labels.ts";
import type { Limits } from "../../src/model/limits.ts";
import {
  IngesterQueryable,
  type IngesterQueryableOptions,
} from "../../src/querier/ingester-queryable.ts";
import { ingesterReadMetrics } from "../../src/querier/metrics.ts";
import type { Instance } from "../../src/ring/instance.ts";
import { type Member, RingView, type RingViewOptions } from "../../src/ring/ring-view.ts";
import type { ShardRequest } from "../../src/ring/shuffle-shard.ts";
import type { UserStats } from "../../src/rpc/ingester.ts";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import type {
  LabelsRequest,
  Queryable,
  SelectRequest,
  SeriesRequest,
} from "../../src/storage/queryable.ts";
import { instance } from "../ring/fixture.ts";
import { MemoryQueryable, type TestSeries } from "../testkit/memory-queryable.ts";
import { TestClock } from "../testkit/test-clock.ts";

/** How an ingester takes requests; the times are of the virtual clock. */
export type Behaviour =
  | { readonly kind: "answers" | "fails"; readonly afterMs: number; readonly error?: Error }
  | { readonly kind: "hangs" };

/** An ingester of tenant "t" as the network makes it look: it answers, fails or hangs, and ends when it is told to. */
export class TestIngester implements Queryable {
  behaviour: Behaviour = { kind: "answers", afterMs: 0 };
  userStats: readonly UserStats[] = [];
  /** Requests that came, and how many of them are under way. */
  readonly requests: (SelectRequest | LabelsRequest | undefined)[] = [];
  running = 0;
  readonly #clock: TestClock;
  readonly #stored: MemoryQueryable;

  constructor(clock: TestClock, series: readonly TestSeries[]) {
    this.#clock = clock;
    this.#stored = new MemoryQueryable({ t: series });
  }

  select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    return this.#serve(request, request.signal, () => this.#stored.select(tenant, request));
  }

  labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    return this.#serve(request, request.signal, () => this.#stored.labelNames(tenant, request));
  }

  labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const answer = (): Promise<string[]> => this.#stored.labelValues(tenant, name, request);
    return this.#serve(request, request.signal, answer);
  }

  series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    return this.#serve(request, request.signal, () => this.#stored.series(tenant, request));
  }

  allUserStats(signal?: AbortSignal): Promise<readonly UserStats[]> {
    return this.#serve(undefined, signal, () => Promise.resolve(this.userStats));
  }

  async #serve<Answer>(
    request: SelectRequest | LabelsRequest | undefined,
    signal: AbortSignal | undefined,
    answer: () => Promise<Answer>,
  ): Promise<Answer> {
    this.requests.push(request);
    this.running++;
    try {
      await this.#wait(signal);
      if (this.behaviour.kind !== "fails") return await answer();
      throw this.behaviour.error ?? new OpError("unavailable", "connection refused");
    } finally {
      this.running--;
    }
  }

  async #wait(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const { behaviour } = this;
    const delayMs = behaviour.kind === "hangs" ? undefined : behaviour.afterMs;
    if (delayMs === 0) return;
    const timer = delayMs === undefined ? undefined : this.#clock.after(delayMs, resolve);
    const stop = (): void => {
      timer?.cancel();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }
}

export interface TestMember {
  readonly id: string;
  readonly isAlive?: boolean;
  readonly series?: readonly TestSeries[];
  readonly behaviour?: Behaviour;
  readonly changes?: Partial<Instance>;
}

export interface RingFixture {
  readonly clock: TestClock;
  readonly registry: Registry;
  readonly view: RingView;
  readonly queryable: IngesterQueryable;
  readonly ingester: (id: string) => TestIngester;
  readonly clientFor: (member: Member) => TestIngester;
  /** How many requests each ingester got, in the order of the members. */
  readonly requestCounts: () => number[];
  readonly runningCount: () => number;
  readonly shardRequests: ShardRequest[];
}

export interface RingFixtureOptions {
  readonly ring?: Partial<RingViewOptions>;
  readonly queryable?: Partial<IngesterQueryableOptions>;
  readonly limits?: Partial<Limits>;
}

export function ringFixture(
  members: readonly TestMember[],
  options: RingFixtureOptions = {},
): RingFixture {
  const clock = new TestClock();
  const registry = new Registry();
  const ingesters = new Map<string, TestIngester>();
  for (const { id, series, behaviour } of members) {
    const ingester = new TestIngester(clock, series ?? []);
    if (behaviour !== undefined) ingester.behaviour = behaviour;
    ingesters.set(id, ingester);
  }
  const ingester = (id: string): TestIngester => {
    const found = ingesters.get(id);
    if (found === undefined) throw new Error(`no ingester ${id}`);
    return found;
  };
  const known = members.map(({ id, isAlive, changes }, i) => ({
    instance: instance(id, { tokens: Uint32Array.of(1000 * (i + 1)), ...changes }),
    isAlive: isAlive ?? true,
  }));
  const losses = known.map((member) => member.instance).filter((one) => one.lostDataAtMs > 0);
  const ring3 = { replicationFactor: 3, zoneAware: false, ...options.ring };
  const view = new RingView(known, ring3, { losses });
  const limits = { ...defaultConfig().limits, ...options.limits };
  const clientFor = (member: Member): TestIngester => ingester(member.instance.id);
  const shardRequests: ShardRequest[] = [];
  const ring = {
    shard: (request: ShardRequest): RingView => {
      shardRequests.push(request);
      return view;
    },
  };
  const queryable = new IngesterQueryable(options.queryable ?? {}, {
    ring,
    clientFor,
    limits: { forTenant: () => limits, version: 1 },
    clock,
    metrics: ingesterReadMetrics(registry),
  });
  return {
    clock,
    registry,
    view,
    queryable,
    ingester,
    clientFor,
    requestCounts: () => members.map(({ id }) => ingester(id).requests.length),
    runningCount: () => members.reduce((sum, { id }) => sum + ingester(id).running, 0),
    shardRequests,
  };
}

export const SELECT_ALL: SelectRequest = {
  matchers: [],
  minTimeMs: Number.MIN_SAFE_INTEGER,
  maxTimeMs: Number.MAX_SAFE_INTEGER,
  limits: { seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 },
};

export const LABELS_ALL: LabelsRequest = {
  matcherSets: [],
  minTimeMs: Number.MIN_SAFE_INTEGER,
  maxTimeMs: Number.MAX_SAFE_INTEGER,
  limit: 0,
};
