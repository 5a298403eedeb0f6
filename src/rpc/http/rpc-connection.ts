/**
 * The HTTP client to one member: a bounded set of keep-alive connections, one call at a time on each. Built on undici's
 * `dispatch`, the layer below its promises and streams: that is half of the CPU of a push.
 */
import { type Dispatcher, Pool } from "undici";
import type { Clock, Timer } from "../../base/clock.ts";
import { OpError } from "../../base/errors.ts";
import { TENANT_HEADER } from "../../http/tenancy.ts";
import { SeriesSetReceiver } from "../../storage/series-set-frame.ts";
import type { RpcClientOptions } from "./options.ts";
import { answerTooLarge, malformedAnswer, type Peer, timedOut, unreachable } from "./peer-error.ts";
import { memberHeaders } from "./protocol.ts";
import { reasonOf } from "./reason-of.ts";

/** Answers other than 2xx say what went wrong: in less than this. */
const FAILURE_SIZE_MAX_BYTES = 1024 * 1024;
/** For servers that do not say how long they keep a connection. */
const KEEP_ALIVE_MS = 10_000;

export interface OutgoingCall {
  readonly path: string;
  /** "": the call is for no tenant. */
  readonly tenant: string;
  readonly body: Uint8Array | string;
  readonly timeoutMs: number;
  /** Of a 2xx answer. */
  readonly answerMaxBytes: number;
  /** The answer is a series set frame. */
  readonly wantsSeries?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export type RpcResponse =
  | { readonly kind: "bytes"; readonly status: number; readonly body: Buffer }
  /** Whole as far as its length goes; it may be malformed. */
  | { readonly kind: "series"; readonly receiver: SeriesSetReceiver };

export class RpcConnection {
  readonly peer: Peer;
  readonly #clock: Clock;
  /** The error of every call if the ring holds an address that is none. */
  readonly #pool: Pool | OpError;
  readonly #headers: readonly string[];
  #closed: Promise<void> | undefined;

  constructor(peer: Peer, options: RpcClientOptions, clock: Clock) {
    this.peer = peer;
    this.#clock = clock;
    this.#headers = Object.entries(memberHeaders(options)).flat();
    this.#pool = openPool(peer, options);
  }

  /** Rejects with an OpError if there is no answer, or `signal` fires; an answer of any status is a value. */
  call(call: OutgoingCall): Promise<RpcResponse> {
    const { path, tenant, body, signal } = call;
    const pool = this.#pool;
    if (pool instanceof OpError) return Promise.reject(pool);
    if (signal?.aborted === true) return Promise.reject(reasonOf(signal));
    return new Promise((resolve, reject) => {
      const pending = new PendingCall(this.peer, call, this.#clock, { resolve, reject });
      const headers =
        tenant === "" ? [...this.#headers] : [...this.#headers, TENANT_HEADER, tenant];
      pool.dispatch({ path, method: "POST", headers, body }, pending);
    });
  }

  /** Calls under way may finish. May be called again. */
  close(): Promise<void> {
    this.#closed ??= this.#pool instanceof Pool ? this.#pool.close() : Promise.resolve();
    return this.#closed;
  }
}

function openPool(peer: Peer, options: RpcClientOptions): Pool | OpError {
  const { tls } = options;
  try {
    return new Pool(`${tls === undefined ? "http" : "https"}://${peer.address}`, {
      connections: options.connectionsMax,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // A call has one limit of time, and that is ours.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: options.connectTimeoutMs,
        ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
        ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
        ...(tls?.key === undefined ? {} : { key: tls.key }),
        ...(tls?.serverName === undefined ? {} : { servername: tls.serverName }),
      },
    });
  } catch (error) {
    return unreachable(peer, error);
  }
}

interface Waiter {
  readonly resolve: (response: RpcResponse) => void;
  readonly reject: (error: OpError) => void;
}

class PendingCall implements Dispatcher.DispatchHandler {
  readonly #peer: Peer;
  readonly #call: OutgoingCall;
  readonly #waiter: Waiter;
  readonly #timer: Timer;
  readonly #onAbort: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #failure: OpError | undefined;
  #isSettled = false;
  #status = 0;
  #sizeBytes = 0;
  #chunks: Buffer[] = [];
  #receiver: SeriesSetReceiver | undefined;

  constructor(peer: Peer, call: OutgoingCall, clock: Clock, waiter: Waiter) {
    this.#peer = peer;
    this.#call = call;
    this.#waiter = waiter;
    const { timeoutMs, signal } = call;
    this.#timer = clock.after(timeoutMs, () => this.#fail(timedOut(peer, timeoutMs)));
    this.#onAbort = () => {
      if (signal !== undefined) this.#fail(reasonOf(signal));
    };
    signal?.addEventListener("abort", this.#onAbort);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It failed while it waited for a connection.
    if (this.#failure !== undefined) controller.abort(this.#failure);
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    const announced = headers["content-length"];
    if (announced === undefined) return;
    const sizeBytes = Number(announced);
    const limitBytes = this.#limitBytes;
    if (!(sizeBytes <= limitBytes)) {
      this.#fail(answerTooLarge(this.#peer, limitBytes, sizeBytes));
    } else if (status === 200 && this.#call.wantsSeries === true) {
      this.#receiver = new SeriesSetReceiver(sizeBytes);
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    this.#sizeBytes += chunk.length;
    const limitBytes = this.#limitBytes;
    if (this.#sizeBytes > limitBytes) {
      this.#fail(answerTooLarge(this.#peer, limitBytes, undefined));
    } else if (this.#receiver !== undefined) {
      this.#receiver.append(chunk);
    } else {
      this.#chunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    if (!this.#settle()) return;
    const receiver = this.#receiver;
    if (receiver !== undefined) {
      this.#waiter.resolve({ kind: "series", receiver });
    } else if (this.#status === 200 && this.#call.wantsSeries === true) {
      this.#waiter.reject(malformedAnswer(this.#peer, "the answer has no Content-Length"));
    } else {
      const only = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
      const body = only ?? Buffer.concat(this.#chunks);
      this.#waiter.resolve({ kind: "bytes", status: this.#status, body });
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#settle()) this.#waiter.reject(unreachable(this.#peer, error));
  }

  get #limitBytes(): number {
    return this.#status < 300 ? this.#call.answerMaxBytes : FAILURE_SIZE_MAX_BYTES;
  }

  /** Nobody waits any more: on the wire the call ends with its connection, so that the other side notices. */
  #fail(failure: OpError): void {
    if (!this.#settle()) return;
    this.#failure = failure;
    this.#chunks = [];
    this.#receiver = undefined;
    this.#waiter.reject(failure);
    this.#controller?.abort(failure);
  }

  /** False if it is already. */
  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#call.signal?.removeEventListener("abort", this.#onAbort);
    return true;
  }
}
