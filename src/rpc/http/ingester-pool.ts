import type { Registry } from "prom-client";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import { GuardedIngester, type GuardOptions } from "../guard.ts";
import type { IngesterClient } from "../ingester.ts";
import {
  type GuardCounts,
  IngesterCallMetrics,
  newGuardCounts,
  registerGuardMetrics,
} from "../metrics.ts";
import { HttpIngesterClient } from "./http-ingester-client.ts";
import type { RpcClientOptions } from "./options.ts";

export interface IngesterPoolDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
}

interface Entry {
  readonly address: string;
  readonly http: HttpIngesterClient;
  readonly guarded: GuardedIngester;
}

/**
 * The clients to the ingesters of the ring, each behind its guard. One pool for a process: distributor and querier
 * then share connections, and what one learns of an ingester helps the other.
 */
export class IngesterPool {
  readonly #options: RpcClientOptions;
  readonly #guardOptions: GuardOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #callMetrics: IngesterCallMetrics;
  readonly #guardCounts: GuardCounts = newGuardCounts();
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(
    options: RpcClientOptions,
    guardOptions: GuardOptions,
    { clock, logger, registry }: IngesterPoolDependencies,
  ) {
    this.#options = options;
    this.#guardOptions = guardOptions;
    this.#clock = clock;
    this.#logger = logger;
    this.#callMetrics = new IngesterCallMetrics(registry);
    registerGuardMetrics(registry, this.#guardCounts, () =>
      [...this.#entries.values()].map(({ guarded }) => ({
        push: guarded.pushGuard,
        read: guarded.readGuard,
      })),
    );
  }

  /** Nothing is opened before the first call. An instance that moved to another address gets a new client. */
  clientFor(instanceId: string, address: string): IngesterClient {
    const known = this.#entries.get(instanceId);
    if (known?.address === address) return known.guarded;
    if (known !== undefined) this.#close(known);
    const entry = this.#open(instanceId, address);
    this.#entries.set(instanceId, entry);
    return entry.guarded;
  }

  /** Closes the clients of all other instances; their calls under way may finish. */
  retain(instanceIds: ReadonlySet<string>): void {
    for (const [instanceId, entry] of this.#entries) {
      if (instanceIds.has(instanceId)) continue;
      this.#entries.delete(instanceId);
      this.#close(entry);
    }
  }

  /** Resolves when no call is under way any more. */
  async close(): Promise<void> {
    this.retain(new Set());
    await Promise.all(this.#closing);
  }

  #open(instanceId: string, address: string): Entry {
    const clock = this.#clock;
    const deps = { clock, metrics: this.#callMetrics };
    const http = new HttpIngesterClient({ instanceId, address }, this.#options, deps);
    const guarded = new GuardedIngester(instanceId, http, this.#guardOptions, {
      clock,
      logger: this.#logger,
      counts: this.#guardCounts,
    });
    return { address, http, guarded };
  }

  #close({ http }: Entry): void {
    const closed = http.close().finally(() => this.#closing.delete(closed));
    this.#closing.add(closed);
  }
}
