import type { Config } from "../config/config.ts";
import { HTTP_DEFAULTS, type HttpOptions } from "../http/options.ts";

export function httpOptions({ server, auth }: Config): HttpOptions {
  return {
    ...HTTP_DEFAULTS,
    listenAddress: server.httpListenAddress,
    listenPort: server.httpListenPort,
    pathPrefix: server.pathPrefix,
    prometheusPrefix: server.prometheusHttpPrefix,
    multitenancyEnabled: auth.multitenancyEnabled,
    noAuthTenant: auth.noAuthTenant,
    readTimeoutMs: server.httpReadTimeoutMs,
    writeTimeoutMs: server.httpWriteTimeoutMs,
    idleTimeoutMs: server.httpIdleTimeoutMs,
    shutdownTimeoutMs: server.gracefulShutdownTimeoutMs,
  };
}
