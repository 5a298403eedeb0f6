/** Ingest at a rate that a server is meant to be run at: 50,000 samples a second. Idle time shows here. */
import { buildLoad } from "../loadgen/load.ts";
import { quantile, send } from "../loadgen/sender.ts";
import { Server } from "../servers/server.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const SAMPLES_PER_SECOND = 50_000;
const CPU = {
  id: "paced-cpu",
  what: "ingest paced at 50 k samples/s, CPU per million samples (no new series)",
  unit: "CPU-s",
  budget: 0.9,
};
const P50 = { id: "paced-p50", what: "the same, latency of a push, p50", unit: "ms" };
const P99 = { id: "paced-p99", what: "the same, p99", unit: "ms", budget: 10 };

export const paced: BenchProgram = {
  name: "paced",
  what: "ingest at 50,000 samples a second: CPU and latency",
  async run({ servers, table, scale }: BenchContext) {
    const load = buildLoad({
      profile: `mixed:${scaled(100_000, scale, 5000)}`,
      rounds: scaled(15, Math.sqrt(scale), 4),
      endMs: Date.now(),
    });
    for (const kind of servers) {
      await using server = await Server.start(kind);
      const options = {
        url: server.writeUrl,
        tenant: kind.tenant,
        samplesPerSecond: SAMPLES_PER_SECOND,
      };
      await send(load, { ...options, to: 1 });
      const before = server.cpuSeconds();
      const { sampleCount, latenciesMs } = await send(load, { ...options, from: 1 });
      table.add(kind.name, CPU, (server.cpuSeconds() - before) / (sampleCount / 1e6));
      table.add(kind.name, P50, quantile(latenciesMs, 0.5));
      table.add(kind.name, P99, quantile(latenciesMs, 0.99));
      await expectSeries(server, load);
    }
  },
};
