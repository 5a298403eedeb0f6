/**
 * Snappy block format (https://github.com/google/snappy/blob/main/format_description.txt), decoding only.
 *
 *     varint declared length, then elements; low two bits of the first byte:
 *     00 literal   (byte >> 2) + 1 bytes follow; 60..63: the length less one stands in 1..4 bytes after it
 *     01 copy      length 4..11, 11-bit offset       10 copy  length 1..64, 16-bit offset
 *                                                    11 copy  length 1..64, 32-bit offset
 *
 * Both buffers must be followed by at least SNAPPY_SLACK_BYTES that belong to the caller: short copies move 16
 * bytes at a time and may read or write that far past the end, never farther. All lengths and offsets are
 * checked against the true ends before a byte moves.
 */

export const SNAPPY_SLACK_BYTES: usize = 32;

/** Not a snappy block: bad varint, element past either end, copy from before the start, length mismatch. */
export const SNAPPY_CORRUPT: i64 = -1;
/** The declared length is more than the caller allows. */
export const SNAPPY_TOO_LARGE: i64 = -2;

/** Length that the block declares, or SNAPPY_CORRUPT. */
export function snappyDeclaredLength(source: usize, sourceLength: u32): i64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < 5; i++) {
    if (i >= sourceLength) return SNAPPY_CORRUPT;
    const byte = load<u8>(source + i);
    value |= (<u64>(byte & 127)) << (7 * i);
    if (byte < 128) return value > 0xffffffff ? SNAPPY_CORRUPT : <i64>value;
  }
  return SNAPPY_CORRUPT;
}

/** Bytes written (exactly the declared length), or a negative code. `targetCapacity` does not count the slack. */
export function snappyDecode(
  source: usize,
  sourceLength: u32,
  target: usize,
  targetCapacity: u32,
): i64 {
  const declared = snappyDeclaredLength(source, sourceLength);
  if (declared < 0) return declared;
  if (declared > <i64>targetCapacity) return SNAPPY_TOO_LARGE;
  const sourceEnd = source + sourceLength;
  const targetEnd = target + <usize>declared;
  let p = source;
  while (load<u8>(p++) > 127) {}
  let out = target;
  while (p < sourceEnd) {
    const head: u32 = load<u8>(p++);
    const kind = head & 3;
    let length: u32;
    if (kind == 0) {
      length = head >> 2;
      if (length >= 60) {
        const lengthBytes: u32 = length - 59;
        if (sourceEnd - p < lengthBytes) return SNAPPY_CORRUPT;
        length = load<u32>(p);
        if (lengthBytes < 4) length &= (1 << (lengthBytes << 3)) - 1;
        p += lengthBytes;
        if (length == 0xffffffff) return SNAPPY_CORRUPT;
      }
      length++;
      if (sourceEnd - p < length || targetEnd - out < length) return SNAPPY_CORRUPT;
      if (length <= 64) {
        const end = out + length;
        let from = p;
        do {
          v128.store(out, v128.load(from));
          out += 16;
          from += 16;
        } while (out < end);
        out = end;
      } else {
        memory.copy(out, p, length);
        out += length;
      }
      p += length;
      continue;
    }
    let offset: u32;
    if (kind == 1) {
      if (p >= sourceEnd) return SNAPPY_CORRUPT;
      length = ((head >> 2) & 7) + 4;
      offset = ((head >> 5) << 8) | load<u8>(p++);
    } else if (kind == 2) {
      if (sourceEnd - p < 2) return SNAPPY_CORRUPT;
      length = (head >> 2) + 1;
      offset = load<u16>(p);
      p += 2;
    } else {
      if (sourceEnd - p < 4) return SNAPPY_CORRUPT;
      length = (head >> 2) + 1;
      offset = load<u32>(p);
      p += 4;
    }
    // offset - 1 makes 0 the largest number: one comparison for both bounds.
    if (offset - 1 >= <u32>(out - target) || targetEnd - out < length) return SNAPPY_CORRUPT;
    const end = out + length;
    if (offset < 16) {
      // The pattern repeats every `offset` bytes: after 16 bytes one by one, a multiple of it that is
      // at least 8 away can be copied in words.
      const byByte = min<usize>(end, out + 16);
      while (out < byByte) {
        store<u8>(out, load<u8>(out - offset));
        out++;
      }
      const distance: u32 = 16 - (16 % offset);
      while (out < end) {
        store<u64>(out, load<u64>(out - distance));
        out += 8;
      }
    } else {
      do {
        v128.store(out, v128.load(out - offset));
        out += 16;
      } while (out < end);
    }
    out = end;
  }
  return out == targetEnd ? declared : SNAPPY_CORRUPT;
}
