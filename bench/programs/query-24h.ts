/** The panel that everybody has: a rate over a day, summed by job. CPU of a warm query, results checked to be equal. */
import assert from "node:assert/strict";
import type { MatrixResult } from "../../e2e/harness/query.ts";
import { difference, seconds } from "../../e2e/harness/query.ts";
import { buildLoad, type Load } from "../loadgen/load.ts";
import { quantile, send } from "../loadgen/sender.ts";
import { Server } from "../servers/server.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

export const QUERY = "sum by (job) (rate(m[5m]))";
const INTERVAL_MS = 15_000;
export const STEP_MS = 60_000;
const WARM_UPS = 3;
const RUNS = 20;

const CPU = {
  id: "query-24h-cpu",
  what: `\`${QUERY}\`, 1,000 series, 24 h, step 60 s, warm, CPU a query`,
  unit: "ms",
  budget: 78,
};
const LATENCY = { id: "query-24h-p50", what: "the same, latency p50", unit: "ms" };

export const query24h: BenchProgram = {
  name: "query-24h",
  what: "a day of rates in one panel",
  async run({ servers, table, scale }: BenchContext) {
    const load = buildDay(scaled(1000, scale, 100), scaled(24, scale, 1));
    let expected: MatrixResult | undefined;
    for (const kind of servers) {
      await using server = await Server.start(kind);
      await send(load, { url: server.writeUrl, tenant: kind.tenant, inStep: true });
      await expectSeries(server, load);
      for (let i = 0; i < WARM_UPS; i++) await queryDay(server, load);
      const before = server.cpuSeconds();
      const latenciesMs: number[] = [];
      let result: MatrixResult | undefined;
      for (let i = 0; i < RUNS; i++) {
        const began = performance.now();
        result = await queryDay(server, load);
        latenciesMs.push(performance.now() - began);
      }
      table.add(kind.name, CPU, ((server.cpuSeconds() - before) * 1000) / RUNS);
      table.add(kind.name, LATENCY, quantile(Float64Array.from(latenciesMs).sort(), 0.5));
      assert.ok(result !== undefined && result.result.length === 20, "20 jobs");
      // VictoriaMetrics has a rate of its own (no extrapolation): only the shape can be compared.
      if (kind.name === "VictoriaMetrics") continue;
      expected ??= result;
      assert.equal(difference(result, expected, 1e-9), undefined, `${kind.name} differs`);
    }
  },
};

/** `hours` of `seriesCount` counters, twenty samples of a series a request. */
export function buildDay(seriesCount: number, hours: number): Load {
  return buildLoad({
    profile: `m:${seriesCount}`,
    rounds: (hours * 3_600_000) / INTERVAL_MS,
    samplesPerSeries: 20,
    endMs: Date.now(),
  });
}

/**
 * Steps lie half a second before a scrape round begins, where no target has a sample: a range that is open on
 * the left (Prometheus 3, Muninn) and one that is not (Prometheus 2) then hold the same samples.
 */
export async function queryDay(server: Server, load: Load): Promise<MatrixResult> {
  const endMs = load.endMs - 500;
  const startMs = load.timing.startMs - 500 + 10 * STEP_MS;
  return (await server.api.get("query_range", {
    query: QUERY,
    start: seconds(startMs),
    end: seconds(endMs),
    step: seconds(STEP_MS),
    ...server.kind.queryParameters,
  })) as MatrixResult;
}
