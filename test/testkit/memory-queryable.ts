/** Series in plain arrays behind the Queryable interface: for tests of what reads. Times and values as they are given. */
import { type Labels, labelValue, METRIC_NAME } from "../../src/model/labels.ts";
import type { Matcher } from "../../src/model/matchers.ts";
import { CHUNK_ENCODING, type EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import type {
  LabelsRequest,
  Queryable,
  SelectRequest,
  SeriesRequest,
} from "../../src/storage/queryable.ts";

export interface TestSeries {
  readonly labels: Labels;
  /** Chunks of (time ms, value), each sorted by time. */
  readonly chunks: readonly (readonly (readonly [timeMs: number, value: number])[])[];
}

/** One chunk of samples `startMs`, `startMs + stepMs`, … */
export function testSeries(
  labels: Readonly<Record<string, string>>,
  startMs: number,
  stepMs: number,
  values: readonly number[],
): TestSeries {
  return {
    labels: labelsOf(labels),
    chunks: [values.map((value, i) => [startMs + i * stepMs, value] as const)],
  };
}

export function labelsOf(labels: Readonly<Record<string, string>>): Labels {
  return Object.entries(labels)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function encodeSeries(all: readonly TestSeries[]): EncodedSeriesSet {
  const symbols = new Map<string, number>();
  const symbol = (text: string): number => {
    if (!symbols.has(text)) symbols.set(text, symbols.size);
    return symbols.get(text) as number;
  };
  const labels: number[] = [];
  const labelOffsets = [0];
  const chunkOffsets = [0];
  const chunks: { minTimeMs: number; maxTimeMs: number; bytes: Uint8Array }[] = [];
  for (const series of all) {
    for (const label of series.labels) labels.push(symbol(label.name), symbol(label.value));
    labelOffsets.push(labels.length / 2);
    for (const samples of series.chunks) {
      const times = samples.map(([timeMs]) => timeMs);
      const bytes = encodeRaw(samples);
      chunks.push({ minTimeMs: times[0] ?? 0, maxTimeMs: times.at(-1) ?? 0, bytes });
    }
    chunkOffsets.push(chunks.length);
  }
  const symbolTexts = [...symbols.keys()].map((text) => new TextEncoder().encode(text));
  return {
    seriesCount: all.length,
    symbolBytes: concatenated(symbolTexts),
    symbolOffsets: Uint32Array.from(offsetsOf(symbolTexts)),
    labelOffsets: Uint32Array.from(labelOffsets),
    labels: Uint32Array.from(labels),
    chunkOffsets: Uint32Array.from(chunkOffsets),
    chunkMinTimesMs: Float64Array.from(chunks, (chunk) => chunk.minTimeMs),
    chunkMaxTimesMs: Float64Array.from(chunks, (chunk) => chunk.maxTimeMs),
    chunkEncodings: Uint8Array.from(chunks, () => CHUNK_ENCODING.raw),
    chunkByteOffsets: Uint32Array.from(offsetsOf(chunks.map((chunk) => chunk.bytes)).slice(0, -1)),
    chunkByteLengths: Uint32Array.from(chunks, (chunk) => chunk.bytes.length),
    data: concatenated(chunks.map((chunk) => chunk.bytes)),
  };
}

/** The inverse, for sets of raw chunks. */
export function decodeSeries(set: EncodedSeriesSet): TestSeries[] {
  const text = (symbol: number): string =>
    new TextDecoder().decode(
      set.symbolBytes.subarray(set.symbolOffsets[symbol], set.symbolOffsets[symbol + 1]),
    );
  return Array.from({ length: set.seriesCount }, (_, i) => {
    const pairs = set.labels.subarray(
      2 * (set.labelOffsets[i] as number),
      2 * (set.labelOffsets[i + 1] as number),
    );
    const labels = Array.from({ length: pairs.length / 2 }, (__, pair) => ({
      name: text(pairs[2 * pair] as number),
      value: text(pairs[2 * pair + 1] as number),
    }));
    const first = set.chunkOffsets[i] as number;
    const chunks = Array.from({ length: (set.chunkOffsets[i + 1] as number) - first }, (__, c) => {
      const offset = set.chunkByteOffsets[first + c] as number;
      const length = set.chunkByteLengths[first + c] as number;
      return decodeRaw(set.data.subarray(offset, offset + length));
    });
    return { labels, chunks };
  });
}

export class MemoryQueryable implements Queryable {
  readonly #byTenant: ReadonlyMap<string, readonly TestSeries[]>;
  /** Every call, for tests that count them. */
  readonly selects: SelectRequest[] = [];

  constructor(byTenant: Readonly<Record<string, readonly TestSeries[]>>) {
    this.#byTenant = new Map(Object.entries(byTenant));
  }

  async select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    this.selects.push(request);
    return encodeSeries(this.#find(tenant, [request.matchers], request));
  }

  async labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    const found = this.#find(tenant, request.matcherSets, request);
    const names = found.flatMap((series) => series.labels.map((label) => label.name));
    return limited([...new Set(names)].sort(), request.limit);
  }

  async labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const found = this.#find(tenant, request.matcherSets, request);
    const values = found.map((series) => labelValue(series.labels, name));
    return limited([...new Set(values)].filter((value) => value !== "").sort(), request.limit);
  }

  async series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    const found = this.#find(tenant, request.matcherSets, request);
    const keyed = found.map((series) => ({ labels: series.labels, key: sortKey(series.labels) }));
    keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
    return limited(
      keyed.map((one) => one.labels),
      request.limit,
    );
  }

  #find(
    tenant: string,
    matcherSets: readonly (readonly Matcher[])[],
    { minTimeMs, maxTimeMs }: { minTimeMs: number; maxTimeMs: number },
  ): readonly TestSeries[] {
    return (this.#byTenant.get(tenant) ?? []).filter((series) => {
      const asked =
        matcherSets.length === 0 ||
        matcherSets.some((set) => set.every((matcher) => matches(matcher, series.labels)));
      const times = series.chunks.flat().map(([timeMs]) => timeMs);
      return asked && times.some((timeMs) => timeMs >= minTimeMs && timeMs <= maxTimeMs);
    });
  }
}

