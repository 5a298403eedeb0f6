/**
 * What the kernel should make of a body, in plain code on snappyjs and protobufjs. Throws where the libraries do.
 * The libraries let more pass than the kernel (wrong wire types, for one): the twin judges what the kernel accepts.
 */
import snappyjs from "snappyjs";
import { decodeWriteRequest, type TimeSeries } from "../../src/wire/remote-write.ts";
import { murmur3Bytes } from "../testkit/murmur3.ts";

export interface TwinRow {
  readonly id: string;
  /** Cluster and replica, of a row of an HA pair. */
  readonly pair?: readonly [cluster: string, replica: string];
  readonly timesMs: readonly bigint[];
  readonly values: readonly number[];
}

export interface TwinAnswer {
  readonly rows: readonly TwinRow[];
  readonly series: number;
  readonly samples: number;
  readonly exemplars: number;
  readonly histograms: number;
  readonly metadata: number;
  readonly decodedBytes: number;
}

export interface TwinLimits {
  readonly minTimeMs: bigint;
  readonly maxTimeMs: bigint;
  readonly ha?: { readonly clusterLabel: string; readonly replicaLabel: string };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

export function twinDecode(body: Uint8Array, limits: TwinLimits): TwinAnswer {
  const decoded = snappyjs.uncompress(body);
  const { timeseries, metadata = [] } = decodeWriteRequest(decoded);
  const rows = timeseries.flatMap((series) => rowOf(series, limits) ?? []);
  const count = (read: (series: TimeSeries) => number): number =>
    timeseries.reduce((sum, series) => sum + read(series), 0);
  return {
    rows,
    series: timeseries.length,
    samples: count(({ samples }) => samples.length),
    exemplars: count(({ exemplars = [] }) => exemplars.length),
    histograms: count(({ histograms = [] }) => histograms.length),
    metadata: metadata.length,
    decodedBytes: decoded.length,
  };
}

/** Undefined for a series that is refused or has no samples. */
function rowOf(series: TimeSeries, limits: TwinLimits): TwinRow | undefined {
  const labels = series.labels
    .filter(({ value }) => value.length > 0)
    .map(({ name, value }) => [Buffer.from(name), Buffer.from(value)] as const)
    .sort(([a], [b]) => Buffer.compare(a, b));
  if (!validLabels(labels) || series.samples.length === 0) return undefined;
  const kept = new Map<bigint, number>();
  for (const { timestamp, value } of series.samples) {
    if (timestamp < limits.minTimeMs || timestamp > limits.maxTimeMs) return undefined;
    if (!kept.has(timestamp)) kept.set(timestamp, value);
  }
  const valueOf = (name: string | undefined): string | undefined =>
    labels.find(([label]) => label.toString("latin1") === name)?.[1].toString();
  const cluster = valueOf(limits.ha?.clusterLabel);
  const replica = valueOf(limits.ha?.replicaLabel);
  const isPaired = cluster !== undefined && replica !== undefined;
  const stored = labels.filter(
    ([name]) => !isPaired || name.toString("latin1") !== limits.ha?.replicaLabel,
  );
  const canonical = stored.flatMap(([name, value]) => [
    varint(name.length),
    name,
    varint(value.length),
    value,
  ]);
  const id = Buffer.from(murmur3Bytes(Buffer.concat(canonical))).toString("hex");
  const row = { id, timesMs: [...kept.keys()], values: [...kept.values()] };
  return isPaired ? { ...row, pair: [cluster, replica] } : row;
}

function validLabels(labels: readonly (readonly [name: Buffer, value: Buffer])[]): boolean {
  const names = labels.map(([name]) => name.toString("latin1"));
  if (!names.includes("__name__") || new Set(names).size !== names.length) return false;
  return labels.every(([name, value]) => name.length > 0 && isUtf8(name) && isUtf8(value));
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strictUtf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
