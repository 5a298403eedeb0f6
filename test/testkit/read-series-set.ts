import { CHUNK_ENCODING, type EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { decodeXor } from "./xor.ts";

/**
 * What a set holds: per series (labels as text) its samples in time order, the earlier chunk winning at equal
 * times. Values as text, so that NaN and -0 compare.
 */
export function readSeriesSet(set: EncodedSeriesSet): Record<string, [number, string][]> {
  const read: Record<string, [number, string][]> = {};
  for (let series = 0; series < set.seriesCount; series++) {
    const samples = new Map<number, string>();
    for (
      let c = set.chunkOffsets[series] as number;
      c < (set.chunkOffsets[series + 1] as number);
      c++
    ) {
      for (const [timeMs, value] of readChunk(set, c)) {
        if (!samples.has(timeMs)) samples.set(timeMs, valueText(value));
      }
    }
    read[labelText(set, series)] = [...samples].sort(([a], [b]) => a - b);
  }
  return read;
}

export function valueText(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function readChunk(set: EncodedSeriesSet, chunk: number): [number, number][] {
  const begin = set.chunkByteOffsets[chunk] as number;
  const bytes = set.data.slice(begin, begin + (set.chunkByteLengths[chunk] as number));
  if (set.chunkEncodings[chunk] === CHUNK_ENCODING.xor) {
    const { timestampsMs, values } = decodeXor(bytes);
    return Array.from(values, (value, i) => [Number(timestampsMs[i]), value]);
  }
  const view = new DataView(bytes.buffer);
  return Array.from({ length: bytes.length / 16 }, (_, i) => [
    Number(view.getBigInt64(i * 16, true)),
    view.getFloat64(i * 16 + 8, true),
  ]);
}

function labelText(set: EncodedSeriesSet, series: number): string {
  const symbol = (index: number): string =>
    new TextDecoder().decode(
      set.symbolBytes.subarray(set.symbolOffsets[index], set.symbolOffsets[index + 1]),
    );
  const parts: string[] = [];
  for (
    let i = set.labelOffsets[series] as number;
    i < (set.labelOffsets[series + 1] as number);
    i++
  ) {
    parts.push(`${symbol(set.labels[2 * i] as number)}=${symbol(set.labels[2 * i + 1] as number)}`);
  }
  return parts.join(",");
}
