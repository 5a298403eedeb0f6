/**
 * Appends samples to the open XOR chunk of a series, in Prometheus' bit layout (Gorilla, Pelkonen et al. 2015,
 * as tsdb/docs/format/chunks.md of Prometheus describes it):
 *
 *     u16 big-endian sample count, then a big-endian bit stream:
 *     sample 0   varint(zigzag t)             64 bits v
 *     sample 1   uvarint(t - t0)              xor
 *     sample n   delta of delta: 0 | 10 + 14 bits | 110 + 17 | 1110 + 20 | 1111 + 64      xor
 *     xor        0 | 10 + bits of the previous window | 11 + 5 bits leading + 6 bits significant + bits
 *
 * The state lives in the series record (series.ts). Bits are written eight bytes at a time: the byte that is
 * half full is read back, everything behind it is overwritten, so an area needs 8 bytes of slack at its end.
 */
import { allocArea, releaseArea } from "./memory";
import * as S from "./series";

const HEADER_BYTES: usize = 2;
const SLACK_BYTES: u32 = 9;
const FIRST_AREA_LOG2: u32 = 5;

// @ts-ignore: decorator
@inline
function putBits(stream: usize, bit: u32, value: u64, count: u32): void {
  const at = stream + (bit >> 3);
  const used = bit & 7;
  const kept: u64 = used == 0 ? 0 : (<u64>load<u8>(at) & (0xff00 >> used)) << 56;
  const free: u32 = 64 - used;
  if (count <= free) {
    store<u64>(at, bswap<u64>(kept | (value << (free - count))));
  } else {
    const rest = count - free;
    store<u64>(at, bswap<u64>(kept | (value >> rest)));
    store<u8>(at, <u8>(value << (8 - rest)), 8);
  }
}

// @ts-ignore: decorator
@inline
function varintBits(value: u64): u32 {
  return value == 0 ? 8 : ((63 - <u32>clz(value)) / 7 + 1) * 8;
}

function putUvarint(stream: usize, bit: u32, value: u64): u32 {
  while (value >= 0x80) {
    putBits(stream, bit, (value & 0x7f) | 0x80, 8);
    bit += 8;
    value >>= 7;
  }
  putBits(stream, bit, value, 8);
  return bit + 8;
}

/** Makes sure that `bits` more fit; the stream's address (behind the header). */
// @ts-ignore: decorator
@inline
function room(record: usize, used: u32, bits: u32): usize {
  const chunk = <usize>load<u32>(record, S.OPEN_CHUNK);
  const needed = <u32>HEADER_BYTES + ((used + bits + 7) >> 3) + SLACK_BYTES;
  if (needed > <u32>1 << load<u8>(record, S.OPEN_AREA_LOG2)) return growArea(record, needed) + HEADER_BYTES;
  return chunk + HEADER_BYTES;
}

function growArea(record: usize, needed: u32): usize {
  const old = <usize>load<u32>(record, S.OPEN_CHUNK);
  const oldBytes = <usize>1 << load<u8>(record, S.OPEN_AREA_LOG2);
  let log2: u32 = load<u8>(record, S.OPEN_AREA_LOG2);
  while (<u32>1 << log2 < needed) log2++;
  const area = allocArea(<usize>1 << log2);
  memory.copy(area, old, oldBytes);
  releaseArea(old, oldBytes);
  store<u32>(record, <u32>area, S.OPEN_CHUNK);
  store<u8>(record, <u8>log2, S.OPEN_AREA_LOG2);
  return area;
}

/** First sample of a new chunk. The record has no open chunk. */
export function openChunk(record: usize, time: i64, value: u64): void {
  const area = allocArea(<usize>1 << FIRST_AREA_LOG2);
  store<u32>(record, <u32>area, S.OPEN_CHUNK);
  store<u8>(record, <u8>FIRST_AREA_LOG2, S.OPEN_AREA_LOG2);
  const zigzag = <u64>((time << 1) ^ (time >> 63));
  const stream = room(record, 0, varintBits(zigzag) + 64);
  const bit = putUvarint(stream, 0, zigzag);
  putBits(stream, bit, value, 64);
  store<u16>(record, <u16>(bit + 64), S.OPEN_BITS);
  store<u8>(record, 1, S.OPEN_SAMPLES);
  store<u8>(record, 0xff, S.LEADING);
  store<i64>(record, time, S.OPEN_MIN_TIME);
  store<i64>(record, 0, S.LAST_DELTA);
}

