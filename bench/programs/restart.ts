/** Killed with SIGKILL right after the last acknowledgement: how long until every series can be queried again. */
import { pollUntil } from "../../e2e/harness/poll.ts";
import { buildLoad } from "../loadgen/load.ts";
import { send } from "../loadgen/sender.ts";
import { Server } from "../servers/server.ts";
import { expectSeries, seriesCount } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const QUERYABLE = {
  id: "restart",
  what: "restart after kill -9, 100 k series × 60 samples, until all is queryable",
  unit: "s",
  budget: 1,
};

export const restart: BenchProgram = {
  name: "restart",
  what: "kill -9 until queryable",
  async run({ servers, table, scale }: BenchContext) {
    const load = buildLoad({
      profile: `mixed:${scaled(100_000, scale, 1000)}`,
      rounds: scaled(60, Math.sqrt(scale), 3),
      endMs: Date.now(),
    });
    for (const kind of servers) {
      // Without a log there is nothing to replay: what was acknowledged is gone.
      if (kind.walFolder === undefined) continue;
      await using server = await Server.start(kind);
      await send(load, { url: server.writeUrl, tenant: kind.tenant });
      await expectSeries(server, load);
      await server.kill();
      const began = performance.now();
      await server.restart();
      await pollUntil(`${kind.name} to have everything again`, 120_000, async () =>
        (await seriesCount(server, load)) === load.seriesCount ? true : undefined,
      );
      table.add(kind.name, QUERYABLE, (performance.now() - began) / 1000);
    }
  },
};
