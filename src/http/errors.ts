/**
 * The one table from the code of an OpError to what a client sees and how loudly it is logged.
 * docs/errors.md is generated from it (`node tools/generate-docs.ts`) and a test keeps them equal.
 *
 * `data` of an OpError may refine the answer:
 *   httpStatus         in place of the table's (a tenant may choose 529 for rate limits)
 *   retryAfterSeconds  becomes the Retry-After header
 */
import { OpError } from "../base/errors.ts";

export interface ErrorRule {
  readonly status: number;
  readonly level: "debug" | "warn" | "error";
  /** `errorType` of the Prometheus API. */
  readonly errorType: PrometheusErrorType;
  /** What happened and what to do, for docs/errors.md. */
  readonly meaning: string;
}

export type PrometheusErrorType =
  | "bad_data"
  | "execution"
  | "canceled"
  | "timeout"
  | "internal"
  | "not_found"
  | "not_acceptable"
  | "too_many_requests"
  | "too_large_entry"
  | "unavailable";

function rule(
  status: number,
  errorType: PrometheusErrorType,
  meaning: string,
  level?: ErrorRule["level"],
): ErrorRule {
  return { status, errorType, meaning, level: level ?? levelOfStatus(status) };
}

/** A flood of refused requests (429, 529) or of clients that hang up (499) must not fill the log. */
export function levelOfStatus(status: number): ErrorRule["level"] {
  if (status < 400 || status === 429 || status === 499 || status === 529) return "debug";
  return status >= 500 ? "error" : "warn";
}

export const ERROR_RULES: Readonly<Record<string, ErrorRule>> = {
  // HTTP itself.
  "no-org-id": rule(
    401,
    "bad_data",
    "The `X-Scope-OrgID` header is missing. Send the tenant's name in it.",
  ),
  "invalid-tenant": rule(
    400,
    "bad_data",
    "The tenant's name breaks a rule: letters, digits and `!-_.*'()`, at most 150 bytes, not `.` or `..`, one tenant only.",
  ),
  "body-too-large": rule(
    413,
    "too_large_entry",
    "The request body is larger than the path allows. Send smaller requests or raise the flag that the text names.",
  ),
  "body-incomplete": rule(
    400,
    "bad_data",
    "The connection ended before the announced body had arrived.",
    "debug",
  ),
  "unsupported-media-type": rule(
    415,
    "bad_data",
    "The Content-Type or Content-Encoding is not one that the path reads.",
  ),
  "not-found": rule(404, "not_found", "No such path."),
  "method-not-allowed": rule(
    405,
    "bad_data",
    "The path exists, but not for this method; the Allow header lists those it has.",
  ),
  "bad-request": rule(400, "bad_data", "The request is not well-formed HTTP for this path."),

  // Life of the process.
  starting: rule(
    503,
    "unavailable",
    "The component is not ready yet, for example because it replays the WAL. Clients retry by themselves.",
    "debug",
  ),
  stopping: rule(
    503,
    "unavailable",
    "The process is shutting down. Clients retry by themselves.",
    "debug",
  ),
  unavailable: rule(503, "unavailable", "A component that the request needs does not answer."),

  // Prometheus API.
  "bad-data": rule(400, "bad_data", "A parameter or the query is wrong; the text says where."),
  execution: rule(422, "execution", "The query is valid but cannot be evaluated."),
  canceled: rule(499, "canceled", "The client went away before the answer was ready.", "debug"),
  timeout: rule(503, "timeout", "The query took longer than it may."),
  internal: rule(500, "internal", "Something failed on our side; the log has the details."),
  "not-acceptable": rule(406, "not_acceptable", "No answer format that the client accepts."),
  "too-many-requests": rule(429, "too_many_requests", "Too many requests at once; retry later."),
  "not-implemented": rule(
    501,
    "execution",
    "The feature named in the text is not built yet.",
    "warn",
  ),
  "max-series-per-query": rule(
    422,
    "execution",
    "The query touches more series than `-querier.max-fetched-series-per-query` allows.",
  ),
  "max-chunks-per-query": rule(
    422,
    "execution",
    "The query touches more chunks than `-querier.max-fetched-chunks-per-query` allows.",
  ),
  "max-chunks-bytes-per-query": rule(
    422,
    "execution",
    "The query reads more chunk bytes than `-querier.max-fetched-chunk-bytes-per-query` allows.",
  ),
};

export interface ErrorAnswer {
  readonly status: number;
  readonly level: ErrorRule["level"];
  readonly errorType: PrometheusErrorType;
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
}

/** What the client gets for anything that was thrown. Text of unknown errors stays inside: it may hold anything. */
export function answerFor(error: unknown): ErrorAnswer {
  if (error instanceof OpError) return answerForOperational(error);
  const status = statusOfFrameworkError(error);
  if (status !== undefined) {
    return {
      status,
      level: levelOfStatus(status),
      errorType: status === 413 ? "too_large_entry" : "bad_data",
      message: (error as Error).message,
      retryAfterSeconds: undefined,
    };
  }
  return {
    status: 500,
    level: "error",
    errorType: "internal",
    message: "internal error, see the log of the server",
    retryAfterSeconds: undefined,
  };
}

function answerForOperational(error: OpError): ErrorAnswer {
  const found = ERROR_RULES[error.code];
  const { httpStatus, retryAfterSeconds } = error.data;
  const status = typeof httpStatus === "number" ? httpStatus : (found?.status ?? 500);
  return {
    status,
    level: found?.status === status ? found.level : levelOfStatus(status),
    errorType: found?.errorType ?? "internal",
    message: error.message,
    retryAfterSeconds: typeof retryAfterSeconds === "number" ? retryAfterSeconds : undefined,
  };
}

/** Fastify's own refusals (bad URL, wrong Content-Length) carry a status below 500. */
function statusOfFrameworkError(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error) || !("code" in error)) return undefined;
  const { statusCode, code } = error;
  if (typeof code !== "string" || !code.startsWith("FST_")) return undefined;
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500
    ? statusCode
    : undefined;
}
