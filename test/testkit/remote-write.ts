import { compressSync } from "snappy";
import { encodeWriteRequest, type TimeSeries } from "../../src/wire/remote-write.ts";

/** Label pairs in the order given, with duplicates if given twice. */
export type LabelPairs = readonly (readonly [
  name: string | Uint8Array,
  value: string | Uint8Array,
])[];

export type SamplePairs = readonly (readonly [timeMs: number | bigint, value: number])[];

export function wireSeries(labels: LabelPairs, samples: SamplePairs): TimeSeries {
  return {
    labels: labels.map(([name, value]) => ({ name: Buffer.from(name), value: Buffer.from(value) })),
    samples: samples.map(([timeMs, value]) => ({ timestamp: BigInt(timeMs), value })),
  };
}

/** Metric `name` with these labels besides, sorted. */
export function namedSeries(
  name: string,
  labels: Readonly<Record<string, string>>,
  samples: SamplePairs,
): TimeSeries {
  const pairs = Object.entries({ __name__: name, ...labels }).sort(([a], [b]) => (a < b ? -1 : 1));
  return wireSeries(pairs, samples);
}

/** A body as a sender makes it. */
export function writeBody(...series: readonly TimeSeries[]): Buffer {
  return compress(encodeWriteRequest({ timeseries: series }));
}

/** The native compressor over-allocates: a copy of what it made. */
export function compress(bytes: Uint8Array): Buffer {
  return Buffer.from(compressSync(Buffer.from(bytes)));
}
