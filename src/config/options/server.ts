/** The HTTP server, the log and who may call: options of the process as a whole. */
import { bool, choice, choices, duration, int, path, secret, size, text } from "../option.ts";

export const targetNames = [
  "all",
  "distributor",
  "ingester",
  "querier",
  "query-frontend",
  "store-gateway",
  "compactor",
] as const;

export const port = { min: 0, max: 65_535 };

export const address = {
  matches: /^[^\s\p{C}/[\]]{0,253}$/u,
  say: "is not an address (an IP address or a host name, without brackets and port)",
};

const prefix = {
  matches: /^(\/[^/\s?#]+)*$/,
  say: "is not a path prefix (write it like /prometheus, without a slash at the end)",
};

export const processOptions = {
  target: choices(targetNames, {
    yaml: "target",
    default: ["all"],
    basic: true,
    doc: "Components to run in this process. `all` is every one of them.",
  }),
  dataDir: path({
    yaml: "data_dir",
    default: "./data",
    basic: true,
    doc: "Directory from which all local paths derive: write-ahead log, heads, local bucket.",
  }),
};

export const serverOptions = {
  httpListenAddress: text({
    yaml: "server.http_listen_address",
    default: "",
    basic: true,
    doc: "Address the HTTP server listens on. Empty is all of them.",
  }),
  httpListenPort: int({
    yaml: "server.http_listen_port",
    default: 8080,
    ...port,
    basic: true,
    doc: "Port the HTTP server listens on. 0 lets the system choose one, which the log then tells.",
  }),
  rpcListenPort: int({
    yaml: "server.rpc_listen_port",
    default: 9095,
    ...port,
    basic: true,
    aliases: ["server.grpc_listen_port"],
    doc: "Port on which members of a cluster call each other. Keep it from everybody else. 0 lets the system choose one, which the log then tells.",
  }),
  rpcListenAddress: text({
    yaml: "server.rpc_listen_address",
    default: "",
    ...address,
    aliases: ["server.grpc_listen_address"],
    doc: "Address on which members of a cluster call each other. Empty is all of them.",
  }),
  rpcMaxRecvMsgSizeBytes: size({
    yaml: "server.rpc_max_recv_msg_size",
    default: "100MiB",
    min: 1,
    aliases: ["server.grpc_server_max_recv_msg_size"],
    doc: "Largest body of a call from another member: a frame of rows from a distributor, above all.",
  }),
  rpcSecret: secret({
    yaml: "server.rpc_secret",
    default: "",
    scope: "cluster",
    doc: "Members show each other this secret; calls without it are refused. It is readable on the network unless TLS is on. Empty: none is asked for.",
  }),
  rpcTls: {
    certFile: path({
      yaml: "server.rpc_tls_config.cert_file",
      flag: "server.rpc-tls-cert-path",
      default: "",
      aliases: ["server.grpc_tls_config.cert_file"],
      doc: "PEM file with the certificate of the RPC port. Empty: no TLS.",
    }),
    keyFile: path({
      yaml: "server.rpc_tls_config.key_file",
      flag: "server.rpc-tls-key-path",
      default: "",
      aliases: ["server.grpc_tls_config.key_file"],
      doc: "PEM file with the key of that certificate.",
    }),
    clientCaFile: path({
      yaml: "server.rpc_tls_config.client_ca_file",
      flag: "server.rpc-tls-ca-path",
      default: "",
      aliases: ["server.grpc_tls_config.client_ca_file"],
      doc: "PEM file with the authorities that certificates of callers must come from (mutual TLS). Empty: callers need none.",
    }),
  },
  pathPrefix: text({
    yaml: "server.http_path_prefix",
    flag: "server.path-prefix",
    default: "",
    ...prefix,
    doc: "Path in front of all paths of the server, for a proxy that does not strip it.",
  }),
  prometheusHttpPrefix: text({
    yaml: "api.prometheus_http_prefix",
    flag: "http.prometheus-http-prefix",
    default: "/prometheus",
    ...prefix,
    doc: "Path under which the Prometheus API is served.",
  }),
  gracefulShutdownTimeoutMs: duration({
    yaml: "server.graceful_shutdown_timeout",
    default: "30s",
    doc: "How long requests under way may take after SIGTERM before they are cut off.",
  }),
  httpReadTimeoutMs: duration({
    yaml: "server.http_server_read_timeout",
    flag: "server.http-read-timeout",
    default: "30s",
    doc: "Longest time that reading one request may take. 0 is no limit.",
  }),
  httpWriteTimeoutMs: duration({
    yaml: "server.http_server_write_timeout",
    flag: "server.http-write-timeout",
    default: "2m",
    doc: "Longest time that answering one request may take. 0 is no limit.",
  }),
  httpIdleTimeoutMs: duration({
    yaml: "server.http_server_idle_timeout",
    flag: "server.http-idle-timeout",
    default: "2m",
    doc: "How long a connection without requests stays open.",
  }),
};

export const logOptions = {
  level: choice(["debug", "info", "warn", "error"], {
    yaml: "server.log_level",
    flag: "log.level",
    default: "info",
    basic: true,
    doc: "Log lines of this level and above are written.",
  }),
  format: choice(["logfmt", "json"], {
    yaml: "server.log_format",
    flag: "log.format",
    default: "logfmt",
    basic: true,
    doc: "Form of a log line.",
  }),
};

export const authOptions = {
  multitenancyEnabled: bool({
    yaml: "multitenancy_enabled",
    flag: "auth.multitenancy-enabled",
    default: true,
    scope: "cluster",
    basic: true,
    doc: "Requests must name their tenant in the header X-Scope-OrgID. When false, all belong to `no_auth_tenant` and the header is ignored.",
  }),
  noAuthTenant: text({
    yaml: "no_auth_tenant",
    flag: "auth.no-auth-tenant",
    default: "anonymous",
    scope: "cluster",
    matches: /^(?!\.{1,2}$)[A-Za-z0-9!_.*'()-]{1,150}$/,
    say: "is not a tenant id (1 to 150 letters, digits and !-_.*'(), and neither . nor ..)",
    doc: "The tenant of every request when multi-tenancy is off.",
  }),
};
