/**
 * Who may call: a member of the same cluster that knows the secret and speaks our version. Asked when the head of
 * a request is there, before its body is read. The secret comes first: a stranger is told nothing else.
 */
import { hash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { OpError } from "../../base/errors.ts";
import { bearer, CLUSTER_HEADER, PROTOCOL_VERSION, SECRET_HEADER } from "./protocol.ts";

export class Admission {
  readonly #clusterLabel: string;
  readonly #secretDigest: Buffer | undefined;

  constructor({
    clusterLabel,
    secret,
  }: { readonly clusterLabel: string; readonly secret: string }) {
    this.#clusterLabel = clusterLabel;
    this.#secretDigest = secret === "" ? undefined : digest(bearer(secret));
  }

  /** Why the caller is refused. */
  refusal(path: string, headers: IncomingHttpHeaders): OpError | undefined {
    return this.#secretRefusal(headers) ?? versionRefusal(path) ?? this.#clusterRefusal(headers);
  }

  #secretRefusal(headers: IncomingHttpHeaders): OpError | undefined {
    if (this.#secretDigest === undefined) return undefined;
    const sent = headers[SECRET_HEADER];
    // Digests have the same length whatever was sent, so that comparing them tells nothing of the secret.
    if (sent !== undefined && timingSafeEqual(digest(sent), this.#secretDigest)) return undefined;
    const what = sent === undefined ? "no secret came with the call" : "the secret is wrong";
    return new OpError(
      "rpc-unauthorized",
      `${what}: -server.rpc-secret must be the same on all members`,
    );
  }

  #clusterRefusal(headers: IncomingHttpHeaders): OpError | undefined {
    const sent = headers[CLUSTER_HEADER] ?? "";
    if (sent === this.#clusterLabel) return undefined;
    const caller = JSON.stringify(String(sent).slice(0, 200));
    return new OpError(
      "rpc-wrong-cluster",
      `the caller belongs to cluster ${caller} and this member to ${JSON.stringify(this.#clusterLabel)}: see -memberlist.cluster-label`,
    );
  }
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}

function versionRefusal(path: string): OpError | undefined {
  const version = /^\/rpc\/v(\d{1,9})\//.exec(path)?.[1];
  if (version === undefined || Number(version) === PROTOCOL_VERSION) return undefined;
  return new OpError(
    "rpc-wrong-version",
    `the caller speaks version ${version} of the protocol between members and this one version ${PROTOCOL_VERSION}`,
  );
}
