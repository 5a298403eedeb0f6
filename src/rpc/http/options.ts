/** How the listener for other members behaves (`-server.rpc-…`). */
export interface RpcServerOptions {
  /** "" listens on every address, IPv4 and IPv6. */
  readonly listenAddress: string;
  /** 0 takes a free port (tests). */
  readonly listenPort: number;
  readonly clusterLabel: string;
  /** Callers must send the same one; "" asks for none. */
  readonly secret: string;
  readonly tls?: RpcServerTls | undefined;
  /** Bodies of requests. */
  readonly bodySizeMaxBytes: number;
  /** Of all requests that are being read or handled. */
  readonly bodiesSizeMaxBytes: number;
  /** Longest time for a whole request to arrive. */
  readonly readTimeoutMs: number;
  /** Keep-alive connections without a request are closed after this. */
  readonly idleTimeoutMs: number;
  /** On shutdown, requests under way get this long to finish. */
  readonly shutdownTimeoutMs: number;
  /** 0 = unlimited. */
  readonly connectionsMax: number;
}

/** PEM texts. */
export interface RpcServerTls {
  readonly cert: string;
  readonly key: string;
  /** Given: a caller must show a certificate of this authority. */
  readonly clientCa?: string | undefined;
}

const MEBIBYTE = 1024 * 1024;

export const RPC_SERVER_DEFAULTS: RpcServerOptions = {
  listenAddress: "",
  listenPort: 9095,
  clusterLabel: "",
  secret: "",
  bodySizeMaxBytes: 100 * MEBIBYTE,
  bodiesSizeMaxBytes: 512 * MEBIBYTE,
  readTimeoutMs: 30_000,
  idleTimeoutMs: 120_000,
  shutdownTimeoutMs: 30_000,
  connectionsMax: 10_000,
};

/** How other members are called (`-ingester.client.…`). */
export interface RpcClientOptions {
  readonly clusterLabel: string;
  readonly secret: string;
  readonly tls?: RpcClientTls | undefined;
  readonly connectTimeoutMs: number;
  /** From the call to the last byte of the answer. */
  readonly pushTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** To one ingester, for pushes and again for reads. A call beyond them waits for a free one. */
  readonly connectionsMax: number;
  /** Answers of reads. */
  readonly responseSizeMaxBytes: number;
}

/** PEM texts. */
export interface RpcClientTls {
  /** Authorities that a server's certificate must come from; absent: those that Node knows. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** The name that the certificate must have, in place of the one in the address. */
  readonly serverName?: string | undefined;
}

export const RPC_CLIENT_DEFAULTS: RpcClientOptions = {
  clusterLabel: "",
  secret: "",
  connectTimeoutMs: 2_000,
  pushTimeoutMs: 2_000,
  readTimeoutMs: 30_000,
  connectionsMax: 64,
  responseSizeMaxBytes: 1024 * MEBIBYTE,
};
