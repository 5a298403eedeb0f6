/**
 * The listener for other members of the cluster (`-server.rpc-listen-port`). It answers nothing but the paths that are
 * registered here, and they exist nowhere else. Plain node:http, because a push of 52 kB through fastify costs twice the
 * CPU (docs/decisions/0011-rpc-over-plain-http.md), and a route here is a whole path.
 *
 *   life of a call   head arrives → secret, version, cluster → path → tenant → size → body → route → answer
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Duplex } from "node:stream";
import type { Registry } from "prom-client";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { OpError } from "../../base/errors.ts";
import type { Logger } from "../../base/logger.ts";
import { lingerAfter } from "../../http/body.ts";
import { listenError } from "../../http/listen-error.ts";
import type { HttpMetrics, RouteMetrics } from "../../http/metrics.ts";
import type { ListenAddress } from "../../http/server.ts";
import { TENANT_HEADER } from "../../http/tenancy.ts";
import { newRpcServerMetrics, type RpcServerMetrics } from "../metrics.ts";
import { Admission, tenantOf } from "./admit-caller.ts";
import { announcedBytes, failureText, readBody, sendAnswer, sendText } from "./exchange.ts";
import { IncomingStream, type StreamAnswer, streamAnswer } from "./incoming-stream.ts";
import type { RpcServerOptions } from "./options.ts";
import type { Socket } from "./outbox.ts";
import { PATHS, STREAM_PROTOCOL } from "./protocol.ts";
import type { RpcCall, RpcRoute } from "./rpc-route.ts";

type AnyServer = Server | TlsServer;

export interface RpcServerDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  /** Of the public server: calls are counted beside its requests, under Mimir's names of routes. */
  readonly httpMetrics: Pick<HttpMetrics, "forRoute">;
}

interface Endpoint {
  readonly route: RpcRoute;
  readonly metrics: RouteMetrics;
}

/** A request that may be read and answered. */
interface AdmittedCall {
  readonly endpoint: Endpoint;
  readonly tenant: string;
  readonly sizeBytes: number;
}

const FLAGS = "-server.rpc-listen-address and -server.rpc-listen-port";
const SIZE_FLAG = "-server.rpc-max-recv-msg-size";
/** Refusals are logged at most this often for each code: a flood of strangers must not fill the log. */
const REFUSAL_LOG_PERIOD_MS = 60_000;
/** node:http's number for a caller that hung up; nginx' and Mimir's too. */
const STATUS_CALLER_GONE = 499;

const HEALTH: RpcRoute = {
  method: "GET",
  path: PATHS.health,
  operation: "/grpc.health.v1.Health/Check",
  forTenant: false,
  answer: () => Promise.resolve({ kind: "json", text: '{"status":"ok"}' }),
};

export class RpcServer {
  readonly #options: RpcServerOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #httpMetrics: Pick<HttpMetrics, "forRoute">;
  readonly #metrics: RpcServerMetrics;
  readonly #admission: Admission;
  readonly #server: AnyServer;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #sockets = new Set<Socket>();
  readonly #unfinished = new Set<ServerResponse>();
  readonly #streams = new Set<IncomingStream>();
  readonly #refusalsLoggedMs = new Map<string, number>();
  #bodiesSizeBytes = 0;
  #shutdown: Promise<void> | undefined;

