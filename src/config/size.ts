/** Byte counts: a plain number, or a number with a unit: kB, MB, GB, TB (powers of 1000) and KiB, MiB, GiB, TiB (of 1024). */
import { bad, good, type Parsed } from "./parsed.ts";

const units: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1e3],
  ["mb", 1e6],
  ["gb", 1e9],
  ["tb", 1e12],
  ["kib", 2 ** 10],
  ["mib", 2 ** 20],
  ["gib", 2 ** 30],
  ["tib", 2 ** 40],
]);

export function parseSize(text: string): Parsed<number> {
  const found = /^([-+]?\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = found === null ? undefined : units.get((found[2] as string).toLowerCase());
  if (found === null || unit === undefined) {
    return bad(`"${text}" is not a size (write bytes as a number, or like 100MiB)`);
  }
  const bytes = Number(found[1]) * unit;
  if (!Number.isSafeInteger(bytes)) return bad(`"${text}" is not a whole number of bytes`);
  return good(bytes);
}

/** "100MiB" where that is exact, else the plain number. */
export function formatSize(bytes: number): string {
  for (const [unit, size] of [
    ["TiB", 2 ** 40],
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes !== 0 && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return String(bytes);
}
