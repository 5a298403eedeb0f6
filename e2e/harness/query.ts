/** The Prometheus HTTP API, for Muninn and for Prometheus alike, and what it means for two answers to be the same. */
import assert from "node:assert/strict";
import { request } from "undici";

export type Labels = Readonly<Record<string, string>>;
export type Point = readonly [timeSeconds: number, value: string];

export interface VectorResult {
  readonly resultType: "vector";
  readonly result: readonly { readonly metric: Labels; readonly value: Point }[];
}
export interface MatrixResult {
  readonly resultType: "matrix";
  readonly result: readonly { readonly metric: Labels; readonly values: readonly Point[] }[];
}
export interface ScalarResult {
  readonly resultType: "scalar" | "string";
  readonly result: Point;
}
export type QueryResult = VectorResult | MatrixResult | ScalarResult;

export class Api {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** `base` ends before /api/v1. */
  constructor(base: string, tenant?: string) {
    this.#base = base;
    this.#headers = tenant === undefined ? {} : { "x-scope-orgid": tenant };
  }

  async get(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> {
    const url = `${this.#base}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`;
    const { statusCode, body } = await request(url, { headers: this.#headers });
    const text = await body.text();
    assert.equal(statusCode, 200, `${url} answered ${statusCode}: ${text.slice(0, 500)}`);
    return (JSON.parse(text) as { data: unknown }).data;
  }

  async instant(query: string, timeMs: number): Promise<QueryResult> {
    return (await this.get("query", { query, time: seconds(timeMs) })) as QueryResult;
  }

  async range(
    query: string,
    bounds: { startMs: number; endMs: number; stepMs: number },
  ): Promise<MatrixResult> {
    return (await this.get("query_range", {
      query,
      start: seconds(bounds.startMs),
      end: seconds(bounds.endMs),
      step: seconds(bounds.stepMs),
    })) as MatrixResult;
  }

  /** Raw samples (timestamp in ms, value) of each series, keyed by its labels. */
  async samples(selector: string, timeMs: number): Promise<Map<string, Map<number, number>>> {
    const answer = await this.instant(selector, timeMs);
    assert.equal(answer.resultType, "matrix");
    const rows = answer.result.map(({ metric, values }) => {
      const points = values.map(
        ([time, value]) => [Math.round(time * 1000), parseValue(value)] as const,
      );
      return [labelKey(metric), new Map(points)] as const;
    });
    return new Map(rows);
  }
}

export function seconds(timeMs: number): string {
  return (timeMs / 1000).toFixed(3);
}

export function parseValue(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return Number(text);
}

export function labelKey(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** How the answers differ, or undefined. Order of series does not count; values may differ by `tolerance`, relative. */
export function difference(
  ours: QueryResult,
  theirs: QueryResult,
  tolerance: number,
): string | undefined {
  if (ours.resultType !== theirs.resultType) {
    return `result type ${ours.resultType}, not ${theirs.resultType}`;
  }
  const [left, right] = [pointsByLabels(ours), pointsByLabels(theirs)];
  for (const key of right.keys()) if (!left.has(key)) return `series missing: ${key}`;
  for (const [key, points] of left) {
    const expected = right.get(key);
    if (expected === undefined) return `series too many: ${key}`;
    const found = pointsDifference(points, expected, tolerance);
    if (found !== undefined) return `${key}: ${found}`;
  }
  return undefined;
}

function pointsByLabels(answer: QueryResult): Map<string, readonly Point[]> {
  switch (answer.resultType) {
    case "matrix":
      return new Map(answer.result.map(({ metric, values }) => [labelKey(metric), values]));
    case "vector":
      return new Map(answer.result.map(({ metric, value }) => [labelKey(metric), [value]]));
    case "scalar":
    case "string":
      return new Map([["", [answer.result]]]);
  }
}

function pointsDifference(
  ours: readonly Point[],
  theirs: readonly Point[],
  tolerance: number,
): string | undefined {
  if (ours.length !== theirs.length) return `${ours.length} points, not ${theirs.length}`;
  for (const [index, [time, value]] of ours.entries()) {
    const [expectedTime, expected] = theirs[index] as Point;
    if (time !== expectedTime) return `time ${time}, not ${expectedTime}`;
    if (!isClose(parseValue(value), parseValue(expected), tolerance)) {
      return `at ${time}: ${value}, not ${expected}`;
    }
  }
  return undefined;
}

function isClose(a: number, b: number, tolerance: number): boolean {
  if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}
