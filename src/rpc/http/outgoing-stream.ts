/**
 * Client's side of streams of calls to one member: any number of calls on one connection, answered in whatever order. A
 * connection is opened when a call needs one. It saves what HTTP costs for each push (docs/decisions/0014-streams-of-pushes.md).
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Clock, Timer } from "../../base/clock.ts";
import { OpError } from "../../base/errors.ts";
import type { RpcClientOptions } from "./options.ts";
import { Outbox, type Socket } from "./outbox.ts";
import { answerTooLarge, malformedAnswer, type Peer, timedOut, unreachable } from "./peer-error.ts";
import { GOING_AWAY, memberHeaders, STREAM_PROTOCOL } from "./protocol.ts";
import { reasonOf } from "./reason-of.ts";
import { MessageReader, messageHeader, type StreamMessage } from "./stream-message.ts";

const ANSWER_MAX_BYTES = 64 * 1024 * 1024;
/** What says why a stream is refused. */
const REFUSAL_MAX_BYTES = 1024 * 1024;
const CALL_NUMBER_MAX = 0xffffffff;

export interface StreamResponse {
  readonly status: number;
  readonly body: Buffer;
}

export interface OutgoingStreamDependencies {
  readonly clock: Clock;
  /** The error that a refusal of the stream stands for. */
  readonly refusal: (response: StreamResponse) => OpError;
}

interface PendingCall {
  readonly sentMs: number;
  readonly resolve: (response: StreamResponse) => void;
  readonly reject: (error: OpError) => void;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

interface WaitingCall {
  readonly call: number;
  readonly header: Uint8Array;
  readonly body: Uint8Array;
}

/** Opens streams as they are needed: one at a time, unless an old one still waits for answers. */
export class OutgoingStreams {
  readonly #peer: Peer;
  readonly #path: string;
  readonly #options: RpcClientOptions;
  readonly #deps: OutgoingStreamDependencies;
  readonly #open = new Set<OutgoingStream>();
  #current: OutgoingStream | undefined;
  #isClosed = false;

  constructor(
    peer: Peer,
    path: string,
    options: RpcClientOptions,
    deps: OutgoingStreamDependencies,
  ) {
    this.#peer = peer;
    this.#path = path;
    this.#options = options;
    this.#deps = deps;
  }

  /** Rejects with an OpError if there is no answer, or `signal` fires; an answer of any status is a value. */
  call(tenant: string, body: Uint8Array, signal?: AbortSignal): Promise<StreamResponse> {
    if (signal?.aborted === true) return Promise.reject(reasonOf(signal));
    const stream = this.#stream();
    if (stream instanceof OpError) return Promise.reject(stream);
    return stream.call(tenant, body, signal);
  }

  /** Calls under way may finish. May be called again. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#current = undefined;
    await Promise.all([...this.#open].map((stream) => stream.finish()));
  }

  #stream(): OutgoingStream | OpError {
    if (this.#isClosed) return unreachable(this.#peer, CLOSED);
    if (this.#current?.takesCalls === true) return this.#current;
    try {
      const opened = this.#newRequest();
      const stream = new OutgoingStream(this.#peer, opened, this.#options, this.#deps);
      this.#current = stream;
      this.#open.add(stream);
      void stream.closed.then(() => this.#open.delete(stream));
      return stream;
    } catch (error) {
      return unreachable(this.#peer, error);
    }
  }

  /** Throws if the address is none. */
  #newRequest(): ClientRequest {
    const { tls } = this.#options;
    const origin = new URL(`${tls === undefined ? "http" : "https"}://${this.#peer.address}`);
    const url = new URL(this.#path, origin);
    const headers = {
      ...memberHeaders(this.#options),
      connection: "upgrade",
      upgrade: STREAM_PROTOCOL,
    };
    if (tls === undefined) return httpRequest(url, { headers, agent: false });
    const { ca, cert, key, serverName } = tls;
    return httpsRequest(url, { headers, agent: false, ca, cert, key, servername: serverName });
  }
}

const CLOSED = Object.assign(new Error("closed"), { code: "UND_ERR_CLOSED" });

class OutgoingStream {
  readonly closed: Promise<void>;
  readonly #peer: Peer;
  readonly #request: ClientRequest;
  readonly #timeoutMs: number;
  readonly #deps: OutgoingStreamDependencies;
  /** In the order of their sending, and so of their ends of time. */
  readonly #pending = new Map<number, PendingCall>();
  readonly #reader = new MessageReader((sizeBytes) => sizeBytes <= ANSWER_MAX_BYTES);
  readonly #connecting: Timer;
  /** Before the stream is open. */
  #waiting: WaitingCall[] = [];
  #outbox: Outbox | undefined;
  #socket: Socket | undefined;
  #lastCall = 0;
  #receivedMs = 0;
  #timer: Timer | undefined;
  #isFinishing = false;
  #isClosed = false;
  #resolveClosed = (): void => {};

