/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), eight bytes a step ("slicing by 8").
 *
 *     tables    8 × 256 × u32, made on first use. tables[0] is the ordinary byte table;
 *               tables[k][b] is the CRC of byte b followed by k zero bytes.
 */
import { alloc } from "./memory";

const POLYNOMIAL: u32 = 0x82f63b78;
const TABLE_BYTES: usize = 1024;

let tables: usize = 0;

function buildTables(): void {
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
  if (tables == 0) buildTables();
  const t = tables;
  const end = at + length;
  let crc = ~seed;
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
  return ~crc;
}
