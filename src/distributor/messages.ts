/**
 * What a sender is told. Each text says what is wrong and with which series, ends with Mimir's id in parentheses,
 * and names the flag where a limit can be raised: people search for exactly these. The ids and flags are the
 * contract, the words are ours.
 */

import type { RejectCode, SeriesProblem } from "../kernel/host/intake.ts";
import { formatLabels, type Label, METRIC_NAME } from "../model/labels.ts";
import type { Limits } from "../model/limits.ts";
import type { RejectedSamples } from "../rpc/ingester.ts";
import { decodeSeriesLabels } from "../wire/remote-write.ts";

/** Series in a text are cut here: a series may be megabytes. */
const SERIES_TEXT_LENGTH_MAX = 200;

export function withId(text: string, id: string): string {
  return `${text} (err-mimir-${id})`;
}

function withLimit(text: string, id: string, ...flags: readonly string[]): string {
  const named = flags.map((flag) => `-${flag}`).join(" and ");
  return `${withId(text, id)}. To adjust the related per-tenant limit, configure ${named}, or contact your service administrator.`;
}

function withInstanceLimit(text: string, id: string, flag: string): string {
  return `${withId(text, id)}. To adjust the related limit, configure -${flag}, or contact your service administrator.`;
}

function cut(text: string): string {
  return text.length <= SERIES_TEXT_LENGTH_MAX
    ? text
    : `${text.slice(0, SERIES_TEXT_LENGTH_MAX)}...`;
}

export function seriesText(labels: readonly Label[]): string {
  return cut(formatLabels(labels));
}

function problemSeriesText(problem: SeriesProblem): string {
  return seriesText(decodeSeriesLabels(problem.series).filter((label) => label.value !== ""));
}

/** The metric's name in a text about its samples; the series itself when it has none. */
function problemMetricText(problem: SeriesProblem): string {
  const labels = decodeSeriesLabels(problem.series);
  return cut(labels.find((label) => label.name === METRIC_NAME)?.value ?? "");
}

/** Years far outside of what Date can say are printed as numbers. */
function timeText(timestampMs: bigint): string {
  const milliseconds = Number(timestampMs);
  const printable = Math.abs(milliseconds) <= 8_640_000_000_000_000;
  return printable ? `${timestampMs} (${new Date(milliseconds).toISOString()})` : `${timestampMs}`;
}

function onlyAscii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "");
}

type ProblemText = (problem: SeriesProblem, limits: Limits) => string;

const PROBLEM_TEXTS: Readonly<Record<RejectCode, ProblemText>> = {
  "missing-metric-name": (problem) =>
    withId(
      `received a series without a metric name, series: '${problemSeriesText(problem)}'`,
      problem.code,
    ),
  "metric-name-invalid": (problem) =>
    withId(
      `received a series with an invalid metric name: '${cut(onlyAscii(problem.labelValue))}'`,
      problem.code,
    ),
  "max-label-names-per-series": (problem, limits) =>
    withLimit(
      `received a series with ${problem.labelCount} labels, the limit is ${limits.maxLabelNamesPerSeries}, series: '${problemSeriesText(problem)}'`,
      problem.code,
      "validation.max-label-names-per-series",
    ),
  "max-label-names-per-info-series": (problem, limits) =>
    withLimit(
      `received an info series with ${problem.labelCount} labels, the limit is ${limits.maxLabelNamesPerInfoSeries}, series: '${problemSeriesText(problem)}'`,
      problem.code,
      "validation.max-label-names-per-info-series",
    ),
  "label-invalid": (problem) =>
    withId(
      `received a series with an invalid label name: '${cut(problem.labelName)}', series: '${problemSeriesText(problem)}'`,
      problem.code,
    ),
  "label-name-too-long": (problem, limits) =>
    withLimit(
      `received a series with a label name longer than ${limits.maxLabelNameLength} bytes, label: '${cut(problem.labelName)}', series: '${problemSeriesText(problem)}'`,
      problem.code,
      "validation.max-length-label-name",
    ),
  "label-value-invalid": (problem) =>
    withId(
      `received a series with a label value that is not UTF-8, label: '${cut(problem.labelName)}', series: '${problemSeriesText(problem)}'`,
      problem.code,
    ),
  "label-value-too-long": (problem, limits) =>
    withLimit(
      `received a series with a label value longer than ${limits.maxLabelValueLength} bytes, label: '${cut(problem.labelName)}', value: '${cut(problem.labelValue)}', series: '${problemSeriesText(problem)}'`,
      problem.code,
      "validation.max-length-label-value",
    ),
  "duplicate-label-names": (problem) =>
    withId(
      `received a series with the label '${cut(problem.labelName)}' more than once, series: '${problemSeriesText(problem)}'`,
      problem.code,
    ),
  "too-far-in-future": (problem) =>
    withLimit(
      `received a sample too far in the future, timestamp: ${timeText(problem.timestampMs)}, metric: '${problemMetricText(problem)}'`,
      problem.code,
      "validation.create-grace-period",
    ),
  "too-far-in-past": (problem) =>
    withLimit(
      `received a sample too far in the past, timestamp: ${timeText(problem.timestampMs)}, metric: '${problemMetricText(problem)}'`,
      problem.code,
      "validation.past-grace-period",
    ),
  "ha-label-value-too-long": (problem) =>
    withId(
      `received a series whose HA cluster or replica has a name longer than 256 bytes, label: '${cut(problem.labelName)}', value: '${cut(problem.labelValue)}'`,
      problem.code,
    ),
  "sample-duplicate-timestamp": (problem) =>
    withId(
      `received more than one sample with the same timestamp in one series, the first of each was kept, timestamp: ${timeText(problem.timestampMs)}, series: '${problemSeriesText(problem)}'`,
      problem.code,
    ),
};