  constructor(
    peer: Peer,
    request: ClientRequest,
    { connectTimeoutMs, pushTimeoutMs }: RpcClientOptions,
    deps: OutgoingStreamDependencies,
  ) {
    this.#peer = peer;
    this.#request = request;
    this.#timeoutMs = pushTimeoutMs;
    this.#deps = deps;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#connecting = deps.clock.after(connectTimeoutMs, () =>
      this.#end(unreachable(peer, CONNECT_TIMEOUT)),
    );
    request.on("upgrade", (_response, socket, head) => this.#opened(socket as Socket, head));
    request.on("response", (response) => this.#refused(response));
    request.on("error", (error) => this.#end(unreachable(peer, error)));
    request.end();
  }

  get takesCalls(): boolean {
    return !this.#isClosed && !this.#isFinishing && this.#lastCall < CALL_NUMBER_MAX;
  }

  call(tenant: string, body: Uint8Array, signal?: AbortSignal): Promise<StreamResponse> {
    const call = ++this.#lastCall;
    const header = messageHeader({ call, code: 0, name: tenant }, body.length);
    if (this.#outbox === undefined) this.#waiting.push({ call, header, body });
    else this.#outbox.write(header, body);
    return new Promise((resolve, reject) => {
      const { clock } = this.#deps;
      const onAbort = (): void => {
        if (signal !== undefined) this.#taken(call)?.reject(reasonOf(signal));
        this.#endIfDone();
      };
      signal?.addEventListener("abort", onAbort);
      const sentMs = clock.monotonicMs();
      this.#pending.set(call, { sentMs, resolve, reject, signal, onAbort });
      this.#timer ??= clock.after(this.#timeoutMs, () => this.#lookAtTimes());
    });
  }

  /** Resolves when the calls under way are answered and the connection is closed. */
  finish(): Promise<void> {
    this.#isFinishing = true;
    this.#endIfDone();
    return this.closed;
  }

  #opened(socket: Socket, head: Buffer): void {
    this.#connecting.cancel();
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (piece: Buffer) => this.#receive(piece));
    socket.on("error", (error) => this.#end(unreachable(this.#peer, error)));
    socket.on("close", () => this.#end(unreachable(this.#peer, BROKEN)));
    const outbox = new Outbox(socket);
    this.#outbox = outbox;
    for (const { call, header, body } of this.#waiting) {
      if (this.#pending.has(call)) outbox.write(header, body);
    }
    this.#waiting = [];
    this.#receive(head);
  }

  /** An answer in place of a stream: it says why. */
  #refused(response: IncomingMessage): void {
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    response.on("data", (piece: Buffer) => {
      sizeBytes += piece.length;
      if (sizeBytes <= REFUSAL_MAX_BYTES) pieces.push(piece);
      else this.#end(malformedAnswer(this.#peer, "it refuses the stream with an endless answer"));
    });
    response.on("close", () => {
      const status = response.statusCode ?? 0;
      this.#end(this.#deps.refusal({ status, body: Buffer.concat(pieces) }));
    });
  }

  #receive(piece: Buffer): void {
    this.#receivedMs = this.#deps.clock.monotonicMs();
    for (const message of this.#reader.read(piece)) this.#settle(message);
  }

  #settle({ call, code, body, sizeBytes }: StreamMessage): void {
    if (call === 0 && code === GOING_AWAY) this.#isFinishing = true;
    // Of a call that nobody waits for any more nothing is known here.
    const pending = this.#taken(call);
    if (body !== undefined) pending?.resolve({ status: code, body });
    else pending?.reject(answerTooLarge(this.#peer, ANSWER_MAX_BYTES, sizeBytes));
    this.#endIfDone();
  }

  #taken(call: number): PendingCall | undefined {
    const pending = this.#pending.get(call);
    if (pending === undefined) return undefined;
    this.#pending.delete(call);
    pending.signal?.removeEventListener("abort", pending.onAbort);
    return pending;
  }

  #endIfDone(): void {
    if (!this.#isFinishing || this.#pending.size > 0 || this.#isClosed) return;
    this.#timer?.cancel();
    if (this.#socket === undefined) this.#end(unreachable(this.#peer, CLOSED));
    else this.#socket.end();
  }

  /** One timer for all: the oldest call is the next one whose time is over. */
  #lookAtTimes(): void {
    this.#timer = undefined;
    const { clock } = this.#deps;
    const nowMs = clock.monotonicMs();
    for (const [call, { sentMs }] of this.#pending) {
      if (nowMs - sentMs < this.#timeoutMs) {
        this.#timer = clock.after(sentMs + this.#timeoutMs - nowMs, () => this.#lookAtTimes());
        return;
      }
      const error = timedOut(this.#peer, this.#timeoutMs);
      this.#taken(call)?.reject(error);
      // Not a sign of life since then: who knows whether anybody is still there.
      if (this.#receivedMs <= sentMs) this.#end(error);
    }
    this.#endIfDone();
  }

  #end(error: OpError): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#connecting.cancel();
    this.#timer?.cancel();
    this.#waiting = [];
    for (const call of [...this.#pending.keys()]) this.#taken(call)?.reject(error);
    this.#socket?.destroy();
    this.#request.destroy();
    this.#resolveClosed();
  }
}

const CONNECT_TIMEOUT = Object.assign(new Error("no connection in time"), {
  code: "UND_ERR_CONNECT_TIMEOUT",
});
const BROKEN = Object.assign(new Error("closed"), { code: "ECONNRESET" });
