import { newTenantCounts, type TenantCounts } from "./metrics.ts";
import { RateLimiter } from "./rate-limiter.ts";

/** What the distributor keeps of a tenant that sends. */
export interface TenantState {
  readonly requestLimiter: RateLimiter;
  readonly ingestionLimiter: RateLimiter;
  readonly counts: TenantCounts;
  /** Pairs were refused that the kernel had no room for: it should begin anew with those of today. */
  hasTooManyPairs: boolean;
  lastSeenMs: number;
}

/** Tenants by name. Those that fall silent are dropped, so that the map and the metrics stay as small as the present. */
export class Tenants {
  readonly #byName = new Map<string, TenantState>();

  get all(): ReadonlyMap<string, TenantState> {
    return this.#byName;
  }

  /** `nowMs` is monotonic. */
  touch(name: string, nowMs: number): TenantState {
    let state = this.#byName.get(name);
    if (state === undefined) {
      state = {
        requestLimiter: new RateLimiter(nowMs),
        ingestionLimiter: new RateLimiter(nowMs),
        counts: newTenantCounts(),
        hasTooManyPairs: false,
        lastSeenMs: nowMs,
      };
      this.#byName.set(name, state);
    }
    state.lastSeenMs = nowMs;
    return state;
  }

  /** Drops those that were silent for longer than `idleMs`; answers their names. */
  dropIdle(nowMs: number, idleMs: number): string[] {
    const idle = [...this.#byName].filter(([, state]) => nowMs - state.lastSeenMs > idleMs);
    for (const [name] of idle) this.#byName.delete(name);
    return idle.map(([name]) => name);
  }
}
