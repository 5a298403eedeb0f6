/**
 * Reads our own log entries with bounds checks: one cursor at a time. Past the end every read gives 0 and
 * `failed` turns true for good, so a caller checks once for several fields.
 */
export type Reader = i32;

let position: usize = 0;
let limit: usize = 0;
let broken: bool = false;

/** Where the bytes of the last `readSlice` lie. */
export let sliceAddress: usize = 0;

export function open(at: usize, end: usize): Reader {
  position = at;
  limit = end;
  broken = end < at;
  return 0;
}

export function atEnd(_reader: Reader): bool {
  return broken || position >= limit;
}

export function failed(_reader: Reader): bool {
  return broken;
}

export function left(_reader: Reader): usize {
  return broken ? 0 : limit - position;
}

export function readU8(_reader: Reader): u32 {
  if (broken || position >= limit) {
    broken = true;
    return 0;
  }
  return load<u8>(position++);
}

export function readVarint(_reader: Reader): u64 {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (position < limit && shift < 64) {
    const byte = <u64>load<u8>(position++);
    // The tenth byte has one bit left.
    if (shift == 63 && byte > 1) break;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
    shift += 7;
  }
  broken = true;
  return 0;
}

/** Address of `size` bytes, which are passed over. */
export function readFixed(_reader: Reader, size: usize): usize {
  if (broken || limit - position < size) {
    broken = true;
    return limit;
  }
  const at = position;
  position += size;
  return at;
}

/** A varint length and that many bytes: returns the length, the bytes lie at `sliceAddress`. */
export function readSlice(reader: Reader): usize {
  const length = readVarint(reader);
  if (broken || length > <u64>(limit - position)) {
    broken = true;
    sliceAddress = limit;
    return 0;
  }
  sliceAddress = position;
  position += <usize>length;
  return <usize>length;
}
