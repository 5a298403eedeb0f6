/**
 * An EncodedSeriesSet as bytes; docs/formats/series-set-frame.md is the page about it. Little-endian, which every
 * machine that Node runs on is: columns are sent as they lie in memory, and read in place.
 *
 *     frame     header columns checksum
 *     header    0  8  magic "MUNINSET"
 *               8  2  version (1)
 *              10  2  zero
 *              12  4  S, series           16  4  Y, symbols     20  4  L, label pairs
 *              24  4  C, chunks           28  4  B, bytes of symbols
 *              32  4  D, bytes of chunks  36  4  zero
 *     columns   in the order of COLUMNS, each filled up with zeros to a multiple of 8 bytes
 *     checksum  CRC-32C of all that stands before it
 *
 * Neither side ever holds the frame twice: the sender walks over `frameBlocks`, the receiver hands what arrives to a
 * `SeriesSetReceiver`, and the checksum is computed along the way.
 */
import { crc32c } from "../kernel/host/crc32c.ts";
import { CHUNK_ENCODING, type EncodedSeriesSet } from "./encoded-series.ts";

const MAGIC = new TextEncoder().encode("MUNINSET");
const VERSION = 1;
const HEADER_BYTES = 40;
const CHECKSUM_BYTES = 4;
const ALIGNMENT_BYTES = 8;
/** Large enough that a block costs next to nothing, small enough that its checksum holds up nobody. */
const BLOCK_BYTES = 256 * 1024;
const RAW_SAMPLE_BYTES = 16;

interface Counts {
  readonly series: number;
  readonly symbols: number;
  readonly labelPairs: number;
  readonly chunks: number;
  readonly symbolBytes: number;
  readonly dataBytes: number;
}

type ColumnName = Exclude<keyof EncodedSeriesSet, "seriesCount" | "warnings">;

interface Column {
  readonly name: ColumnName;
  readonly elementBytes: 1 | 4 | 8;
  readonly length: (counts: Counts) => number;
}

const COLUMNS: readonly Column[] = [
  { name: "chunkMinTimesMs", elementBytes: 8, length: (counts) => counts.chunks },
  { name: "chunkMaxTimesMs", elementBytes: 8, length: (counts) => counts.chunks },
  { name: "symbolOffsets", elementBytes: 4, length: (counts) => counts.symbols + 1 },
  { name: "labelOffsets", elementBytes: 4, length: (counts) => counts.series + 1 },
  { name: "labels", elementBytes: 4, length: (counts) => 2 * counts.labelPairs },
  { name: "chunkOffsets", elementBytes: 4, length: (counts) => counts.series + 1 },
  { name: "chunkByteOffsets", elementBytes: 4, length: (counts) => counts.chunks },
  { name: "chunkByteLengths", elementBytes: 4, length: (counts) => counts.chunks },
  { name: "chunkEncodings", elementBytes: 1, length: (counts) => counts.chunks },
  { name: "symbolBytes", elementBytes: 1, length: (counts) => counts.symbolBytes },
  { name: "data", elementBytes: 1, length: (counts) => counts.dataBytes },
];

export type DecodedSeriesSet =
  | { readonly kind: "set"; readonly set: EncodedSeriesSet }
  | { readonly kind: "malformed"; readonly message: string };

export function frameSizeBytes(set: EncodedSeriesSet): number {
  return sizeOf(countsOf(set));
}

/** The frame in pieces, some of them views of the set, which must not change until the last one is used. */
export function* frameBlocks(set: EncodedSeriesSet): Generator<Uint8Array, void, undefined> {
  const counts = countsOf(set);
  let checksum = 0;
  for (const part of partsOf(set, counts)) {
    for (let at = 0; at < part.length; at += BLOCK_BYTES) {
      const block = part.subarray(at, at + BLOCK_BYTES);
      checksum = crc32c(block, checksum);
      yield block;
    }
  }
  const end = new Uint8Array(CHECKSUM_BYTES);
  new DataView(end.buffer).setUint32(0, checksum, true);
  yield end;
}

/** The frame in one piece. */
export function encodeSeriesSet(set: EncodedSeriesSet): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(frameSizeBytes(set));
  let at = 0;
  for (const block of frameBlocks(set)) {
    bytes.set(block, at);
    at += block.length;
  }
  return bytes;
}

