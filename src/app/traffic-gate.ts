/**
 * Pushes and queries pass only while everything they need runs. The HTTP server listens from the first moment, so that
 * /ready and /metrics tell about a long replay; this gate answers for the rest until then, and again on the way out.
 *
 *     starting ──open()──► open ──close()──► stopping
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { OpError } from "../base/errors.ts";

export class TrafficGate {
  readonly #whyClosed: () => string;
  #state: "starting" | "open" | "stopping" = "starting";

  /** `whyClosed` is asked while it starts: "ingester is starting: …". */
  constructor(whyClosed: () => string) {
    this.#whyClosed = whyClosed;
  }

  open(): void {
    this.#state = "open";
  }

  close(): void {
    this.#state = "stopping";
  }

  /** An onRequest hook. */
  readonly hook = (
    _request: FastifyRequest,
    _reply: FastifyReply,
    done: (error?: Error) => void,
  ): void => {
    if (this.#state === "open") done();
    else if (this.#state === "starting") done(new OpError("starting", this.#whyClosed()));
    else done(new OpError("stopping", "the process is shutting down"));
  };
}
