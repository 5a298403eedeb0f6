/**
 * Samples in the WAL (docs/formats/wal-records.md): one row after the other, each stateless but for the row before it
 * in the same record, so that any record decodes by itself.
 *
 *     u8 control   bit 7: the ref is the previous row's + 1 (else: varint zigzag(ref - previous ref - 1))
 *                  bit 6: the time is the previous row's      (else: varint zigzag(time - previous time))
 *                  bits 0-5: value code
 *     value code   0-7    integer >= 0 in n little-endian bytes      8 + n (1-7)   integer < 0, its magnitude
 *                  16 + n (0-7) integer / 100                        24 + n (0-7)  integer / 1000
 *                  32 + n (1-8) the n highest bytes of the IEEE 754 bits, the rest is zero
 *                  48     Prometheus' staleness marker
 *
 * Before the first row of a record, ref is -1 and time is 0. Every value survives bit for bit: an integer form is
 * used only where it gives the same bits back.
 */
import { bufferLength, reserve, setBufferLength } from "./buffer";

const STALE_NAN: u64 = 0x7ff0000000000002;
const EXACT_LIMIT: f64 = 9007199254740992;
const SAME_TIME: u32 = 64;
const NEXT_REF: u32 = 128;
/** Control byte, ref and time varints, eight bytes of value and the slack of an 8-byte store. */
const ROW_BYTES_MAX: usize = 40;

let previousRef: u32 = 0xffffffff;
let previousTime: i64 = 0;

export function beginRows(): void {
  previousRef = 0xffffffff;
  previousTime = 0;
}

export function putRow(log: usize, ref: u32, time: i64, value: u64): void {
  const start = reserve(log, ROW_BYTES_MAX);
  let at = start + 1;
  let control: u32 = 0;
  if (ref == previousRef + 1) control |= NEXT_REF;
  else at = putZigzag(at, <i64>ref - <i64>previousRef - 1);
  if (time == previousTime) control |= SAME_TIME;
  else at = putZigzag(at, time - previousTime);
  previousRef = ref;
  previousTime = time;
  store<u8>(start, <u8>(control | putValue(at, value)));
  setBufferLength(log, bufferLength(log) + (valueEnd - start));
}

let valueEnd: usize = 0;

// @ts-ignore: decorator
@inline
function putZigzag(at: usize, value: i64): usize {
  let left = <u64>((value << 1) ^ (value >> 63));
  while (left >= 0x80) {
    store<u8>(at++, <u8>(left | 0x80));
    left >>= 7;
  }
  store<u8>(at++, <u8>left);
  return at;
}

/** Writes the value's bytes and returns its code. */
function putValue(at: usize, bits: u64): u32 {
  const value = reinterpret<f64>(bits);
  const magnitude = abs<f64>(value);
  if (magnitude < EXACT_LIMIT) {
    const whole = trunc<f64>(value);
    // Minus zero equals zero but has other bits.
    if (reinterpret<u64>(whole) == bits && bits != 0x8000000000000000) {
      const bytes = putInteger(at, <u64>abs<f64>(whole));
      return value < 0 ? 8 + bytes : bytes;
    }
    if (value > 0) {
      const hundredths = nearest<f64>(value * 100);
      if (hundredths < EXACT_LIMIT && hundredths / 100 == value) return 16 + putInteger(at, <u64>hundredths);
      const thousandths = nearest<f64>(value * 1000);
      if (thousandths < EXACT_LIMIT && thousandths / 1000 == value) return 24 + putInteger(at, <u64>thousandths);
    }
  }
  if (bits == STALE_NAN) {
    valueEnd = at;
    return 48;
  }
  const bytes = 8 - (<u32>ctz(bits) >> 3);
  store<u64>(at, bswap<u64>(bits));
  valueEnd = at + bytes;
  return 32 + bytes;
}

// @ts-ignore: decorator
@inline
function putInteger(at: usize, value: u64): u32 {
  const bytes = (71 - <u32>clz(value)) >> 3;
  store<u64>(at, value);
  valueEnd = at + bytes;
  return bytes;
}

// ---------------------------------------------------------------------------------------------------------------------

let readAt: usize = 0;
let readEnd: usize = 0;
/** The row that `nextRow` read. */
export let rowRef: u32 = 0;
export let rowTime: i64 = 0;
export let rowValue: u64 = 0;

export function openRows(at: usize, length: usize): void {
  readAt = at;
  readEnd = at + length;
  rowRef = 0xffffffff;
  rowTime = 0;
}

/** 1 = a row was read, 0 = the end, -1 = malformed. The bytes need 8 readable bytes behind them. */
export function nextRow(): i32 {
  if (readAt == readEnd) return 0;
  const control: u32 = load<u8>(readAt++);
  if (control & NEXT_REF) {
    rowRef++;
  } else {
    rowRef = <u32>(<i64>rowRef + 1 + readZigzag());
  }
  if ((control & SAME_TIME) == 0) rowTime += readZigzag();
  return readValue(control & 63) ? 1 : -1;
}

/** Past the end it gives zeros and leaves readAt behind readEnd, which readValue then reports. */
// @ts-ignore: decorator
@inline
function readZigzag(): i64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (readAt < readEnd && shift < 64) {
    const byte = <u64>load<u8>(readAt++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return <i64>(value >> 1) ^ -(<i64>(value & 1));
    shift += 7;
  }
  readAt = readEnd + 1;
  return 0;
}

// @ts-ignore: decorator
@inline
function readValue(code: u32): bool {
  const kind = code >> 3;
  const bytes = code == 40 ? 8 : code & 7;
  if (readAt + bytes > readEnd || code > 48) return false;
  if (code == 48) {
    rowValue = STALE_NAN;
    return true;
  }
  const raw: u64 = bytes == 0 ? 0 : (load<u64>(readAt) << (64 - (bytes << 3))) >> (64 - (bytes << 3));
  readAt += bytes;
  if (kind >= 4) {
    rowValue = bswap<u64>(raw);
    return bytes != 0 && (kind == 4 || code == 40);
  }
  const integer = <f64>raw;
  if (kind == 0) rowValue = reinterpret<u64>(integer);
  else if (kind == 1) rowValue = reinterpret<u64>(-integer);
  else if (kind == 2) rowValue = reinterpret<u64>(integer / 100);
  else rowValue = reinterpret<u64>(integer / 1000);
  return true;
}
