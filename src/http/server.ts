/**
 * The HTTP server of a process: Fastify with our rules on it. Others register their routes through `routes`;
 * see docs/decisions/0007-http-on-fastify.md for what Fastify does and what we do ourselves.
 *
 *   life of a request   head arrives → tenant (onRequest) → body, up to the route's `bodyLimit` → handler →
 *                       answer or `answerFor(error)` → metrics and one log line when the response has closed
 *
 * A handler throws OpErrors (or returns a promise that rejects); everything about status, format, log level is here.
 */

import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import compress from "@fastify/compress";
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RouteOptions,
} from "fastify";
import type { Registry } from "prom-client";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { BODY_WANTED, lingerAfter, readBody } from "./body.ts";
import { answerFor, type ErrorAnswer } from "./errors.ts";
import { listenError } from "./listen-error.ts";
import { HttpMetrics, type RouteMetrics } from "./metrics.ts";
import { KnownPaths } from "./not-found.ts";
import type { HttpOptions } from "./options.ts";
import { pathOf } from "./parameters.ts";
import { type RequestFailure, RequestLog } from "./request-log.ts";
import { routeName, UNMATCHED_ROUTE } from "./route-names.ts";
import { type TenantHook, tenantHook } from "./tenancy.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set by `requireTenant`; "" on routes without it. */
    tenant: string;
    /** Set by the error handler, for the request's log line. */
    failure: RequestFailure | undefined;
  }
  interface FastifyInstance {
    /** `app.get(path, { onRequest: app.requireTenant }, …)`: 401 or 400 before the body is read. */
    requireTenant: TenantHook;
  }
  interface FastifyContextConfig {
    /** Named in the 413 text of the route: "-distributor.max-recv-msg-size". */
    bodyLimitFlag?: string;
    /** Filled in by the server, by method. */
    metrics?: ReadonlyMap<string, RouteMetrics>;
  }
}

/** Answers smaller than this are not worth a gzip header. */
const COMPRESS_FROM_BYTES = 1024;
/** A query that ends by its own timeout, which by default is as long as ours, must still be able to say so. */
const ANSWER_GRACE_MS = 1_000;
/** The client hung up before the answer was complete; nginx's number, which Prometheus and Mimir use too. */
const STATUS_CLIENT_GONE = 499;

export interface HttpServerDependencies {
  readonly logger: Logger;
  readonly registry: Registry;
  readonly clock: Clock;
}

export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

export class HttpServer {
  readonly #options: HttpOptions;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #metrics: HttpMetrics;
  readonly #requestLog: RequestLog;
  readonly #knownPaths = new KnownPaths();
  readonly #unfinished = new Set<ServerResponse>();
  readonly #sockets = new Set<IncomingMessage["socket"]>();
  readonly #app: FastifyInstance;
  #shutdown: Promise<void> | undefined;