export function decodeSeriesSet(bytes: Uint8Array): DecodedSeriesSet {
  const receiver = new SeriesSetReceiver(bytes.length);
  receiver.append(bytes);
  return receiver.finish();
}

/** Takes the bytes of one frame as they come, into the one buffer that the columns of the set then are views of. */
export class SeriesSetReceiver {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #checkedBytes: number;
  #filledBytes = 0;
  #checksum = 0;

  /** `sizeBytes` as announced: the caller has checked that it may be as much. */
  constructor(sizeBytes: number) {
    // Not from Node's pool: the buffer moves to a worker as it is. Whatever it holds is overwritten or never shown.
    const buffer = Buffer.allocUnsafeSlow(sizeBytes);
    this.#bytes = new Uint8Array(buffer.buffer, 0, sizeBytes);
    this.#checkedBytes = Math.max(0, sizeBytes - CHECKSUM_BYTES);
  }

  /** Bytes beyond the announced size are counted and dropped; `finish` then says so. */
  append(chunk: Uint8Array): void {
    const at = this.#filledBytes;
    this.#filledBytes += chunk.length;
    const kept = chunk.subarray(0, Math.max(0, this.#bytes.length - at));
    this.#bytes.set(kept, Math.min(at, this.#bytes.length));
    if (at >= this.#checkedBytes) return;
    this.#checksum = crc32c(kept.subarray(0, this.#checkedBytes - at), this.#checksum);
  }

  /** The set, if its bytes are whole and no offset in it leads outside of its column. */
  finish(): DecodedSeriesSet {
    const bytes = this.#bytes;
    if (this.#filledBytes !== bytes.length) {
      return malformed(`${bytes.length} bytes were announced and ${this.#filledBytes} came`);
    }
    const counts = readHeader(bytes);
    if (typeof counts === "string") return malformed(counts);
    const stored = new DataView(bytes.buffer).getUint32(this.#checkedBytes, true);
    if (stored !== this.#checksum) return malformed("the checksum is wrong");
    const set = viewsOf(bytes, counts);
    const fault = faultOf(set, counts);
    return fault === undefined ? { kind: "set", set } : malformed(fault);
  }
}

function malformed(message: string): DecodedSeriesSet {
  return { kind: "malformed", message };
}

/** What the offsets reach is sent; columns may be longer. */
function countsOf(set: EncodedSeriesSet): Counts {
  return {
    series: set.seriesCount,
    symbols: set.symbolOffsets.length - 1,
    labelPairs: set.labelOffsets[set.seriesCount] ?? 0,
    chunks: set.chunkOffsets[set.seriesCount] ?? 0,
    symbolBytes: set.symbolOffsets.at(-1) ?? 0,
    dataBytes: set.data.length,
  };
}

function sizeOf(counts: Counts): number {
  const columns = COLUMNS.reduce(
    (sum, { elementBytes, length }) => sum + aligned(elementBytes * length(counts)),
    0,
  );
  return HEADER_BYTES + columns + CHECKSUM_BYTES;
}

function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}

function* partsOf(set: EncodedSeriesSet, counts: Counts): Generator<Uint8Array, void, undefined> {
  yield encodeHeader(counts);
  for (const { name, elementBytes, length } of COLUMNS) {
    const { buffer, byteOffset } = set[name];
    const sizeBytes = elementBytes * length(counts);
    yield new Uint8Array(buffer, byteOffset, sizeBytes);
    yield new Uint8Array(aligned(sizeBytes) - sizeBytes);
  }
}

function encodeHeader(counts: Counts): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, counts.series, true);
  view.setUint32(16, counts.symbols, true);
  view.setUint32(20, counts.labelPairs, true);
  view.setUint32(24, counts.chunks, true);
  view.setUint32(28, counts.symbolBytes, true);
  view.setUint32(32, counts.dataBytes, true);
  return bytes;
}

/** The counts, which then fit the length of the frame exactly; or what is wrong. */
function readHeader(bytes: Uint8Array): Counts | string {
  if (bytes.length < HEADER_BYTES + CHECKSUM_BYTES) {
    return `${bytes.length} bytes are too few for a frame`;
  }
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) return "it does not begin with MUNINSET";
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const version = view.getUint16(8, true);
  if (version !== VERSION) {
    return `it has version ${version} of the format, this program reads version ${VERSION}`;
  }
  const counts = {
    series: view.getUint32(12, true),
    symbols: view.getUint32(16, true),
    labelPairs: view.getUint32(20, true),
    chunks: view.getUint32(24, true),
    symbolBytes: view.getUint32(28, true),
    dataBytes: view.getUint32(32, true),
  };
  const sizeBytes = sizeOf(counts);
  if (sizeBytes === bytes.length) return counts;
  return `it has ${bytes.length} bytes, its header says ${sizeBytes}`;
}

function viewsOf(bytes: Uint8Array<ArrayBuffer>, counts: Counts): EncodedSeriesSet {
  let at = HEADER_BYTES;
  const take = (name: ColumnName): { readonly at: number; readonly length: number } => {
    const column = COLUMNS.find((one) => one.name === name) as Column;
    const length = column.length(counts);
    const taken = { at, length };
    at += aligned(column.elementBytes * length);
    return taken;
  };
  const { buffer } = bytes;
  const u8 = (name: ColumnName): Uint8Array => {
    const column = take(name);
    return new Uint8Array(buffer, column.at, column.length);
  };
  const u32 = (name: ColumnName): Uint32Array => {
    const column = take(name);
    return new Uint32Array(buffer, column.at, column.length);
  };
  const f64 = (name: ColumnName): Float64Array => {
    const column = take(name);
    return new Float64Array(buffer, column.at, column.length);
  };
  // In the order of COLUMNS.
  return {
    seriesCount: counts.series,
    chunkMinTimesMs: f64("chunkMinTimesMs"),
    chunkMaxTimesMs: f64("chunkMaxTimesMs"),
    symbolOffsets: u32("symbolOffsets"),
    labelOffsets: u32("labelOffsets"),
    labels: u32("labels"),
    chunkOffsets: u32("chunkOffsets"),
    chunkByteOffsets: u32("chunkByteOffsets"),
    chunkByteLengths: u32("chunkByteLengths"),
    chunkEncodings: u8("chunkEncodings"),
    symbolBytes: u8("symbolBytes"),
    data: u8("data"),
  };
}

/** The checksum shows damage; this shows a sender that is wrong. */
function faultOf(set: EncodedSeriesSet, counts: Counts): string | undefined {
  return (
    offsetsFault("symbolOffsets", set.symbolOffsets, counts.symbolBytes) ??
    offsetsFault("labelOffsets", set.labelOffsets, counts.labelPairs) ??
    offsetsFault("chunkOffsets", set.chunkOffsets, counts.chunks) ??
    symbolFault(set.labels, counts.symbols) ??
    chunksFault(set, counts.chunks)
  );
}

/** Offsets go up and end exactly where their column does. */
function offsetsFault(name: string, offsets: Uint32Array, end: number): string | undefined {
  let before = 0;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i] as number;
    if (offset < before) return `${name}[${i}] is ${offset}, less than the one before it`;
    before = offset;
  }
  return before === end ? undefined : `${name} ends at ${before} and its column at ${end}`;
}

