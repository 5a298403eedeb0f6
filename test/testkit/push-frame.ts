/** Batches as push frames carry them, and what is needed to damage a frame on purpose. */
import fc from "fast-check";
import { crc32c } from "../../src/kernel/host/crc32c.ts";
import type { PushFrameBatch } from "../../src/wire/push-frame.ts";
import { canonicalLabels } from "./series-batch.ts";
import { bitsOf } from "./xor.ts";

export interface FrameRow {
  readonly id: Uint8Array;
  readonly samples: readonly { readonly time: bigint; readonly bits: bigint }[];
  /** Canonical label bytes, empty if they do not go along. */
  readonly labels: Uint8Array;
}

export function frameBatch(rows: readonly FrameRow[]): PushFrameBatch {
  const samples = rows.flatMap((row) => row.samples);
  const values = new Float64Array(samples.length);
  bitsOf(values).set(samples.map(({ bits }) => bits));
  const batch = {
    seriesCount: rows.length,
    ids: Uint8Array.from(rows.flatMap(({ id }) => [...id])),
    sampleOffsets: offsetsOf(rows.map((row) => row.samples.length)),
    timestampsMs: BigInt64Array.from(samples, ({ time }) => time),
    values,
  };
  const bytes = Buffer.concat(rows.map(({ labels }) => labels));
  const offsets = offsetsOf(rows.map(({ labels }) => labels.length));
  return bytes.length > 0 ? { ...batch, labels: { bytes, offsets } } : batch;
}

function offsetsOf(counts: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(counts.length + 1);
  for (const [i, count] of counts.entries()) offsets[i + 1] = (offsets[i] as number) + count;
  return offsets;
}

/** A batch as plain data, values as bits: what a test compares. */
export function plainBatch(batch: PushFrameBatch): object {
  const { seriesCount, sampleOffsets, labels } = batch;
  const samples = sampleOffsets[seriesCount] ?? 0;
  const values = batch.values.slice(0, samples);
  return {
    seriesCount,
    ids: Buffer.from(batch.ids.slice(0, 16 * seriesCount)).toString("hex"),
    sampleOffsets: [...sampleOffsets],
    timestampsMs: [...batch.timestampsMs.slice(0, samples)],
    bits: [...bitsOf(values)],
    labels: labels && {
      bytes: Buffer.from(labels.bytes).toString("hex"),
      offsets: [...labels.offsets],
    },
  };
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export const anyTime: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(INT64_MIN, INT64_MIN + 1n, INT64_MAX, 0n, -1n),
  fc.bigInt({ min: 1_700_000_000_000n, max: 1_700_000_060_000n }),
  fc.bigInt({ min: INT64_MIN, max: INT64_MAX }),
);
const sample = fc.record({ time: anyTime, bits: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) });
/** As in a scrape: runs of the same time, which a reader takes eight at a time. */
const oneTime = fc
  .tuple(anyTime, fc.array(sample, { minLength: 1, maxLength: 40 }))
  .map(([time, samples]) => samples.map(({ bits }) => ({ time, bits })));
const samples = fc.oneof(
  { weight: 4, arbitrary: fc.array(sample, { minLength: 1, maxLength: 1 }) },
  { weight: 2, arbitrary: fc.array(sample, { maxLength: 4 }) },
  { weight: 1, arbitrary: oneTime },
);
const labelText = fc.string({ unit: "grapheme", maxLength: 12 });
const labels = fc.oneof(
  fc.constant(new Uint8Array(0)),
  fc
    .dictionary(labelText, labelText, { maxKeys: 4 })
    .map((record) => Uint8Array.from(canonicalLabels(record))),
);
const frameRow: fc.Arbitrary<FrameRow> = fc.record({
  id: fc.uint8Array({ minLength: 16, maxLength: 16 }),
  samples,
  labels,
});

export const frameRows: fc.Arbitrary<FrameRow[]> = fc.oneof(
  fc.array(frameRow, { maxLength: 12 }),
  // One sample each, no labels: the ordinary push.
  fc
    .array(
      frameRow.map((row) => ({
        ...row,
        samples: row.samples.slice(0, 1),
        labels: new Uint8Array(0),
      })),
      { maxLength: 40 },
    )
    .map((rows) => rows.filter((row) => row.samples.length === 1)),
);

/** The frame with a checksum that matches what is in it now. */
export function resealed(frame: Uint8Array): Uint8Array {
  // Not `slice`: of a Buffer it is no copy.
  const copy = Uint8Array.from(frame);
  if (copy.length < 4) return copy;
  const end = copy.length - 4;
  new DataView(copy.buffer).setUint32(end, crc32c(copy.subarray(0, end)), true);
  return copy;
}
