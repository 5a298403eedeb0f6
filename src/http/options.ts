/** How the HTTP server behaves. Defaults are Mimir's (`-server.…`, `-http.…`, `-auth.…`). */
export interface HttpOptions {
  /** "" listens on every address, IPv4 and IPv6. */
  readonly listenAddress: string;
  /** 0 takes a free port (tests). */
  readonly listenPort: number;
  /** In front of every path, "" or "/like-this". */
  readonly pathPrefix: string;
  /** In front of the Prometheus query API, below `pathPrefix`. */
  readonly prometheusPrefix: string;
  /** Off: the tenant header is ignored and all requests belong to `noAuthTenant`. */
  readonly multitenancyEnabled: boolean;
  readonly noAuthTenant: string;
  /** Longest time for a whole request to arrive; higher tolerates slow links, lower frees sockets sooner. */
  readonly readTimeoutMs: number;
  /** A connection with a request under way and no byte moving for this long is closed. */
  readonly writeTimeoutMs: number;
  /** Keep-alive connections without a request are closed after this. */
  readonly idleTimeoutMs: number;
  /** On shutdown, requests under way get this long to finish. */
  readonly shutdownTimeoutMs: number;
  /** 0 = unlimited. */
  readonly connectionsMax: number;
  /** Bodies on routes that do not name a limit of their own (queries, forms). */
  readonly bodySizeMaxBytes: number;
}

export const HTTP_DEFAULTS: HttpOptions = {
  listenAddress: "",
  listenPort: 8080,
  pathPrefix: "",
  prometheusPrefix: "/prometheus",
  multitenancyEnabled: true,
  noAuthTenant: "anonymous",
  readTimeoutMs: 30_000,
  writeTimeoutMs: 120_000,
  idleTimeoutMs: 120_000,
  shutdownTimeoutMs: 30_000,
  connectionsMax: 0,
  bodySizeMaxBytes: 10 * 1024 * 1024,
};
