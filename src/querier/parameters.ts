/**
 * Request parameters of the Prometheus HTTP API: what they may be, and Prometheus 3.5's
 * words when they are wrong (clients and people know them). All failures are OpError "bad-data".
 *
 * Unlike Prometheus, a time that is not a finite number is refused ("NaN" there is an arbitrary instant), and times are
 * clamped to what a double holds exactly, ±2^53 ms.
 */
import { OpError } from "../base/errors.ts";
import { quoteGo } from "../promql/go-text.ts";

/** A time that a whole range may use: the ends of the clock. */
export const TIME_MIN_MS = Number.MIN_SAFE_INTEGER;
export const TIME_MAX_MS = Number.MAX_SAFE_INTEGER;

/** How Prometheus prints its own ends of time; its clients send them back. */
const PROMETHEUS_TIME_MIN = "-292273086-05-16T16:47:06Z";
const PROMETHEUS_TIME_MAX = "292277025-08-18T07:12:54.999999999Z";

/** Prometheus answers at most this many steps, so that a typing error in `step` does not cost a day. */
const STEPS_MAX = 11_000;

export function badData(message: string): OpError<"bad-data"> {
  return new OpError("bad-data", message);
}

export function invalidParameter(name: string, reason: string): OpError<"bad-data"> {
  return badData(`invalid parameter "${name}": ${reason}`);
}

/** `start` and `end` of a range query: they must be there. */
export function requiredTimeMs(parameters: URLSearchParams, name: string): number {
  const text = parameters.get(name) ?? "";
  const timeMs = parseTimeMs(text);
  if (timeMs === undefined) throw invalidParameter(name, cannotParseTime(text));
  return timeMs;
}

export function optionalTimeMs(
  parameters: URLSearchParams,
  name: string,
  absentMs: number,
): number {
  const text = parameters.get(name) ?? "";
  if (text === "") return absentMs;
  const timeMs = parseTimeMs(text);
  if (timeMs === undefined) {
    throw invalidParameter(name, `invalid time value for '${name}': ${cannotParseTime(text)}`);
  }
  return timeMs;
}

function cannotParseTime(text: string): string {
  return `cannot parse ${quoteGo(text)} to a valid timestamp`;
}

/** `timeout`; undefined when absent. */
export function optionalTimeoutMs(parameters: URLSearchParams): number | undefined {
  const text = parameters.get("timeout") ?? "";
  return text === ""
    ? undefined
    : mustParseDurationMs(text, (why) => invalidParameter("timeout", why));
}

/** `lookback_delta`; undefined when absent or 0, which both mean the default. */
export function optionalLookbackMs(parameters: URLSearchParams): number | undefined {
  const text = parameters.get("lookback_delta") ?? "";
  if (text === "") return undefined;
  const lookbackMs = mustParseDurationMs(text, (why) =>
    badData(`error parsing lookback delta duration: ${why}`),
  );
  return lookbackMs > 0 ? Math.trunc(lookbackMs) : undefined;
}

/** `limit`; 0 (unlimited) when absent. */
export function limitOf(parameters: URLSearchParams): number {
  const text = parameters.get("limit") ?? "";
  if (text === "") return 0;
  if (!/^[+-]?[0-9]+$/.test(text)) {
    throw invalidParameter("limit", `strconv.Atoi: parsing ${quoteGo(text)}: invalid syntax`);
  }
  const limit = Number(text);
  if (Math.abs(limit) >= 2 ** 63) {
    throw invalidParameter("limit", `strconv.Atoi: parsing ${quoteGo(text)}: value out of range`);
  }
  if (limit < 0) throw invalidParameter("limit", "limit must be non-negative");
  return limit;
}

export interface RangeParameters {
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

/** `start`, `end` and `step`, checked in Prometheus' order. */
export function rangeOf(parameters: URLSearchParams): RangeParameters {
  const startMs = requiredTimeMs(parameters, "start");
  const endMs = requiredTimeMs(parameters, "end");
  if (endMs < startMs) {
    throw invalidParameter("end", "end timestamp must not be before start time");
  }
  const stepMs = mustParseDurationMs(parameters.get("step") ?? "", (why) =>
    invalidParameter("step", why),
  );
  if (stepMs <= 0) throw stepTooSmall();
  if (Math.floor((endMs - startMs) / stepMs) > STEPS_MAX) {
    throw badData(
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
  }
  // Samples have milliseconds, steps too. Prometheus divides by zero here.
  if (stepMs < 1) throw stepTooSmall();
  return { startMs, endMs, stepMs: Math.trunc(stepMs) };
}

function stepTooSmall(): OpError<"bad-data"> {
  return invalidParameter(
    "step",
    "zero or negative query resolution step widths are not accepted. Try a positive integer",
  );
}

/** Unix seconds with decimals, or RFC 3339. undefined if it is neither. */
export function parseTimeMs(text: string): number | undefined {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    const whole = Math.trunc(seconds);
    return clampTime(whole * 1000 + roundHalfAway((seconds - whole) * 1000));
  }
  if (text === PROMETHEUS_TIME_MIN) return TIME_MIN_MS;
  if (text === PROMETHEUS_TIME_MAX) return TIME_MAX_MS;
  return parseRfc3339Ms(text);
}

function clampTime(timeMs: number): number {
  return Math.min(TIME_MAX_MS, Math.max(TIME_MIN_MS, timeMs)) + 0;
}

function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value));
}

const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

function parseRfc3339Ms(text: string): number | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const part = (index: number): number => Number(match[index] ?? 0);
  const [year, month, day] = [part(1), part(2), part(3)];
  const [hour, minute, second] = [part(4), part(5), part(6)];
  const [zoneHour, zoneMinute] = [part(9), part(10)];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 23 || zoneMinute > 59) return undefined;
  // Not Date.UTC with a year: it takes 0..99 for 1900..1999.
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second);
  const zoneMs = (match[8] === "-" ? -1 : 1) * (zoneHour * 60 + zoneMinute) * 60_000;
  const milliseconds = Number((match[7] ?? "").padEnd(3, "0").slice(0, 3));
  return date.getTime() + milliseconds - zoneMs;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

const DURATION =
  /^(?:([0-9]+)y)?(?:([0-9]+)w)?(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?$/;
const UNITS_MS = [31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1];
/** Prometheus counts durations in int64 nanoseconds: 292 years. */
const DURATION_MAX_MS = 2 ** 63 / 1e6;

/** Seconds with decimals, or a Prometheus duration ("1h30m"). May have a fraction (microseconds). */
function mustParseDurationMs(text: string, refuse: (why: string) => OpError): number {
  const seconds = parseFloatStrict(text);
  if (seconds !== undefined) {
    if (Math.abs(seconds * 1000) > DURATION_MAX_MS) {
      throw refuse(`cannot parse ${quoteGo(text)} to a valid duration. It overflows int64`);
    }
    // Through nanoseconds, so that 0.1 s is 100 ms to the last bit.
    return Math.trunc(seconds * 1e9) / 1e6;
  }
  const match = DURATION.exec(text);
  if (match !== null && text !== "") {
    const units = UNITS_MS.map((unitMs, i) => Number(match[i + 1] ?? 0) * unitMs);
    const durationMs = units.reduce((sum, unit) => sum + unit, 0);
    if (durationMs <= DURATION_MAX_MS) return durationMs;
  }
  throw refuse(`cannot parse ${quoteGo(text)} to a valid duration`);
}

/** A finite decimal number and nothing else: no blanks, no hexadecimal. */
function parseFloatStrict(text: string): number | undefined {
  if (!/^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
