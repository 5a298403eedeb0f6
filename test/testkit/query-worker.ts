/**
 * A stand-in for src/promql/worker.ts in tests of the querier: it answers with what it was given, and the metric name in
 * the query says how it behaves ("spin" never ends, "fails", "throws").
 */
import { setTimeout } from "node:timers/promises";
import { move, transferableSymbol, valueSymbol } from "piscina";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { decodeSeries } from "./memory-queryable.ts";

interface Job {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number;
  readonly sets: readonly EncodedSeriesSet[];
}

export default async function run(job: Job): Promise<unknown> {
  const { query, sets, ...times } = job;
  if (query.startsWith("throws")) throw new TypeError("a bug in the engine");
  if (query.startsWith("fails")) {
    return { ok: false, kind: "execution", message: "as asked" };
  }
  if (query.startsWith("spin")) for (;;) await setTimeout(0, spin());
  const result = sets.flatMap((set) =>
    decodeSeries(set).map(({ labels, chunks }) => ({
      metric: Object.fromEntries(labels.map(({ name, value }) => [name, value])),
      values: chunks.flat(),
    })),
  );
  const resultType = times.stepMs === 0 ? "vector" : "matrix";
  const { startMs, endMs, stepMs, lookbackMs } = times;
  const asked = { query, startMs, endMs, stepMs, lookbackMs };
  const json = new TextEncoder().encode(JSON.stringify({ resultType, result, asked }));
  const samplesRead = result.reduce((sum, series) => sum + series.values.length, 0);
  const answer = {
    ok: true,
    json,
    warnings: query.startsWith("warns") ? ["careful"] : [],
    infos: query.startsWith("warns") ? ["by the way"] : [],
    stats: { peakSamples: samplesRead, decodedSamples: samplesRead },
  };
  return move({ [transferableSymbol]: [json.buffer], [valueSymbol]: answer });
}

function spin(): void {
  for (let i = 0; i < 1e7; i++);
}
