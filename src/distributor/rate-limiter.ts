/**
 * Token bucket: `ratePerSecond` tokens flow in, at most `burst` are held. It is full at the start. Rate and burst
 * come with every call, because limits change while the process runs; a lower burst takes effect at once.
 */
export class RateLimiter {
  #tokens = Number.POSITIVE_INFINITY;
  #updatedMs: number;

  /** Times are monotonic milliseconds. */
  constructor(nowMs: number) {
    this.#updatedMs = nowMs;
  }

  /** Takes all of `count`, or nothing. A count above the burst never fits. */
  tryTake(count: number, rate: { ratePerSecond: number; burst: number }, nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#updatedMs);
    this.#updatedMs = nowMs;
    this.#tokens = Math.min(rate.burst, this.#tokens + (elapsedMs / 1000) * rate.ratePerSecond);
    if (count > this.#tokens) return false;
    this.#tokens -= count;
    return true;
  }
}
