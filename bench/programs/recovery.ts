/** An ingester of a cluster is killed with SIGKILL: what it costs until it has everything again and takes part. */
import assert from "node:assert/strict";
import { pollUntil } from "../../e2e/harness/poll.ts";
import { buildLoad } from "../loadgen/load.ts";
import { send } from "../loadgen/sender.ts";
import { Cluster } from "../servers/cluster.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const TIME = {
  id: "recovery",
  what: "an ingester of three with 1 M series × 6 samples, from its start after kill -9 until it is ACTIVE and has everything",
  unit: "s",
};
const CPU = { id: "recovery-cpu", what: "the same, its CPU", unit: "CPU-s" };

const SERIES = "cortex_ingester_memory_series";

export const recovery: BenchProgram = {
  name: "recovery",
  what: "kill -9 of one ingester of three until it is back",
  async run({ table, scale }: BenchContext) {
    const load = buildLoad({
      profile: `mixed:${scaled(1_000_000, scale, 5000)}`,
      rounds: 6,
      endMs: Date.now(),
    });
    await using cluster = await Cluster.start();
    await send(load, { url: cluster.writeUrl, tenant: cluster.kind.tenant });
    const [killed] = cluster.ingesters;
    assert.ok(killed !== undefined);
    // A push is answered at two replicas: the third may lag.
    await pollUntil("every replica to have every series", 60_000, async () =>
      (await killed.metric(SERIES)) === load.seriesCount ? true : undefined,
    );
    await killed.kill();
    const began = performance.now();
    killed.restart();
    await killed.ready();
    const seconds = (performance.now() - began) / 1000;
    assert.equal(await killed.metric(SERIES), load.seriesCount);
    table.add(cluster.kind.name, TIME, seconds);
    table.add(cluster.kind.name, CPU, killed.cpuSeconds());
    await expectSeries(cluster, load);
  },
};