function symbolFault(labels: Uint32Array, symbolCount: number): string | undefined {
  for (let i = 0; i < labels.length; i++) {
    const symbol = labels[i] as number;
    if (symbol >= symbolCount) return `labels[${i}] is symbol ${symbol} of ${symbolCount}`;
  }
  return undefined;
}

function chunksFault(set: EncodedSeriesSet, chunkCount: number): string | undefined {
  const dataBytes = set.data.length;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const lengthBytes = set.chunkByteLengths[chunk] as number;
    const end = (set.chunkByteOffsets[chunk] as number) + lengthBytes;
    if (end > dataBytes) return `chunk ${chunk} ends at byte ${end} of ${dataBytes}`;
    const encoding = set.chunkEncodings[chunk] as number;
    if (encoding === CHUNK_ENCODING.raw) {
      if (lengthBytes % RAW_SAMPLE_BYTES !== 0) {
        return `chunk ${chunk} of raw samples has ${lengthBytes} bytes`;
      }
    } else if (encoding !== CHUNK_ENCODING.xor) {
      return `chunk ${chunk} has encoding ${encoding}, which this program does not read`;
    }
    // Written so that NaN is a fault.
    if (!((set.chunkMinTimesMs[chunk] as number) <= (set.chunkMaxTimesMs[chunk] as number))) {
      return `chunk ${chunk} ends before it begins`;
    }
  }
  return undefined;
}
