/**
 * Requests and answers as JSON. Pushes and the answers to `select` are frames instead: docs/formats.
 * What comes from another process is checked field by field; what is wrong is an OpError that says where.
 */
import { z } from "zod";
import { OpError } from "../../base/errors.ts";
import type { Labels } from "../../model/labels.ts";
import type { Matcher } from "../../model/matchers.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../../storage/queryable.ts";
import type { PushAnswer, UserStats } from "../ingester.ts";

const count = z.int().nonnegative();

const matcher = z.object({
  type: z.enum(["=", "!=", "=~", "!~"]),
  name: z.string(),
  value: z.string(),
});

const selectRequest = z.object({
  matchers: z.array(matcher),
  minTimeMs: z.number(),
  maxTimeMs: z.number(),
  labelsWanted: z.array(z.string()).optional(),
  limits: z.object({ seriesMax: count, chunksMax: count, chunkBytesMax: count }),
});

const labelsRequest = z.object({
  matcherSets: z.array(z.array(matcher)),
  minTimeMs: z.number(),
  maxTimeMs: z.number(),
  limit: count,
});

const seriesRequest = labelsRequest.extend({ seriesMax: count });
const labelValuesRequest = labelsRequest.extend({ name: z.string() });

const pushAnswer = z.object({
  unknownSeries: z.array(z.uint32()),
  rejected: z.array(
    z.object({
      reason: z.enum([
        "sample-out-of-order",
        "sample-timestamp-too-old",
        "sample-duplicate-timestamp",
        "max-series-per-user",
        "ingester-max-series",
      ]),
      count,
      seriesIndex: count,
      timestampMs: z.number(),
      limit: z.number().optional(),
    }),
  ),
});

const userStats = z.array(
  z.object({ tenant: z.string(), seriesCount: count, samplesPerSecond: z.number() }),
);

const failure = z.object({
  code: z.string().regex(/^[a-z0-9-]{1,64}$/),
  message: z.string(),
  data: z.record(z.string(), z.unknown()).default({}),
});

export type Failure = z.infer<typeof failure>;

/** JSON knows no infinity: bounds that say "from the beginning", "to the end" become numbers beyond every sample. */
function timesOf(request: { readonly minTimeMs: number; readonly maxTimeMs: number }): object {
  return {
    minTimeMs: Math.max(request.minTimeMs, Number.MIN_SAFE_INTEGER),
    maxTimeMs: Math.min(request.maxTimeMs, Number.MAX_SAFE_INTEGER),
  };
}

function matchersOf(matchers: readonly Matcher[]): Matcher[] {
  return matchers.map(({ type, name, value }) => ({ type, name, value }));
}

function labelsFields(request: LabelsRequest): object {
  const matcherSets = request.matcherSets.map(matchersOf);
  return { matcherSets, ...timesOf(request), limit: request.limit };
}

export function encodeSelectRequest(request: SelectRequest): string {
  const { labelsWanted, limits } = request;
  return JSON.stringify({
    matchers: matchersOf(request.matchers),
    ...timesOf(request),
    labelsWanted,
    limits: {
      seriesMax: limits.seriesMax,
      chunksMax: limits.chunksMax,
      chunkBytesMax: limits.chunkBytesMax,
    },
  });
}

export function decodeSelectRequest(body: Buffer, signal: AbortSignal): SelectRequest {
  const { labelsWanted, ...request } = parsed("request", selectRequest, body);
  return { ...request, ...(labelsWanted === undefined ? {} : { labelsWanted }), signal };
}

export function encodeLabelsRequest(request: LabelsRequest): string {
  return JSON.stringify(labelsFields(request));
}

export function decodeLabelsRequest(body: Buffer, signal: AbortSignal): LabelsRequest {
  return { ...parsed("request", labelsRequest, body), signal };
}

export function encodeLabelValuesRequest(name: string, request: LabelsRequest): string {
  return JSON.stringify({ ...labelsFields(request), name });
}

export function decodeLabelValuesRequest(
  body: Buffer,
  signal: AbortSignal,
): { readonly name: string; readonly request: LabelsRequest } {
  const { name, ...request } = parsed("request", labelValuesRequest, body);
  return { name, request: { ...request, signal } };
}

export function encodeSeriesRequest(request: SeriesRequest): string {
  return JSON.stringify({ ...labelsFields(request), seriesMax: request.seriesMax });
}

export function decodeSeriesRequest(body: Buffer, signal: AbortSignal): SeriesRequest {
  return { ...parsed("request", seriesRequest, body), signal };
}

export function encodePushAnswer({ unknownSeries, rejected }: PushAnswer): string {
  return JSON.stringify({ unknownSeries: [...unknownSeries], rejected });
}

export function decodePushAnswer(body: Buffer): PushAnswer {
  const { unknownSeries, rejected } = parsed("answer", pushAnswer, body);
  return {
    unknownSeries: Uint32Array.from(unknownSeries),
    rejected: rejected.map(({ limit, ...rest }) =>
      limit === undefined ? rest : { ...rest, limit },
    ),
  };
}

export function decodeUserStats(body: Buffer): readonly UserStats[] {
  return parsed("answer", userStats, body);
}

/** Names or values of labels: there may be a million, so they are checked by a plain loop. */
export function decodeStrings(body: Buffer): string[] {
  const texts = json("answer", body);
  if (isStrings(texts)) return texts;
  throw malformed("answer", "an array of strings is expected");
}

/** Each label set as one array: name, value, name, value … */
export function encodeLabelSets(sets: readonly Labels[]): string {
  return JSON.stringify(sets.map((labels) => labels.flatMap(({ name, value }) => [name, value])));
}

export function decodeLabelSets(body: Buffer): Labels[] {
  const sets = json("answer", body);
  if (!Array.isArray(sets)) throw malformed("answer", "an array of label sets is expected");
  return sets.map((texts: unknown, index) => {
    if (!isStrings(texts) || texts.length % 2 !== 0) {
      throw malformed("answer", `label set ${index} is not an array of names and values`);
    }
    return Array.from({ length: texts.length / 2 }, (_, i) => ({
      name: texts[2 * i] as string,
      value: texts[2 * i + 1] as string,
    }));
  });
}

/** An error for the other side. What JSON cannot say of its data (functions, cycles) stays here. */
export function encodeFailure({ code, message, data }: Failure): string {
  try {
    return JSON.stringify({ code, message, data }, withoutBigInts);
  } catch {
    return JSON.stringify({ code, message });
  }
}

/** Undefined: it is no error of ours, for example a proxy's. */
export function decodeFailure(body: Buffer): Failure | undefined {
  try {
    return failure.safeParse(JSON.parse(body.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

function withoutBigInts(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}

type Side = "request" | "answer";

function parsed<Value>(side: Side, schema: z.ZodType<Value>, body: Buffer): Value {
  const result = schema.safeParse(json(side, body));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw malformed(side, `${issue?.path.join(".")}: ${issue?.message}`);
}

function json(side: Side, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw malformed(side, `it is not JSON: ${(error as Error).message.slice(0, 200)}`);
  }
}

function malformed(side: Side, message: string): OpError {
  return side === "request"
    ? new OpError(
        "rpc-malformed-request",
        `the request of the other member is malformed: ${message}`,
      )
    : new OpError("rpc-malformed-answer", `the answer is malformed: ${message}`);
}