  /** Throws an Error if the certificate or key is none. */
  constructor(options: RpcServerOptions, deps: RpcServerDependencies) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#httpMetrics = deps.httpMetrics;
    this.#metrics = newRpcServerMetrics(deps.registry, () => this.#sockets.size);
    this.#admission = new Admission(options);
    this.#server = newServer(options);
    this.#prepareServer();
    this.register([HEALTH]);
  }

  register(routes: readonly RpcRoute[]): void {
    for (const route of routes) {
      assert(!this.#endpoints.has(route.path), `${route.path} is registered twice`);
      const metrics = this.#httpMetrics.forRoute(route.method, route.operation);
      this.#endpoints.set(route.path, { route, metrics });
    }
  }

  async listen(): Promise<ListenAddress> {
    const { listenAddress, listenPort, connectionsMax } = this.#options;
    const server = this.#server;
    if (connectionsMax > 0) server.maxConnections = connectionsMax;
    try {
      server.listen({ port: listenPort, ...(listenAddress === "" ? {} : { host: listenAddress }) });
      await once(server, "listening");
    } catch (error) {
      throw listenError(error, `${listenAddress}:${listenPort}`, FLAGS);
    }
    const { address, port } = server.address() as ListenAddress;
    this.#logger.info({ address, port, tls: this.#options.tls !== undefined }, "RPC listening");
    return { address, port };
  }

  /** As the public server's: no new connections, calls under way may finish. May be called again. */
  shutdown(): Promise<void> {
    this.#shutdown ??= this.#drain();
    return this.#shutdown;
  }

  async #drain(): Promise<void> {
    for (const response of this.#unfinished) {
      if (!response.headersSent) response.setHeader("connection", "close");
    }
    for (const stream of this.#streams) stream.goAway();
    // Node takes a connection that has never said anything for a request under way, and would wait for it.
    for (const socket of this.#sockets) if (socket.bytesRead === 0) socket.destroy();
    const deadline = this.#clock.after(this.#options.shutdownTimeoutMs, () => {
      this.#logger.warn({ calls: this.#unfinished.size }, "closing RPC connections by force");
      for (const socket of this.#sockets) socket.destroy();
    });
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    deadline.cancel();
  }

  #prepareServer(): void {
    const server: AnyServer = this.#server;
    server.on("request", (request: IncomingMessage, response: ServerResponse) => {
      this.#onRequest(request, response);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      this.#onUpgrade(request, socket as Socket, head);
    });
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.setKeepAlive(true, this.#options.idleTimeoutMs);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => {
      this.#onClientError(error, socket);
    });
    server.on("tlsClientError", (error: Error) => {
      this.#metrics.rejected.inc({ reason: "tls" });
      this.#logRefusal("tls", `the TLS handshake of a caller failed: ${error.message}`);
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    response.sendDate = false;
    if (this.#shutdown !== undefined) response.setHeader("connection", "close");
    const admitted = this.#admit(request);
    if (admitted instanceof OpError) this.#refuse(admitted, request, response);
    else void this.#serve(admitted, request, response);
  }

  /** Calls of one route, many on one connection: docs/rpc.md. */
  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const path = request.url ?? "";
    const endpoint = this.#endpoints.get(path);
    const refusal = this.#admission.refusal(path, request.headers);
    if (refusal !== undefined || endpoint === undefined || !isStreamOf(endpoint.route, request)) {
      this.#refuseStream(
        refusal ?? new OpError("not-found", `no such stream: ${shown(path)}`),
        socket,
      );
      return;
    }
    const gone = new AbortController();
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${STREAM_PROTOCOL}\r\n\r\n`,
    );
    const stream = new IncomingStream(socket, head, {
      take: (sizeBytes) => {
        if (!this.#hasRoom(sizeBytes)) return false;
        this.#bodiesSizeBytes += sizeBytes;
        return true;
      },
      whyNoRoom: (sizeBytes) => this.#whyNoRoom(sizeBytes),
      giveBack: (sizeBytes) => {
        this.#bodiesSizeBytes -= sizeBytes;
      },
      answer: (tenant, body) =>
        this.#answerOnStream(endpoint, { tenant, body, signal: gone.signal }),
      refusal: (error) => this.#refusalOnStream(error, socket),
    });
    this.#streams.add(stream);
    socket.once("close", () => {
      this.#streams.delete(stream);
      gone.abort(new OpError("canceled", "the caller has gone away"));
    });
    if (this.#shutdown !== undefined) stream.goAway();
  }

  #refuseStream(error: OpError, socket: Socket): void {
    const { status, text } = this.#refusalOnStream(error, socket);
    socket.on("error", () => undefined);
    socket.end(
      `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
      () => socket.destroy(),
    );
  }

  #refusalOnStream(error: OpError, { remoteAddress }: Socket): StreamAnswer {
    this.#metrics.rejected.inc({ reason: error.code });
    this.#logRefusal(error.code, error.message, remoteAddress);
    const { answer, text } = failureText(error);
    return { status: answer.status, text };
  }

  async #answerOnStream({ route, metrics }: Endpoint, call: RpcCall): Promise<StreamAnswer> {
    const startMs = this.#clock.monotonicMs();
    metrics.inflight = (metrics.inflight ?? 0) + 1;
    metrics.requestBytes.observe(call.body.length);
    let answer: StreamAnswer;
    try {
      answer = streamAnswer(await route.answer(call));
    } catch (error) {
      answer = this.#failure(error, route, call.tenant);
    }
    metrics.inflight--;
    metrics.durationFor(answer.status).observe((this.#clock.monotonicMs() - startMs) / 1000);
    metrics.responseBytes.observe(answer.text.length);
    return answer;
  }

  #admit(request: IncomingMessage): AdmittedCall | OpError {
    const path = request.url ?? "";
    const refusal = this.#admission.refusal(path, request.headers);
    if (refusal !== undefined) return refusal;
    const endpoint = this.#endpoints.get(path);
    if (endpoint === undefined) return new OpError("not-found", `no such RPC path: ${shown(path)}`);
    const { method, forTenant } = endpoint.route;
    if (request.method !== method) {
      return new OpError("method-not-allowed", `${path} takes ${method} only`);
    }
    const tenant = forTenant ? tenantOf(tenantHeader(request)) : "";
    if (tenant instanceof OpError) return tenant;
    const sizeBytes = this.#sizeOf(request);
    return sizeBytes instanceof OpError ? sizeBytes : { endpoint, tenant, sizeBytes };
  }

  #sizeOf(request: IncomingMessage): number | OpError {
    const sizeBytes = announcedBytes(request);
    if (sizeBytes === undefined) {
      return new OpError("rpc-malformed-request", "the call has no Content-Length");
    }
    return this.#hasRoom(sizeBytes) ? sizeBytes : this.#whyNoRoom(sizeBytes);
  }

  #hasRoom(sizeBytes: number): boolean {
    const { bodySizeMaxBytes, bodiesSizeMaxBytes } = this.#options;
    return sizeBytes <= bodySizeMaxBytes && this.#bodiesSizeBytes + sizeBytes <= bodiesSizeMaxBytes;
  }

  #whyNoRoom(sizeBytes: number): OpError {
    const { bodySizeMaxBytes, bodiesSizeMaxBytes } = this.#options;
    if (sizeBytes > bodySizeMaxBytes) {
      return new OpError(
        "body-too-large",
        `the request body of ${sizeBytes} bytes is larger than the limit of ${bodySizeMaxBytes} bytes; the limit is set by ${SIZE_FLAG}`,
      );
    }
    return new OpError(
      "rpc-overloaded",
      `calls of ${this.#bodiesSizeBytes} bytes are under way here, and ${bodiesSizeMaxBytes} bytes may be: try again`,
    );
  }

  async #serve(
    call: AdmittedCall,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const { endpoint, tenant, sizeBytes } = call;
    const gone = new AbortController();
    this.#bodiesSizeBytes += sizeBytes;
    this.#watch(endpoint.metrics, sizeBytes, response, gone);
    try {
      const body = await readBody(request);
      if (body === undefined) return;
      const answer = await endpoint.route.answer({ tenant, body, signal: gone.signal });
      if (!response.destroyed) await sendAnswer(response, answer);
    } catch (error) {
      this.#fail(error, call, response);
    } finally {
      this.#bodiesSizeBytes -= sizeBytes;
    }
  }

  /** Counts the call, and tells its handler when nobody waits for the answer any more. */
  #watch(
    metrics: RouteMetrics,
    sizeBytes: number,
    response: ServerResponse,
    gone: AbortController,
  ): void {
    const startMs = this.#clock.monotonicMs();
    metrics.inflight = (metrics.inflight ?? 0) + 1;
    metrics.requestBytes.observe(sizeBytes);
    this.#unfinished.add(response);
    response.once("close", () => {
      metrics.inflight = (metrics.inflight ?? 1) - 1;
      this.#unfinished.delete(response);
      const isAnswered = response.writableEnded;
      if (!isAnswered) gone.abort(new OpError("canceled", "the caller has gone away"));
      const status = isAnswered ? response.statusCode : STATUS_CALLER_GONE;
      metrics.durationFor(status).observe((this.#clock.monotonicMs() - startMs) / 1000);
      metrics.responseBytes.observe(Number(response.getHeader("content-length") ?? 0));
    });
  }

  #fail(error: unknown, { endpoint, tenant }: AdmittedCall, response: ServerResponse): void {
    const { status, text } = this.#failure(error, endpoint.route, tenant);
    // Half an answer is taken back by breaking off.
    if (response.headersSent) response.destroy();
    else if (!response.destroyed) sendText(response, status, text);
  }

  /** Logs it, too. */
  #failure(error: unknown, { operation }: RpcRoute, tenant: string): StreamAnswer {
    const { answer, text } = failureText(error);
    const fields = { call: operation, user: tenant, status: answer.status };
    if (error instanceof OpError) {
      this.#logger[answer.level](
        { ...fields, code: error.code, reason: error.message },
        "call failed",
      );
    } else {
      this.#logger.error({ ...fields, err: error }, "BUG: call failed");
    }
    return { status: answer.status, text };
  }

  /** The body is not wanted: the answer goes out at once, and the connection ends. */
  #refuse(error: OpError, request: IncomingMessage, response: ServerResponse): void {
    const { answer, text } = failureText(error);
    this.#metrics.rejected.inc({ reason: error.code });
    this.#logRefusal(error.code, error.message, request.socket.remoteAddress);
    response.writeHead(answer.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      connection: "close",
    });
    response.write(text);
    lingerAfter(request, response, { clock: this.#clock, lingerMs: this.#options.readTimeoutMs });
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    const isTimeout = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
    this.#metrics.rejected.inc({ reason: isTimeout ? "timeout" : "garbage" });
    const status = isTimeout ? "408 Request Timeout" : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n\r\n`, () => socket.destroy());
  }

  #logRefusal(code: string, reason: string, caller?: string): void {
    const nowMs = this.#clock.monotonicMs();
    const lastMs = this.#refusalsLoggedMs.get(code);
    if (lastMs !== undefined && nowMs - lastMs < REFUSAL_LOG_PERIOD_MS) return;
    this.#refusalsLoggedMs.set(code, nowMs);
    this.#logger.warn({ code, reason, caller }, "refused a call");
  }
}

function newServer({ tls, readTimeoutMs, idleTimeoutMs }: RpcServerOptions): AnyServer {
  const options = {
    requestTimeout: readTimeoutMs,
    headersTimeout: readTimeoutMs,
    connectionsCheckingInterval: Math.max(1, Math.min(readTimeoutMs, 30_000)),
    keepAliveTimeout: idleTimeoutMs,
  };
  if (tls === undefined) return createServer(options);
  const { cert, key, clientCa } = tls;
  return createTlsServer({
    ...options,
    handshakeTimeout: readTimeoutMs,
    minVersion: "TLSv1.2",
    cert,
    key,
    ...(clientCa === undefined
      ? {}
      : { ca: clientCa, requestCert: true, rejectUnauthorized: true }),
  });
}

function tenantHeader({ headers }: IncomingMessage): string | undefined {
  const header = headers[TENANT_HEADER];
  return typeof header === "string" ? header : header?.join(",");
}

function isStreamOf({ isStreamed }: RpcRoute, { headers }: IncomingMessage): boolean {
  return isStreamed === true && headers.upgrade === STREAM_PROTOCOL;
}

function shown(path: string): string {
  return path.length < 200 ? path : `${path.slice(0, 200)}…`;
}
