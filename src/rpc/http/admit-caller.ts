/**
 * Who may call: a member of the same cluster that knows the secret and speaks our version. Asked when the head of
 * a request is there, before its body is read. The secret comes first: a stranger is told nothing else.
 */
import { timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { OpError } from "../../base/errors.ts";
import { parseTenant } from "../../http/tenancy.ts";
import {
  CLUSTER_HEADER,
  clusterValue,
  PROTOCOL_VERSION,
  SECRET_HEADER,
  secretValue,
} from "./protocol.ts";

export class Admission {
  readonly #clusterValue: string;
  readonly #secret: SecretCheck | undefined;

  constructor({
    clusterLabel,
    secret,
  }: { readonly clusterLabel: string; readonly secret: string }) {
    this.#clusterValue = clusterValue(clusterLabel);
    this.#secret = secret === "" ? undefined : new SecretCheck(secretValue(secret));
  }

  /** Why the caller is refused. */
  refusal(path: string, headers: IncomingHttpHeaders): OpError | undefined {
    return this.#secretRefusal(headers) ?? versionRefusal(path) ?? this.#clusterRefusal(headers);
  }

  #secretRefusal(headers: IncomingHttpHeaders): OpError | undefined {
    if (this.#secret === undefined) return undefined;
    const sent = headers[SECRET_HEADER];
    if (sent !== undefined && this.#secret.is(sent)) return undefined;
    const what = sent === undefined ? "no secret came with the call" : "the secret is wrong";
    return new OpError(
      "rpc-unauthorized",
      `${what}: -server.rpc-secret must be the same on all members`,
    );
  }

  #clusterRefusal(headers: IncomingHttpHeaders): OpError | undefined {
    const sent = String(headers[CLUSTER_HEADER] ?? "");
    if (sent === this.#clusterValue) return undefined;
    return new OpError(
      "rpc-wrong-cluster",
      `the caller belongs to cluster ${labelOf(sent)} and this member to ${labelOf(this.#clusterValue)}: see -memberlist.cluster-label`,
    );
  }
}

/** Of what a call says: the error is the caller's. */
export function tenantOf(text: string | undefined): string | OpError {
  const parsed = parseTenant(text);
  if (parsed.kind === "tenant") return parsed.tenant;
  if (parsed.kind === "missing") return new OpError("no-org-id", "no org id");
  return new OpError("invalid-tenant", parsed.message);
}

/** For a text: in quotes, and not all of what a stranger may send. */
function labelOf(value: string): string {
  const short = value.slice(0, 200);
  try {
    return JSON.stringify(decodeURIComponent(short));
  } catch {
    return JSON.stringify(short);
  }
}

function versionRefusal(path: string): OpError | undefined {
  const version = /^\/rpc\/v(\d{1,9})\//.exec(path)?.[1];
  if (version === undefined || Number(version) === PROTOCOL_VERSION) return undefined;
  return new OpError(
    "rpc-wrong-version",
    `the caller speaks version ${version} of the protocol between members and this one version ${PROTOCOL_VERSION}`,
  );
}

/** Compares in a time that depends on the length of the expected text alone. */
class SecretCheck {
  readonly #expected: Buffer;
  readonly #sent: Buffer;

  constructor(expected: string) {
    this.#expected = Buffer.from(expected, "latin1");
    this.#sent = Buffer.alloc(this.#expected.length);
  }

  is(sent: string): boolean {
    this.#sent.fill(0);
    this.#sent.write(sent, "latin1");
    return timingSafeEqual(this.#sent, this.#expected) && sent.length === this.#expected.length;
  }
}