function sortKey(labels: Labels): string {
  const name = labelValue(labels, METRIC_NAME);
  return `${name}\0${labels.map((label) => `${label.name}\0${label.value}`).join("\0")}`;
}

function limited<Item>(items: Item[], limit: number): Item[] {
  return limit > 0 ? items.slice(0, limit) : items;
}

function matches(matcher: Matcher, labels: Labels): boolean {
  const value = labelValue(labels, matcher.name);
  switch (matcher.type) {
    case "=":
      return value === matcher.value;
    case "!=":
      return value !== matcher.value;
    case "=~":
      return new RegExp(`^(?:${matcher.value})$`, "su").test(value);
    case "!~":
      return !new RegExp(`^(?:${matcher.value})$`, "su").test(value);
  }
}

function encodeRaw(samples: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = new Uint8Array(samples.length * 16);
  const view = new DataView(bytes.buffer);
  for (const [i, [timeMs, value]] of samples.entries()) {
    view.setBigInt64(i * 16, BigInt(timeMs), true);
    view.setFloat64(i * 16 + 8, value, true);
  }
  return bytes;
}

function decodeRaw(bytes: Uint8Array): [number, number][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 16 }, (_, i) => [
    Number(view.getBigInt64(i * 16, true)),
    view.getFloat64(i * 16 + 8, true),
  ]);
}

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function offsetsOf(parts: readonly Uint8Array[]): number[] {
  const offsets = [0];
  for (const part of parts) offsets.push((offsets[offsets.length - 1] ?? 0) + part.length);
  return offsets;
}
