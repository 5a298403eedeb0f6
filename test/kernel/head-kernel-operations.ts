/** Random work for a head, with times that depend on what the head holds by then. */
import fc from "fast-check";
import {
  CHUNK_RANGE_MS,
  type Sample,
  type SeriesSamples,
  valueBits,
} from "./head-kernel-fixture.ts";
import type { HeadTwin } from "./head-kernel-twin.ts";

const SERIES = 12;
export const START = 1_700_000_000_000n;

interface Step {
  readonly kind: "next" | "run" | "same" | "again" | "late" | "jump";
  readonly amount: number;
  readonly bits: bigint;
}

export interface Work {
  readonly withLabels: boolean;
  readonly rows: readonly { readonly series: number; readonly steps: readonly Step[] }[];
}

const step = fc.record<Step>({
  kind: fc.constantFrom("next", "next", "next", "run", "same", "again", "late", "late", "jump"),
  amount: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  bits: valueBits,
});

const work: fc.Arbitrary<Work> = fc.record({
  withLabels: fc.boolean(),
  rows: fc.array(
    fc.record({
      series: fc.nat({ max: SERIES - 1 }),
      steps: fc.array(step, { maxLength: 6 }),
    }),
    { maxLength: 8 },
  ),
});

export const works: fc.Arbitrary<Work[]> = fc.array(work, { minLength: 1, maxLength: 12 });

/** Out-of-order windows: off, shorter and longer than half a chunk range, longer than everything. */
export const windows = fc.constantFrom(0, 600_000, CHUNK_RANGE_MS, 100 * CHUNK_RANGE_MS);

export function rowsOf(twin: HeadTwin, { rows }: Work): SeriesSamples[] {
  return rows.map(({ series, steps }) => {
    const stored = twin.series.get(series);
    const samples: Sample[] = [];
    let last = stored?.last ?? { time: (twin.maxTime ?? START) - 1n, bits: 0n };
    for (const { kind, amount, bits } of steps) {
      for (const sample of samplesOf(kind, amount, bits, last, twin.maxTime ?? START)) {
        samples.push(sample);
        if (sample.time > last.time) last = sample;
      }
    }
    return { series, samples };
  });
}

function samplesOf(
  kind: Step["kind"],
  amount: number,
  bits: bigint,
  last: Sample,
  newest: bigint,
): Sample[] {
  const part = (whole: number): bigint => BigInt(Math.floor(amount * whole));
  switch (kind) {
    case "next":
      return [{ time: last.time + 1n + part(60_000), bits }];
    case "run":
      return Array.from({ length: Math.floor(amount * 150) }, (_, i) => ({
        time: last.time + 15_000n * BigInt(i + 1),
        bits: bits ^ BigInt(i % 3),
      }));
    case "same":
      return [{ time: last.time, bits }];
    case "again":
      return [last];
    case "late":
      // Few different times, so that late samples meet each other.
      return [{ time: newest - part(40) * BigInt(CHUNK_RANGE_MS / 20), bits }];
    default:
      return [{ time: newest + part(3 * CHUNK_RANGE_MS), bits }];
  }
}
