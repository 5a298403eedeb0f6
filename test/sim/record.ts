/** What was written and acknowledged: the truth that queries are held against. */
import { labelKey, valueOf } from "./workload.ts";

export interface Missing {
  readonly series: string;
  readonly timeMs: number;
  readonly problem: string;
}

export class Acknowledged {
  /** By series: the time of each acknowledged sample, and when the acknowledgement came. */
  readonly #acknowledged = new Map<string, Map<number, number>>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  acknowledge(series: number, timeMs: number, atMs: number): void {
    const key = labelKey(series);
    const times = this.#acknowledged.get(key) ?? new Map<number, number>();
    this.#acknowledged.set(key, times);
    if (!times.has(timeMs)) {
      times.set(timeMs, atMs);
      this.#count++;
    }
  }

  /** What an answer lacks of what was acknowledged before `beforeMs`, and what in it was never written. */
  faultsOf(answer: Readonly<Record<string, [number, string][]>>, beforeMs: number): Missing[] {
    const faults: Missing[] = [];
    for (const [series, times] of this.#acknowledged) {
      const found = new Map(answer[series] ?? []);
      for (const [timeMs, atMs] of times) {
        if (atMs < beforeMs && !found.has(timeMs)) {
          faults.push({ series, timeMs, problem: "was acknowledged and is missing" });
        }
      }
    }
    for (const [series, samples] of Object.entries(answer)) {
      for (const [timeMs, value] of samples) {
        if (value !== String(valueOf(series, timeMs))) {
          faults.push({ series, timeMs, problem: `has the value ${value}, which nobody wrote` });
        }
      }
    }
    return faults;
  }
}