/** A further sample; `time` is greater than the last one's. */
export function appendSample(record: usize, time: i64, value: u64): void {
  const samples = load<u8>(record, S.OPEN_SAMPLES);
  const delta = time - load<i64>(record, S.LAST_TIME);
  let bit: u32 = load<u16>(record, S.OPEN_BITS);
  // A sample takes at most 80 bits of time (a 10-byte varint) and 77 of value.
  const stream = room(record, bit, samples == 1 ? varintBits(<u64>delta) + 77 : worstBits(record, delta, value));
  if (samples == 1) {
    bit = putUvarint(stream, bit, <u64>delta);
  } else {
    const dod = delta - load<i64>(record, S.LAST_DELTA);
    if (dod == 0) {
      putBits(stream, bit, 0, 1);
      bit += 1;
    } else if (dod >= -8191 && dod <= 8192) {
      putBits(stream, bit, 0x8000 | (<u64>dod & 0x3fff), 16);
      bit += 16;
    } else if (dod >= -65535 && dod <= 65536) {
      putBits(stream, bit, 0xc0000 | (<u64>dod & 0x1ffff), 20);
      bit += 20;
    } else if (dod >= -524287 && dod <= 524288) {
      putBits(stream, bit, 0xe00000 | (<u64>dod & 0xfffff), 24);
      bit += 24;
    } else {
      putBits(stream, bit, 15, 4);
      putBits(stream, bit + 4, <u64>dod, 64);
      bit += 68;
    }
  }
  bit = putXor(record, stream, bit, value ^ load<u64>(record, S.LAST_VALUE));
  store<i64>(record, delta, S.LAST_DELTA);
  store<u16>(record, <u16>bit, S.OPEN_BITS);
  store<u8>(record, <u8>(samples + 1), S.OPEN_SAMPLES);
}

/** The common sample (same interval, same value) takes two bits: areas of quiet series need not grow for it. */
// @ts-ignore: decorator
@inline
function worstBits(record: usize, delta: i64, value: u64): u32 {
  return delta == load<i64>(record, S.LAST_DELTA) && value == load<u64>(record, S.LAST_VALUE) ? 2 : 145;
}

// @ts-ignore: decorator
@inline
function putXor(record: usize, stream: usize, bit: u32, xor: u64): u32 {
  if (xor == 0) {
    putBits(stream, bit, 0, 1);
    return bit + 1;
  }
  let leading = <u32>clz(xor);
  const trailing = <u32>ctz(xor);
  if (leading > 31) leading = 31;
  const windowLeading: u32 = load<u8>(record, S.LEADING);
  const windowTrailing: u32 = load<u8>(record, S.TRAILING);
  if (windowLeading != 0xff && leading >= windowLeading && trailing >= windowTrailing) {
    const significant = 64 - windowLeading - windowTrailing;
    putBits(stream, bit, 2, 2);
    putBits(stream, bit + 2, xor >> windowTrailing, significant);
    return bit + 2 + significant;
  }
  const significant = 64 - leading - trailing;
  // 64 significant bits are written as 0.
  putBits(stream, bit, (3 << 11) | (leading << 6) | (significant & 63), 13);
  putBits(stream, bit + 13, xor >> trailing, significant);
  store<u8>(record, <u8>leading, S.LEADING);
  store<u8>(record, <u8>trailing, S.TRAILING);
  return bit + 13 + significant;
}

/** Bytes of the open chunk as a reader wants them. */
// @ts-ignore: decorator
@inline
export function openChunkBytes(record: usize): usize {
  return HEADER_BYTES + ((<usize>load<u16>(record, S.OPEN_BITS) + 7) >> 3);
}

/** Writes the sample count into the header, so that the bytes can be copied out. */
// @ts-ignore: decorator
@inline
export function sealOpenChunk(record: usize): usize {
  const chunk = <usize>load<u32>(record, S.OPEN_CHUNK);
  store<u16>(chunk, bswap<u16>(load<u8>(record, S.OPEN_SAMPLES)));
  return chunk;
}

export function releaseOpenChunk(record: usize): void {
  releaseArea(load<u32>(record, S.OPEN_CHUNK), <usize>1 << load<u8>(record, S.OPEN_AREA_LOG2));
  store<u32>(record, 0, S.OPEN_CHUNK);
  store<u16>(record, 0, S.OPEN_BITS);
  store<u8>(record, 0, S.OPEN_SAMPLES);
}

/** Whether the open chunk holds `time`: 0 no, 1 with this value, 2 with another one. Reads our own bytes: no checks. */
export function findInOpenChunk(record: usize, time: i64, value: u64): u32 {
  if (load<u32>(record, S.OPEN_CHUNK) == 0 || time < load<i64>(record, S.OPEN_MIN_TIME)) return 0;
  const samples: u32 = load<u8>(record, S.OPEN_SAMPLES);
  readBit = 0;
  readStream = <usize>load<u32>(record, S.OPEN_CHUNK) + HEADER_BYTES;
  const zigzag = readUvarint();
  let t = <i64>(zigzag >> 1) ^ -(<i64>(zigzag & 1));
  let v = readBits(64);
  let delta: i64 = 0;
  let leading: u32 = 0;
  let trailing: u32 = 0;
  for (let i: u32 = 1; i <= samples; i++) {
    if (t >= time) return t > time ? 0 : v == value ? 1 : 2;
    if (i == samples) break;
    delta = i == 1 ? <i64>readUvarint() : delta + readDeltaOfDelta();
    t += delta;
    if (readBits(1) == 0) continue;
    if (readBits(1) != 0) {
      leading = <u32>readBits(5);
      const significant = <u32>readBits(6);
      trailing = 64 - leading - (significant == 0 ? 64 : significant);
    }
    v ^= readBits(64 - leading - trailing) << trailing;
  }
  return 0;
}

