/** How distributors and queriers call ingesters: TLS, and what one ingester that is slow or broken may cost them. */
import { bool, duration, int, path, size, text } from "../option.ts";

const client = (key: string) => ({
  yaml: `ingester_client.${key}`,
  flag: `ingester.client.${key.replaceAll("_", "-")}`,
  aliases: [`ingester_client.grpc_client_config.${key}`],
});

const own = (key: string) => ({
  yaml: `ingester_client.${key}`,
  flag: `ingester.client.${key.replaceAll("_", "-")}`,
});

export const ingesterClientOptions = {
  tlsEnabled: bool({
    ...client("tls_enabled"),
    default: false,
    doc: "Call ingesters over TLS.",
  }),
  tlsCaFile: path({
    ...client("tls_ca_path"),
    default: "",
    doc: "PEM file with the authorities that certificates of ingesters must come from. Empty: those of the system.",
  }),
  tlsCertFile: path({
    ...client("tls_cert_path"),
    default: "",
    doc: "PEM file with the certificate that is shown to ingesters.",
  }),
  tlsKeyFile: path({
    ...client("tls_key_path"),
    default: "",
    doc: "PEM file with the key of that certificate.",
  }),
  tlsServerName: text({
    ...client("tls_server_name"),
    default: "",
    doc: "Name that certificates of ingesters must have. Empty: the host that is called.",
  }),
  maxInflightRequests: int({
    ...own("max_inflight_requests"),
    default: 1000,
    min: 1,
    doc: "Requests under way at once to one ingester. More fail at once for this ingester, and others take its place.",
  }),
  maxInflightBytes: size({
    ...own("max_inflight_bytes"),
    default: "64MiB",
    min: 1,
    doc: "Bytes of the requests under way at once to one ingester: what a stuck one can cost in memory.",
  }),
  circuitBreaker: {
    enabled: bool({
      ...own("circuit_breaker.enabled"),
      default: true,
      doc: "Stop calling an ingester for a while when too many calls fail or time out.",
    }),
    failureThresholdPercent: int({
      ...own("circuit_breaker.failure_threshold_percentage"),
      default: 10,
      min: 1,
      max: 100,
      aliases: ["ingester_client.circuit_breaker.failure_threshold"],
      doc: "Percentage of failed calls from which on an ingester is not called for a while.",
    }),
    failureExecutionThreshold: int({
      ...own("circuit_breaker.failure_execution_threshold"),
      default: 100,
      min: 1,
      doc: "Calls within `thresholding_period` below which nothing is concluded.",
    }),
    thresholdingPeriodMs: duration({
      ...own("circuit_breaker.thresholding_period"),
      default: "1m",
      min: 1,
      doc: "Length of the window in which calls are counted.",
    }),
    cooldownPeriodMs: duration({
      ...own("circuit_breaker.cooldown_period"),
      default: "10s",
      min: 1,
      doc: "How long an ingester is left alone before it is tried again.",
    }),
  },
  maxResponseSizeBytes: size({
    ...own("max_response_size"),
    default: "1GiB",
    min: 1,
    doc: "Largest answer of an ingester.",
  }),
};
