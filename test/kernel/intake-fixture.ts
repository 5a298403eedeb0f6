import assert from "node:assert/strict";
import {
  type IntakeAnswer,
  IntakeKernel,
  type IntakeLimits,
  type IntakeRows,
} from "../../src/kernel/host/intake.ts";

export const NOW = 1_700_000_000_000;
export const LIMITS: IntakeLimits = {
  decodedBytesMax: 1 << 20,
  utf8Names: false,
  labelsMax: 30,
  infoLabelsMax: 80,
  nameBytesMax: 1024,
  valueBytesMax: 2048,
  minTimeMs: -(2 ** 53),
  maxTimeMs: NOW + 600_000,
};

export function newKernel(knownSeriesMax = 1_000_000): IntakeKernel {
  return new IntakeKernel({ knownSeriesMax, hashSeedLow: 7, hashSeedHigh: 9 });
}

export function rowsOf(answer: IntakeAnswer): IntakeRows {
  assert.ok(answer.kind === "rows", answer.kind);
  return answer;
}

/** Rows with all views copied: what a test compares. */
export function copied(rows: IntakeRows): object {
  const { ids, sampleOffsets, timestampsMs, values, tokens, labels, ...rest } = rows;
  const bits = new BigUint64Array(values.buffer, values.byteOffset, values.length);
  return {
    ...rest,
    ids: Buffer.from(ids).toString("hex"),
    sampleOffsets: [...sampleOffsets],
    timestampsMs: [...timestampsMs],
    valueBits: [...bits],
    tokens: [...tokens],
    labels: labels && { bytes: Buffer.from(labels.bytes), offsets: [...labels.offsets] },
  };
}
