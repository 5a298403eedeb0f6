/**
 * What keeps one slow or broken ingester from slowing or bloating a distributor: a bulkhead (so many calls and bytes
 * under way to it, and no more) and a circuit breaker (when too many calls fail, it is left alone for a while), for
 * pushes and for reads apart.
 */
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { Logger } from "../base/logger.ts";
import { answerFor } from "../http/errors.ts";
import type { Labels } from "../model/labels.ts";
import type { EncodedSeriesSet } from "../storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../storage/queryable.ts";
import {
  CIRCUIT_BREAKER_DEFAULTS,
  CircuitBreaker,
  type CircuitBreakerOptions,
  type Outcome,
} from "./circuit-breaker.ts";
import type { IngesterClient, PushAnswer, UserStats } from "./ingester.ts";
import type { GuardCounts, RequestType } from "./metrics.ts";

export interface GuardOptions {
  /** To one ingester, of pushes and again of reads. */
  readonly inflightRequestsMax: number;
  /** Frames of pushes under way to one ingester. */
  readonly inflightBytesMax: number;
  readonly pushBreaker: CircuitBreakerOptions;
  readonly readBreaker: CircuitBreakerOptions;
}

export const GUARD_DEFAULTS: GuardOptions = {
  inflightRequestsMax: 1_000,
  inflightBytesMax: 64 * 1024 * 1024,
  pushBreaker: CIRCUIT_BREAKER_DEFAULTS,
  readBreaker: { ...CIRCUIT_BREAKER_DEFAULTS, enabled: false },
};

export interface GuardDependencies {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
  readonly counts: GuardCounts;
}

export class GuardedIngester implements IngesterClient {
  readonly pushGuard: CallGuard;
  readonly readGuard: CallGuard;
  readonly #ingester: IngesterClient;

  constructor(
    instanceId: string,
    ingester: IngesterClient,
    options: GuardOptions,
    deps: GuardDependencies,
  ) {
    this.#ingester = ingester;
    this.pushGuard = new CallGuard("push", instanceId, options, options.pushBreaker, deps);
    this.readGuard = new CallGuard("read", instanceId, options, options.readBreaker, deps);
  }

  pushFrame(
    tenant: string,
    frame: Uint8Array,
    signal?: AbortSignal,
    isNeeded = false,
  ): Promise<PushAnswer> {
    const call = (): Promise<PushAnswer> => this.#ingester.pushFrame(tenant, frame, signal);
    return this.pushGuard.run(frame.length, call, isNeeded);
  }

  select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    return this.readGuard.run(0, () => this.#ingester.select(tenant, request));
  }

  labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    return this.readGuard.run(0, () => this.#ingester.labelNames(tenant, request));
  }

  labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    return this.readGuard.run(0, () => this.#ingester.labelValues(tenant, name, request));
  }

  series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    return this.readGuard.run(0, () => this.#ingester.series(tenant, request));
  }

  allUserStats(signal?: AbortSignal): Promise<readonly UserStats[]> {
    return this.readGuard.run(0, () => this.#ingester.allUserStats(signal));
  }
}

/** Bulkhead and breaker around one kind of calls to one ingester. */
export class CallGuard {
  readonly #type: RequestType;
  readonly #instanceId: string;
  readonly #options: GuardOptions;
  readonly #counts: GuardCounts;
  readonly #logger: Logger;
  readonly #breaker: CircuitBreaker | undefined;
  #inflightRequests = 0;
  #inflightBytes = 0;
  #lastFailure = "";

  constructor(
    type: RequestType,
    instanceId: string,
    options: GuardOptions,
    breaker: CircuitBreakerOptions,
    { clock, logger, counts }: GuardDependencies,
  ) {
    this.#type = type;
    this.#instanceId = instanceId;
    this.#options = options;
    this.#counts = counts;
    this.#logger = logger;
    if (!breaker.enabled) return;
    this.#breaker = new CircuitBreaker(breaker, clock, (state) => this.#onTransition(state));
  }

  get inflightRequests(): number {
    return this.#inflightRequests;
  }

