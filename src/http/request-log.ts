/**
 * One line for each request when it is over: the only place where a failed request is logged. Level by outcome
 * (errors.ts); at debug what succeeded, and what a route answers by itself: a /ready that says "not yet" is no failure.
 */
import type { FastifyRequest } from "fastify";
import { BugError } from "../base/assert.ts";
import { OpError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import type { ErrorRule } from "./errors.ts";
import { pathOf } from "./parameters.ts";

export interface RequestOutcome {
  readonly status: number;
  readonly durationMs: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** What the error handler leaves for the line. */
export interface RequestFailure {
  readonly error: unknown;
  readonly level: ErrorRule["level"];
}

export class RequestLog {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  write(request: FastifyRequest, outcome: RequestOutcome): void {
    const failure = request.failure;
    const fields = {
      method: request.method,
      path: pathOf(request.url),
      status: outcome.status,
      durationMs: Math.round(outcome.durationMs * 1000) / 1000,
      ...(request.tenant === "" ? {} : { tenant: request.tenant }),
      requestBytes: outcome.requestBytes,
      responseBytes: outcome.responseBytes,
      ...failureFields(failure),
    };
    if (failure === undefined) this.#logger.debug(fields, "request");
    else this.#logger[failure.level](fields, "request failed");
  }
}

/** Operational errors explain themselves; anything else, also behind one, comes with its stack. */
function failureFields(failure: RequestFailure | undefined): Record<string, unknown> {
  if (failure === undefined) return {};
  const { error } = failure;
  if (error instanceof OpError) {
    const { cause } = error;
    const isExplained = cause === undefined || cause instanceof OpError;
    return { code: error.code, reason: error.message, ...(isExplained ? {} : { err: cause }) };
  }
  if (error instanceof BugError) return { bug: true, err: error };
  return { err: error };
}
