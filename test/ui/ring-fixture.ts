import type { LightMyRequestResponse } from "fastify";
import { registerRingPage } from "../../src/ui/ring/ring-page.ts";
import type { RingPageSource } from "../../src/ui/ring/ring-source.ts";
import { newHttpFixture } from "../http/http-fixture.ts";

export const FORM_KEY: Uint8Array = new TextEncoder().encode("a key that only tests have");

export interface RingPages {
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  json(url: string): Promise<LightMyRequestResponse>;
  post(
    url: string,
    form: Record<string, string>,
    headers?: Record<string, string>,
  ): Promise<LightMyRequestResponse>;
}

export function ringPages(source: RingPageSource, pathPrefix = ""): RingPages {
  const { server } = newHttpFixture({ pathPrefix });
  server.routes((app) =>
    registerRingPage(app, { frame: { pathPrefix, version: "1.2.3" }, formKey: FORM_KEY }, source),
  );
  const get: RingPages["get"] = (url, headers = {}) => server.app.inject({ url, headers });
  return {
    get,
    json: (url) => get(url, { accept: "application/json" }),
    post: (url, form, headers = {}) =>
      server.app.inject({
        method: "POST",
        url,
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        payload: new URLSearchParams(form).toString(),
      }),
  };
}
