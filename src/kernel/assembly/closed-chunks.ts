/**
 * Closed chunks: their bytes leave the kernel as frames for the head-chunk file (docs/formats/head-chunks.md),
 * what stays is one record per chunk.
 *
 *     closed chunk record (32 bytes)
 *      0  i64 min time      16  u32 file             24  u16 data length
 *      8  i64 max time      20  u32 data offset      26  u8 flags (bit 0 = out-of-order)
 *                                                    27  u8 encoding      28  u32 -
 *
 * The records of a series lie in one area of 2, 4, 8, … records, in the order in which they were closed.
 * The host says before each call where the next frame will lie (`setFramePosition`) and takes the frames after it.
 */
import { bufferAddress, bufferLength, newBuffer, reserve, resetBuffer, setBufferLength } from "./buffer";
import { crc32c } from "./crc32c";
import { allocArea, releaseArea } from "./memory";
import * as S from "./series";
import { openChunkBytes, releaseOpenChunk, sealOpenChunk } from "./xor-append";

export const CLOSED_BYTES: usize = 32;
const MAX_TIME: usize = 8;
const FILE: usize = 16;
const DATA_OFFSET: usize = 20;
const DATA_LENGTH: usize = 24;
const CHUNK_FLAGS: usize = 26;
const ENCODING: usize = 27;

const FRAME_HEADER_BYTES: usize = 24;
const FRAME_CRC_BYTES: usize = 4;
const ENCODING_XOR: u8 = 1;
export const OUT_OF_ORDER_CHUNK: u8 = 1;

let frames: usize = 0;
let frameFile: u32 = 0;
let frameOffset: u32 = 0;

export function setFramePosition(file: u32, offset: u32): void {
  frameFile = file;
  frameOffset = offset;
}

export function framesAddress(): usize {
  return frames == 0 ? 0 : bufferAddress(frames);
}

export function framesLength(): usize {
  return frames == 0 ? 0 : bufferLength(frames);
}

export function resetFrames(): void {
  if (frames != 0) resetBuffer(frames, 1 << 20);
}

// @ts-ignore: decorator
@inline
function closedArea(count: u32): usize {
  return CLOSED_BYTES * (count <= 2 ? 2 : <usize>1 << (32 - clz<u32>(count - 1)));
}

/** Moves the open chunk of `holder` out: a frame, and a closed record on `record` (the same but for side buffers). */
export function closeChunk(record: usize, ref: u32, holder: usize, flags: u8): void {
  const data = sealOpenChunk(holder);
  const length = openChunkBytes(holder);
  const minTime = load<i64>(holder, S.OPEN_MIN_TIME);
  const maxTime = load<i64>(holder, S.LAST_TIME);
  putFrame(ref, minTime, maxTime, flags, data, length);
  const closed = addClosed(record);
  store<i64>(closed, minTime);
  store<i64>(closed, maxTime, MAX_TIME);
  store<u32>(closed, frameFile, FILE);
  store<u32>(closed, frameOffset + <u32>FRAME_HEADER_BYTES, DATA_OFFSET);
  store<u16>(closed, <u16>length, DATA_LENGTH);
  store<u8>(closed, flags, CHUNK_FLAGS);
  store<u8>(closed, ENCODING_XOR, ENCODING);
  store<u32>(closed, 0, 28);
  frameOffset += <u32>(FRAME_HEADER_BYTES + length + FRAME_CRC_BYTES);
  releaseOpenChunk(holder);
}

function putFrame(ref: u32, minTime: i64, maxTime: i64, flags: u8, data: usize, length: usize): void {
  if (frames == 0) frames = newBuffer();
  const size = FRAME_HEADER_BYTES + length + FRAME_CRC_BYTES;
  const at = reserve(frames, size);
  store<u32>(at, ref);
  store<i64>(at, minTime, 4);
  store<i64>(at, maxTime, 12);
  store<u8>(at, ENCODING_XOR, 20);
  store<u8>(at, flags, 21);
  store<u16>(at, <u16>length, 22);
  memory.copy(at + FRAME_HEADER_BYTES, data, length);
  store<u32>(at + FRAME_HEADER_BYTES + length, crc32c(at, <u32>(FRAME_HEADER_BYTES + length), 0));
  setBufferLength(frames, bufferLength(frames) + size);
}

