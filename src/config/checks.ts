/**
 * Combinations that cannot work, though each value alone is fine. Every check says which key to change and what the other one
 * is; all of them run, so that an operator sees all at once.
 */
import type { Limits } from "../model/limits.ts";
import { clusterFaults } from "./cluster-checks.ts";
import { formatDuration } from "./duration.ts";
import type { Config } from "./schema.ts";

export interface Fault {
  /** The YAML path that is best changed. */
  readonly key: string;
  readonly message: string;
  /** The other YAML path, whose place is told when `key` itself was not set. */
  readonly other?: string;
}

/** `isSet`: the operator gave this YAML path a value (in the file or by flag). */
export function configFaults(config: Config, isSet: (yaml: string) => boolean): Fault[] {
  return [
    ...timeFaults(config),
    ...clusterFaults(config, isSet),
    ...directoryFaults(config),
    ...bucketFaults(config),
    ...limitFaults(config.limits, config).map((fault) => ({
      ...fault,
      key: `limits.${fault.key}`,
    })),
  ];
}

function timeFaults({ tsdb, querier, server }: Config): Fault[] {
  const faults: Fault[] = [];
  if (tsdb.retentionPeriodMs < tsdb.blockRangeMs) {
    faults.push({
      key: "blocks_storage.tsdb.retention_period",
      other: "blocks_storage.tsdb.block_ranges_period",
      message: `${formatDuration(tsdb.retentionPeriodMs)} is less than blocks_storage.tsdb.block_ranges_period (${formatDuration(tsdb.blockRangeMs)}): samples would leave before their range is complete`,
    });
  }
  if (server.httpWriteTimeoutMs > 0 && querier.timeoutMs > server.httpWriteTimeoutMs) {
    faults.push({
      key: "querier.timeout",
      other: "server.http_server_write_timeout",
      message: `${formatDuration(querier.timeoutMs)} is more than server.http_server_write_timeout (${formatDuration(server.httpWriteTimeoutMs)}): the connection would close before the query may end`,
    });
  }
  return faults;
}

function directoryFaults({ tsdb, ingester, storage }: Config): Fault[] {
  const directories = [
    { key: "blocks_storage.tsdb.dir", path: tsdb.dir },
    { key: "ingester.wal.dir", path: ingester.wal.dir },
  ];
  if (storage.backend === "filesystem") {
    directories.push({ key: "blocks_storage.filesystem.dir", path: storage.filesystem.dir });
  }
  return directories.flatMap(({ key, path }, index) => {
    const other = directories.slice(0, index).find((before) => overlap(before.path, path));
    return other === undefined
      ? []
      : [{ key, other: other.key, message: `${path} overlaps with ${other.key} (${other.path})` }];
  });
}

/** Equal, or one inside the other. "./" and doubled or trailing slashes do not hide it; links of the file system do. */
function overlap(left: string, right: string): boolean {
  const [a, b] = [parts(left), parts(right)];
  const shared = Math.min(a.length, b.length);
  return a.slice(0, shared).join("/") === b.slice(0, shared).join("/");
}

function parts(path: string): string[] {
  const found: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") found.pop();
    else if (part !== "." && part !== "") found.push(part);
  }
  return path.startsWith("/") ? ["", ...found] : found;
}

function bucketFaults({ storage }: Config): Fault[] {
  if (storage.backend !== "s3") return [];
  const faults: Fault[] = [];
  for (const [key, value] of [
    ["bucket_name", storage.s3.bucketName],
    ["endpoint", storage.s3.endpoint],
  ] as const) {
    if (value === "") {
      faults.push({
        key: `blocks_storage.s3.${key}`,
        other: "blocks_storage.backend",
        message: "must be set when the storage backend is s3 (common.storage.s3 serves too)",
      });
    }
  }
  return faults;
}

/** Also for one tenant's limits; keys are without "limits.". */
export function limitFaults(limits: Limits, { tsdb }: Pick<Config, "tsdb">): Fault[] {
  const faults: Fault[] = [];
  if (limits.ingestionBurstFactor !== 0 && limits.ingestionBurstFactor < 1) {
    faults.push({
      key: "ingestion_burst_factor",
      message: `${limits.ingestionBurstFactor} must be 0 (off) or at least 1`,
    });
  }
  if (limits.outOfOrderTimeWindowMs > tsdb.retentionPeriodMs) {
    faults.push({
      key: "out_of_order_time_window",
      other: "blocks_storage.tsdb.retention_period",
      message: `${formatDuration(limits.outOfOrderTimeWindowMs)} is more than blocks_storage.tsdb.retention_period (${formatDuration(tsdb.retentionPeriodMs)}): older samples would be taken and dropped at once`,
    });
  }
  const failoverMinMs =
    limits.haTrackerUpdateTimeoutMs + limits.haTrackerUpdateTimeoutJitterMaxMs + 1000;
  if (limits.haTrackerFailoverTimeoutMs < failoverMinMs) {
    faults.push({
      key: "ha_tracker_failover_timeout",
      other: "limits.ha_tracker_update_timeout",
      message: `${formatDuration(limits.haTrackerFailoverTimeoutMs)} must be at least ha_tracker_update_timeout + ha_tracker_update_timeout_jitter_max + 1s (${formatDuration(failoverMinMs)})`,
    });
  }
  const delayMs = limits.compactorPartialBlockDeletionDelayMs;
  if (delayMs !== 0 && delayMs < 4 * 3_600_000) {
    faults.push({
      key: "compactor_partial_block_deletion_delay",
      message: `${formatDuration(delayMs)} must be 0 (never) or at least 4h: a slow upload looks incomplete too`,
    });
  }
  return faults;
}