  constructor(options: HttpOptions, { logger, registry, clock }: HttpServerDependencies) {
    this.#options = options;
    this.#logger = logger;
    this.#clock = clock;
    this.#metrics = new HttpMetrics(registry, {
      connectionsMax: options.connectionsMax,
      connections: () => this.#sockets.size,
    });
    this.#requestLog = new RequestLog(logger);
    this.#app = fastify({
      bodyLimit: options.bodySizeMaxBytes,
      requestTimeout: options.readTimeoutMs,
      connectionTimeout:
        options.writeTimeoutMs === 0 ? 0 : options.writeTimeoutMs + ANSWER_GRACE_MS,
      keepAliveTimeout: options.idleTimeoutMs,
      forceCloseConnections: "idle",
      routerOptions: { maxParamLength: 4096 },
      frameworkErrors: (error, request, reply) => this.#answerError(error, request, reply),
    });
    this.#prepareApp();
    this.#prepareSockets();
  }

  /** For `inject` in tests. */
  get app(): FastifyInstance {
    return this.#app;
  }

  /** For other listeners of the process, whose requests are counted in the same metrics. */
  get metrics(): HttpMetrics {
    return this.#metrics;
  }

  /** Registers routes below the path prefix. Before `listen` only. */
  routes(register: (app: FastifyInstance) => void | Promise<void>): void {
    void this.#app.register(
      async (scope) => {
        await register(scope);
      },
      { prefix: this.#options.pathPrefix },
    );
  }

  async listen(): Promise<ListenAddress> {
    const { listenAddress, listenPort, connectionsMax } = this.#options;
    if (connectionsMax > 0) this.#app.server.maxConnections = connectionsMax;
    try {
      await this.#app.listen({ host: listenAddress, port: listenPort });
    } catch (error) {
      const flags = "-server.http-listen-address and -server.http-listen-port";
      throw listenError(error, `${listenAddress}:${listenPort}`, flags);
    }
    const { address, port } = this.#app.server.address() as ListenAddress;
    this.#logger.info({ address, port }, "HTTP server listening");
    return { address, port };
  }

  /**
   * Stops accepting, lets the requests under way finish with `Connection: close`, and cuts those that need
   * longer than the shutdown timeout. May be called again: it is the same shutdown.
   */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#drain();
    return this.#shutdown;
  }

  async #drain(): Promise<void> {
    for (const response of this.#unfinished) {
      if (!response.headersSent) response.setHeader("connection", "close");
    }
    // Node takes a connection that has never said anything for a request under way, and would wait for it.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    const deadline = this.#clock.after(this.#options.shutdownTimeoutMs, () => {
      this.#logger.warn({ requests: this.#unfinished.size }, "closing connections by force");
      this.#app.server.closeAllConnections();
    });
    await this.#app.close();
    deadline.cancel();
  }

  #prepareApp(): void {
    const app = this.#app;
    app.decorate("requireTenant", tenantHook(this.#options));
    app.decorateRequest("tenant", "");
    app.decorateRequest("failure", undefined);
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", readBody);
    app.addHook("onRoute", (route) => this.#onRoute(route));
    app.addHook("onRequest", (request, reply, done) => {
      this.#onRequest(request, reply);
      done();
    });
    app.setErrorHandler((error, request, reply) => this.#answerError(error, request, reply));
    app.setNotFoundHandler((request, reply) => this.#knownPaths.refuse(request, reply));
    void app.register(compress, {
      globalCompression: true,
      globalDecompression: false,
      encodings: ["gzip"],
      threshold: COMPRESS_FROM_BYTES,
    });
  }

  #prepareSockets(): void {
    const { server } = this.#app;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) => {
      request.once(BODY_WANTED, () => response.writeContinue());
      server.emit("request", request, response);
    });
  }

  #onRoute(route: RouteOptions): void {
    const methods = Array.isArray(route.method) ? route.method : [route.method];
    this.#knownPaths.add(route.url, methods);
    const name = routeName(route.url.slice(this.#options.pathPrefix.length));
    const metrics = new Map(
      methods.map((method) => [method, this.#metrics.forRoute(method, name)]),
    );
    route.config = { ...route.config, metrics };
  }

  #metricsOf(request: FastifyRequest): RouteMetrics {
    const { method } = request;
    const found = request.routeOptions.config.metrics?.get(method);
    return found ?? this.#metrics.forRoute(method, UNMATCHED_ROUTE);
  }

  #onRequest(request: FastifyRequest, reply: FastifyReply): void {
    const metrics = this.#metricsOf(request);
    const response = reply.raw;
    const startMs = this.#clock.monotonicMs();
    const writtenBefore = request.raw.socket.bytesWritten;
    metrics.inflight = (metrics.inflight ?? 0) + 1;
    this.#unfinished.add(response);
    if (this.#shutdown !== undefined) void reply.header("connection", "close");
    response.once("close", () => {
      metrics.inflight = (metrics.inflight ?? 1) - 1;
      this.#unfinished.delete(response);
      const durationMs = this.#clock.monotonicMs() - startMs;
      const status = response.writableEnded ? response.statusCode : STATUS_CLIENT_GONE;
      const requestBytes = requestSizeBytes(request);
      const responseBytes = responseSizeBytes(reply, writtenBefore);
      metrics.durationFor(status).observe(durationMs / 1000);
      metrics.requestBytes.observe(requestBytes);
      metrics.responseBytes.observe(responseBytes);
      this.#requestLog.write(request, { status, durationMs, requestBytes, responseBytes });
    });
  }

  #answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const answer = answerFor(error);
    request.failure = { error, level: answer.level };
    const text = this.#errorText(answer, request, reply);
    void reply.code(answer.status).header("x-content-type-options", "nosniff");
    if (answer.retryAfterSeconds !== undefined) {
      void reply.header("retry-after", Math.ceil(answer.retryAfterSeconds));
    }
    if (answer.status === 413) this.#answerWhileSending(text, request, reply);
    else void reply.send(text);
  }

  #answerWhileSending(text: string, request: FastifyRequest, reply: FastifyReply): void {
    void reply.header("connection", "close").header("content-length", Buffer.byteLength(text));
    reply.hijack();
    const response = reply.raw;
    response.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders);
    response.write(text);
    lingerAfter(request.raw, response, {
      clock: this.#clock,
      lingerMs: this.#options.readTimeoutMs,
    });
  }

  #errorText(answer: ErrorAnswer, request: FastifyRequest, reply: FastifyReply): string {
    const { pathPrefix, prometheusPrefix } = this.#options;
    if (pathOf(request.url).startsWith(`${pathPrefix}${prometheusPrefix}/`)) {
      void reply.type("application/json; charset=utf-8");
      const { errorType, message } = answer;
      return JSON.stringify({ status: "error", errorType, error: message });
    }
    void reply.type("text/plain; charset=utf-8");
    return `${answer.message}\n`;
  }
}

function requestSizeBytes(request: FastifyRequest): number {
  if (Buffer.isBuffer(request.body)) return request.body.length;
  return Number(request.headers["content-length"] ?? 0);
}

/** A response without Content-Length is counted on the socket, head and chunk framing included. */
function responseSizeBytes(reply: FastifyReply, writtenBefore: number): number {
  const announced = reply.getHeader("content-length");
  if (announced !== undefined) return Number(announced);
  return Math.max(0, (reply.raw.socket?.bytesWritten ?? writtenBefore) - writtenBefore);
}
