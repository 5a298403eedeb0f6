/** Chance without state: every value of the load is a closed form of (series, round, seed). */
export function mix32(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export function hash2(a: number, b: number, seed: number): number {
  return mix32(Math.imul(a, 0x9e3779b1) ^ mix32(Math.imul(b + 0x7f4a7c15, 0x85ebca6b) ^ seed));
}

/** Uniform in [0, 1). */
export function unit2(a: number, b: number, seed: number): number {
  return hash2(a, b, seed) / 2 ** 32;
}
