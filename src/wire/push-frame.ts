import { crc32c } from "../kernel/host/crc32c.ts";

/**
 * Push frames (docs/formats/push-frame.md), which carry samples from distributors to ingesters, in plain TypeScript: for
 * admission, error messages and tests. On the hot path the kernel writes and reads them
 * (kernel/assembly/push-frame*.ts), with the same bytes and the same rules.
 */

/** The shape of rpc/ingester.ts' SeriesBatch. */
export interface PushFrameBatch {
  readonly seriesCount: number;
  readonly ids: Uint8Array;
  readonly sampleOffsets: Uint32Array;
  readonly timestampsMs: BigInt64Array;
  readonly values: Float64Array;
  readonly labels?: { readonly bytes: Uint8Array; readonly offsets: Uint32Array };
}

export interface PushFrameHeader {
  readonly seriesCount: number;
  readonly sampleCount: number;
  /** Of all canonical label bytes together. */
  readonly labelBytes: number;
}

/** The frame cannot be read; nothing of it counts. */
export interface PushFrameMalformed {
  /** What is wrong, to follow "malformed push frame: ". */
  readonly malformed: string;
  readonly offsetBytes: number;
}

/** "MNPF" */
const MAGIC = 0x46504e4d;
const VERSION = 1;
const FLAG_ONE_SAMPLE = 1;
const HEADER_BYTES = 20;
const CRC_BYTES = 4;
const LABELS_MAX = 65_535;

// --------------------------------------------------------------------------------------------- encode

export function encodePushFrame(batch: PushFrameBatch): Uint8Array {
  const { seriesCount, ids, sampleOffsets, labels } = batch;
  const sampleCount = sampleOffsets[seriesCount] ?? 0;
  const labelBytes = labels?.bytes.subarray(0, labels.offsets[seriesCount]) ?? new Uint8Array(0);
  const counts = differences(sampleOffsets, seriesCount);
  const oneSampleEach = counts.every((count) => count === 1);

  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(VERSION, 4);
  header.writeUInt16LE(oneSampleEach ? FLAG_ONE_SAMPLE : 0, 6);
  header.writeUInt32LE(seriesCount, 8);
  header.writeUInt32LE(sampleCount, 12);
  header.writeUInt32LE(labelBytes.length, 16);

  const varints: number[] = [];
  if (!oneSampleEach) for (const count of counts) putVarint(varints, BigInt(count));
  putTimes(varints, batch.timestampsMs.subarray(0, sampleCount));
  if (labels && labelBytes.length > 0) {
    for (const length of differences(labels.offsets, seriesCount)) {
      putVarint(varints, BigInt(length));
    }
  }
  const values = Buffer.alloc(8 * sampleCount);
  const bits = bitsOf(batch.values);
  for (let i = 0; i < sampleCount; i++)
    values.writeBigUInt64LE(bits.getBigUint64(8 * i, true), 8 * i);

  const parts = [
    header,
    ids.subarray(0, 16 * seriesCount),
    values,
    Buffer.from(varints),
    labelBytes,
  ];
  const crc = Buffer.alloc(CRC_BYTES);
  crc.writeUInt32LE(crc32c(Buffer.concat(parts)));
  return new Uint8Array(Buffer.concat([...parts, crc]));
}

function differences(offsets: Uint32Array, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (offsets[i + 1] ?? 0) - (offsets[i] ?? 0));
}

/** Distances from time to time, starting at 0, modulo 2^64. */
function putTimes(out: number[], timestampsMs: BigInt64Array): void {
  let previous = 0n;
  for (const time of timestampsMs) {
    const distance = BigInt.asIntN(64, time - previous);
    putVarint(out, BigInt.asUintN(64, (distance << 1n) ^ (distance >> 63n)));
    previous = time;
  }
}

function putVarint(out: number[], value: bigint): void {
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
  out.push(Number(rest));
}

/** Bits, because a number need not keep those of a NaN. */
function bitsOf(values: Float64Array): DataView {
  return new DataView(values.buffer, values.byteOffset, values.byteLength);
}

// --------------------------------------------------------------------------------------------- decode

/** Looks at the first bytes only. What it answers is no more than a frame of this length can hold. */
export function readPushFrameHeader(bytes: Uint8Array): PushFrameHeader | PushFrameMalformed {
  if (bytes.length < HEADER_BYTES + CRC_BYTES) {
    return fault(`${bytes.length} bytes are too few`, 0);
  }
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) return fault('it does not begin with "MNPF"', 0);
  const version = view.getUint16(4, true);
  if (version !== VERSION) return fault(`version ${version} is unknown, only ${VERSION} is`, 4);
  const flags = view.getUint16(6, true);
  if ((flags & ~FLAG_ONE_SAMPLE) !== 0) return fault(`unknown flags ${flags}`, 6);
  const seriesCount = view.getUint32(8, true);
  const sampleCount = view.getUint32(12, true);
  const labelBytes = view.getUint32(16, true);
  const oneSampleEach = flags === FLAG_ONE_SAMPLE;
  if (oneSampleEach && sampleCount !== seriesCount) {
    return fault(`one sample each, but ${seriesCount} series and ${sampleCount} samples`, 8);
  }
  const perSeries = 16 + (oneSampleEach ? 0 : 1) + (labelBytes > 0 ? 1 : 0);
  const least = HEADER_BYTES + perSeries * seriesCount + 9 * sampleCount + labelBytes + CRC_BYTES;
  if (least > bytes.length) {
    const claim = `${seriesCount} series, ${sampleCount} samples and ${labelBytes} label bytes`;
    return fault(`${claim} do not fit into ${bytes.length} bytes`, 8);
  }
  return { seriesCount, sampleCount, labelBytes };
}

