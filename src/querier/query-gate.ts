/**
 * At most so many queries at a time, whoever sends them. The others wait in a queue per tenant, and the free
 * places go round the tenants in turn: a tenant with a hundred queries delays another's first by one turn.
 */
import { OpError } from "../base/errors.ts";

export interface QueryGateOptions {
  /** Queries that may be under way. Each holds its fetched chunks in memory. */
  readonly concurrentMax: number;
  readonly waitingPerTenantMax: number;
  /** Over all tenants: bounds the memory that waiting requests hold. */
  readonly waitingMax: number;
}

export class QueryGate {
  readonly #options: QueryGateOptions;
  /** In the order of turns; a tenant without waiting queries is not in it. */
  readonly #waiting = new Map<string, Set<() => void>>();
  #waitingCount = 0;
  #running = 0;

  constructor(options: QueryGateOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  waitingByTenant(): [tenant: string, waiting: number][] {
    return [...this.#waiting].map(([tenant, queue]) => [tenant, queue.size]);
  }

  /**
   * Waits for a place. Rejects with the signal's reason when it aborts first, and with OpError
   * "too-many-requests" when the queue is full. Call the returned function once, when the query is over.
   */
  async enter(tenant: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running < this.#options.concurrentMax) {
      this.#running++;
    } else {
      await this.#wait(tenant, signal);
    }
    return () => this.#leave();
  }

  #wait(tenant: string, signal: AbortSignal): Promise<void> {
    const queue = this.#waiting.get(tenant) ?? new Set();
    if (
      queue.size >= this.#options.waitingPerTenantMax ||
      this.#waitingCount >= this.#options.waitingMax
    ) {
      throw new OpError("too-many-requests", "too many outstanding requests", { tenant });
    }
    this.#waiting.set(tenant, queue);
    this.#waitingCount++;
    return new Promise((resolve, reject) => {
      const admit = (): void => {
        signal.removeEventListener("abort", abort);
        this.#running++;
        resolve();
      };
      const abort = (): void => {
        this.#remove(tenant, queue, admit);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", abort, { once: true });
      queue.add(admit);
    });
  }

  #leave(): void {
    this.#running--;
    for (const [tenant, queue] of this.#waiting) {
      for (const admit of queue) {
        this.#remove(tenant, queue, admit);
        // To the end of the round, behind every other tenant that waits.
        this.#waiting.delete(tenant);
        if (queue.size > 0) this.#waiting.set(tenant, queue);
        admit();
        return;
      }
    }
  }

  #remove(tenant: string, queue: Set<() => void>, admit: () => void): void {
    queue.delete(admit);
    this.#waitingCount--;
    if (queue.size === 0) this.#waiting.delete(tenant);
  }
}
