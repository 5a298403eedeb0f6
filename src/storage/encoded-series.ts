/**
 * Series with their encoded chunks: what an ingester or a store-gateway answers to `select`, and what a
 * query worker is given. Columnar and made of typed arrays only, so that it moves between threads without
 * a copy and between processes with one.
 *
 *     series i: labels    labels[2*labelOffsets[i] .. 2*labelOffsets[i+1]]   (name symbol, value symbol) pairs
 *               chunks    chunkOffsets[i] .. chunkOffsets[i+1]
 *     symbol s: UTF-8     symbolBytes[symbolOffsets[s] .. symbolOffsets[s+1]]
 *     chunk c:  bytes     data[chunkByteOffsets[c] .. + chunkByteLengths[c]]
 *
 * Labels of a series are sorted by name. Series stand in no particular order. Chunks of a series are sorted
 * by minimum time; they may overlap (out-of-order samples, replicas), and where two chunks hold the same
 * timestamp the earlier chunk in this order wins. A chunk may hold samples outside of the time range asked.
 */
export interface EncodedSeriesSet {
  readonly seriesCount: number;
  readonly symbolBytes: Uint8Array;
  readonly symbolOffsets: Uint32Array;
  readonly labelOffsets: Uint32Array;
  readonly labels: Uint32Array;
  readonly chunkOffsets: Uint32Array;
  readonly chunkMinTimesMs: Float64Array;
  readonly chunkMaxTimesMs: Float64Array;
  readonly chunkEncodings: Uint8Array;
  readonly chunkByteOffsets: Uint32Array;
  readonly chunkByteLengths: Uint32Array;
  readonly data: Uint8Array;
  /** What whoever reads the answer has to know: why it may be incomplete. */
  readonly warnings?: readonly string[];
}

/** Prometheus' numbers where Prometheus has the encoding. */
export const CHUNK_ENCODING = {
  /** Gorilla XOR, Prometheus' bit layout: u16 big-endian sample count, then the bit stream. */
  xor: 1,
  /** Samples as they lie in memory: (int64 little-endian timestamp ms, float64 little-endian value), sorted. */
  raw: 128,
} as const;

/** Every ArrayBuffer of the set, for postMessage's transfer list. */
export function transferList(set: EncodedSeriesSet): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of Object.values(set)) {
    if (ArrayBuffer.isView(value)) buffers.add(value.buffer as ArrayBuffer);
  }
  return [...buffers];
}

export function emptySeriesSet(): EncodedSeriesSet {
  return {
    seriesCount: 0,
    symbolBytes: new Uint8Array(0),
    symbolOffsets: new Uint32Array(1),
    labelOffsets: new Uint32Array(1),
    labels: new Uint32Array(0),
    chunkOffsets: new Uint32Array(1),
    chunkMinTimesMs: new Float64Array(0),
    chunkMaxTimesMs: new Float64Array(0),
    chunkEncodings: new Uint8Array(0),
    chunkByteOffsets: new Uint32Array(0),
    chunkByteLengths: new Uint32Array(0),
    data: new Uint8Array(0),
  };
}
