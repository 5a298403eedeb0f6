import { crc32c } from "../../kernel/host/crc32c.ts";

/**
 * The bytes of a head-chunk file; docs/formats/head-chunks.md is the page about it. Little-endian.
 * The kernel makes the frames (a head's closed chunks), this folder stores them and gives them back.
 *
 *     file     header frame*
 *     header   0  8  magic "MUNINHCK"
 *              8  2  version (1)
 *             10  2  zero
 *             12  4  file number
 *     frame    0  4  series ref
 *              4  8  minimum time, int64 milliseconds
 *             12  8  maximum time, int64 milliseconds
 *             20  1  encoding (1 = XOR)
 *             21  1  flags (bit 0: out of order)
 *             22  2  n, length of the data
 *             24  n  data
 *           24+n  4  CRC-32C of bytes 0..24+n
 */
export const FILE_HEADER_BYTES = 16;
/** Before the data of a chunk. */
export const FRAME_HEADER_BYTES = 24;
/** After the data of a chunk. */
export const FRAME_TRAILER_BYTES = 4;

const MAGIC = new TextEncoder().encode("MUNINHCK");
const VERSION = 1;

export function encodeFileHeader(file: number): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, file, true);
  return bytes;
}

export interface BadBytes {
  readonly offsetBytes: number;
  readonly message: string;
}

/** What is wrong with the header of the file that is named `file`. */
export function checkFileHeader(bytes: Uint8Array, file: number): BadBytes | undefined {
  if (bytes.length < FILE_HEADER_BYTES) {
    return { offsetBytes: 0, message: `the file ends after ${bytes.length} bytes of its header` };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, FILE_HEADER_BYTES);
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    return { offsetBytes: 0, message: "this is not a head-chunk file (wrong magic)" };
  }
  const version = view.getUint16(8, true);
  if (version !== VERSION || view.getUint16(10, true) !== 0) {
    const message = `format version ${version} is unknown (this program reads version ${VERSION})`;
    return { offsetBytes: 8, message };
  }
  const inside = view.getUint32(12, true);
  if (inside === file) return undefined;
  return { offsetBytes: 12, message: `it is file ${inside} by its header` };
}

/** One closed chunk of a head. */
export interface HeadChunk {
  readonly seriesRef: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly encoding: number;
  readonly flags: number;
  /** Where its frame begins; the data begin FRAME_HEADER_BYTES later. */
  readonly offsetBytes: number;
  /** A copy. */
  readonly data: Uint8Array;
}

/** The length of the frame whose header is at `at`. */
export function frameLength(view: DataView, at: number): number {
  return FRAME_HEADER_BYTES + view.getUint16(at + 22, true) + FRAME_TRAILER_BYTES;
}

export function frameMaxTimeMs(view: DataView, at: number): number {
  // Exact up to 2^53 ms, and several times as fast as a BigInt.
  return view.getInt32(at + 16, true) * 4294967296 + view.getUint32(at + 12, true);
}

/** The frame of `length` bytes at `at`, which stands at `offsetBytes` in its file; undefined if it is damaged. */
export function decodeFrame(
  bytes: Uint8Array,
  at: number,
  length: number,
  offsetBytes: number,
): HeadChunk | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
  const dataEnd = length - FRAME_TRAILER_BYTES;
  if (view.getUint32(dataEnd, true) !== crc32c(bytes.subarray(at, at + dataEnd))) return undefined;
  return {
    seriesRef: view.getUint32(0, true),
    minTimeMs: Number(view.getBigInt64(4, true)),
    maxTimeMs: Number(view.getBigInt64(12, true)),
    encoding: view.getUint8(20),
    flags: view.getUint8(21),
    offsetBytes,
    data: bytes.slice(at + FRAME_HEADER_BYTES, at + dataEnd),
  };
}

/** A frame as the kernel makes it, for tests and tools. */
export function encodeFrame(chunk: Omit<HeadChunk, "offsetBytes">): Uint8Array {
  const dataEnd = FRAME_HEADER_BYTES + chunk.data.length;
  const bytes = new Uint8Array(dataEnd + FRAME_TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, chunk.seriesRef, true);
  view.setBigInt64(4, BigInt(chunk.minTimeMs), true);
  view.setBigInt64(12, BigInt(chunk.maxTimeMs), true);
  view.setUint8(20, chunk.encoding);
  view.setUint8(21, chunk.flags);
  view.setUint16(22, chunk.data.length, true);
  bytes.set(chunk.data, FRAME_HEADER_BYTES);
  view.setUint32(dataEnd, crc32c(bytes.subarray(0, dataEnd)), true);
  return bytes;
}

const NAME = /^\d{6,}$/;

export function fileName(file: number): string {
  return String(file).padStart(6, "0");
}

/** Undefined for names that are none of ours. */
export function parseFileName(name: string): number | undefined {
  return NAME.test(name) ? Number(name) : undefined;
}
