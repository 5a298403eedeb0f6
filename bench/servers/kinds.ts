/** Muninn and its peers, each as it is benchmarked: WAL on, limits lifted, quiet log. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ServerKind } from "./server.ts";

export const MUNINN_LAUNCHER = join(import.meta.dirname, "../../bin/muninn.js");

export const LIFTED_LIMITS: readonly string[] = [
  "-log.level=warn",
  "-distributor.ingestion-rate-limit=1000000000",
  "-distributor.ingestion-burst-size=1000000000",
  "-ingester.max-global-series-per-user=0",
  // The query benchmarks keep a whole day in the head.
  "-blocks-storage.tsdb.retention-period=48h",
];

export const MUNINN: ServerKind = {
  name: "Muninn",
  program: process.execPath,
  writePath: "/api/v1/push",
  queryPrefix: "/prometheus",
  readyPath: "/ready",
  tenant: "bench",
  walFolder: "wal",
  async arguments(folder, port) {
    return [
      MUNINN_LAUNCHER,
      `-data-dir=${folder}`,
      "-server.http-listen-address=127.0.0.1",
      `-server.http-listen-port=${port}`,
      ...LIFTED_LIMITS,
    ];
  },
};

const PROMETHEUS: ServerKind = {
  name: "Prometheus",
  program: "prometheus",
  writePath: "/api/v1/write",
  queryPrefix: "",
  readyPath: "/-/ready",
  walFolder: "data/wal",
  async arguments(folder, port) {
    const configuration = join(folder, "prometheus.yml");
    await writeFile(configuration, "global:\n  scrape_interval: 15s\n");
    return [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--web.enable-remote-write-receiver",
      "--storage.tsdb.retention.time=10y",
      "--log.level=warn",
    ];
  },
};

const VICTORIA_METRICS: ServerKind = {
  name: "VictoriaMetrics",
  program: "victoria-metrics",
  writePath: "/api/v1/write",
  queryPrefix: "",
  readyPath: "/health",
  queryParameters: { nocache: "1" },
  async arguments(folder, port) {
    return [
      `-storageDataPath=${join(folder, "data")}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      "-retentionPeriod=100y",
      "-search.latencyOffset=0s",
      "-search.maxUniqueTimeseries=10000000",
      "-loggerLevel=WARN",
    ];
  },
};

export const PEERS: readonly ServerKind[] = [PROMETHEUS, VICTORIA_METRICS];
