/**
 * Lifeguard's local health: 0 is well. Probes that fail without others confirming it, and having to refute
 * rumours about oneself, speak for being slow oneself; a process that doubts itself gives others more time.
 */
export class Awareness {
  readonly #max: number;
  #score = 0;

  /** The score stays below `max`. */
  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  apply(delta: number): void {
    this.#score = Math.min(Math.max(this.#score + delta, 0), this.#max - 1);
  }

  scale(timeoutMs: number): number {
    return timeoutMs * (this.#score + 1);
  }
}