  get inflightBytes(): number {
    return this.#inflightBytes;
  }

  /** Undefined when there is no breaker. */
  get breakerState(): CircuitBreaker["state"] | undefined {
    return this.#breaker?.state;
  }

  /**
   * Rejects with "ingester-overloaded" or "ingester-circuit-open", and then `call` was not made. A call that is needed passes an
   * open breaker: it protects the caller from one ingester as long as there are others.
   */
  async run<Answer>(
    sizeBytes: number,
    call: () => Promise<Answer>,
    isNeeded = false,
  ): Promise<Answer> {
    this.#checkRoom(sizeBytes);
    const permit = this.#admit(isNeeded);
    this.#inflightRequests++;
    this.#inflightBytes += sizeBytes;
    let outcome: Outcome = "success";
    try {
      return await call();
    } catch (error) {
      outcome = outcomeOf(error);
      if (outcome === "failure") this.#lastFailure = String(error);
      throw error;
    } finally {
      this.#inflightRequests--;
      this.#inflightBytes -= sizeBytes;
      this.#record(permit, outcome);
    }
  }

  #checkRoom(sizeBytes: number): void {
    const { inflightRequestsMax, inflightBytesMax } = this.#options;
    if (this.#inflightRequests >= inflightRequestsMax) {
      this.#counts.overloaded.requests++;
      throw this.#overloaded(
        `${this.#inflightRequests} calls to it are under way, as many as -ingester.client.max-inflight-requests allows`,
      );
    }
    // One call is let through whatever its size: it could never go otherwise.
    if (this.#inflightBytes > 0 && this.#inflightBytes + sizeBytes > inflightBytesMax) {
      this.#counts.overloaded.bytes++;
      throw this.#overloaded(
        `calls of ${this.#inflightBytes} bytes to it are under way, and -ingester.client.max-inflight-bytes allows ${inflightBytesMax}`,
      );
    }
  }

  #overloaded(why: string): OpError {
    const text = `ingester ${this.#instanceId} answers too slowly: ${why}`;
    return new OpError("ingester-overloaded", text, { instance: this.#instanceId });
  }

  #admit(isNeeded: boolean): number | undefined {
    const breaker = this.#breaker;
    if (breaker === undefined) return undefined;
    const permit = breaker.admit();
    if (permit !== undefined || isNeeded) return permit;
    this.#counts.results[this.#type].circuit_breaker_open++;
    const remainingDelayMs = Math.ceil(breaker.remainingDelayMs);
    throw new OpError(
      "ingester-circuit-open",
      `circuit breaker open on ${this.#type} requests to ingester ${this.#instanceId}, with remaining delay ${remainingDelayMs} ms; last failure: ${this.#lastFailure}`,
      { instance: this.#instanceId, remainingDelayMs },
    );
  }

  #record(permit: number | undefined, outcome: Outcome): void {
    if (permit === undefined) return;
    const results = this.#counts.results[this.#type];
    if (outcome === "success") results.success++;
    if (outcome === "failure") results.error++;
    this.#breaker?.record(permit, outcome);
  }

  #onTransition(state: CircuitBreaker["state"]): void {
    this.#counts.transitions[this.#type][state]++;
    const fields = { instance: this.#instanceId, requestType: this.#type, state };
    if (state === "open") {
      this.#logger.warn({ ...fields, reason: this.#lastFailure }, "circuit breaker opened");
    } else {
      this.#logger.info(fields, "circuit breaker changed");
    }
  }
}

/**
 * Timeouts and 5xx tell against the ingester; that a tenant asks for too much does not. Where nobody listens, or the connection
 * broke, that is known at once and nobody is slowed by it: a breaker would only keep an ingester away that has just been started
 * again, and the next one that fails would be one too many.
 */
function outcomeOf(error: unknown): Outcome {
  if (error instanceof OpError && IGNORED.has(error.code)) return "ignored";
  return answerFor(error).status >= 500 ? "failure" : "success";
}

const IGNORED: ReadonlySet<string> = new Set(["canceled", "ingester-unreachable"]);
