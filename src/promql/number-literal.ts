import { parseFloatGo, quoteGo } from "./go-text.ts";

/** A number or duration literal with an optional sign; durations are seconds. A string says what is wrong with it. */
export function readNumber(literal: string): number | string {
  const text = literal.replaceAll(/\s/g, "");
  const sign = text.startsWith("-") ? -1 : 1;
  const digits = text.replace(/^[+-]/, "").toLowerCase().replaceAll("_", "");
  if (/^\d+(?:ms|[smhdwy])/.test(digits)) {
    const seconds = durationSeconds(digits);
    return seconds === undefined ? `not a valid duration string: ${quoteGo(text)}` : sign * seconds;
  }
  if (/^0x[0-9a-f]+$/.test(digits)) return sign * Number(digits);
  if (/^0[0-7]+$/.test(digits)) return sign * Number.parseInt(digits, 8);
  const value = parseFloatGo(digits);
  if (value !== undefined) return sign * value;
  return `error parsing number: strconv.ParseFloat: parsing ${quoteGo(text)}: value out of range`;
}

const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** "1h30m" in seconds: units from the greatest to the smallest, each once. */
function durationSeconds(text: string): number | undefined {
  if (!/^(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, digits = "", unit = ""] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    totalMs += Number(digits) * (DURATION_UNITS[unit] ?? 0);
  }
  return totalMs / 1000;
}

/** Arithmetic of durations; `operator` is the grammar's name for it. A string says why there is no result. */
export function combineDurations(operator: string, left: number, right: number): number | string {
  switch (operator) {
    case "Add":
      return left + right;
    case "Sub":
      return left - right;
    case "Mul":
      return left * right;
    case "Div":
      return right === 0 ? "division by zero" : left / right;
    case "Mod":
      return right === 0 ? "modulo by zero" : left % right;
    default:
      return left ** right;
  }
}
