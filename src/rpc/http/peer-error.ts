/** Everything that can go wrong on the way to another member and back, as OpErrors that name the member. */
import { OpError } from "../../base/errors.ts";
import type { Failure } from "./messages.ts";

/** The other end of a connection, as in the ring. */
export interface Peer {
  readonly instanceId: string;
  /** "host:port" */
  readonly address: string;
}

export function peerName({ instanceId, address }: Peer): string {
  return `ingester ${instanceId} (${address})`;
}

const CERTIFICATE =
  "its certificate is not accepted: see -ingester.client.tls-ca-path and -ingester.client.tls-server-name";
const NO_TLS =
  "it does not speak TLS, or not ours: -ingester.client.tls-enabled must fit -server.rpc-tls-cert-path there";
const CLOSED = "the connection was closed";

/** By the code of Node, OpenSSL or undici. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  UND_ERR_SOCKET: CLOSED,
  UND_ERR_CLOSED: "this client is closed: the member has left the ring, or this process shuts down",
  UND_ERR_DESTROYED:
    "this client is closed: the member has left the ring, or this process shuts down",
  ENOTFOUND: "there is no such host name",
  EAI_AGAIN: "the host name cannot be resolved at the moment",
  ETIMEDOUT: "connecting took too long",
  UND_ERR_CONNECT_TIMEOUT: "connecting took too long",
  EHOSTUNREACH: "there is no route to the host",
  ENETUNREACH: "there is no route to the network",
  CERT_HAS_EXPIRED: CERTIFICATE,
  DEPTH_ZERO_SELF_SIGNED_CERT: CERTIFICATE,
  SELF_SIGNED_CERT_IN_CHAIN: CERTIFICATE,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: CERTIFICATE,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: CERTIFICATE,
  ERR_TLS_CERT_ALTNAME_INVALID: CERTIFICATE,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
  EPROTO: NO_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "it asks for a certificate: see -ingester.client.tls-cert-path",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA:
    "it does not accept our certificate: see -ingester.client.tls-cert-path and -server.rpc-tls-ca-path there",
};

/** Known only after a while of waiting, unlike the others. */
const SLOW = new Set(["ETIMEDOUT", "UND_ERR_CONNECT_TIMEOUT", "EHOSTUNREACH", "ENETUNREACH"]);

/** No answer: refused, reset, not found, no TLS …; "ingester-timeout" if that was known only after a while. */
export function unreachable(peer: Peer, cause: unknown): OpError {
  const code = codeOf(cause);
  const message = cause instanceof Error ? cause.message : String(cause);
  const known = REASONS[code];
  const why = known === undefined ? message : `${known} (${code})`;
  return new OpError(
    SLOW.has(code) ? "ingester-timeout" : "ingester-unreachable",
    `${peerName(peer)} cannot be reached: ${why}`,
    { instance: peer.instanceId, address: peer.address },
    { cause },
  );
}

/** A name with several addresses fails with all their errors at once. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

export function timedOut(peer: Peer, timeoutMs: number): OpError {
  return new OpError(
    "ingester-timeout",
    `${peerName(peer)} did not answer within ${timeoutMs} ms`,
    {
      instance: peer.instanceId,
    },
  );
}

export function answerTooLarge(
  peer: Peer,
  limitBytes: number,
  sizeBytes: number | undefined,
): OpError {
  const size = sizeBytes === undefined ? "" : ` of ${sizeBytes} bytes`;
  return new OpError(
    "ingester-answer-too-large",
    `the answer${size} of ${peerName(peer)} is larger than the limit of ${limitBytes} bytes, set by -ingester.client.max-response-size; ask for fewer series or a shorter time`,
    { instance: peer.instanceId, limitBytes, sizeBytes },
  );
}

export function malformedAnswer(peer: Peer, message: string): OpError {
  return new OpError("rpc-malformed-answer", `${peerName(peer)}: ${message}`, {
    instance: peer.instanceId,
  });
}

/** What the caller of the public API must not take for his own mistake: it lies between two members. */
const BETWEEN_MEMBERS = new Set([
  "not-found",
  "method-not-allowed",
  "no-org-id",
  "invalid-tenant",
  "body-too-large",
]);

/** An error that the other member answered, with its code. */
export function remoteError(peer: Peer, { code, message, data }: Failure): OpError {
  if (!code.startsWith("rpc-") && !BETWEEN_MEMBERS.has(code))
    return new OpError(code, message, data);
  const text = `${peerName(peer)} refused the call: ${message}`;
  return new OpError(code, text, { ...data, instance: peer.instanceId, httpStatus: 500 });
}
