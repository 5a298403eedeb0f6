/**
 * How long a suspect has to defend itself (Lifeguard): from `maxMs` with nobody else suspecting it, down to `minMs`
 * as independent confirmations come in; the first ones shorten it most.
 */
export interface SuspicionTimes {
  readonly minMs: number;
  readonly maxMs: number;
  /** Confirmations that bring it down to `minMs`; 0: there is nobody to confirm, so it is `minMs` at once. */
  readonly confirmationsWanted: number;
}

export function suspicionTimes(
  memberCount: number,
  options: {
    readonly suspicionMultiplier: number;
    readonly suspicionMaxTimeoutMultiplier: number;
    readonly probeIntervalMs: number;
  },
): SuspicionTimes {
  const scale = Math.max(1, Math.log10(Math.max(1, memberCount)));
  const minMs =
    (options.suspicionMultiplier * Math.trunc(scale * 1000) * options.probeIntervalMs) / 1000;
  const wanted = options.suspicionMultiplier - 2;
  return {
    minMs,
    maxMs: options.suspicionMaxTimeoutMultiplier * minMs,
    // The suspect and we ourselves do not count.
    confirmationsWanted: memberCount - 2 < wanted ? 0 : wanted,
  };
}

export class Suspicion {
  readonly times: SuspicionTimes;
  readonly #startMs: number;
  readonly #seen: Set<string>;
  #confirmations = 0;

  /** `from`, who began it, is no confirmation: we may hear our own rumour again. */
  constructor(from: string, times: SuspicionTimes, nowMs: number) {
    this.times = times;
    this.#startMs = nowMs;
    this.#seen = new Set([from]);
  }

  get confirmations(): number {
    return this.#confirmations;
  }

  /** False if it adds nothing: the same accuser again, or enough of them already. */
  confirm(from: string): boolean {
    if (this.#confirmations >= this.times.confirmationsWanted || this.#seen.has(from)) return false;
    this.#seen.add(from);
    this.#confirmations++;
    return true;
  }

  get deadlineMs(): number {
    const { minMs, maxMs, confirmationsWanted } = this.times;
    if (confirmationsWanted < 1) return this.#startMs + minMs;
    const share = Math.log(this.#confirmations + 1) / Math.log(confirmationsWanted + 1);
    return this.#startMs + Math.max(minMs, Math.floor(maxMs - share * (maxMs - minMs)));
  }
}
