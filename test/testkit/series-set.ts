import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { CHUNK_ENCODING } from "../../src/storage/encoded-series.ts";
import { encodeXor, type SampleColumns } from "./xor.ts";

/** A series for `seriesSet`: labels by name, and its chunks in the order in which they are to stand in the set. */
export interface SeriesFixture {
  readonly labels: Readonly<Record<string, string>>;
  readonly chunks: readonly ChunkFixture[];
}

export interface ChunkFixture {
  readonly columns: SampleColumns;
  readonly encoding?: "xor" | "raw";
  /** These bytes in place of the encoded columns. */
  readonly bytes?: Uint8Array;
}

/** Cuts columns into XOR chunks of at most `samplesMax` samples. */
export function cutChunks(columns: SampleColumns, samplesMax = 120): ChunkFixture[] {
  const chunks: ChunkFixture[] = [];
  for (let from = 0; from < columns.timestampsMs.length; from += samplesMax) {
    chunks.push({
      columns: {
        timestampsMs: columns.timestampsMs.slice(from, from + samplesMax),
        values: columns.values.slice(from, from + samplesMax),
      },
    });
  }
  return chunks;
}

export function encodeRaw(columns: SampleColumns): Uint8Array {
  const out = new Uint8Array(16 * columns.timestampsMs.length);
  const view = new DataView(out.buffer);
  const bits = new BigUint64Array(
    columns.values.buffer,
    columns.values.byteOffset,
    columns.values.length,
  );
  columns.timestampsMs.forEach((time, i) => {
    view.setBigInt64(16 * i, time, true);
    view.setBigUint64(16 * i + 8, bits[i]!, true);
  });
  return out;
}

/** An EncodedSeriesSet as a storage would answer it. */
export function seriesSet(series: readonly SeriesFixture[]): EncodedSeriesSet {
  const symbols = new Map<string, number>();
  const symbolOf = (text: string): number => {
    const known = symbols.get(text);
    if (known !== undefined) return known;
    symbols.set(text, symbols.size);
    return symbols.size - 1;
  };
  const labels: number[] = [];
  const labelOffsets = [0];
  const chunkOffsets = [0];
  const chunks: { fixture: ChunkFixture; bytes: Uint8Array }[] = [];
  for (const one of series) {
    const names = Object.keys(one.labels).sort((a, b) => (a < b ? -1 : 1));
    for (const name of names) labels.push(symbolOf(name), symbolOf(one.labels[name]!));
    labelOffsets.push(labels.length / 2);
    for (const fixture of one.chunks) {
      const encode = fixture.encoding === "raw" ? encodeRaw : encodeXor;
      chunks.push({ fixture, bytes: fixture.bytes ?? encode(fixture.columns) });
    }
    chunkOffsets.push(chunks.length);
  }
  const texts = [...symbols.keys()].map((text) => Buffer.from(text, "utf8"));
  return {
    seriesCount: series.length,
    symbolBytes: new Uint8Array(Buffer.concat(texts)),
    symbolOffsets: Uint32Array.from(offsetsOf(texts)),
    labelOffsets: Uint32Array.from(labelOffsets),
    labels: Uint32Array.from(labels),
    chunkOffsets: Uint32Array.from(chunkOffsets),
    chunkMinTimesMs: Float64Array.from(chunks, ({ fixture }) =>
      Number(fixture.columns.timestampsMs[0] ?? 0n),
    ),
    chunkMaxTimesMs: Float64Array.from(chunks, ({ fixture }) =>
      Number(fixture.columns.timestampsMs.at(-1) ?? 0n),
    ),
    chunkEncodings: Uint8Array.from(
      chunks,
      ({ fixture }) => CHUNK_ENCODING[fixture.encoding ?? "xor"],
    ),
    chunkByteOffsets: Uint32Array.from(offsetsOf(chunks.map(({ bytes }) => bytes)).slice(0, -1)),
    chunkByteLengths: Uint32Array.from(chunks, ({ bytes }) => bytes.length),
    data: new Uint8Array(Buffer.concat(chunks.map(({ bytes }) => bytes))),
  };
}

function offsetsOf(parts: readonly Uint8Array[]): number[] {
  const offsets = [0];
  for (const part of parts) offsets.push(offsets.at(-1)! + part.length);
  return offsets;
}
