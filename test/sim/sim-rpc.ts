/**
 * Calls between processes on the simulated network: they take time both ways, stall while the way is cut, and end in an
 * error if the other process is not there or dies. A frozen process answers when it goes on.
 */
import { OpError } from "../../src/base/errors.ts";
import type { IngesterClient } from "../../src/rpc/ingester.ts";
import type { SimNetwork } from "../testkit/sim-network.ts";
import type { ProcessClock, SimClock } from "./sim-clock.ts";

export interface Endpoint {
  readonly host: string;
  readonly clock: ProcessClock;
}

export interface IngesterEndpoint extends Endpoint {
  readonly ingester: IngesterClient;
}

/** How often a stalled message tries again. */
const RETRY_MS = 100;

export class SimRpc {
  readonly #network: SimNetwork;
  readonly #clock: SimClock;
  readonly #endpoints = new Map<string, IngesterEndpoint>();
  /** What resets each call that is under way at an endpoint. */
  readonly #open = new Map<Endpoint, Set<() => void>>();
  /** Milliseconds more for each way to and from a host. */
  readonly slowMs = new Map<string, number>();

  constructor(network: SimNetwork, clock: SimClock) {
    this.#network = network;
    this.#clock = clock;
  }

  /** `address`: host:port as the ring has it. */
  serve(address: string, endpoint: IngesterEndpoint): void {
    this.#endpoints.set(address, endpoint);
  }

  client(from: Endpoint, address: string): IngesterClient {
    const call = <T>(
      work: (ingester: IngesterClient, signal: AbortSignal) => Promise<T>,
      signal?: AbortSignal,
    ): Promise<T> => this.#call(from, address, work, signal);
    return {
      pushFrame: (tenant, frame, signal) => {
        const sent = frame.slice();
        return call((ingester) => ingester.pushFrame(tenant, sent, signal), signal);
      },
      allUserStats: (signal) => call((ingester) => ingester.allUserStats(signal), signal),
      select: (tenant, request) =>
        call((ingester) => ingester.select(tenant, request), request.signal),
      labelNames: (tenant, request) =>
        call((ingester) => ingester.labelNames(tenant, request), request.signal),
      labelValues: (tenant, name, request) =>
        call((ingester) => ingester.labelValues(tenant, name, request), request.signal),
      series: (tenant, request) =>
        call((ingester) => ingester.series(tenant, request), request.signal),
    };
  }

  #call<T>(
    from: Endpoint,
    address: string,
    work: (ingester: IngesterClient, signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const to = address.slice(0, address.lastIndexOf(":"));
    return new Promise((resolve, reject) => {
      const isOver = (): boolean => signal?.aborted === true || from.clock.isDead;
      signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      const unreachable = (): void =>
        from.clock.run(() =>
          reject(new OpError("ingester-unreachable", `nobody answers at ${address}`)),
        );
      this.#travel(from.host, to, isOver, () => {
        const endpoint = this.#endpoints.get(address);
        if (endpoint === undefined || endpoint.clock.isDead) {
          return this.#travel(to, from.host, isOver, unreachable);
        }
        const reset = (): void => this.#travel(to, from.host, isOver, unreachable);
        const open = this.#openCalls(endpoint).add(reset);
        const answer = (settle: () => void): void => {
          if (!open.delete(reset)) return;
          this.#travel(to, from.host, isOver, () => from.clock.run(settle));
        };
        endpoint.clock.run(() => {
          work(endpoint.ingester, signal ?? new AbortController().signal).then(
            (value) => answer(() => resolve(value)),
            (error: Error) => answer(() => reject(error)),
          );
        });
      });
    });
  }

  /** The process at this end has died: its connections are reset. */
  died(endpoint: Endpoint): void {
    const open = this.#openCalls(endpoint);
    for (const reset of open) reset();
    open.clear();
  }

  #openCalls(endpoint: Endpoint): Set<() => void> {
    const open = this.#open.get(endpoint) ?? new Set();
    this.#open.set(endpoint, open);
    return open;
  }

  #travel(from: string, to: string, isOver: () => boolean, arrive: () => void): void {
    const slowMs = (this.slowMs.get(from) ?? 0) + (this.slowMs.get(to) ?? 0);
    const go = (delayMs: number): void => {
      this.#clock.after(delayMs, () => {
        if (isOver()) return;
        if (this.#network.isCut(from, to) || this.#network.isCut(to, from)) go(RETRY_MS);
        else arrive();
      });
    };
    go(this.#network.delayMs() + slowMs);
  }
}
