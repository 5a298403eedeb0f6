import { must } from "../base/assert.ts";
import { type Labels, labelValue, METRIC_NAME } from "../model/labels.ts";
import type { Call } from "./ast.ts";
import { type EvalContext, withMaterialized } from "./eval-context.ts";
import { formatShort, parseFloatGo, quoteGo } from "./go-text.ts";
import { dropLabels, dropMetadata, labelKey } from "./label-ops.ts";
import type { Grid } from "./plan.ts";
import { type Bucket, bucketFraction, bucketQuantile } from "./quantile.ts";
import { type Emit, type Series, SeriesMerger } from "./series.ts";

/** Series of one classic histogram, by upper bound. */
interface ClassicHistogram {
  readonly labels: Labels;
  readonly name: string;
  readonly buckets: { readonly upperBound: number; readonly series: Series }[];
}

/** histogram_quantile and histogram_fraction over classic histograms. */
export function evaluateHistogramFunction(
  context: EvalContext,
  call: Call,
  grid: Grid,
  emit: Emit,
): void {
  const isQuantile = call.name === "histogram_quantile";
  const scalars = call.args.slice(0, -1).map((arg) => context.scalar(arg, grid));
  const [first, second] = scalars;
  const quantiles = must(first, "a scalar argument");
  const input = must(call.args.at(-1), "a vector argument");
  const delayed = context.plan.options.delayedNameRemoval;
  if (isQuantile) warnOfQuantiles(context, call, quantiles);
  const merger = new SeriesMerger();
  withMaterialized(context, input, grid, (all) => {
    for (const histogram of classicHistograms(context, input, all)) {
      const values = new Float64Array(grid.count);
      const present = new Uint8Array(grid.count);
      for (let s = 0; s < grid.count; s++) {
        const buckets = bucketsAt(histogram, s);
        if (buckets.length === 0) continue;
        present[s] = 1;
        if (!isQuantile) {
          values[s] = bucketFraction(quantiles[s]!, must(second, "two bounds")[s]!, buckets);
          continue;
        }
        const { value, forced } = bucketQuantile(quantiles[s]!, buckets);
        values[s] = value;
        if (forced) {
          context.annotations.inform(
            "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/" +
              `prometheus/latest/querying/functions/#histogram_quantile) for metric name ${quoteGo(histogram.name)}`,
            input,
          );
        }
      }
      const labels = delayed ? histogram.labels : dropMetadata(histogram.labels);
      merger.add({ labels, dropName: true, values, present });
    }
  });
  for (const series of merger.list()) emit(series);
}

function warnOfQuantiles(context: EvalContext, call: Call, quantiles: Float64Array): void {
  for (const q of new Set(quantiles)) {
    if (q >= 0 && q <= 1) continue;
    context.annotations.warn(
      `quantile value should be between 0 and 1, got ${formatShort(q)}`,
      must(call.args[0], "a quantile"),
    );
  }
}

function classicHistograms(
  context: EvalContext,
  input: { readonly from: number },
  all: readonly Series[],
): ClassicHistogram[] {
  const histograms = new Map<string, ClassicHistogram>();
  for (const series of all) {
    const name = labelValue(series.labels, METRIC_NAME);
    const text = labelValue(series.labels, "le");
    const upperBound = parseFloatGo(text);
    if (upperBound === undefined) {
      context.annotations.warn(
        `bucket label "le" is missing or has a malformed value of ${quoteGo(text)} for metric name ${quoteGo(name)}`,
        input,
      );
      continue;
    }
    const labels = dropLabels(series.labels, ["le"]);
    const key = labelKey(labels);
    let histogram = histograms.get(key);
    if (histogram === undefined) {
      histogram = { labels, name, buckets: [] };
      histograms.set(key, histogram);
    }
    histogram.buckets.push({ upperBound, series });
  }
  return [...histograms.values()];
}

function bucketsAt(histogram: ClassicHistogram, step: number): Bucket[] {
  const buckets: Bucket[] = [];
  for (const { upperBound, series } of histogram.buckets) {
    if (series.present[step] === 1) buckets.push({ upperBound, count: series.values[step]! });
  }
  return buckets;
}
