const MASK = (1n << 64n) - 1n;
const C1 = 0x87c37b91114253d5n;
const C2 = 0x4cf5ad432745937fn;

function rotateLeft(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & MASK;
}

function finalMix(value: bigint): bigint {
  let k = value;
  k ^= k >> 33n;
  k = (k * 0xff51afd7ed558ccdn) & MASK;
  k ^= k >> 33n;
  k = (k * 0xc4ceb9fe1a85ec53n) & MASK;
  return k ^ (k >> 33n);
}

function word(bytes: Uint8Array, from: number, to: number): bigint {
  let value = 0n;
  for (let i = Math.min(to, bytes.length) - 1; i >= from; i--) {
    value = (value << 8n) | BigInt(bytes[i] ?? 0);
  }
  return value;
}

/** MurmurHash3-x64-128 with big integers, straight from the definition: the kernel's twin. h1 then h2. */
export function murmur3Twin(bytes: Uint8Array, seed = 0n): [h1: bigint, h2: bigint] {
  let h1 = seed;
  let h2 = seed;
  const mix1 = (k: bigint): bigint => (rotateLeft((k * C1) & MASK, 31n) * C2) & MASK;
  const mix2 = (k: bigint): bigint => (rotateLeft((k * C2) & MASK, 33n) * C1) & MASK;
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    h1 ^= mix1(word(bytes, at, at + 8));
    h1 = ((rotateLeft(h1, 27n) + h2) * 5n + 0x52dce729n) & MASK;
    h2 ^= mix2(word(bytes, at + 8, at + 16));
    h2 = ((rotateLeft(h2, 31n) + h1) * 5n + 0x38495ab5n) & MASK;
  }
  h2 ^= mix2(word(bytes, at + 8, at + 16));
  h1 ^= mix1(word(bytes, at, at + 8));
  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  return [h1, h2];
}

/** As SeriesIds are written: h1 then h2, little-endian. */
export function murmur3Bytes(bytes: Uint8Array, seed = 0n): Uint8Array {
  const [h1, h2] = murmur3Twin(bytes, seed);
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(h1, 0);
  out.writeBigUInt64LE(h2, 8);
  return out;
}
