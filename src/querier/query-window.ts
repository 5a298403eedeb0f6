/**
 * What the tenant's limits leave of the time that a request asks for. Pure functions of (request, limits, now).
 */
import type { Limits } from "../model/limits.ts";
import { badData, TIME_MAX_MS, TIME_MIN_MS } from "./parameters.ts";

export interface QueryWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** 0: an instant query, startMs = endMs. */
  readonly stepMs: number;
}

/** With align_queries_with_step: start and end of a range query moved back to multiples of its step, as in Mimir. */
export function alignWindow<Window extends QueryWindow>(window: Window, limits: Limits): Window {
  const { startMs, endMs, stepMs } = window;
  if (!limits.alignQueriesWithStep || stepMs === 0) return window;
  const floor = (timeMs: number): number => Math.floor(timeMs / stepMs) * stepMs;
  return { ...window, startMs: floor(startMs), endMs: floor(endMs) };
}

/** Samples before this are out of reach. */
export function earliestMs(limits: Limits, nowMs: number): number {
  return limits.maxQueryLookbackMs > 0 ? nowMs - limits.maxQueryLookbackMs : TIME_MIN_MS;
}

/**
 * The steps of the query that lie within max_query_lookback, on the same grid; undefined if there are none.
 * (Mimir moves the start itself and so the grid; here a panel's points stay where they were.)
 */
export function clampWindow(window: QueryWindow, earliest: number): QueryWindow | undefined {
  if (window.startMs >= earliest) return window;
  if (window.endMs < earliest || window.stepMs === 0) return undefined;
  const stepsLost = Math.ceil((earliest - window.startMs) / window.stepMs);
  const startMs = window.startMs + stepsLost * window.stepMs;
  return startMs > window.endMs ? undefined : { ...window, startMs };
}

/** `queriedMs`: the range of a range query; of an instant query the longest range that its selectors look at. */
export function checkQueryLength(queriedMs: number, limits: Limits): void {
  const limitMs = limits.maxTotalQueryLengthMs;
  if (limitMs <= 0 || queriedMs <= limitMs) return;
  throw badData(
    `the query covers ${queriedMs / 1000}s, more than the ${limitMs / 1000}s that the tenant may ask for: shorten its time range, or raise -query-frontend.max-total-query-length (err-mimir-max-total-query-length)`,
  );
}

export function checkExpressionSize(sizeBytes: number, limits: Limits): void {
  const limitBytes = limits.maxQueryExpressionSizeBytes;
  if (limitBytes <= 0 || sizeBytes <= limitBytes) return;
  throw badData(
    `the query expression has ${sizeBytes} bytes, more than the ${limitBytes} that the tenant may send: shorten it, or raise -query-frontend.max-query-expression-size-bytes (err-mimir-max-query-expression-size-bytes)`,
  );
}

/** Of a labels or series request; undefined if nothing is left. */
export function labelsWindow(
  asked: { readonly startMs: number; readonly endMs: number },
  limits: Limits,
  nowMs: number,
): { minTimeMs: number; maxTimeMs: number } | undefined {
  let minTimeMs = Math.max(asked.startMs, earliestMs(limits, nowMs));
  if (limits.maxLabelsQueryLengthMs > 0) {
    const end = asked.endMs === TIME_MAX_MS ? nowMs : asked.endMs;
    minTimeMs = Math.max(minTimeMs, end - limits.maxLabelsQueryLengthMs);
  }
  return minTimeMs > asked.endMs ? undefined : { minTimeMs, maxTimeMs: asked.endMs };
}
