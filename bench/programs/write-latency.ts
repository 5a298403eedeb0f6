/** Pushes at 50,000 samples a second, alone and while a heavy query runs over and over: the query must not delay them. */
import { buildLoad } from "../loadgen/load.ts";
import { quantile, send } from "../loadgen/sender.ts";
import { Server } from "../servers/server.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";
import { buildDay, queryDay } from "./query-24h.ts";

const SAMPLES_PER_SECOND = 50_000;
const ALONE = { id: "push-p99", what: "push at 50 k samples/s, p99 without queries", unit: "ms" };
const UNDER_QUERY = {
  id: "push-p99-under-query",
  what: "the same while the 24 h query runs without pause, p99",
  unit: "ms",
  budget: 10,
};
const QUERIES = { id: "queries-under-push", what: "queries answered meanwhile", unit: "1/s" };

export const writeLatencyUnderQuery: BenchProgram = {
  name: "write-latency-under-query",
  what: "p99 of pushes with and without a heavy query",
  async run({ servers, table, scale }: BenchContext) {
    const rounds = scaled(30, Math.sqrt(scale), 6);
    const pushes = buildLoad({
      profile: `mixed:${scaled(40_000, scale, 5000)}`,
      rounds,
      endMs: Date.now(),
    });
    const day = buildDay(scaled(1000, scale, 100), scaled(24, scale, 1));
    for (const kind of servers) {
      await using server = await Server.start(kind);
      const options = {
        url: server.writeUrl,
        tenant: kind.tenant,
        samplesPerSecond: SAMPLES_PER_SECOND,
      };
      await send(day, { ...options, samplesPerSecond: 0, inStep: true });
      await expectSeries(server, day);
      await send(pushes, { ...options, to: 1 });
      const half = Math.ceil(rounds / 2);
      const alone = await send(pushes, { ...options, from: 1, to: half });
      table.add(kind.name, ALONE, quantile(alone.latenciesMs, 0.99));

      const state = { isDone: false, queries: 0 };
      const querying = (async () => {
        for (; !state.isDone; state.queries++) await queryDay(server, day);
      })();
      const under = await send(pushes, { ...options, from: half });
      state.isDone = true;
      await querying;
      table.add(kind.name, UNDER_QUERY, quantile(under.latenciesMs, 0.99));
      table.add(kind.name, QUERIES, state.queries / under.durationSeconds);
    }
  },
};
