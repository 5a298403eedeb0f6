/**
 * MurmurHash3-x64-128 (Austin Appleby, public domain). A series is its hash: see design.md section 4.
 * The two halves of the answer are left in `hashLow` (h1) and `hashHigh` (h2).
 */

export let hashLow: u64 = 0;
export let hashHigh: u64 = 0;

const C1: u64 = 0x87c37b91114253d5;
const C2: u64 = 0x4cf5ad432745937f;

// @ts-ignore: decorator
@inline
function finalMix(k: u64): u64 {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccd;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53;
  k ^= k >> 33;
  return k;
}

/** Up to 8 bytes, little-endian, without reading past them. */
function tailWord(at: usize, length: u32): u64 {
  let word: u64 = 0;
  for (let i: u32 = 0; i < length; i++) word |= <u64>load<u8>(at + i) << (i << 3);
  return word;
}

export function murmur3(at: usize, length: u32, seed: u64): void {
  let h1 = seed;
  let h2 = seed;
  let p = at;
  const blocksEnd = at + (length & ~15);
  while (p < blocksEnd) {
    h1 ^= rotl<u64>(load<u64>(p) * C1, 31) * C2;
    h1 = (rotl<u64>(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= rotl<u64>(load<u64>(p, 8) * C2, 33) * C1;
    h2 = (rotl<u64>(h2, 31) + h1) * 5 + 0x38495ab5;
    p += 16;
  }
  const rest = length & 15;
  if (rest > 8) h2 ^= rotl<u64>(tailWord(p + 8, rest - 8) * C2, 33) * C1;
  if (rest > 0) h1 ^= rotl<u64>(tailWord(p, min<u32>(rest, 8)) * C1, 31) * C2;
  h1 ^= length;
  h2 ^= length;
  h1 += h2;
  h2 += h1;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 += h2;
  h2 += h1;
  hashLow = h1;
  hashHigh = h2;
}

/** For the host: the hash at `target`, h1 then h2, each little-endian. */
export function murmur3To(target: usize, at: usize, length: u32, seed: u64): void {
  murmur3(at, length, seed);
  store<u64>(target, hashLow);
  store<u64>(target, hashHigh, 8);
}
