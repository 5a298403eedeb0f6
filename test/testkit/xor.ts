/**
 * A plain twin of the kernel's XOR chunk code: one bit at a time, BigInt arithmetic, no tricks. Prometheus' layout:
 *
 *     u16 big-endian sample count, then a bit stream (most significant bit first)
 *     sample 0    zigzag varint timestamp, 64 bits value
 *     sample 1    uvarint delta, value
 *     sample 2..  delta of delta, value
 *     delta of delta: 0 | 10 + 14 bits | 110 + 17 bits | 1110 + 20 bits | 1111 + 64 bits
 *     value (xor with the one before): 0 if equal | 10 + meaningful bits in the last window | 11 + 5 bits leading
 *     zeros, 6 bits length (64 is written as 0), meaningful bits
 *
 * Values are carried as bits, so that NaN payloads (staleness markers) survive.
 */
export interface SampleColumns {
  readonly timestampsMs: BigInt64Array;
  readonly values: Float64Array;
}

/** Bits of Prometheus' staleness marker, a NaN that no arithmetic makes. */
export const STALE_NAN_BITS = 0x7ff0000000000002n;

export function bitsOf(values: Float64Array): BigUint64Array {
  return new BigUint64Array(values.buffer, values.byteOffset, values.length);
}

/** Columns from pairs; the value "stale" is the staleness marker. */
export function columnsOf(
  samples: readonly (readonly [number, number | "stale"])[],
): SampleColumns {
  const values = new Float64Array(samples.length);
  const bits = bitsOf(values);
  samples.forEach(([, value], i) => {
    if (value === "stale") bits[i] = STALE_NAN_BITS;
    else values[i] = value;
  });
  return { timestampsMs: BigInt64Array.from(samples, ([time]) => BigInt(time)), values };
}

export function encodeXor(columns: SampleColumns): Uint8Array {
  const count = columns.timestampsMs.length;
  if (count > 0xffff) throw new RangeError("a chunk holds at most 65,535 samples");
  const out = new BitWriter();
  out.bits(BigInt(count), 16);
  const valueBits = bitsOf(columns.values);
  let delta = 0n;
  let leading = -1;
  let trailing = 0;
  for (let i = 0; i < count; i++) {
    const time = columns.timestampsMs[i]!;
    const bits = valueBits[i]!;
    if (i === 0) {
      out.uvarint(BigInt.asUintN(64, (time << 1n) ^ (time >> 63n)));
      out.bits(bits, 64);
      continue;
    }
    const newDelta = BigInt.asIntN(64, time - columns.timestampsMs[i - 1]!);
    if (i === 1) out.uvarint(BigInt.asUintN(64, newDelta));
    else writeDeltaOfDelta(out, BigInt.asIntN(64, newDelta - delta));
    delta = newDelta;
    const xor = bits ^ valueBits[i - 1]!;
    if (xor === 0n) {
      out.bits(0n, 1);
      continue;
    }
    const text = xor.toString(2).padStart(64, "0");
    const newLeading = Math.min(text.indexOf("1"), 31);
    const newTrailing = 63 - text.lastIndexOf("1");
    if (leading >= 0 && newLeading >= leading && newTrailing >= trailing) {
      out.bits(0b10n, 2);
    } else {
      leading = newLeading;
      trailing = newTrailing;
      out.bits(0b11n, 2);
      out.bits(BigInt(leading), 5);
      out.bits(BigInt((64 - leading - trailing) & 63), 6);
    }
    out.bits(xor >> BigInt(trailing), 64 - leading - trailing);
  }
  return out.bytes();
}

/** Throws RangeError when the stream ends early. */
export function decodeXor(bytes: Uint8Array): SampleColumns {
  const input = new BitReader(bytes);
  const count = Number(input.bits(16));
  const times: bigint[] = [];
  const bits: bigint[] = [];
  let time = 0n;
  let delta = 0n;
  let value = 0n;
  let leading = 0;
  let length = 64;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      const raw = input.uvarint();
      time = BigInt.asIntN(64, (raw >> 1n) ^ -(raw & 1n));
      value = input.bits(64);
    } else {
      delta = i === 1 ? BigInt.asIntN(64, input.uvarint()) : delta + readDeltaOfDelta(input);
      time = BigInt.asIntN(64, time + delta);
      if (input.bits(1) === 1n) {
        if (input.bits(1) === 1n) {
          leading = Number(input.bits(5));
          length = Number(input.bits(6)) || 64;
        }
        const trailing = 64 - leading - length;
        if (trailing < 0) throw new RangeError("more than 64 bits in a value");
        value ^= input.bits(length) << BigInt(trailing);
      }
    }
    times.push(time);
    bits.push(value);
  }
  const values = new Float64Array(count);
  bitsOf(values).set(bits);
  return { timestampsMs: BigInt64Array.from(times), values };
}

function writeDeltaOfDelta(out: BitWriter, change: bigint): void {
  if (change === 0n) out.bits(0n, 1);
  else if (change >= -8191n && change <= 8192n) {
    out.bits(0b10n, 2);
    out.bits(BigInt.asUintN(14, change), 14);
  } else if (change >= -65535n && change <= 65536n) {
    out.bits(0b110n, 3);
    out.bits(BigInt.asUintN(17, change), 17);
  } else if (change >= -524287n && change <= 524288n) {
    out.bits(0b1110n, 4);
    out.bits(BigInt.asUintN(20, change), 20);
  } else {
    out.bits(0b1111n, 4);
    out.bits(BigInt.asUintN(64, change), 64);
  }
}

function readDeltaOfDelta(input: BitReader): bigint {
  let ones = 0;
  while (ones < 4 && input.bits(1) === 1n) ones++;
  const width = [0, 14, 17, 20, 64][ones]!;
  if (width === 0) return 0n;
  const raw = input.bits(width);
  if (width === 64) return BigInt.asIntN(64, raw);
  // The range is not two's complement: it reaches from -(2^(w-1) - 1) to 2^(w-1).
  return raw > 1n << BigInt(width - 1) ? raw - (1n << BigInt(width)) : raw;
}

class BitWriter {
  readonly #bits: number[] = [];

  bits(value: bigint, width: number): void {
    for (let i = width - 1; i >= 0; i--) this.#bits.push(Number((value >> BigInt(i)) & 1n));
  }

  uvarint(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.bits((rest & 0x7fn) | 0x80n, 8);
      rest >>= 7n;
    }
    this.bits(rest, 8);
  }

  bytes(): Uint8Array {
    const out = new Uint8Array(Math.ceil(this.#bits.length / 8));
    this.#bits.forEach((bit, i) => {
      out[i >> 3]! |= bit << (7 - (i & 7));
    });
    return out;
  }
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bits(width: number): bigint {
    let value = 0n;
    for (let i = 0; i < width; i++) {
      const byte = this.#bytes[this.#at >> 3];
      if (byte === undefined) throw new RangeError("chunk ends early");
      value = (value << 1n) | BigInt((byte >> (7 - (this.#at & 7))) & 1);
      this.#at++;
    }
    return value;
  }

  uvarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.bits(8);
      value |= (byte & 0x7fn) << shift;
      if (byte < 0x80n) return BigInt.asUintN(64, value);
    }
    throw new RangeError("varint over 10 bytes");
  }
}
