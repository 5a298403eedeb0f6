/** Quantiles of values and of classic histograms, as Prometheus calculates them. */

/** Ascending, NaN first. Sorts in place. */
export function sortValues(values: Float64Array): Float64Array {
  values.sort();
  // TypedArray sort puts NaN last.
  let numbers = values.length;
  while (numbers > 0 && Number.isNaN(values[numbers - 1]!)) numbers--;
  if (numbers < values.length) {
    values.copyWithin(values.length - numbers, 0, numbers);
    values.fill(Number.NaN, 0, values.length - numbers);
  }
  return values;
}

export function quantileOfSorted(q: number, sorted: Float64Array): number {
  if (sorted.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return sorted[lower]! * (1 - weight) + sorted[upper]! * weight;
}

export interface Bucket {
  readonly upperBound: number;
  count: number;
}

/** Relative differences of neighbouring buckets below this are taken for rounding errors. */
const SMALL_DELTA = 1e-12;

/** Sorts and changes `buckets`. `forced`: counts fell from one bucket to the next and were raised. */
export function bucketQuantile(q: number, buckets: Bucket[]): { value: number; forced: boolean } {
  if (Number.isNaN(q)) return { value: Number.NaN, forced: false };
  if (q < 0) return { value: Number.NEGATIVE_INFINITY, forced: false };
  if (q > 1) return { value: Number.POSITIVE_INFINITY, forced: false };
  const merged = mergeBuckets(buckets);
  if (merged === undefined) return { value: Number.NaN, forced: false };
  const forced = makeMonotonic(merged);
  const last = merged.length - 1;
  if (last < 1) return { value: Number.NaN, forced: false };
  const observations = merged[last]!.count;
  if (observations === 0) return { value: Number.NaN, forced: false };
  let rank = q * observations;
  let index = merged.findIndex(({ count }) => count >= rank);
  if (index < 0 || index > last) index = last;
  if (index === last) return { value: merged[last - 1]!.upperBound, forced };
  const { upperBound: end, count: total } = merged[index]!;
  if (index === 0 && end <= 0) return { value: end, forced };
  let start = 0;
  let count = total;
  if (index > 0) {
    const below = merged[index - 1]!;
    start = below.upperBound;
    count -= below.count;
    rank -= below.count;
  }
  return { value: start + (end - start) * (rank / count), forced };
}

/** The fraction of observations in [lower, upper], interpolated linearly within buckets. */
export function bucketFraction(lower: number, upper: number, buckets: Bucket[]): number {
  const merged = mergeBuckets(buckets);
  if (merged === undefined) return Number.NaN;
  const { count } = merged.at(-1) ?? { count: 0 };
  if (count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  return (rankOf(upper, merged, count) - rankOf(lower, merged, count)) / count;
}

/** How many observations lie below `value`. */
function rankOf(value: number, buckets: readonly Bucket[], count: number): number {
  let rank = 0;
  let lowerBound = Number.NEGATIVE_INFINITY;
  for (const { upperBound, count: upTo } of buckets) {
    if (lowerBound >= value) return Math.min(rank, count);
    if (upperBound > value) {
      const share = (value - lowerBound) / (upperBound - lowerBound);
      const inside = rank + (upTo - rank) * share;
      return inside > count ? count : inside;
    }
    rank = upTo;
    lowerBound = upperBound;
  }
  return count;
}

/** Sorted by bound, equal bounds added up; undefined without a bucket for +Inf. */
function mergeBuckets(buckets: Bucket[]): Bucket[] | undefined {
  buckets.sort((a, b) =>
    a.upperBound === b.upperBound ? 0 : a.upperBound < b.upperBound ? -1 : 1,
  );
  if (buckets.at(-1)?.upperBound !== Number.POSITIVE_INFINITY) return undefined;
  const merged: Bucket[] = [];
  for (const bucket of buckets) {
    const last = merged.at(-1);
    if (last !== undefined && last.upperBound === bucket.upperBound) last.count += bucket.count;
    else merged.push({ ...bucket });
  }
  return merged;
}

function makeMonotonic(buckets: Bucket[]): boolean {
  let forced = false;
  let previous = buckets[0]!.count;
  for (const bucket of buckets.slice(1)) {
    const { count } = bucket;
    if (count === previous) continue;
    if (almostEqual(previous, count)) {
      bucket.count = previous;
    } else if (count < previous) {
      bucket.count = previous;
      forced = true;
    } else {
      previous = count;
    }
  }
  return forced;
}

function almostEqual(a: number, b: number): boolean {
  if (Number.isNaN(a) && Number.isNaN(b)) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  const smallestNormal = 2.2250738585072014e-308;
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < SMALL_DELTA * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}