export function problemText(problem: SeriesProblem, limits: Limits): string {
  return PROBLEM_TEXTS[problem.code](problem, limits);
}

/** What an ingester did not store. `series` is its first series, as text. */
export function rejectedText(rejected: RejectedSamples, tenant: string, series: string): string {
  const affected = `, timestamp: ${timeText(BigInt(rejected.timestampMs))}, series: '${series}'`;
  const prefix = `send data to ingesters: user=${tenant}: `;
  switch (rejected.reason) {
    case "sample-out-of-order":
      return withId(
        `${prefix}a sample is older than the newest one of its series, and samples out of order are not accepted${affected}`,
        rejected.reason,
      );
    case "sample-timestamp-too-old":
      return withId(
        `${prefix}a sample is too old to be stored${windowText(rejected.limit)}${affected}`,
        rejected.reason,
      );
    case "sample-duplicate-timestamp":
      return withId(
        `${prefix}a sample has the timestamp of one that is stored and another value${affected}`,
        rejected.reason,
      );
    case "max-series-per-user":
      return withLimit(
        `${prefix}the tenant has reached its limit of ${rejected.limit ?? 0} series in memory${affected}`,
        rejected.reason,
        "ingester.max-global-series-per-user",
      );
    case "ingester-max-series":
      return withInstanceLimit(
        `${prefix}the ingester has reached its limit of ${rejected.limit ?? 0} series in memory${affected}`,
        rejected.reason,
        "ingester.instance-limits.max-series",
      );
  }
}

function windowText(windowMs: number | undefined): string {
  return windowMs === undefined || windowMs === 0
    ? ""
    : `, the out-of-order time window is ${windowMs / 1000}s`;
}

export function requestRateText(limits: Limits): string {
  return withLimit(
    `the request was refused because the tenant sends more than ${limits.requestRate} requests a second (burst ${limits.requestBurstSize})`,
    "tenant-max-request-rate",
    "distributor.request-rate-limit",
    "distributor.request-burst-size",
  );
}

export function ingestionRateText(limits: Limits, burst: number): string {
  return withLimit(
    `the request was refused because the tenant sends more than ${limits.ingestionRate} samples a second over all distributors (burst ${burst})`,
    "tenant-max-ingestion-rate",
    "distributor.ingestion-rate-limit",
    "distributor.ingestion-burst-size",
  );
}

export function haClustersText(clustersMax: number): string {
  return withLimit(
    `samples were refused because the tenant has reached its limit of ${clustersMax} HA clusters (or of replicas in them)`,
    "tenant-too-many-ha-clusters",
    "distributor.ha-tracker.max-clusters",
  );
}

export type InstanceLimitName =
  | "max_ingestion_rate"
  | "max_inflight_push_requests"
  | "max_inflight_push_requests_bytes";

const INSTANCE_LIMIT_TEXTS: Readonly<Record<InstanceLimitName, string>> = {
  max_ingestion_rate: "the distributor takes more samples a second than it may",
  max_inflight_push_requests: "the distributor has more pushes under way than it may",
  max_inflight_push_requests_bytes:
    "the pushes under way in the distributor are larger than they may be",
};

export function instanceLimitText(name: InstanceLimitName, limit: number): string {
  const dashed = name.replaceAll("_", "-");
  return withInstanceLimit(
    `the request was refused because ${INSTANCE_LIMIT_TEXTS[name]} (limit ${limit})`,
    `distributor-${dashed}`,
    `distributor.instance-limits.${dashed}`,
  );
}

export function writeMessageSizeText(sizeBytes: number, limitBytes: number): string {
  return withInstanceLimit(
    `the request has ${sizeBytes} bytes when decompressed, more than the limit of ${limitBytes}`,
    "distributor-max-write-message-size",
    "distributor.max-recv-msg-size",
  );
}

/** `3 samples of 2 series (label-invalid), 1 sample (sample-out-of-order)`. */
export function summaryText(
  refused: readonly { readonly id: string; readonly samples: number; readonly series?: number }[],
  storedSamples: number,
): string {
  const parts = refused.map(({ id, samples, series }) => {
    const ofSeries = series === undefined ? "" : ` of ${counted(series, "series", "series")}`;
    return `${counted(samples, "sample", "samples")}${ofSeries} (${id})`;
  });
  return `Refused in this request: ${parts.join(", ")}; stored: ${counted(storedSamples, "sample", "samples")}.`;
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
