/** Saturated ingest of 100,000 series for 60 rounds: CPU and log bytes a sample. */
import { join } from "node:path";
import { buildLoad } from "../loadgen/load.ts";
import { send } from "../loadgen/sender.ts";
import { folderBytes } from "../process-usage.ts";
import { Server } from "../servers/server.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const CPU = {
  id: "ingest-cpu",
  what: "ingest, saturated, 100 k series × 60 rounds, CPU per million samples",
  unit: "CPU-s",
  budget: 0.5,
};
const STEADY = {
  id: "ingest-cpu-steady",
  what: "the same without the first round (no new series)",
  unit: "CPU-s",
};
const RATE = { id: "ingest-rate", what: "the same, throughput", unit: "k samples/s" };
const WAL = { id: "wal-bytes", what: "the same, bytes of WAL a sample", unit: "B", budget: 9 };

export const ingest: BenchProgram = {
  name: "ingest",
  what: "saturated ingest: CPU, throughput and WAL bytes a sample",
  async run({ servers, table, scale }: BenchContext) {
    const load = buildLoad({
      profile: `mixed:${scaled(100_000, scale, 1000)}`,
      rounds: scaled(60, Math.sqrt(scale), 3),
      endMs: Date.now(),
    });
    for (const kind of servers) {
      await using server = await Server.start(kind);
      const target = { url: server.writeUrl, tenant: kind.tenant };
      const cpu0 = server.cpuSeconds();
      const first = await send(load, { ...target, to: 1 });
      const cpu1 = server.cpuSeconds();
      const rest = await send(load, { ...target, from: 1 });
      const cpu2 = server.cpuSeconds();
      const millions = load.sampleCount / 1e6;
      table.add(kind.name, CPU, (cpu2 - cpu0) / millions);
      table.add(kind.name, STEADY, (cpu2 - cpu1) / (rest.sampleCount / 1e6));
      const seconds = first.durationSeconds + rest.durationSeconds;
      table.add(kind.name, RATE, load.sampleCount / seconds / 1000);
      if (kind.walFolder !== undefined) {
        const bytes = folderBytes(join(server.folder, kind.walFolder));
        table.add(kind.name, WAL, bytes / load.sampleCount);
      }
      await expectSeries(server, load);
    }
  },
};
