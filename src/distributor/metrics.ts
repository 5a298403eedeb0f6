import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { InstanceLimits } from "./options.ts";

/**
 * Metrics of the distributor, under Mimir's names. What is counted per tenant is kept in plain numbers
 * (`TenantCounts`) and handed to prom-client when somebody looks: a push then costs additions, not label hashing.
 * A tenant that is dropped takes its series with it.
 */
export interface TenantCounts {
  requestsIn: number;
  samplesIn: number;
  exemplarsIn: number;
  metadataIn: number;
  requestsReceived: number;
  samplesReceived: number;
  latestSampleSeconds: number;
  /** From tenants with HA: samples of no pair, and by cluster those of replicas that are not elected. */
  nonHaSamples: number;
  readonly dedupedSamples: Map<string, number>;
  /** By reason, as in the label. */
  readonly discardedSamples: Map<string, number>;
  readonly discardedRequests: Map<string, number>;
  readonly discardedExemplars: Map<string, number>;
  readonly discardedMetadata: Map<string, number>;
}

export function newTenantCounts(): TenantCounts {
  return {
    requestsIn: 0,
    samplesIn: 0,
    exemplarsIn: 0,
    metadataIn: 0,
    requestsReceived: 0,
    samplesReceived: 0,
    latestSampleSeconds: 0,
    nonHaSamples: 0,
    dedupedSamples: new Map(),
    discardedSamples: new Map(),
    discardedRequests: new Map(),
    discardedExemplars: new Map(),
    discardedMetadata: new Map(),
  };
}

export function addTo(counts: Map<string, number>, reason: string, count: number): void {
  counts.set(reason, (counts.get(reason) ?? 0) + count);
}

/** What the gauges read. */
export interface DistributorState {
  readonly tenants: ReadonlyMap<string, { readonly counts: TenantCounts }>;
  readonly inflightRequests: number;
  readonly inflightBytes: number;
  readonly ingestionRate: number;
  readonly instanceLimits: InstanceLimits;
  readonly replicationFactor: number;
  readonly knownSeries: number;
  readonly kernelMemoryBytes: number;
}

export interface DistributorMetrics {
  readonly instanceRejectedRequests: Counter<"reason">;
  readonly samplesPerRequest: Histogram<"user">;
  readonly exemplarsPerRequest: Histogram<"user">;
  readonly uncompressedBodySize: Histogram<"user">;
  /** Series that the table of known series did not have: each took the slow path. */
  readonly seriesChecked: Counter;
  forgetTenant(tenant: string): void;
}

type NumberField = {
  [Field in keyof TenantCounts]: TenantCounts[Field] extends number ? Field : never;
}[keyof TenantCounts];
type ReasonField = Exclude<keyof TenantCounts, NumberField | "dedupedSamples">;

const TENANT_COUNTERS: readonly (readonly [name: string, field: NumberField, help: string])[] = [
  [
    "cortex_distributor_requests_in_total",
    "requestsIn",
    "Push requests that came in, valid or not.",
  ],
  ["cortex_distributor_samples_in_total", "samplesIn", "Samples that came in, valid or not."],
  [
    "cortex_distributor_exemplars_in_total",
    "exemplarsIn",
    "Exemplars that came in, stored or not.",
  ],
  [
    "cortex_distributor_metadata_in_total",
    "metadataIn",
    "Metadata items that came in, stored or not.",
  ],
  [
    "cortex_distributor_received_requests_total",
    "requestsReceived",
    "Push requests accepted after validation and limits.",
  ],
  [
    "cortex_distributor_received_samples_total",
    "samplesReceived",
    "Samples accepted after validation and limits.",
  ],
  [
    "cortex_distributor_non_ha_samples_received_total",
    "nonHaSamples",
    "Samples without HA labels, from tenants that have HA deduplication.",
  ],
];

const DISCARD_COUNTERS: readonly (readonly [name: string, field: ReasonField, help: string])[] = [
  ["cortex_discarded_requests_total", "discardedRequests", "Push requests refused as a whole."],
  ["cortex_discarded_exemplars_total", "discardedExemplars", "Exemplars that were not stored."],
  ["cortex_discarded_metadata_total", "discardedMetadata", "Metadata items that were not stored."],
];

