import type { Clock } from "../../base/clock.ts";
import { OpError } from "../../base/errors.ts";
import type { Labels } from "../../model/labels.ts";
import type { EncodedSeriesSet } from "../../storage/encoded-series.ts";
import type { LabelsRequest, SelectRequest, SeriesRequest } from "../../storage/queryable.ts";
import type { IngesterClient, PushAnswer, UserStats } from "../ingester.ts";
import type { IngesterCallMetrics } from "../metrics.ts";
import {
  decodeFailure,
  decodeLabelSets,
  decodePushAnswer,
  decodeStrings,
  decodeUserStats,
  encodeLabelsRequest,
  encodeLabelValuesRequest,
  encodeSelectRequest,
  encodeSeriesRequest,
} from "./messages.ts";
import type { RpcClientOptions } from "./options.ts";
import { OutgoingStreams, type StreamResponse } from "./outgoing-stream.ts";
import { malformedAnswer, type Peer, remoteError } from "./peer-error.ts";
import { type IngesterCall, OPERATIONS, PATHS } from "./protocol.ts";
import { type OutgoingCall, RpcConnection, type RpcResponse } from "./rpc-connection.ts";

/** JSON is decoded in one go, and a string of Node holds no more than half a gigabyte. */
const JSON_MAX_BYTES = 256 * 1024 * 1024;

type BytesResponse = Extract<RpcResponse, { readonly kind: "bytes" }>;

const ALL_STORED: PushAnswer = { unknownSeries: new Uint32Array(0), rejected: [] };

export interface HttpIngesterClientDependencies {
  readonly clock: Clock;
  readonly metrics: IngesterCallMetrics;
}

/**
 * An ingester in another process. Its own errors come back with their codes; besides them "ingester-unreachable",
 * "ingester-timeout", "ingester-answer-too-large", "canceled" and the "rpc-…" codes. Pushes and reads have
 * connections of their own, so that long reads hold up no push.
 */
export class HttpIngesterClient implements IngesterClient {
  readonly #options: RpcClientOptions;
  readonly #clock: Clock;
  readonly #metrics: IngesterCallMetrics;
  readonly #peer: Peer;
  readonly #pushes: OutgoingStreams;
  readonly #reads: RpcConnection;

  constructor(peer: Peer, options: RpcClientOptions, deps: HttpIngesterClientDependencies) {
    this.#options = options;
    this.#clock = deps.clock;
    this.#metrics = deps.metrics;
    this.#peer = peer;
    this.#pushes = new OutgoingStreams(peer, PATHS.push, options, {
      clock: deps.clock,
      refusal: (response) => failureOf(peer, response),
    });
    this.#reads = new RpcConnection(peer, options, deps.clock);
  }

  pushFrame(tenant: string, frame: Uint8Array, signal?: AbortSignal): Promise<PushAnswer> {
    return this.#run(
      "push",
      () => this.#pushes.call(tenant, frame, signal).then(asBytes),
      (response) => (response.status === 204 ? ALL_STORED : decodePushAnswer(bodyOf(response))),
    );
  }

  select(tenant: string, request: SelectRequest): Promise<EncodedSeriesSet> {
    const call: OutgoingCall = {
      ...this.#read("select", tenant, encodeSelectRequest(request), request.signal),
      answerMaxBytes: this.#options.responseSizeMaxBytes,
      wantsSeries: true,
    };
    return this.#run("select", () => this.#reads.call(call), seriesOf);
  }

  labelNames(tenant: string, request: LabelsRequest): Promise<string[]> {
    const call = this.#read("labelNames", tenant, encodeLabelsRequest(request), request.signal);
    return this.#run(
      "labelNames",
      () => this.#reads.call(call),
      (response) => decodeStrings(bodyOf(response)),
    );
  }

  labelValues(tenant: string, name: string, request: LabelsRequest): Promise<string[]> {
    const body = encodeLabelValuesRequest(name, request);
    const call = this.#read("labelValues", tenant, body, request.signal);
    return this.#run(
      "labelValues",
      () => this.#reads.call(call),
      (response) => decodeStrings(bodyOf(response)),
    );
  }

  series(tenant: string, request: SeriesRequest): Promise<Labels[]> {
    const call = this.#read("series", tenant, encodeSeriesRequest(request), request.signal);
    return this.#run(
      "series",
      () => this.#reads.call(call),
      (response) => decodeLabelSets(bodyOf(response)),
    );
  }

  allUserStats(signal?: AbortSignal): Promise<readonly UserStats[]> {
    const call = this.#read("userStats", "", "{}", signal);
    return this.#run(
      "userStats",
      () => this.#reads.call(call),
      (response) => decodeUserStats(bodyOf(response)),
    );
  }

  /** Calls under way may finish; later ones are refused. */
  async close(): Promise<void> {
    await Promise.all([this.#pushes.close(), this.#reads.close()]);
  }

  #read(
    call: IngesterCall,
    tenant: string,
    body: string,
    signal: AbortSignal | undefined,
  ): OutgoingCall {
    return {
      path: PATHS[call],
      tenant,
      body,
      timeoutMs: this.#options.readTimeoutMs,
      answerMaxBytes: Math.min(this.#options.responseSizeMaxBytes, JSON_MAX_BYTES),
      signal,
    };
  }

  async #run<Response extends RpcResponse, Answer>(
    name: IngesterCall,
    call: () => Promise<Response>,
    decode: (response: Response) => Answer,
  ): Promise<Answer> {
    const startMs = this.#clock.monotonicMs();
    let outcome = "error";
    try {
      const response = await call();
      const status = response.kind === "series" ? 200 : response.status;
      outcome = `${Math.trunc(status / 100)}xx`;
      if (response.kind === "bytes" && status >= 300) throw failureOf(this.#peer, response);
      return decode(response);
    } catch (error) {
      if (error instanceof OpError && error.code === "canceled") outcome = "cancel";
      throw withPeer(error, this.#peer);
    } finally {
      this.#metrics.observe(OPERATIONS[name], outcome, this.#clock.monotonicMs() - startMs);
    }
  }
}

function asBytes(response: StreamResponse): BytesResponse {
  return { kind: "bytes", ...response };
}

function bodyOf(response: RpcResponse): Buffer {
  if (response.kind === "bytes" && response.status === 200) return response.body;
  throw new OpError("rpc-malformed-answer", "the answer is of another kind than was asked for");
}

function seriesOf(response: RpcResponse): EncodedSeriesSet {
  if (response.kind !== "series") {
    throw new OpError("rpc-malformed-answer", "series were asked for and something else came");
  }
  const result = response.receiver.finish();
  if (result.kind === "set") return result.set;
  throw new OpError("rpc-malformed-answer", `the series set is malformed: ${result.message}`);
}

function failureOf(
  peer: Peer,
  response: { readonly status: number; readonly body: Buffer },
): OpError {
  const failure = decodeFailure(response.body);
  if (failure !== undefined) return remoteError(peer, failure);
  return malformedAnswer(peer, `it answered ${response.status}, and not in our protocol`);
}

/** The decoders do not know whose bytes they read. */
function withPeer(error: unknown, peer: Peer): unknown {
  const isOurs = error instanceof OpError && error.code === "rpc-malformed-answer";
  return isOurs && error.data["instance"] === undefined
    ? malformedAnswer(peer, error.message)
    : error;
}
