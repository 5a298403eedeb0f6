import type { SeriesBatch } from "../rpc/ingester.ts";

/** These rows of the batch, copied; `rows` rise. */
export function subset(batch: SeriesBatch, rows: Uint32Array): SeriesBatch {
  const samples = spansOf(batch.sampleOffsets, rows);
  const timestampsMs = new BigInt64Array(samples.total);
  const values = new Float64Array(samples.total);
  const ids = new Uint8Array(16 * rows.length);
  rows.forEach((row, index) => {
    const [from, to] = [batch.sampleOffsets[row] ?? 0, batch.sampleOffsets[row + 1] ?? 0];
    ids.set(batch.ids.subarray(16 * row, 16 * row + 16), 16 * index);
    timestampsMs.set(batch.timestampsMs.subarray(from, to), samples.offsets[index]);
    values.set(batch.values.subarray(from, to), samples.offsets[index]);
  });
  const kept = { seriesCount: rows.length, ids, sampleOffsets: samples.offsets };
  const labels = batch.labels === undefined ? {} : { labels: labelsOf(batch.labels, rows) };
  return { ...kept, timestampsMs, values, ...labels };
}

function labelsOf(
  { bytes, offsets }: NonNullable<SeriesBatch["labels"]>,
  rows: Uint32Array,
): NonNullable<SeriesBatch["labels"]> {
  const spans = spansOf(offsets, rows);
  const kept = new Uint8Array(spans.total);
  rows.forEach((row, index) => {
    kept.set(bytes.subarray(offsets[row], offsets[row + 1]), spans.offsets[index]);
  });
  return { bytes: kept, offsets: spans.offsets };
}

/** Where the spans of these rows begin when they lie one after the other, and where the last one ends. */
function spansOf(
  offsets: Uint32Array,
  rows: Uint32Array,
): { readonly offsets: Uint32Array; readonly total: number } {
  const spans = new Uint32Array(rows.length + 1);
  let total = 0;
  rows.forEach((row, index) => {
    spans[index] = total;
    total += (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
  });
  spans[rows.length] = total;
  return { offsets: spans, total };
}
