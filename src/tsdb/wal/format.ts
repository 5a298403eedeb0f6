import { assert } from "../../base/assert.ts";
import { crc32c } from "../../kernel/host/crc32c.ts";

/**
 * The bytes of a write-ahead log segment; docs/formats/wal.md is the page about it. Little-endian.
 *
 *     segment    header frame*
 *     header     0  8  magic "MUNINWAL"
 *                8  2  version (1)
 *               10  2  zero
 *               12  4  segment number
 *               16  4  where the segment before it ends (bytes that count); 0: nothing is known of it
 *               20  4  CRC-32C of bytes 0..20
 *     frame      0  4  CRC-32C of bytes 4..16+n
 *                4  4  n, length of the payload
 *                8  4  tenant number; 0: a record of the log itself
 *               12  1  type
 *               13  3  mark "WAL", by which frames are found again after damage
 *               16  n  payload
 *
 * Tenant number 0, type 1: a definition. Payload: u32 tenant number (1 and up), UTF-8 tenant id. It stands before
 * the first record of that tenant in each segment, so that any segment can be read alone.
 */
export const HEADER_BYTES = 24;
export const FRAME_HEADER_BYTES = 16;
const VERSION = 1;
const DEFINITION_TYPE = 1;

const MAGIC = new TextEncoder().encode("MUNINWAL");
/** The last four bytes of a frame header as one number: type in the lowest byte, then "WAL". */
const MARK = 0x4c415700;
const MARK_BYTES = new TextEncoder().encode("WAL");
const MARK_OFFSET = 13;

export interface SegmentHeader {
  readonly segment: number;
  readonly previousEndBytes: number;
}

export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(8, VERSION, true);
  view.setUint32(12, header.segment, true);
  view.setUint32(16, header.previousEndBytes, true);
  view.setUint32(20, crc32c(bytes.subarray(0, 20)), true);
  return bytes;
}

/** What is wrong, and at which byte. */
export interface BadBytes {
  readonly offsetBytes: number;
  readonly message: string;
}

/** The header of a segment that is named `segment`, or what is wrong with it. */
export function decodeHeader(bytes: Uint8Array, segment: number): SegmentHeader | BadBytes {
  if (bytes.length < HEADER_BYTES) {
    return { offsetBytes: 0, message: `the file ends after ${bytes.length} bytes of its header` };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) {
    return { offsetBytes: 0, message: "this is not a write-ahead log (wrong magic)" };
  }
  const version = view.getUint16(8, true);
  if (version !== VERSION) {
    const message = `format version ${version} is unknown (this program reads version ${VERSION})`;
    return { offsetBytes: 8, message };
  }
  if (view.getUint32(20, true) !== crc32c(bytes.subarray(0, 20))) {
    return { offsetBytes: 20, message: "the header's checksum does not match" };
  }
  const inside = view.getUint32(12, true);
  if (inside !== segment) {
    return { offsetBytes: 12, message: `it is segment ${inside} by its header` };
  }
  const previousEndBytes = view.getUint32(16, true);
  if (previousEndBytes > 0 && previousEndBytes < HEADER_BYTES) {
    return { offsetBytes: 16, message: "it says that the segment before has no header" };
  }
  return { segment, previousEndBytes };
}

/** Where a frame can be written: `at` in `bytes`, of which `view` is a view. */
export interface FrameTarget {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Writes a frame at `at` and returns its length. */
export function encodeFrame(
  target: FrameTarget,
  at: number,
  tenantNumber: number,
  type: number,
  payload: Uint8Array | readonly Uint8Array[],
): number {
  assert(type >= 0 && type <= 255, "a record type is a byte");
  let end = at + FRAME_HEADER_BYTES;
  if (payload instanceof Uint8Array) {
    target.bytes.set(payload, end);
    end += payload.length;
  } else {
    for (const part of payload) {
      target.bytes.set(part, end);
      end += part.length;
    }
  }
  target.view.setUint32(at + 4, end - at - FRAME_HEADER_BYTES, true);
  target.view.setUint32(at + 8, tenantNumber, true);
  target.view.setUint32(at + 12, MARK | type, true);
  target.view.setUint32(at, crc32c(target.bytes.subarray(at + 4, end)), true);
  return end - at;
}

/** The payload of a tenant definition; `encodeFrame` it with tenant number 0 and DEFINITION. */
export function encodeDefinition(tenantNumber: number, tenant: Uint8Array): Uint8Array {
  const payload = new Uint8Array(4 + tenant.length);
  new DataView(payload.buffer).setUint32(0, tenantNumber, true);
  payload.set(tenant, 4);
  return payload;
}

export const DEFINITION = { tenantNumber: 0, type: DEFINITION_TYPE } as const;

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Undefined if the payload is none. */
export function decodeDefinition(
  payload: Uint8Array,
): { readonly tenantNumber: number; readonly tenant: string } | undefined {
  if (payload.length < 5) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const tenantNumber = view.getUint32(0, true);
  if (tenantNumber === 0) return undefined;
  try {
    return { tenantNumber, tenant: decoder.decode(payload.subarray(4)) };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Length of the frame at `at` by its header, or undefined if there is no frame header. 16 bytes must be there. */
export function frameLength(view: DataView, at: number): number | undefined {
  if ((view.getUint32(at + 12, true) & 0xffffff00) >>> 0 !== MARK) return undefined;
  return FRAME_HEADER_BYTES + view.getUint32(at + 4, true);
}

/** Whether the frame of `length` bytes at `at` is as it was written. */
export function frameIsIntact(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
): boolean {
  return view.getUint32(at, true) === crc32c(bytes.subarray(at + 4, at + length));
}

/** Offset of the first intact frame that begins at `from` or later, if there is one. */
export function findFrame(bytes: Uint8Array, from: number): number | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let mark = buffer.indexOf(MARK_BYTES, from + MARK_OFFSET);
  while (mark !== -1) {
    const at = mark - MARK_OFFSET;
    if (at + FRAME_HEADER_BYTES <= bytes.length) {
      const length = frameLength(view, at);
      const fits = length !== undefined && at + length <= bytes.length;
      if (fits && frameIsIntact(bytes, view, at, length)) return at;
    }
    mark = buffer.indexOf(MARK_BYTES, mark + 1);
  }
  return undefined;
}

const NAME = /^(\d{8})(\.corrupt)?$/;

export function segmentName(segment: number): string {
  return String(segment).padStart(8, "0");
}

/** Undefined for files that are no segments. */
export function parseSegmentName(
  name: string,
): { readonly segment: number; readonly isCorrupt: boolean } | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  return { segment: Number(match[1]), isCorrupt: match[2] !== undefined };
}
