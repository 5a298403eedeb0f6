/**
 * Request bodies: always the raw bytes, as one Buffer, never more than the route's `bodyLimit`.
 *
 * The announced Content-Length is checked before anything is read; a body without one (chunked) is counted while
 * it arrives and dropped at the first byte too many. In both cases the answer goes out at once, while the client
 * may still be sending: see `lingerAfter`.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyRequest } from "fastify";
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";

type Done = (error: Error | null, body?: Buffer) => void;

/** Emitted on the request when a client that sent "Expect: 100-continue" may start to send the body. */
export const BODY_WANTED = "muninn-body-wanted";

/** A Fastify content-type parser for any type. */
export function readBody(request: FastifyRequest, _payload: unknown, done: Done): void {
  const source = request.raw;
  const limitBytes = request.routeOptions.bodyLimit;
  const announcedBytes = Number(request.headers["content-length"]);
  if (announcedBytes > limitBytes) {
    done(tooLarge(request, limitBytes, announcedBytes));
    return;
  }
  // The server does not say "100 Continue" by itself, so that a refused body never travels.
  if (request.headers.expect !== undefined) source.emit(BODY_WANTED);

  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const stop = (error: Error | null, body?: Buffer): void => {
    source.off("data", onData);
    source.off("end", onEnd);
    source.off("error", onBroken);
    source.off("close", onBroken);
    done(error, body);
  };
  const onData = (chunk: Buffer): void => {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) stop(tooLarge(request, limitBytes, undefined));
    else chunks.push(chunk);
  };
  // Node itself refuses a body that is shorter or longer than its Content-Length.
  const onEnd = (): void => {
    const only = chunks.length === 1 ? chunks[0] : undefined;
    stop(null, only ?? Buffer.concat(chunks, sizeBytes));
  };
  const onBroken = (): void =>
    stop(new OpError("body-incomplete", "the request body ended early", { sizeBytes }));
  source.on("data", onData);
  source.on("end", onEnd);
  source.on("error", onBroken);
  source.on("close", onBroken);
}

function tooLarge(
  request: FastifyRequest,
  limitBytes: number,
  announcedBytes: number | undefined,
): OpError {
  const { bodyLimitFlag } = request.routeOptions.config;
  const size = announcedBytes === undefined ? "" : ` of ${announcedBytes} bytes`;
  const advice = bodyLimitFlag === undefined ? "" : `; the limit is set by ${bodyLimitFlag}`;
  return new OpError(
    "body-too-large",
    `the request body${size} is larger than the limit of ${limitBytes} bytes${advice}`,
    { limitBytes, announcedBytes },
  );
}

/**
 * Answers a request whose own body is still arriving, and closes the connection. The text goes out whole, then the
 * connection is held, and what still arrives is thrown away, until the client is done or `lingerMs` has passed.
 * Closing at once would make the kernel send a reset, and a reset can destroy the answer before the client has
 * read it (RFC 9112, 9.6). The head must have been written, with its Content-Length.
 */
export function lingerAfter(
  source: IncomingMessage,
  response: ServerResponse,
  { clock, lingerMs }: { readonly clock: Clock; readonly lingerMs: number },
): void {
  if (source.readableEnded || source.destroyed) {
    response.end();
    return;
  }
  const finish = (): void => {
    timer.cancel();
    source.off("end", finish);
    source.off("close", finish);
    source.off("error", finish);
    response.end();
  };
  const timer = clock.after(lingerMs, finish);
  source.on("end", finish);
  source.on("close", finish);
  source.on("error", finish);
  source.resume();
}
