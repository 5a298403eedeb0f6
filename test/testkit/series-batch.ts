import type { Labels } from "../../src/model/labels.ts";
import type { SeriesBatch } from "../../src/rpc/ingester.ts";

/** Series with samples, as a test writes them down. */
export interface BatchSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [timestampMs: number, value: number])[];
}

/**
 * A batch as a distributor sends it. The ids are not MurmurHash3 but any 128 bits that differ with the labels:
 * an ingester takes them as they are.
 */
export function seriesBatch(series: readonly BatchSeries[], withLabels: boolean): SeriesBatch {
  const samples = series.flatMap((one) => one.samples);
  const ids = new Uint8Array(series.length * 16);
  const sampleOffsets = new Uint32Array(series.length + 1);
  const labelOffsets = new Uint32Array(series.length + 1);
  const labelBytes: number[] = [];
  for (const [index, one] of series.entries()) {
    const bytes = canonicalLabels(one.labels);
    labelBytes.push(...bytes);
    ids.set(idOf(bytes), index * 16);
    sampleOffsets[index + 1] = (sampleOffsets[index] as number) + one.samples.length;
    labelOffsets[index + 1] = labelBytes.length;
  }
  return {
    seriesCount: series.length,
    ids,
    sampleOffsets,
    timestampsMs: BigInt64Array.from(samples, ([timestampMs]) => BigInt(timestampMs)),
    values: Float64Array.from(samples, ([, value]) => value),
    ...(withLabels
      ? { labels: { bytes: Uint8Array.from(labelBytes), offsets: labelOffsets } }
      : {}),
  };
}

export function canonicalLabels(labels: Readonly<Record<string, string>>): number[] {
  const bytes: number[] = [];
  for (const name of Object.keys(labels).sort()) {
    for (const text of [name, labels[name] as string]) {
      const encoded = new TextEncoder().encode(text);
      let length = encoded.length;
      for (; length >= 128; length >>= 7) bytes.push((length & 127) | 128);
      bytes.push(length, ...encoded);
    }
  }
  return bytes;
}

function idOf(bytes: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  for (let lane = 0; lane < 4; lane++) {
    let hash = 0x811c9dc5 ^ (lane * 0x9e3779b1);
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    view.setUint32(lane * 4, hash >>> 0, true);
  }
  return new Uint8Array(view.buffer);
}

export function labelsOf(record: Readonly<Record<string, string>>): Labels {
  return Object.keys(record)
    .sort()
    .map((name) => ({ name, value: record[name] as string }));
}
