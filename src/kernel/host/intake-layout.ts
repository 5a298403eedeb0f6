/** What kernel/assembly/remote-write.ts exports, and its numbers and places, as they are drawn there. */
import type { IntakeFailure } from "./intake.ts";

export interface IntakeExports {
  intakeStart(seedLow: number, seedHigh: number): number;
  intakeInput(which: number, lengthBytes: number): number;
  intakeOutput(which: number): number;
  intake(bodyBytes: number): number;
  intakeGuardsIntact(): number;
  frameRowsInput(count: number): number;
  encodeAllRows(): number;
  encodeChosenRows(count: number): number;
  frameAddress(): number;
  frameCapacity(): number;
  frameGuardsIntact(): number;
  knownSeriesLimit(max: number): void;
  knownSeriesCount(): number;
  clearKnownSeries(): void;
  clearHaPairs(): void;
  forgetHaPairs(tenantNumber: number): void;
  intakeLargestBuffer(): number;
  sweepKnownSeries(part: number, parts: number): number;
  memoryUsed(): number;
}

export const INPUT = { body: 0, tenant: 1, wanted: 2, haLabels: 3 };
export const OUTPUT = {
  decoded: 0,
  ids: 1,
  tokens: 2,
  offsets: 3,
  times: 4,
  values: 5,
  labels: 6,
  labelOffsets: 7,
  haPairs: 8,
  newHaPairs: 9,
};
export const FAILURES: Readonly<Record<number, IntakeFailure["kind"]>> = {
  [-1]: "bad-snappy",
  [-2]: "too-large",
  [-3]: "malformed",
  [-4]: "too-many-samples",
};
export const COUNTERS_AT = 128;
export const RECORDS_AT = 256;
export const RECORD_BYTES = 512;
export const RECORD_TEXT_BYTES = 200;
export const CONTROL_BYTES = RECORDS_AT + 8 * RECORD_BYTES;
export const NO_TIME = -(2n ** 63n);
