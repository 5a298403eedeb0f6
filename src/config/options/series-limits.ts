/** What the ingester holds for one tenant. */
import { z } from "zod";
import { bool, duration, int, structure } from "../option.ts";

export const seriesLimits = {
  maxGlobalSeriesPerUser: int({
    yaml: "limits.max_global_series_per_user",
    flag: "ingester.max-global-series-per-user",
    default: 150_000,
    basic: true,
    doc: "Series in memory, over all ingesters and before replication. 0 is no limit.",
  }),
  maxGlobalSeriesPerMetric: int({
    yaml: "limits.max_global_series_per_metric",
    flag: "ingester.max-global-series-per-metric",
    default: 0,
    waitsFor: "per-metric limit",
    doc: "Series in memory of one metric name. 0 is no limit.",
  }),
  maxActiveSeriesPerUser: int({
    yaml: "limits.max_active_series_per_user",
    flag: "distributor.max-active-series-per-user",
    default: 0,
    waitsFor: "active series limit",
    doc: "Active series, over all ingesters. 0 is no limit.",
  }),
  maxGlobalMetadataPerUser: int({
    yaml: "limits.max_global_metadata_per_user",
    flag: "ingester.max-global-metadata-per-user",
    default: 0,
    waitsFor: "metadata and exemplars",
    doc: "Metrics with metadata. 0 is no limit.",
  }),
  maxGlobalMetadataPerMetric: int({
    yaml: "limits.max_global_metadata_per_metric",
    flag: "ingester.max-global-metadata-per-metric",
    default: 0,
    waitsFor: "metadata and exemplars",
    doc: "Metadata entries of one metric. 0 is no limit.",
  }),
  maxGlobalExemplarsPerUser: int({
    yaml: "limits.max_global_exemplars_per_user",
    flag: "ingester.max-global-exemplars-per-user",
    default: 0,
    waitsFor: "metadata and exemplars",
    doc: "Exemplars in memory. 0 is: take none.",
  }),
  ignoreOooExemplars: bool({
    yaml: "limits.ignore_ooo_exemplars",
    flag: "ingester.ignore-ooo-exemplars",
    default: false,
    waitsFor: "metadata and exemplars",
    doc: "Drop exemplars that are out of order without an error.",
  }),
  nativeHistogramsIngestionEnabled: bool({
    yaml: "limits.native_histograms_ingestion_enabled",
    flag: "ingester.native-histograms-ingestion-enabled",
    default: true,
    waitsFor: "native histograms",
    doc: "Take native histograms.",
  }),
  activeSeriesCustomTrackers: structure(
    "map of tracker name to series selector",
    z.record(z.string(), z.string()) as z.ZodType<Readonly<Record<string, string>>>,
    {
      yaml: "limits.active_series_custom_trackers",
      default: {},
      waitsFor: "cardinality API",
      doc: "Counts active series by selector: `name: '{job=\"x\"}'`.",
    },
  ),
  outOfOrderTimeWindowMs: duration({
    yaml: "limits.out_of_order_time_window",
    flag: "ingester.out-of-order-time-window",
    default: "30m",
    basic: true,
    doc: "Samples older than the newest of their tenant by up to this are taken. 0 is none (which is Mimir's default).",
  }),
  outOfOrderBlocksExternalLabelEnabled: bool({
    yaml: "limits.out_of_order_blocks_external_label_enabled",
    flag: "ingester.out-of-order-blocks-external-label-enabled",
    default: false,
    waitsFor: "object storage",
    doc: "Mark blocks of out-of-order samples with the label `__out_of_order__`.",
  }),
};
