/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78).
 *
 *     tables    8 × 256 × u32. tables[0] is the ordinary byte table;
 *               tables[k][b] is the CRC of byte b followed by k zero bytes: eight bytes a step ("slicing by 8")
 *
 * Long inputs are folded first, because looking up every byte costs five times as much as the XORs here. In blocks of 16
 * bytes, the polynomial divides x^(128·79) + x^(128·75) + x^(128·71) + x^(128·58) + x^(128·18) + x^(128·12) + x^128 + 1
 * (found by search: no other sum of eight such powers of lower degree does). So a block may be replaced by itself, XORed
 * into the blocks 4, 8, 21, 61, 67, 78 and 79 further on. Done from the start on, that leaves the last 79 blocks, whose
 * CRC from 0 is that of all. The idea is that of K. Russell's "Chorba" (2024).
 *
 *     folded    79 blocks before the current stretch | STRETCH_BLOCKS | 79 blocks of zeros behind the end
 *     tail      the last 79 blocks, with all the others folded in
 */
import { alloc } from "./memory";

const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE_BYTES: usize = 1024;

const BLOCK_BYTES: usize = 16;
const REACH_BLOCKS: u32 = 79;
const REACH_BYTES: usize = <usize>REACH_BLOCKS * BLOCK_BYTES;
const STRETCH_BLOCKS: u32 = 177;
/** Below this the way over the tail does not pay. */
const FOLD_BYTES_MIN: u32 = 4096;

let tables: usize = 0;
let folded: usize = 0;
let tail: usize = 0;

/** All memory at once, so that no later call grows it. */
function prepare(): void {
  folded = alloc(2 * REACH_BYTES + <usize>STRETCH_BLOCKS * BLOCK_BYTES);
  tail = alloc(REACH_BYTES);
  tables = alloc(8 * TABLE_BYTES);
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    store<u32>(tables + ((<usize>byte) << 2), crc);
  }
  for (let k: usize = 1; k < 8; k++) {
    const table = tables + k * TABLE_BYTES;
    for (let byte: usize = 0; byte < 256; byte++) {
      const before = load<u32>(table - TABLE_BYTES + (byte << 2));
      store<u32>(
        table + (byte << 2),
        (before >> 8) ^ load<u32>(tables + ((<usize>(before & 255)) << 2)),
      );
    }
  }
}

/** CRC of `length` bytes at `at`, going on from `seed` (the CRC of what came before; 0 at the start). */
export function crc32c(at: usize, length: u32, seed: u32): u32 {
  if (tables == 0) prepare();
  if (length < FOLD_BYTES_MIN) return ~sliceBy8(at, length, ~seed);
  const blocks = length / <u32>BLOCK_BYTES;
  fold(at, blocks, ~seed);
  const crc = sliceBy8(tail, <u32>REACH_BYTES, 0);
  const bytes = blocks * <u32>BLOCK_BYTES;
  return ~sliceBy8(at + bytes, length - bytes, crc);
}

/** Reduces `blocks` blocks at `p`, more than 79, to the 79 in `tail`. */
function fold(p: usize, blocks: u32, crc: u32): void {
  memory.fill(folded, 0, REACH_BYTES);
  let at = folded + REACH_BYTES;
  // The state before an input is the same as a change of its first four bytes.
  v128.store(at, v128.xor(v128.load(p), i32x4.replace_lane(i32x4.splat(0), 0, crc)));
  at += BLOCK_BYTES;
  p += BLOCK_BYTES;
  let left = blocks - REACH_BLOCKS - 1;
  let stretch = min<u32>(left, STRETCH_BLOCKS - 1);
  while (true) {
    left -= stretch;
    const end = at + <usize>stretch * BLOCK_BYTES;
    for (; at < end; at += BLOCK_BYTES, p += BLOCK_BYTES) v128.store(at, withEarlier(p, at));
    if (left == 0) break;
    memory.copy(folded, at - REACH_BYTES, REACH_BYTES);
    at = folded + REACH_BYTES;
    stretch = min<u32>(left, STRETCH_BLOCKS);
  }
  memory.fill(at, 0, REACH_BYTES);
  const end = tail + REACH_BYTES;
  for (let to = tail; to < end; to += BLOCK_BYTES, at += BLOCK_BYTES, p += BLOCK_BYTES) {
    v128.store(to, withEarlier(p, at));
  }
}

/** The block at `p`, with the folded blocks before `at` that it has to take in. */
// @ts-ignore: decorator
@inline
function withEarlier(p: usize, at: usize): v128 {
  const first = at - REACH_BYTES;
  const a = v128.xor(v128.load(p), v128.load(first));
  const b = v128.xor(v128.load(first, 16), v128.load(first, 16 * 12));
  const c = v128.xor(v128.load(first, 16 * 18), v128.load(first, 16 * 58));
  const d = v128.xor(v128.load(first, 16 * 71), v128.load(first, 16 * 75));
  return v128.xor(v128.xor(a, b), v128.xor(c, d));
}

/** From state to state: without the inversions at both ends. */
function sliceBy8(at: usize, length: u32, state: u32): u32 {
  const t = tables;
  const end = at + length;
  let crc = state;
  let p = at;
  while (end - p >= 8) {
    const low = load<u32>(p) ^ crc;
    const high = load<u32>(p, 4);
    crc =
      load<u32>(t + ((<usize>(low & 255)) << 2), 7168) ^
      load<u32>(t + ((<usize>((low >> 8) & 255)) << 2), 6144) ^
      load<u32>(t + ((<usize>((low >> 16) & 255)) << 2), 5120) ^
      load<u32>(t + ((<usize>(low >> 24)) << 2), 4096) ^
      load<u32>(t + ((<usize>(high & 255)) << 2), 3072) ^
      load<u32>(t + ((<usize>((high >> 8) & 255)) << 2), 2048) ^
      load<u32>(t + ((<usize>((high >> 16) & 255)) << 2), 1024) ^
      load<u32>(t + ((<usize>(high >> 24)) << 2));
    p += 8;
  }
  while (p < end) {
    crc = (crc >> 8) ^ load<u32>(t + ((<usize>((crc ^ load<u8>(p)) & 255)) << 2));
    p++;
  }
  return crc;
}
