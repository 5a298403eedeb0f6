/** All status pages and the APIs beside them. None needs a tenant but `user_limits`. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { must } from "../base/assert.ts";
import { OpError } from "../base/errors.ts";
import { wantsJson } from "../http/accept.ts";
import { requestParameters } from "../http/parameters.ts";
import { registerAssets } from "./assets/routes.ts";
import { buildInfo } from "./build-info.ts";
import { type ClusterSources, registerClusterPages } from "./cluster/cluster-pages.ts";
import { indexPage } from "./index-page.ts";
import { type PageFrame, sendPage } from "./layout.ts";
import { ringPaths } from "./ring/ring-source.ts";
import { servicesPage } from "./services-page.ts";
import { tenantsPage } from "./tenants-page.ts";
import type { BuildView, Readiness, ServiceView, TenantView } from "./views.ts";

export interface PagesOptions {
  readonly pathPrefix: string;
  readonly prometheusPrefix: string;
  readonly multitenancyEnabled: boolean;
  readonly build: BuildView;
  /** Secret of the forms, see FormGuard; needed where there are pages of a cluster. */
  readonly formKey?: Uint8Array;
}

export type ConfigMode = "full" | "diff" | "defaults";

/** Where the pages get what they show, asked at every request. */
export interface PagesSources {
  readonly registry: Registry;
  services(): readonly ServiceView[];
  readiness(): Readiness;
  tenants(): readonly TenantView[];
  /** What an operator should know: "object storage is configured but…". */
  notices(): readonly string[];
  /** YAML, secrets masked. */
  configText(mode: ConfigMode): string;
  /** Values in force by the names of their flags, secrets masked. */
  flags(): Readonly<Record<string, string>>;
  /** YAML of the overrides in force, and how the last reading of the files went. */
  runtimeConfigText(mode: "full" | "diff"): string;
  /** Limits of one tenant by their YAML names. */
  userLimits(tenant: string): Readonly<Record<string, unknown>>;
  /** The parts of a cluster that this process has. */
  readonly cluster?: ClusterSources;
}

export function registerPages(
  app: FastifyInstance,
  options: PagesOptions,
  sources: PagesSources,
): void {
  const ring = sources.cluster?.rings[0];
  const frame: PageFrame = {
    pathPrefix: options.pathPrefix,
    version: options.build.version,
    ringPath: ring === undefined ? undefined : ringPaths(ring.name)[0],
  };
  registerAssets(app);
  registerStatus(app, frame, sources);
  registerConfiguration(app, sources);
  if (sources.cluster !== undefined) {
    const formKey = must(options.formKey, "the forms of a cluster need a key");
    registerClusterPages(app, { frame, formKey }, sources.cluster);
  }

  app.get("/", (request, reply) =>
    sendPage(reply, frame, {
      title: "Overview",
      isLive: true,
      body: indexPage({
        ...options,
        origin: `${request.protocol}://${request.host}`,
        readiness: sources.readiness(),
        notices: sources.notices(),
        tenants: sources.tenants(),
        cluster: sources.cluster,
      }),
    }),
  );

  registerPrometheusStatus(app, options, sources);
}

/** Prometheus' status API, at the root and below the Prometheus prefix. */
function registerPrometheusStatus(
  app: FastifyInstance,
  { prometheusPrefix, build }: PagesOptions,
  sources: PagesSources,
): void {
  const built = buildInfo(build);
  const success = (data: unknown): object => ({ status: "success", data });
  for (const prefix of new Set(["", prometheusPrefix])) {
    app.get(`${prefix}/api/v1/status/buildinfo`, () => built);
    app.get(`${prefix}/api/v1/status/config`, () => success({ yaml: sources.configText("full") }));
    app.get(`${prefix}/api/v1/status/flags`, () => success(sources.flags()));
  }
}

function registerStatus(app: FastifyInstance, frame: PageFrame, sources: PagesSources): void {
  app.get("/ready", (_request, reply) => {
    const { isReady, reasons } = sources.readiness();
    void reply.type("text/plain; charset=utf-8").code(isReady ? 200 : 503);
    const lines = [
      isReady ? "ready" : "not ready",
      ...reasons,
      ...sources.notices().map((notice) => `note: ${notice}`),
    ];
    return `${lines.join("\n")}\n`;
  });
  app.get("/metrics", async (_request, reply) => {
    void reply.type(sources.registry.contentType);
    return sources.registry.metrics();
  });
  app.get("/services", (request, reply) => {
    const services = sources.services();
    const notices = sources.notices();
    if (wantsJson(request)) return reply.send({ services, notices });
    return sendPage(reply, frame, {
      title: "Services",
      isLive: true,
      body: servicesPage(services, notices),
    });
  });
  app.get("/ingester/tenants", (request, reply) => {
    const tenants = sources.tenants();
    if (wantsJson(request)) return reply.send({ tenants });
    return sendPage(reply, frame, {
      title: "Tenants",
      isLive: true,
      body: tenantsPage({
        tenants,
        parameters: requestParameters(request),
        hasUserStats: sources.cluster?.userStats !== undefined,
      }),
    });
  });
}

function registerConfiguration(app: FastifyInstance, sources: PagesSources): void {
  app.get("/config", (request, reply) => {
    const mode = modeOf(request, ["full", "diff", "defaults"]);
    return reply.type("text/plain; charset=utf-8").send(sources.configText(mode));
  });
  app.get("/runtime_config", (request, reply) => {
    const mode = modeOf(request, ["full", "diff"]);
    return reply.type("text/plain; charset=utf-8").send(sources.runtimeConfigText(mode));
  });
  app.get("/api/v1/user_limits", { onRequest: app.requireTenant }, (request) =>
    sources.userLimits(request.tenant),
  );
}

/** The first of `modes` is the default. */
function modeOf<Mode extends string>(
  request: FastifyRequest,
  modes: readonly [Mode, ...Mode[]],
): Mode {
  const asked = requestParameters(request).get("mode");
  if (asked === null || asked === "") return modes[0];
  const mode = modes.find((known) => known === asked);
  if (mode === undefined) {
    throw new OpError("bad-request", `mode=${asked} is not one of ${modes.slice(1).join(", ")}`);
  }
  return mode;
}
