import type { FastifyRequest } from "fastify";

/** Status pages are HTML for a browser and JSON for a program that says so. */
export function wantsJson(request: FastifyRequest): boolean {
  return (request.headers.accept ?? "").includes("application/json");
}
