/**
 * How long each ingester took to answer lately, to ask the quick ones first. A moving average that halves with each minute
 * in which nothing is heard: who was slow, and is therefore not asked, is tried again after a while.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../base/clock.ts";

/** Of the newest answer in the average: about five answers of memory, as in base/ewma-rate.ts. */
const WEIGHT = 0.2;
const HALF_LIFE_MS = 60_000;
/** Far more than a ring has; members that are gone fall out. */
const INSTANCES_MAX = 10_000;

interface Estimate {
  readonly averageMs: number;
  readonly atMs: number;
}

export class AnswerTimes {
  readonly #clock: Clock;
  readonly #estimates = new LRUCache<string, Estimate>({ max: INSTANCES_MAX });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 for an instance that has not answered yet: it is tried. */
  expectedMs(instanceId: string): number {
    const estimate = this.#estimates.get(instanceId);
    if (estimate === undefined) return 0;
    const ageMs = this.#clock.monotonicMs() - estimate.atMs;
    return estimate.averageMs * 2 ** (-ageMs / HALF_LIFE_MS);
  }

  answered(instanceId: string, tookMs: number): void {
    const before = this.#estimates.get(instanceId);
    const expectedMs = before === undefined ? tookMs : this.expectedMs(instanceId);
    this.#set(instanceId, expectedMs + WEIGHT * (tookMs - expectedMs));
  }

  /** It failed, or was not waited for any longer: it is at least this slow. */
  tookAtLeast(instanceId: string, ms: number): void {
    this.#set(instanceId, Math.max(ms, this.expectedMs(instanceId)));
  }

  #set(instanceId: string, averageMs: number): void {
    this.#estimates.set(instanceId, { averageMs, atMs: this.#clock.monotonicMs() });
  }
}
