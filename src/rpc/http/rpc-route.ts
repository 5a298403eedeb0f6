import type { EncodedSeriesSet } from "../../storage/encoded-series.ts";

/** One path of the listener for other members. */
export interface RpcRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Name in metrics. */
  readonly operation: string;
  /** The call needs X-Scope-OrgID. */
  readonly forTenant: boolean;
  /** The call can be made on a stream too. */
  readonly isStreamed?: boolean;
  /** Rejects with an OpError for whatever the caller is to know. */
  readonly answer: (call: RpcCall) => Promise<RpcAnswer>;
}

export interface RpcCall {
  /** "" on routes that are not for a tenant. */
  readonly tenant: string;
  readonly body: Buffer;
  /** Fires when the caller has gone away; on a stream, where it cannot be told of one call, when the stream has ended. */
  readonly signal: AbortSignal;
}

export type RpcAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "json"; readonly text: string }
  | { readonly kind: "series"; readonly set: EncodedSeriesSet };
