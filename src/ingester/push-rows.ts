import { assert } from "../base/assert.ts";
import { OpError } from "../base/errors.ts";
import type { AppendReport } from "../kernel/host/head-kernel.ts";
import type { SeriesBatch } from "../rpc/ingester.ts";
import type { AppendLimits, Head } from "../tsdb/head/head.ts";
import {
  decodePushFrame,
  type PushFrameHeader,
  type PushFrameMalformed,
  readPushFrameHeader,
} from "../wire/push-frame.ts";

/** Rows of a push, whatever they came as. */
export interface PushRows {
  /** For admission, before anything is decoded. */
  readonly size: PushFrameHeader;
  append(head: Head, limits: AppendLimits): AppendReport;
  /** The same rows in arrays that stay as they are over an await. */
  kept(): PushRows;
}

/** The arrays may be views of a kernel memory. */
export function batchRows(batch: SeriesBatch): PushRows {
  return {
    size: {
      seriesCount: batch.seriesCount,
      sampleCount: batch.sampleOffsets[batch.seriesCount] ?? 0,
      labelBytes: batch.labels?.bytes.length ?? 0,
    },
    append: (head, limits) => head.append(batch, limits),
    kept: () => batchRows(copyBatch(batch)),
  };
}

/** The frame must not change. Throws "push-frame-malformed", here or, where only its content is wrong, in `append`. */
export function frameRows(frame: Uint8Array): PushRows {
  const size = readPushFrameHeader(frame);
  if ("malformed" in size) throw malformedError(size);
  const rows: PushRows = {
    size,
    append(head, limits) {
      const report = head.appendFrame(frame, limits);
      if (report) return report;
      // The kernel says no more than that; its twin says why.
      const decoded = decodePushFrame(frame);
      assert("malformed" in decoded, "the kernel refused a push frame that its twin can read");
      throw malformedError(decoded);
    },
    kept: () => rows,
  };
  return rows;
}

function malformedError({ malformed, offsetBytes }: PushFrameMalformed): OpError {
  return new OpError(
    "push-frame-malformed",
    `malformed push frame: ${malformed} (at byte ${offsetBytes}). Nothing of it was stored; its sender is no distributor, or one of another version`,
    { offsetBytes },
  );
}

function copyBatch(batch: SeriesBatch): SeriesBatch {
  const { seriesCount, labels } = batch;
  return {
    seriesCount,
    ids: batch.ids.slice(),
    sampleOffsets: batch.sampleOffsets.slice(),
    timestampsMs: batch.timestampsMs.slice(),
    values: batch.values.slice(),
    ...(labels ? { labels: { bytes: labels.bytes.slice(), offsets: labels.offsets.slice() } } : {}),
  };
}
