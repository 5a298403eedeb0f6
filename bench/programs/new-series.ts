/** A million series, all new in the first round: what creating one costs, and what keeping it costs. */
import { delay } from "../../e2e/harness/poll.ts";
import { buildLoad } from "../loadgen/load.ts";
import { send } from "../loadgen/sender.ts";
import { Server } from "../servers/server.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const CPU = {
  id: "new-series-cpu",
  what: "new series, 1 M, CPU per million",
  unit: "CPU-s",
  budget: 4,
};
const MEMORY = {
  id: "memory-per-series",
  what: "resident memory a series, 1 M series × 6 rounds, process as a whole",
  unit: "B",
  budget: 1024,
};
/** Garbage of the last requests is not what a series costs. */
const SETTLE_MS = 3000;

export const newSeries: BenchProgram = {
  name: "new-series",
  what: "CPU of new series, resident memory a series",
  async run({ servers, table, scale }: BenchContext) {
    const load = buildLoad({
      profile: `mixed:${scaled(1_000_000, scale, 5000)}`,
      rounds: 6,
      endMs: Date.now(),
    });
    for (const kind of servers) {
      await using server = await Server.start(kind);
      const target = { url: server.writeUrl, tenant: kind.tenant };
      const before = server.cpuSeconds();
      await send(load, { ...target, to: 1 });
      table.add(kind.name, CPU, (server.cpuSeconds() - before) / (load.seriesCount / 1e6));
      await send(load, { ...target, from: 1 });
      await delay(SETTLE_MS);
      table.add(kind.name, MEMORY, server.residentBytes() / load.seriesCount);
      await expectSeries(server, load);
    }
  },
};
