/**
 * What the series of the load are worth at round r. The kinds and their shares decide how well XOR chunks compress,
 * so they follow what exporters really send: most counters idle, few floats.
 */
import { hash2, unit2 } from "./hash.ts";

export const VALUE_KINDS = [
  "idle-counter",
  "int-counter",
  "float-counter",
  "constant-gauge",
  "int-gauge",
  "float-gauge",
  "histogram-bucket",
] as const;
export type ValueKind = (typeof VALUE_KINDS)[number];

/** Share of all observations at or below bucket b, of the twelve buckets of LATENCY_BOUNDS. */
const CUMULATIVE_SHARES = [
  0.02, 0.08, 0.25, 0.45, 0.65, 0.82, 0.91, 0.96, 0.985, 0.995, 0.999, 1,
] as const;
export const LATENCY_BOUNDS = [
  "0.005",
  "0.01",
  "0.025",
  "0.05",
  "0.1",
  "0.25",
  "0.5",
  "1",
  "2.5",
  "5",
  "10",
  "+Inf",
] as const;

export interface ValueSource {
  readonly kind: ValueKind;
  /** Identity of the series; buckets of one histogram share it. */
  readonly id: number;
  readonly bucket: number;
}

export function valueAt({ kind, id, bucket }: ValueSource, round: number, seed: number): number {
  const h = hash2(id, 77, seed);
  const jitter = unit2(id, round, seed);
  switch (kind) {
    case "idle-counter":
      return h % 100_000;
    case "int-counter":
      return Math.floor((1 + (h % 5000)) * (round + jitter)) + (h % 1_000_000);
    case "float-counter":
      return Math.round(100 * ((0.05 + (h % 1500) / 100) * (round + jitter + (h % 100_000)))) / 100;
    case "constant-gauge":
      return h % 1000;
    case "int-gauge": {
      const base = 1e6 + (h % 4e9);
      const wave = 0.05 * Math.sin((round + (h & 255)) / 40);
      return Math.floor(base * (1 + wave + 0.01 * jitter));
    }
    case "float-gauge":
      return Math.round(1000 * ((h % 100) + 10 * jitter)) / 1000;
    case "histogram-bucket":
      return Math.floor((50 + (h % 2000)) * (round + jitter) * (CUMULATIVE_SHARES[bucket] ?? 1));
  }
}
