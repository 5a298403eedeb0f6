/**
 * `POST /api/v1/push` and `POST /api/v1/write`: remote write 1.0.
 *
 * Type, encoding, instance limits and request rate are checked when the head of the request is there, before a
 * byte of the body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../base/errors.ts";
import type { Admission } from "./admission.ts";
import type { Distributor } from "./distributor.ts";
import type { PushOutcome } from "./push-outcome.ts";

const PATHS = ["/api/v1/push", "/api/v1/write"];
const SUPPORTED =
  "supported is remote write 1.0: Content-Type application/x-protobuf (proto=prometheus.WriteRequest), Content-Encoding snappy";

export function registerDistributorRoutes(
  app: FastifyInstance,
  distributor: Distributor,
  { maxRecvMsgSizeBytes }: { readonly maxRecvMsgSizeBytes: number },
): void {
  const admissions = new WeakMap<FastifyRequest, Admission>();
  const admit = (
    request: FastifyRequest,
    reply: FastifyReply,
    done: (error?: Error) => void,
  ): void => {
    const unsupported = whyUnsupported(request);
    if (unsupported !== undefined) {
      done(new OpError("unsupported-media-type", `${unsupported}; ${SUPPORTED}`));
      return;
    }
    const announced = Number(request.headers["content-length"] ?? 0);
    // A body that is too large is refused by the server before it is read: it needs no room.
    const sizeBytes = announced <= maxRecvMsgSizeBytes ? announced : 0;
    const admitted = distributor.admit(request.tenant, sizeBytes, retryAttempt(request));
    if ("status" in admitted) {
      done(errorOf(admitted));
      return;
    }
    admissions.set(request, admitted);
    reply.raw.once("close", () => admitted.release());
    done();
  };
  for (const url of PATHS) {
    app.route({
      method: "POST",
      url,
      bodyLimit: maxRecvMsgSizeBytes,
      config: { bodyLimitFlag: "-distributor.max-recv-msg-size" },
      onRequest: [app.requireTenant, admit],
      handler: async (request, reply) => {
        const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
        const admission = admissions.get(request);
        admission?.resize(body.length);
        const outcome = await distributor.push(request.tenant, body, {
          ...(admission === undefined ? {} : { admission }),
          retryAttempt: retryAttempt(request),
        });
        if (outcome.status >= 300) throw errorOf(outcome);
        return reply.code(outcome.status).send();
      },
    });
  }
}

function retryAttempt(request: FastifyRequest): string | undefined {
  const header = request.headers["retry-attempt"];
  return typeof header === "string" ? header : undefined;
}

/** Codes of docs/errors.md; status and Retry-After come from the outcome. */
function errorOf(outcome: PushOutcome): Error {
  const { status, message, retryAfterSeconds } = outcome;
  const data = { httpStatus: status, retryAfterSeconds };
  switch (outcome.kind) {
    case "rate-limited":
      return new OpError("push-rate-limited", message, data);
    case "instance-limit":
      return new OpError("push-instance-limit", message, data);
    case "failed":
      return new OpError("push-failed", message, data, { cause: outcome.cause });
    case "invalid":
    case "stored":
    case "deduplicated":
      return new OpError("push-invalid", message, data);
  }
}

/** Senders that leave a header out are taken at their word: remote write had no other format for years. */
function whyUnsupported(request: FastifyRequest): string | undefined {
  const type = request.headers["content-type"];
  const encoding = request.headers["content-encoding"];
  if (type !== undefined && !isRemoteWrite1(type))
    return `the Content-Type ${quoted(type)} is not supported`;
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "snappy") {
    return `the Content-Encoding ${quoted(encoding)} is not supported`;
  }
  return undefined;
}

function isRemoteWrite1(contentType: string): boolean {
  const [media = "", ...parameters] = contentType.split(";").map((part) => part.trim());
  if (media.toLowerCase() !== "application/x-protobuf") return false;
  return parameters.every((parameter) => {
    const [name = "", value = ""] = parameter.split("=").map((part) => part.trim());
    return name.toLowerCase() !== "proto" || unquoted(value) === "prometheus.WriteRequest";
  });
}

function unquoted(value: string): string {
  return value.replace(/^"(.*)"$/, "$1");
}

/** A header may hold anything: JSON escapes it, and a text needs no more than its start. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
