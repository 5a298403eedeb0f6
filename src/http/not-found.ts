/**
 * Requests that match no route. The registered routes are searched for one that has the path but another method (405)
 * or nearly the path (404 with a hint). Only misses pay for the search.
 */
import { distance } from "fastest-levenshtein";
import type { FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../base/errors.ts";
import { pathOf } from "./parameters.ts";

const HINT_DISTANCE_MAX = 4;

interface KnownPath {
  readonly pattern: string;
  readonly expression: RegExp;
  readonly methods: Set<string>;
}

export class KnownPaths {
  readonly #paths = new Map<string, KnownPath>();

  add(pattern: string, methods: readonly string[]): void {
    let path = this.#paths.get(pattern);
    if (path === undefined) {
      path = { pattern, expression: expressionOf(pattern), methods: new Set() };
      this.#paths.set(pattern, path);
    }
    for (const method of methods) path.methods.add(method);
  }

  /** Sorted; empty if the path is unknown. */
  methodsOf(path: string): string[] {
    const methods = new Set<string>();
    for (const known of this.#paths.values()) {
      if (!known.expression.test(path)) continue;
      for (const method of known.methods) methods.add(method);
    }
    return [...methods].sort();
  }

  nearest(path: string): string | undefined {
    let best: string | undefined;
    let bestDistance = HINT_DISTANCE_MAX + 1;
    for (const { pattern } of this.#paths.values()) {
      const found = distance(path, pattern);
      if (found < bestDistance) [best, bestDistance] = [pattern, found];
    }
    return best;
  }

  /** Fastify's not-found handler. */
  refuse(request: FastifyRequest, reply: FastifyReply): never {
    const path = pathOf(request.url);
    const methods = this.methodsOf(path);
    if (methods.length > 0) {
      reply.header("allow", methods.join(", "));
      throw new OpError(
        "method-not-allowed",
        `${request.method} is not allowed on ${shown(path)}, use ${methods.join(", ")}`,
      );
    }
    const hint = path.length < 200 ? this.nearest(path) : undefined;
    const advice =
      hint === undefined ? "the index page / lists the paths" : `did you mean ${hint}?`;
    throw new OpError("not-found", `no such path: ${shown(path)}; ${advice}`);
  }
}

function shown(path: string): string {
  return path.length < 200 ? path : `${path.slice(0, 200)}…`;
}

/** `/label/:name/values` matches one segment for `:name`; `*` matches the rest. */
function expressionOf(pattern: string): RegExp {
  const source = pattern
    .split("/")
    .map((segment) => {
      if (segment.startsWith(":")) return "[^/]+";
      return segment.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replace(/\*/g, ".*");
    })
    .join("/");
  return new RegExp(`^${source}$`);
}
