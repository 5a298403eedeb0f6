/**
 * Whose request it is: the `X-Scope-OrgID` header, with Mimir's rules. It is read when the head of the request
 * is there, so that a request without a tenant costs nothing but its refusal.
 */

import type { FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../base/errors.ts";

export const TENANT_HEADER = "x-scope-orgid";
const TENANT_SIZE_MAX_BYTES = 150;
const ALLOWED = /^[A-Za-z0-9!\-_.*'()]+$/;
const NOT_ALLOWED = /[^A-Za-z0-9!\-_.*'()]/u;
/** Mimir keeps cluster-wide objects under this name in the bucket, beside the tenants. */
const RESERVED = "__mimir_cluster";

export type ParsedTenant =
  | { readonly kind: "tenant"; readonly tenant: string }
  | { readonly kind: "missing" }
  | { readonly kind: "invalid"; readonly message: string };

/** One tenant, from the value of the header. */
export function parseTenant(value: string | undefined): ParsedTenant {
  if (value === undefined || value === "") return { kind: "missing" };
  const message = whyInvalid(value);
  return message === undefined ? { kind: "tenant", tenant: value } : { kind: "invalid", message };
}

function whyInvalid(value: string): string | undefined {
  if (value.length > TENANT_SIZE_MAX_BYTES) {
    return `tenant ID is too long: max ${TENANT_SIZE_MAX_BYTES} characters, got ${value.length}`;
  }
  if (!ALLOWED.test(value)) {
    if (value.includes("|")) return `multiple org IDs present: ${quoted(value)}, one is expected`;
    const character = NOT_ALLOWED.exec(value)?.[0] ?? "";
    return `tenant ID ${quoted(value)} contains unsupported character ${quoted(character)}`;
  }
  if (value === "." || value === "..") return `tenant ID is unsafe: ${quoted(value)}`;
  if (value === RESERVED) return `tenant ID ${quoted(value)} is reserved`;
  return undefined;
}

/** JSON escapes: a header may hold control characters and quotes. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

export type TenantHook = (
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
) => void;

/** An onRequest hook that sets `request.tenant`, or refuses the request. */
export function tenantHook(options: {
  readonly multitenancyEnabled: boolean;
  readonly noAuthTenant: string;
}): TenantHook {
  if (!options.multitenancyEnabled) {
    return (request, _reply, done) => {
      request.tenant = options.noAuthTenant;
      done();
    };
  }
  return (request, _reply, done) => {
    const header = request.headers[TENANT_HEADER];
    const parsed = parseTenant(typeof header === "string" ? header : header?.join(","));
    if (parsed.kind === "tenant") {
      request.tenant = parsed.tenant;
      done();
    } else if (parsed.kind === "missing") {
      done(new OpError("no-org-id", "no org id"));
    } else {
      done(new OpError("invalid-tenant", parsed.message));
    }
  };
}
