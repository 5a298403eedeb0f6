/**
 * Durations as Go and Prometheus write them: "1h30m", "1.5s", "300ms", and also "2d", "1w", "1y".
 * Inside the program a duration is whole milliseconds; shorter units are read (Mimir's files have them)
 * and must amount to whole milliseconds.
 */
import { bad, good, type Parsed } from "./parsed.ts";

const unitMs: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
  ["w", 7 * 86_400_000],
  ["y", 365 * 86_400_000],
]);

const part = /(\d+(?:\.\d*)?|\.\d+)([a-zµ]+)/y;

export function parseDuration(text: string): Parsed<number> {
  const trimmed = text.trim();
  const sign = trimmed.startsWith("-") ? -1 : 1;
  const body = trimmed.replace(/^[-+]/, "");
  if (body === "0") return good(0);
  const ms = sumOfParts(body);
  if (ms === undefined) return bad(`"${text}" is not a duration (write it like 30s, 5m or 1h30m)`);
  const whole = Math.round(ms);
  if (Math.abs(ms - whole) > 1e-6 || !Number.isSafeInteger(whole)) {
    return bad(`"${text}" is not a whole number of milliseconds`);
  }
  return good(whole === 0 ? 0 : sign * whole);
}

function sumOfParts(body: string): number | undefined {
  if (body === "") return undefined;
  let total = 0;
  part.lastIndex = 0;
  while (part.lastIndex < body.length) {
    const found = part.exec(body);
    const unit = found === null ? undefined : unitMs.get(found[2] as string);
    if (found === null || unit === undefined) return undefined;
    total += Number(found[1]) * unit;
  }
  return total;
}

/** The shortest text that reads back as the same value: whole hours stay hours, so 13h is not "12h60m" or "46800s". */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const sign = ms < 0 ? "-" : "";
  let left = Math.abs(ms);
  let text = "";
  for (const [unit, size] of [
    ["d", 86_400_000],
    ["h", 3_600_000],
    ["m", 60_000],
    ["s", 1_000],
    ["ms", 1],
  ] as const) {
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${unit}`;
    left -= count * size;
  }
  return sign + text;
}
