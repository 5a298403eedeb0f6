import type { FastifyInstance } from "fastify";
import { defaultConfig } from "../../src/config/defaults.ts";
import type { Limits } from "../../src/model/limits.ts";
import { QuerierComponent, type QuerierComponentOptions } from "../../src/querier/component.ts";
import type { Queryable } from "../../src/storage/queryable.ts";
import { type HttpFixture, newHttpFixture } from "../http/http-fixture.ts";

export const STAND_IN = new URL("../testkit/query-worker.ts", import.meta.url);

export interface QueryFixture extends HttpFixture, AsyncDisposable {
  readonly app: FastifyInstance;
  readonly component: QuerierComponent;
  /** Path below /prometheus/api/v1/ of tenant "t". */
  get(path: string): Promise<Answer>;
  post(path: string, form: string): Promise<Answer>;
  setLimits(limits: Partial<Limits>): void;
}

export interface Answer {
  readonly status: number;
  readonly body: {
    readonly status: string;
    // oxlint-disable-next-line typescript/no-explicit-any -- tests look into whatever came
    readonly data?: any;
    readonly errorType?: string;
    readonly error?: string;
    readonly warnings?: string[];
    readonly infos?: string[];
  };
  readonly headers: Readonly<Record<string, unknown>>;
}

/** The query API over HTTP (injected), on a virtual clock, with real worker threads. */
export function queryFixture(
  sources: readonly Queryable[],
  options: QuerierComponentOptions = {},
): QueryFixture {
  const http = newHttpFixture();
  let limits: Limits = defaultConfig().limits;
  const component = new QuerierComponent(
    { threads: 1, ...options },
    { ...http, sources, limits: { forTenant: () => limits, version: 1 } },
  );
  http.server.routes((app) => component.registerRoutes(app, "/prometheus", [app.requireTenant]));
  const { app } = http.server;
  const headers = { "x-scope-orgid": "t" };
  const answer = (response: { statusCode: number; body: string; headers: object }): Answer => ({
    status: response.statusCode,
    body: JSON.parse(response.body) as Answer["body"],
    headers: { ...response.headers },
  });
  const url = (path: string): string => `/prometheus/api/v1/${path}`;
  return {
    ...http,
    app,
    component,
    get: async (path) => answer(await app.inject({ method: "GET", url: url(path), headers })),
    post: async (path, form) => {
      const type = { "content-type": "application/x-www-form-urlencoded" };
      const request = { method: "POST", url: url(path), payload: form } as const;
      return answer(await app.inject({ ...request, headers: { ...headers, ...type } }));
    },
    setLimits: (change) => {
      limits = { ...limits, ...change };
    },
    [Symbol.asyncDispose]: async () => {
      await component.close();
      await app.close();
    },
  };
}
