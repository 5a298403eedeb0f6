import type { FastifyRequest } from "fastify";

/**
 * Parameters of the query API: those of a form body first, then those of the URL, as Go's `FormValue` orders them.
 * Prometheus clients send long queries as POST with `application/x-www-form-urlencoded`.
 */
export function requestParameters(request: FastifyRequest): URLSearchParams {
  const fromUrl = new URLSearchParams(queryOf(request.url));
  if (!isForm(request)) return fromUrl;
  const parameters = new URLSearchParams((request.body as Buffer).toString("utf8"));
  for (const [name, value] of fromUrl) parameters.append(name, value);
  return parameters;
}

function isForm(request: FastifyRequest): boolean {
  const type = request.headers["content-type"] ?? "";
  return Buffer.isBuffer(request.body) && /^application\/x-www-form-urlencoded\b/i.test(type);
}

function queryOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? "" : url.slice(start + 1);
}

/** Without the query. */
export function pathOf(url: string): string {
  const start = url.indexOf("?");
  return start < 0 ? url : url.slice(0, start);
}