let readStream: usize = 0;
let readBit: u32 = 0;

function readBits(count: u32): u64 {
  const at = readStream + (readBit >> 3);
  const used = readBit & 7;
  readBit += count;
  let word = bswap<u64>(load<u64>(at));
  if (used != 0) word = (word << used) | (<u64>load<u8>(at, 8) >> (8 - used));
  return word >> (64 - count);
}

function readUvarint(): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    const byte = readBits(8);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
}

function readDeltaOfDelta(): i64 {
  if (readBits(1) == 0) return 0;
  let width: u32 = 64;
  if (readBits(1) == 0) width = 14;
  else if (readBits(1) == 0) width = 17;
  else if (readBits(1) == 0) width = 20;
  if (width == 64) return <i64>readBits(64);
  const half = <i64>1 << (width - 1);
  const raw = <i64>readBits(width);
  // The ranges are (-half, half]: half itself is positive.
  return raw > half ? raw - (half << 1) : raw;
}

// ------------------------------------------------------------------------------------------------- restored chunks

let readLimit: u32 = 0;
let overrun: bool = false;

/**
 * Whether the open chunk of a restored record is one that this file could have written: it has as many samples and
 * bits as the record says and ends in the state that the record names.
 */
export function openChunkIsWhole(record: usize): bool {
  readBit = 0;
  readStream = <usize>load<u32>(record, S.OPEN_CHUNK) + HEADER_BYTES;
  readLimit = load<u16>(record, S.OPEN_BITS);
  overrun = false;
  const samples: u32 = load<u8>(record, S.OPEN_SAMPLES);
  const zigzag = tryUvarint();
  let time = <i64>(zigzag >> 1) ^ -(<i64>(zigzag & 1));
  let value = tryBits(64);
  let delta: i64 = 0;
  restoredLeading = 0xff;
  if (time != load<i64>(record, S.OPEN_MIN_TIME)) return false;
  for (let i: u32 = 1; i < samples && !overrun; i++) {
    delta = i == 1 ? <i64>tryUvarint() : delta + tryDeltaOfDelta();
    if (time + delta <= time) return false;
    time += delta;
    value ^= tryXor();
  }
  const sameWindow =
    restoredLeading == load<u8>(record, S.LEADING) &&
    (restoredLeading == 0xff || restoredTrailing == load<u8>(record, S.TRAILING));
  return (
    !overrun &&
    sameWindow &&
    readBit == readLimit &&
    time == load<i64>(record, S.LAST_TIME) &&
    value == load<u64>(record, S.LAST_VALUE) &&
    delta == load<i64>(record, S.LAST_DELTA)
  );
}

/** As readBits, but past the end it gives 0 and sets `overrun`. */
function tryBits(count: u32): u64 {
  if (readBit + count > readLimit) {
    overrun = true;
    return 0;
  }
  return readBits(count);
}

function tryUvarint(): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 64; shift += 7) {
    const byte = tryBits(8);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  overrun = true;
  return 0;
}

function tryDeltaOfDelta(): i64 {
  if (tryBits(1) == 0) return 0;
  let width: u32 = 64;
  if (tryBits(1) == 0) width = 14;
  else if (tryBits(1) == 0) width = 17;
  else if (tryBits(1) == 0) width = 20;
  const raw = <i64>tryBits(width);
  const half = <i64>1 << (width - 1);
  return width < 64 && raw > half ? raw - (half << 1) : raw;
}

let restoredLeading: u32 = 0xff;
let restoredTrailing: u32 = 0;

function tryXor(): u64 {
  if (tryBits(1) == 0) return 0;
  if (tryBits(1) != 0) {
    const leading = <u32>tryBits(5);
    const written = <u32>tryBits(6);
    const significant: u32 = written == 0 ? 64 : written;
    if (overrun || leading + significant > 64) {
      overrun = true;
      return 0;
    }
    restoredLeading = leading;
    restoredTrailing = 64 - leading - significant;
  } else if (restoredLeading == 0xff) {
    overrun = true;
    return 0;
  }
  return tryBits(64 - restoredLeading - restoredTrailing) << restoredTrailing;
}
