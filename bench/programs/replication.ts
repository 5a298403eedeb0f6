/** Ingest into a cluster with replication factor 3: what keeping everything three times costs. */

import type { FigureTable } from "../figure.ts";
import { buildLoad, type Load } from "../loadgen/load.ts";
import { quantile, send } from "../loadgen/sender.ts";
import { Cluster } from "../servers/cluster.ts";
import { expectSeries } from "./checks.ts";
import { type BenchContext, type BenchProgram, scaled } from "./program.ts";

const CPU = {
  id: "replication-cpu",
  what: "ingest, replication factor 3, saturated, 100 k series × 60 rounds, CPU of distributor and 3 ingesters per million samples",
  unit: "CPU-s",
  budget: 1.5,
};
const STEADY = {
  id: "replication-cpu-steady",
  what: "the same without the first round (no new series)",
  unit: "CPU-s",
};
const DISTRIBUTOR = {
  id: "replication-cpu-distributor",
  what: "of it (no new series) the distributor",
  unit: "CPU-s",
};
const INGESTER = {
  id: "replication-cpu-ingester",
  what: "of it (no new series) one ingester",
  unit: "CPU-s",
};
const RATE = { id: "replication-rate", what: "the same, throughput", unit: "k samples/s" };
const BYTES = {
  id: "replica-bytes",
  what: "the same (no new series), bytes from the distributor to one ingester a sample",
  unit: "B",
  budget: 32,
};
const PACED_CPU = {
  id: "replication-paced-cpu",
  what: "the same paced at 50 k samples/s (no new series), CPU per million samples",
  unit: "CPU-s",
};
const P50 = { id: "replication-p50", what: "the same, latency of a push, p50", unit: "ms" };
const P99 = { id: "replication-p99", what: "the same, p99", unit: "ms" };

const REPLICA_BYTES = "muninn_distributor_replica_bytes_total";
const SAMPLES_PER_SECOND = 50_000;

export const replication: BenchProgram = {
  name: "replication",
  what: "ingest with replication factor 3: CPU by role, bytes a sample, latency",
  async run({ table, scale }: BenchContext) {
    await saturated(table, scale);
    await paced(table, scale);
  },
};

async function saturated(table: FigureTable, scale: number): Promise<void> {
  const load = buildLoad({
    profile: `mixed:${scaled(100_000, scale, 1000)}`,
    rounds: scaled(60, Math.sqrt(scale), 3),
    endMs: Date.now(),
  });
  await using cluster = await Cluster.start();
  const first = await measured(cluster, load, { to: 1 });
  const rest = await measured(cluster, load, { from: 1 });
  const { name } = cluster.kind;
  const sampleCount = first.sampleCount + rest.sampleCount;
  const restMillions = rest.sampleCount / 1e6;
  table.add(name, CPU, (first.cpuSeconds + rest.cpuSeconds) / (sampleCount / 1e6));
  table.add(name, STEADY, rest.cpuSeconds / restMillions);
  table.add(name, DISTRIBUTOR, rest.distributorSeconds / restMillions);
  const ingestersSeconds = rest.cpuSeconds - rest.distributorSeconds;
  table.add(name, INGESTER, ingestersSeconds / cluster.ingesters.length / restMillions);
  const seconds = first.durationSeconds + rest.durationSeconds;
  table.add(name, RATE, sampleCount / seconds / 1000);
  table.add(name, BYTES, rest.replicaBytes / rest.sampleCount / cluster.ingesters.length);
  await expectSeries(cluster, load);
}

async function paced(table: FigureTable, scale: number): Promise<void> {
  const load = buildLoad({
    profile: `mixed:${scaled(100_000, scale, 5000)}`,
    rounds: scaled(15, Math.sqrt(scale), 4),
    endMs: Date.now(),
  });
  await using cluster = await Cluster.start();
  await send(load, { url: cluster.writeUrl, tenant: cluster.kind.tenant, to: 1 });
  const rest = await measured(cluster, load, { from: 1, samplesPerSecond: SAMPLES_PER_SECOND });
  const { name } = cluster.kind;
  table.add(name, PACED_CPU, rest.cpuSeconds / (rest.sampleCount / 1e6));
  table.add(name, P50, quantile(rest.latenciesMs, 0.5));
  table.add(name, P99, quantile(rest.latenciesMs, 0.99));
  await expectSeries(cluster, load);
}

/** What sending a part of the load took. */
async function measured(
  cluster: Cluster,
  load: Load,
  part: { readonly from?: number; readonly to?: number; readonly samplesPerSecond?: number },
) {
  const { distributor } = cluster;
  const bytesBefore = await distributor.metric(REPLICA_BYTES);
  const distributorBefore = distributor.cpuSeconds();
  const before = cluster.cpuSeconds();
  const sent = await send(load, { url: cluster.writeUrl, tenant: cluster.kind.tenant, ...part });
  return {
    ...sent,
    cpuSeconds: cluster.cpuSeconds() - before,
    distributorSeconds: distributor.cpuSeconds() - distributorBefore,
    replicaBytes: (await distributor.metric(REPLICA_BYTES)) - bytesBefore,
  };
}
