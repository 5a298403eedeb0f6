/** Moving average of a rate, one `tick` a second. The weight of Mimir: about five seconds of memory. */
export class EwmaRate {
  static readonly #WEIGHT = 0.2;
  #pending = 0;
  #perSecond = 0;
  #started = false;

  add(count: number): void {
    this.#pending += count;
  }

  tick(intervalMs: number): void {
    const instant = (this.#pending * 1000) / intervalMs;
    this.#pending = 0;
    this.#perSecond = this.#started
      ? this.#perSecond + EwmaRate.#WEIGHT * (instant - this.#perSecond)
      : instant;
    this.#started = true;
  }

  get perSecond(): number {
    return this.#perSecond;
  }
}