export function decodePushFrame(bytes: Uint8Array): PushFrameBatch | PushFrameMalformed {
  const header = readPushFrameHeader(bytes);
  if ("malformed" in header) return header;
  const { seriesCount, sampleCount, labelBytes } = header;
  const end = bytes.length - CRC_BYTES;
  const view = viewOf(bytes);
  if (view.getUint32(end, true) !== crc32c(bytes.subarray(0, end))) {
    return fault("the checksum does not match", end);
  }
  const valuesAt = HEADER_BYTES + 16 * seriesCount;
  const ids = bytes.slice(HEADER_BYTES, valuesAt);
  const values = new Float64Array(sampleCount);
  const bits = bitsOf(values);
  for (let at = 0; at < 8 * sampleCount; at += 8) {
    bits.setBigUint64(at, view.getBigUint64(valuesAt + at, true), true);
  }

  const cursor: Cursor = { bytes, at: valuesAt + 8 * sampleCount, end };
  const oneSampleEach = (view.getUint16(6, true) & FLAG_ONE_SAMPLE) !== 0;
  const sampleOffsets = oneSampleEach
    ? Uint32Array.from({ length: seriesCount + 1 }, (_, i) => i)
    : readOffsets(cursor, seriesCount, sampleCount);
  if (!sampleOffsets) return fault("the sample counts are not those of the header", cursor.at);
  const timestampsMs = readTimes(cursor, sampleCount);
  if (!timestampsMs) return fault("a timestamp is cut off or too long", cursor.at);
  const batch = { seriesCount, ids, sampleOffsets, timestampsMs, values };
  if (labelBytes === 0) return cursor.at === end ? batch : fault("bytes are left over", cursor.at);

  const offsets = readOffsets(cursor, seriesCount, labelBytes);
  if (!offsets) return fault("the label lengths are not that of the header", cursor.at);
  if (end - cursor.at !== labelBytes)
    return fault("the label bytes are not as many as the header says", cursor.at);
  const labels = { bytes: bytes.slice(cursor.at, end), offsets };
  for (let i = 0; i < seriesCount; i++) {
    const [from, to] = [offsets[i] ?? 0, offsets[i + 1] ?? 0];
    if (areLabels(labels.bytes.subarray(from, to))) continue;
    return fault(`the labels of series ${i} are cut off or too many`, cursor.at + from);
  }
  return { ...batch, labels };
}

interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;
}

/** Counts as offsets; undefined if they do not add up to the total. */
function readOffsets(cursor: Cursor, count: number, total: number): Uint32Array | undefined {
  const offsets = new Uint32Array(count + 1);
  let sum = 0;
  for (let i = 1; i <= count; i++) {
    const value = readVarint(cursor);
    if (value === undefined || value > total - sum) return undefined;
    sum += Number(value);
    offsets[i] = sum;
  }
  return sum === total ? offsets : undefined;
}

function readTimes(cursor: Cursor, count: number): BigInt64Array | undefined {
  const times = new BigInt64Array(count);
  let time = 0n;
  for (let i = 0; i < count; i++) {
    const value = readVarint(cursor);
    if (value === undefined) return undefined;
    // The array keeps the low 64 bits.
    times[i] = time + ((value >> 1n) ^ -(value & 1n));
    time = times[i] ?? 0n;
  }
  return times;
}

/** undefined, and the cursor stays, if it is cut off or takes more than 64 bits. */
function readVarint(cursor: Cursor): bigint | undefined {
  let value = 0n;
  for (let i = 0; i < 10 && cursor.at + i < cursor.end; i++) {
    const byte = cursor.bytes[cursor.at + i] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte >= 0x80) continue;
    if (value >= 2n ** 64n) return undefined;
    cursor.at += i + 1;
    return value;
  }
  return undefined;
}

/** Canonical label bytes: pairs of byte strings with their lengths. */
function areLabels(bytes: Uint8Array): boolean {
  const cursor: Cursor = { bytes, at: 0, end: bytes.length };
  let count = 0;
  for (; cursor.at < cursor.end; count++) {
    if (!skipBytes(cursor) || !skipBytes(cursor)) return false;
  }
  return count <= LABELS_MAX;
}

function skipBytes(cursor: Cursor): boolean {
  const length = readVarint(cursor);
  if (length === undefined || length > cursor.end - cursor.at) return false;
  cursor.at += Number(length);
  return true;
}

function fault(malformed: string, offsetBytes: number): PushFrameMalformed {
  return { malformed, offsetBytes };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