export function newDistributorMetrics(
  registry: Registry,
  state: () => DistributorState,
): DistributorMetrics {
  registerTenantMetrics(registry, state);
  registerInstanceGauges(registry, state);
  registerDedupedSamples(registry, state);
  const registers = [registry];
  const samplesPerRequest = new Histogram({
    name: "cortex_distributor_samples_per_request",
    help: "Samples in a push request, valid or not.",
    labelNames: ["user"],
    buckets: [1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10000],
    registers,
  });
  const exemplarsPerRequest = new Histogram({
    name: "cortex_distributor_exemplars_per_request",
    help: "Exemplars in a push request.",
    labelNames: ["user"],
    buckets: [0, 1, 10, 100, 1000],
    registers,
  });
  const uncompressedBodySize = new Histogram({
    name: "cortex_distributor_uncompressed_request_body_size_bytes",
    help: "Size of push requests after decompression.",
    labelNames: ["user"],
    buckets: [1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    registers,
  });
  return {
    instanceRejectedRequests: new Counter({
      name: "cortex_distributor_instance_rejected_requests_total",
      help: "Push requests refused to protect the process, by the limit that was hit.",
      labelNames: ["reason"],
      registers,
    }),
    samplesPerRequest,
    exemplarsPerRequest,
    uncompressedBodySize,
    seriesChecked: new Counter({
      name: "muninn_distributor_series_checked_total",
      help: "Series whose labels had to be decoded and validated, because their bytes were not known.",
      registers,
    }),
    forgetTenant(tenant) {
      samplesPerRequest.remove({ user: tenant });
      exemplarsPerRequest.remove({ user: tenant });
      uncompressedBodySize.remove({ user: tenant });
    },
  };
}

function registerTenantMetrics(registry: Registry, state: () => DistributorState): void {
  for (const [name, field, help] of TENANT_COUNTERS) {
    new Counter({
      name,
      help,
      labelNames: ["user"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [user, { counts }] of state().tenants) this.inc({ user }, counts[field]);
      },
    });
  }
  for (const [name, field, help] of DISCARD_COUNTERS) {
    new Counter({
      name,
      help,
      labelNames: ["reason", "user"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [user, { counts }] of state().tenants) {
          for (const [reason, count] of counts[field]) this.inc({ reason, user }, count);
        }
      },
    });
  }
  registerDiscardedSamples(registry, state);
  new Counter({
    name: "cortex_distributor_received_exemplars_total",
    help: "Exemplars accepted. Exemplars are not stored yet: this stays at 0.",
    labelNames: ["user"],
    registers: [registry],
  });
  new Counter({
    name: "cortex_distributor_received_metadata_total",
    help: "Metadata items accepted. Metadata is not stored yet: this stays at 0.",
    labelNames: ["user"],
    registers: [registry],
  });
  new Gauge({
    name: "cortex_distributor_latest_seen_sample_timestamp_seconds",
    help: "Newest timestamp of the tenant's samples, in seconds since 1970.",
    labelNames: ["user"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [user, { counts }] of state().tenants) {
        if (counts.latestSampleSeconds > 0) this.set({ user }, counts.latestSampleSeconds);
      }
    },
  });
}

/** The label `group` is Mimir's; nothing sets it yet. */
function registerDiscardedSamples(registry: Registry, state: () => DistributorState): void {
  new Counter({
    name: "cortex_discarded_samples_total",
    help: "Samples that were not stored, by reason.",
    labelNames: ["reason", "user", "group"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [user, { counts }] of state().tenants) {
        for (const [reason, count] of counts.discardedSamples) {
          this.inc({ reason, user, group: "" }, count);
        }
      }
    },
  });
}

function registerInstanceGauges(registry: Registry, state: () => DistributorState): void {
  const gauge = (name: string, help: string, read: (state: DistributorState) => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read(state()));
      },
    });
  };
  gauge(
    "cortex_distributor_inflight_push_requests",
    "Push requests under way.",
    (now) => now.inflightRequests,
  );
  gauge(
    "cortex_distributor_inflight_push_requests_bytes",
    "Bytes of the push requests under way, as sent.",
    (now) => now.inflightBytes,
  );
  gauge(
    "cortex_distributor_ingestion_rate_samples_per_second",
    "Samples a second that this distributor takes (moving average).",
    (now) => now.ingestionRate,
  );
  gauge(
    "cortex_distributor_replication_factor",
    "Ingesters that get each sample.",
    (now) => now.replicationFactor,
  );
  gauge(
    "muninn_distributor_known_series",
    "Series that are remembered as valid.",
    (now) => now.knownSeries,
  );
  gauge(
    "muninn_distributor_kernel_memory_bytes",
    "Memory of the distributor's kernel: buffers and the table of known series.",
    (now) => now.kernelMemoryBytes,
  );
  new Gauge({
    name: "cortex_distributor_instance_limits",
    help: "Limits of the process; 0 is none.",
    labelNames: ["limit"],
    registers: [registry],
    collect() {
      const limits = state().instanceLimits;
      this.set({ limit: "max_ingestion_rate" }, limits.maxIngestionRate);
      this.set({ limit: "max_inflight_push_requests" }, limits.maxInflightPushRequests);
      this.set({ limit: "max_inflight_push_requests_bytes" }, limits.maxInflightPushRequestsBytes);
    },
  });
}

function registerDedupedSamples(registry: Registry, state: () => DistributorState): void {
  new Counter({
    name: "cortex_distributor_deduped_samples_total",
    help: "Samples dropped because another replica of the pair is elected.",
    labelNames: ["user", "cluster"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [user, { counts }] of state().tenants) {
        for (const [cluster, count] of counts.dedupedSamples) this.inc({ user, cluster }, count);
      }
    },
  });
}

/** Metrics of sending rows to replicas, under Mimir's names where it has them. */
export interface ReplicationMetrics {
  readonly appends: Counter<"ingester">;
  readonly failures: Counter<"ingester">;
  readonly sentBytes: Counter;
  readonly retries: Counter;
  /** Series that an ingester did not know and got again with labels. */
  readonly seriesResent: Counter;
}

export function newReplicationMetrics(registry: Registry): ReplicationMetrics {
  const registers = [registry];
  return {
    seriesResent: new Counter({
      name: "muninn_distributor_series_resent_total",
      help: "Series that went out a second time, with labels, because an ingester did not know them.",
      registers,
    }),
    appends: new Counter({
      name: "cortex_distributor_ingester_appends_total",
      help: "Batches of rows sent to an ingester.",
      labelNames: ["ingester"],
      registers,
    }),
    failures: new Counter({
      name: "cortex_distributor_ingester_append_failures_total",
      help: "Batches of rows that an ingester did not take.",
      labelNames: ["ingester"],
      registers,
    }),
    sentBytes: new Counter({
      name: "muninn_distributor_replica_bytes_total",
      help: "Bytes of the push frames sent to ingesters, all replicas together.",
      registers,
    }),
    retries: new Counter({
      name: "muninn_distributor_replication_retries_total",
      help: "Pushes that were tried again within their time, because too few replicas took them at first.",
      registers,
    }),
  };
}
