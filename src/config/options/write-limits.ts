/** What one tenant may send: rates and validation, checked by the distributor before anything is stored. */
import { z } from "zod";
import type { MetricRelabelConfig } from "../../model/limits.ts";
import { bool, choice, duration, float, int, list, structure, text } from "../option.ts";

const labelName = {
  matches: /^[a-zA-Z_][a-zA-Z0-9_]{0,1023}$/,
  say: "is not a label name of at most 1024 bytes",
};

const relabelConfigs: z.ZodType<readonly MetricRelabelConfig[]> = z.array(
  z.strictObject({
    source_labels: z.array(z.string()).exactOptional(),
    separator: z.string().exactOptional(),
    regex: z.string().exactOptional(),
    modulus: z.int().positive().exactOptional(),
    target_label: z.string().exactOptional(),
    replacement: z.string().exactOptional(),
    action: z
      .enum([
        "replace",
        "keep",
        "drop",
        "keepequal",
        "dropequal",
        "hashmod",
        "labelmap",
        "labeldrop",
        "labelkeep",
        "lowercase",
        "uppercase",
      ])
      .exactOptional(),
  }),
);

export const writeLimits = {
  requestRate: float({
    yaml: "limits.request_rate",
    flag: "distributor.request-rate-limit",
    default: 0,
    doc: "Push requests a second, over all distributors. 0 is no limit.",
  }),
  requestBurstSize: int({
    yaml: "limits.request_burst_size",
    flag: "distributor.request-burst-size",
    default: 0,
    doc: "Push requests that may come at once, each distributor.",
  }),
  ingestionRate: float({
    yaml: "limits.ingestion_rate",
    flag: "distributor.ingestion-rate-limit",
    default: 10_000,
    basic: true,
    aliases: ["distributor.config.ingress_rate_limit_per_tenant"],
    doc: "Samples a second, over all distributors.",
  }),
  ingestionBurstSize: int({
    yaml: "limits.ingestion_burst_size",
    flag: "distributor.ingestion-burst-size",
    default: 200_000,
    basic: true,
    aliases: ["distributor.config.ingress_burst_size_per_tenant"],
    doc: "Samples that may come at once, each distributor. A push with more is refused whole.",
  }),
  ingestionBurstFactor: float({
    yaml: "limits.ingestion_burst_factor",
    flag: "distributor.ingestion-burst-factor",
    default: 0,
    doc: "When 1 or more, the burst is this many times the rate, in place of `ingestion_burst_size`. 0 is off.",
  }),
  ingestionArtificialDelayMs: duration({
    yaml: "limits.ingestion_artificial_delay",
    flag: "distributor.ingestion-artificial-delay",
    default: "0",
    waitsFor: "ingestion delay",
    doc: "Time by which answers to pushes are held back. 0 is none.",
  }),
  serviceOverloadStatusCodeOnRateLimitEnabled: bool({
    yaml: "limits.service_overload_status_code_on_rate_limit_enabled",
    flag: "distributor.service-overload-status-code-on-rate-limit-enabled",
    default: false,
    doc: "Answer 529 in place of 429 when a rate limit is hit.",
  }),
  acceptHaSamples: bool({
    yaml: "limits.accept_ha_samples",
    flag: "distributor.ha-tracker.enable-for-all-users",
    default: false,
    doc: "Take samples from one replica of each pair of Prometheus servers: a series that has both labels below is stored without the replica label, and only while its replica is the elected one of its cluster. Decided for each series on its own. Needs `distributor.ha_tracker.enable_ha_tracker`.",
  }),
  haClusterLabel: text({
    yaml: "limits.ha_cluster_label",
    flag: "distributor.ha-tracker.cluster",
    default: "cluster",
    ...labelName,
    doc: "Label that names the pair (the cluster). Values of more than 256 bytes are refused.",
  }),
  haReplicaLabel: text({
    yaml: "limits.ha_replica_label",
    flag: "distributor.ha-tracker.replica",
    default: "__replica__",
    ...labelName,
    doc: "Label that names the replica of the pair. Values of more than 256 bytes are refused.",
  }),
  haMaxClusters: int({
    yaml: "limits.ha_max_clusters",
    flag: "distributor.ha-tracker.max-clusters",
    default: 100,
    doc: "Clusters (pairs) of the tenant that are followed; samples of more are refused. 0 is 10,000, which is also the most there can be. Replicas are limited too: to 16 times this number (and 65,535), over all clusters.",
  }),
  haTrackerUpdateTimeoutMs: duration({
    yaml: "limits.ha_tracker_update_timeout",
    flag: "distributor.ha-tracker.update-timeout",
    default: "15s",
    doc: "How often it is written down for the other distributors that the elected replica sends.",
  }),
  haTrackerUpdateTimeoutJitterMaxMs: duration({
    yaml: "limits.ha_tracker_update_timeout_jitter_max",
    flag: "distributor.ha-tracker.update-timeout-jitter-max",
    default: "5s",
    doc: "Each distributor lengthens or shortens that time by a part of this, chosen at its start, so that one of them spares the others the writing.",
  }),
  haTrackerFailoverTimeoutMs: duration({
    yaml: "limits.ha_tracker_failover_timeout",
    flag: "distributor.ha-tracker.failover-timeout",
    default: "30s",
    doc: "How long the elected replica may be silent before the next one that sends is elected. At least the two above and a second.",
  }),
  dropLabels: list({
    yaml: "limits.drop_labels",
    flag: "distributor.drop-label",
    default: [],
    waitsFor: "relabelling",
    doc: "Labels removed from every series.",
  }),
  metricRelabelConfigs: structure("list of relabel rules", relabelConfigs, {
    yaml: "limits.metric_relabel_configs",
    default: [],
    waitsFor: "relabelling",
    doc: "Prometheus relabel rules for every series.",
  }),
  maxLabelNameLength: int({
    yaml: "limits.max_label_name_length",
    flag: "validation.max-length-label-name",
    default: 1024,
    doc: "Bytes of a label name. 0 is no limit.",
  }),
  maxLabelValueLength: int({
    yaml: "limits.max_label_value_length",
    flag: "validation.max-length-label-value",
    default: 2048,
    doc: "Bytes of a label value. 0 is no limit.",
  }),
  maxLabelNamesPerSeries: int({
    yaml: "limits.max_label_names_per_series",
    flag: "validation.max-label-names-per-series",
    default: 30,
    doc: "Labels of a series. 0 is no limit.",
  }),
  maxLabelNamesPerInfoSeries: int({
    yaml: "limits.max_label_names_per_info_series",
    flag: "validation.max-label-names-per-info-series",
    default: 80,
    doc: "Labels of a series whose metric name ends in `_info`. 0 is no limit.",
  }),
  maxMetadataLength: int({
    yaml: "limits.max_metadata_length",
    flag: "validation.max-metadata-length",
    default: 1024,
    waitsFor: "metadata and exemplars",
    doc: "Bytes of a metric's name, help or unit in metadata.",
  }),
  enforceMetadataMetricName: bool({
    yaml: "limits.enforce_metadata_metric_name",
    flag: "validation.enforce-metadata-metric-name",
    default: true,
    waitsFor: "metadata and exemplars",
    doc: "Refuse metadata without a metric name.",
  }),
  maxNativeHistogramBuckets: int({
    yaml: "limits.max_native_histogram_buckets",
    flag: "validation.max-native-histogram-buckets",
    default: 0,
    waitsFor: "native histograms",
    doc: "Buckets of a native histogram. 0 is no limit.",
  }),
  reduceNativeHistogramOverMaxBuckets: bool({
    yaml: "limits.reduce_native_histogram_over_max_buckets",
    flag: "validation.reduce-native-histogram-over-max-buckets",
    default: true,
    waitsFor: "native histograms",
    doc: "Merge the buckets of a histogram that has too many, in place of refusing it.",
  }),
  maxExemplarsPerSeriesPerRequest: int({
    yaml: "limits.max_exemplars_per_series_per_request",
    flag: "distributor.max-exemplars-per-series-per-request",
    default: 0,
    waitsFor: "metadata and exemplars",
    doc: "Exemplars of a series in one push. 0 is no limit.",
  }),
  creationGracePeriodMs: duration({
    yaml: "limits.creation_grace_period",
    flag: "validation.create-grace-period",
    default: "10m",
    doc: "Samples further in the future than this are refused.",
  }),
  pastGracePeriodMs: duration({
    yaml: "limits.past_grace_period",
    flag: "validation.past-grace-period",
    default: "0",
    doc: "Samples further in the past than this and the out-of-order window together are refused. 0 is off.",
  }),
  nameValidationScheme: choice(["legacy", "utf8"], {
    yaml: "limits.name_validation_scheme",
    flag: "validation.name-validation-scheme",
    default: "legacy",
    doc: "`legacy`: metric and label names of letters, digits and `_` (`:` in metrics). `utf8`: any text.",
  }),
  separateMetricsGroupLabel: text({
    yaml: "limits.separate_metrics_group_label",
    flag: "validation.separate-metrics-group-label",
    default: "",
    waitsFor: "cardinality API",
    doc: "Label by which Muninn's own counts of received and discarded samples are split.",
  }),
  ingestionTenantShardSize: int({
    yaml: "limits.ingestion_tenant_shard_size",
    flag: "distributor.ingestion-tenant-shard-size",
    default: 0,
    doc: "Number of ingesters that hold the tenant (of all zones together). 0 is all.",
  }),
  otelMetricSuffixesEnabled: bool({
    yaml: "limits.otel_metric_suffixes_enabled",
    flag: "distributor.otel-metric-suffixes-enabled",
    default: false,
    waitsFor: "OTLP",
    doc: "Add unit and type suffixes to the names of OTLP metrics.",
  }),
  otelCreatedTimestampZeroIngestionEnabled: bool({
    yaml: "limits.otel_created_timestamp_zero_ingestion_enabled",
    flag: "distributor.otel-created-timestamp-zero-ingestion-enabled",
    default: false,
    waitsFor: "OTLP",
    doc: "Store a zero at the start time of an OTLP counter.",
  }),
  promoteOtelResourceAttributes: list({
    yaml: "limits.promote_otel_resource_attributes",
    flag: "distributor.otel-promote-resource-attributes",
    default: [],
    waitsFor: "OTLP",
    doc: "OTLP resource attributes that become labels.",
  }),
};