/** Room for one more record, its fields not set. */
function addClosed(record: usize): usize {
  const count: u32 = load<u32>(record, S.CLOSED_COUNT);
  let at = <usize>load<u32>(record, S.CLOSED);
  if (count == 0) {
    at = allocArea(closedArea(1));
    store<u32>(record, <u32>at, S.CLOSED);
  } else if (closedArea(count + 1) != closedArea(count)) {
    const area = allocArea(closedArea(count + 1));
    memory.copy(area, at, <usize>count * CLOSED_BYTES);
    releaseArea(at, closedArea(count));
    at = area;
    store<u32>(record, <u32>at, S.CLOSED);
  }
  store<u32>(record, count + 1, S.CLOSED_COUNT);
  return at + <usize>count * CLOSED_BYTES;
}

/** Takes over `count` records as they were exported. */
export function restoreClosed(record: usize, source: usize, count: u32): void {
  releaseClosed(record);
  if (count == 0) return;
  const area = allocArea(closedArea(count));
  memory.copy(area, source, <usize>count * CLOSED_BYTES);
  store<u32>(record, <u32>area, S.CLOSED);
  store<u32>(record, count, S.CLOSED_COUNT);
}

export function releaseClosed(record: usize): void {
  const count: u32 = load<u32>(record, S.CLOSED_COUNT);
  if (count != 0) releaseArea(load<u32>(record, S.CLOSED), closedArea(count));
  store<u32>(record, 0, S.CLOSED_COUNT);
  store<u32>(record, 0, S.CLOSED);
}

/** Forgets closed chunks that end before `minTime`. */
export function truncateClosed(record: usize, minTime: i64): void {
  const count: u32 = load<u32>(record, S.CLOSED_COUNT);
  const at = <usize>load<u32>(record, S.CLOSED);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const from = at + <usize>i * CLOSED_BYTES;
    if (load<i64>(from, MAX_TIME) < minTime) continue;
    if (kept != i) memory.copy(at + <usize>kept * CLOSED_BYTES, from, CLOSED_BYTES);
    kept++;
  }
  if (kept == count) return;
  if (kept == 0) return releaseClosed(record);
  const oldArea = closedArea(count);
  const newArea = closedArea(kept);
  if (newArea != oldArea) {
    const area = allocArea(newArea);
    memory.copy(area, at, <usize>kept * CLOSED_BYTES);
    releaseArea(at, oldArea);
    store<u32>(record, <u32>area, S.CLOSED);
  }
  store<u32>(record, kept, S.CLOSED_COUNT);
}

/** Least time in the closed chunks, or `otherwise` if that is less. */
export function minClosedTime(record: usize, otherwise: i64): i64 {
  const count: u32 = load<u32>(record, S.CLOSED_COUNT);
  const at = <usize>load<u32>(record, S.CLOSED);
  for (let i: u32 = 0; i < count; i++) {
    otherwise = min<i64>(otherwise, load<i64>(at + <usize>i * CLOSED_BYTES));
  }
  return otherwise;
}

/** Sets the byte of each file that the series refers to: used[file - firstFile] = 1. */
export function markFiles(record: usize, used: usize, firstFile: u32, files: u32): void {
  const count: u32 = load<u32>(record, S.CLOSED_COUNT);
  const at = <usize>load<u32>(record, S.CLOSED);
  for (let i: u32 = 0; i < count; i++) {
    const index = load<u32>(at + <usize>i * CLOSED_BYTES, FILE) - firstFile;
    if (index < files) store<u8>(used + index, 1);
  }
}
