/**
 * The one table from the code of an OpError to what a client sees and how loudly it is logged.
 * docs/errors.md is generated from it (`node tools/generate-docs.ts`), and tests keep page, table and source equal.
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
function levelOfStatus(status: number): ErrorRule["level"] {
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
  "bad-request": rule(400, "bad_data", "A parameter of a status page is none that it knows."),
  "cross-site-request": rule(
    403,
    "bad_data",
    "A browser sent a form of a status page from another site, or one that is out of date. Use the page of this server; a proxy in between must pass the Host header on.",
  ),
  "ring-instance-unknown": rule(
    404,
    "not_found",
    "The ring has no such instance; the text lists those it has.",
  ),
  "forget-refused": rule(
    409,
    "bad_data",
    "The instance is alive, or quorum would suffer without it (the text says which). Send `force=true` to forget it all the same.",
  ),

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
  "target-not-available": rule(
    500,
    "internal",
    "At start: `-target` names a component that this version cannot run alone. Use `-target=all`.",
  ),
  "data-dir-locked": rule(
    500,
    "internal",
    "At start: another process uses the data directory. Stop it, or give this one another `-data-dir`.",
  ),
  "listen-failed": rule(
    500,
    "internal",
    "At start: the HTTP port cannot be opened. The text says why; choose another with `-server.http-listen-port`.",
  ),
  "join-failed": rule(
    500,
    "internal",
    "At start, with `-memberlist.abort-if-cluster-join-fails`: none of `-memberlist.join` answers. The text says why each did not.",
  ),
  "runtime-config-invalid": rule(
    500,
    "internal",
    "At start: a file of `-runtime-config.file` is missing or wrong. The text names file, line and key.",
  ),

  // Pushes. The texts carry Mimir's ids (`err-mimir-…`); status and Retry-After depend on the tenant's settings.
  "push-invalid": rule(
    400,
    "bad_data",
    "Something in a push breaks a rule; what was valid is stored. The text names the first fault of each kind. Sending it again does not help.",
    "debug",
  ),
  "too-few-replicas": rule(
    500,
    "unavailable",
    "Fewer ingesters than the write quorum can take the rows of a push; nothing may be taken as stored. The text names the unhealthy ones; see `/ingester/ring`. Prometheus sends the push again by itself.",
  ),
  "push-rate-limited": rule(
    429,
    "too_many_requests",
    "The tenant sends more than its limits allow; nothing of the request is stored. Retry after the time in Retry-After.",
  ),
  "push-instance-limit": rule(
    500,
    "unavailable",
    "The process has as much under way as it may; nothing of the request is stored. Retry; more processes, or a higher limit (the text names it), help.",
    "debug",
  ),
  "push-failed": rule(
    500,
    "unavailable",
    "Samples could not be stored. Retry: a sample that was stored after all is taken a second time without harm.",
  ),

  // Ingester: answers to a push, so clients see them through `push-failed`.
  "ingester-max-inflight-push-requests": rule(
    500,
    "unavailable",
    "The ingester has as many pushes under way as `-ingester.instance-limits.max-inflight-push-requests` allows: the disk is too slow.",
    "debug",
  ),
  "ingester-max-inflight-push-requests-bytes": rule(
    500,
    "unavailable",
    "The ingester has as many bytes of pushes under way as `-ingester.instance-limits.max-inflight-push-requests-bytes` allows: the disk is too slow.",
    "debug",
  ),
  "ingester-max-ingestion-rate": rule(
    500,
    "unavailable",
    "The ingester takes as many samples a second as `-ingester.instance-limits.max-ingestion-rate` allows.",
    "debug",
  ),
  "ingester-timeout": rule(
    500,
    "unavailable",
    "An ingester did not answer a push within `-distributor.remote-timeout`. Retry: samples that it stored after all are taken a second time without harm.",
  ),
  "ingester-max-tenants": rule(
    500,
    "unavailable",
    "The ingester has as many tenants as `-ingester.instance-limits.max-tenants` allows.",
    "debug",
  ),
  "head-full": rule(
    500,
    "unavailable",
    "A tenant's head takes all the memory that one ingester can give it. Lower its series limit or add ingesters.",
  ),
  "malformed-batch": rule(
    500,
    "internal",
    "Rows from a distributor do not add up: a bug, or another version.",
  ),
  "push-frame-malformed": rule(
    400,
    "bad_data",
    "Bytes sent to an ingester are no push frame (docs/formats/push-frame.md), or not whole; the text says what is wrong and where. Nothing of it is stored.",
  ),
  "wal-blocked": rule(
    503,
    "unavailable",
    "The disk refuses the write-ahead log (it is full, as a rule). Nothing acknowledged is lost; writing goes on by itself once there is room.",
  ),
  "wal-overloaded": rule(
    503,
    "unavailable",
    "More waits for the disk than may: it is too slow for what comes in.",
    "warn",
  ),
  "wal-closed": rule(
    503,
    "unavailable",
    "The write-ahead log is closed already: the process is shutting down.",
    "debug",
  ),
  "head-chunks-blocked": rule(
    503,
    "unavailable",
    "The disk refuses a tenant's chunk file. The chunks stay in memory and in the log; writing is tried again.",
  ),
  "head-chunks-overloaded": rule(
    503,
    "unavailable",
    "More chunks wait for the disk than may: it is full or too slow.",
  ),
  "head-chunks-sync-failed": rule(
    500,
    "internal",
    "A chunk file could not be synced, so its state is unknown. Restart: its samples are in the write-ahead log.",
  ),
  corruption: rule(
    500,
    "internal",
    "Bytes on disk are not what was written. The text names file and offset; docs/formats says what to do.",
  ),

  // Reads from a ring.
  "too-many-unhealthy-instances": rule(
    500,
    "internal",
    "So many ingesters are missing that an answer could lack samples that were acknowledged. The text names them and says why; it recovers when they come back.",
  ),
  "empty-ring": rule(
    500,
    "internal",
    "No ingester that may hold samples is in the ring: they have not joined yet, or this process has not heard of them.",
  ),

  // Calls between members. Between them the status is as here; whoever asked through the public API gets 500.
  "ingester-unreachable": rule(
    500,
    "unavailable",
    "An ingester cannot be called: it is down, its address in the ring is wrong, a firewall is between, or TLS settings do not fit. The text names the instance and says why.",
  ),
  "ingester-overloaded": rule(
    500,
    "unavailable",
    "As many calls to one ingester are under way as `-ingester.client.max-inflight-requests` or `-ingester.client.max-inflight-bytes` allows: it answers too slowly. Others are not affected.",
    "debug",
  ),
  "ingester-circuit-open": rule(
    503,
    "unavailable",
    "So many calls to one ingester failed lately that it is left alone for `-ingester.client.circuit-breaker.cooldown-period`. The log has the first failure; the text has the time that remains.",
    "debug",
  ),
  "ingester-answer-too-large": rule(
    422,
    "execution",
    "The answer of an ingester is larger than `-ingester.client.max-response-size` allows. Ask for fewer series or a shorter time.",
  ),
  "ingester-bug": rule(
    500,
    "internal",
    "A call failed at the other member in a way that it does not know. Its log has the stack.",
  ),
  "rpc-unauthorized": rule(
    401,
    "internal",
    "A caller on the RPC port did not send the secret of `-server.rpc-secret`, which must be the same on all members.",
  ),
  "rpc-wrong-cluster": rule(
    421,
    "internal",
    "A member of another cluster called. The text names both; `-memberlist.cluster-label` must be the same on all members of one.",
  ),
  "rpc-wrong-version": rule(
    421,
    "internal",
    "A member calls with another version of the protocol. Bring all members to the same version of the program.",
  ),
  "rpc-malformed-request": rule(
    400,
    "internal",
    "A call on the RPC port is not what the protocol asks for: a bug, or another version.",
  ),
  "rpc-malformed-answer": rule(
    500,
    "internal",
    "What came back from another member is not what the protocol asks for: a bug, another version, or something between the two.",
  ),
  "rpc-overloaded": rule(
    503,
    "unavailable",
    "The bodies of the calls that a member has under way take all the memory that they may. Calls are tried again by themselves.",
    "debug",
  ),

  // Prometheus API.
  "bad-data": rule(
    400,
    "bad_data",
    "A parameter or the query is wrong; the text says where (line and column in a query).",
  ),
  execution: rule(422, "execution", "The query is valid but cannot be evaluated."),
  canceled: rule(499, "canceled", "The client went away before the answer was ready.", "debug"),
  timeout: rule(
    503,
    "timeout",
    "The query took longer than `-querier.timeout` or its own `timeout` allows.",
    "warn",
  ),
  "too-many-requests": rule(
    429,
    "too_many_requests",
    "Too many queries wait already; retry later.",
  ),
  "not-implemented": rule(
    422,
    "execution",
    "The part of PromQL that the text names is not built yet.",
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
