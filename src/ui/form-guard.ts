/**
 * Keeps other sites from sending our forms through the browser of somebody who may. A request of a browser must come from
 * our own pages (`Sec-Fetch-Site`, else `Origin`) and carry the token of the page that had the form. A program that
 * sends neither header, such as curl, needs no token: it is no browser that could be misled.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { OpError } from "../base/errors.ts";

export const TOKEN_FIELD = "form_token";

export class FormGuard {
  readonly #key: Uint8Array;

  /** `key`: secret; processes behind one address should share it, else a form must be sent to the one that showed it. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** For the form that does this to that: a token for another is not good for it. */
  tokenFor(...subject: readonly string[]): string {
    return createHmac("sha256", this.#key).update(JSON.stringify(subject)).digest("base64url");
  }

  /** Throws `cross-site-request` unless the request comes from our own pages, or from no browser. */
  refuseCrossSite(request: FastifyRequest): void {
    const site = request.headers["sec-fetch-site"];
    if (typeof site === "string") {
      if (site === "same-origin" || site === "none") return;
      throw new OpError(
        "cross-site-request",
        `refused: the form was sent from another site (Sec-Fetch-Site: ${site}); use the page of this server`,
      );
    }
    const { origin } = request.headers;
    if (origin === undefined || isHostOf(origin, request.host)) return;
    throw new OpError(
      "cross-site-request",
      `refused: the form was sent from ${origin}, and this server was reached as ${request.host}; use the page of this server (a proxy in between must pass the Host header on)`,
    );
  }

  /** True if a browser sent the form of a page that we did not make, or made before a restart. */
  isStale(request: FastifyRequest, token: string | null, ...subject: readonly string[]): boolean {
    const { headers } = request;
    if (headers["sec-fetch-site"] === undefined && headers.origin === undefined) return false;
    const wanted = Buffer.from(this.tokenFor(...subject));
    const given = Buffer.from(token ?? "");
    return given.length !== wanted.length || !timingSafeEqual(given, wanted);
  }
}

function isHostOf(origin: string, host: string): boolean {
  // "null", of a sandboxed frame for example, is no URL.
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
