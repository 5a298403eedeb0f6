/**
 * The rules at the head of src/kernel/assembly/head.ts once more, with Maps and arrays: what becomes of each sample,
 * and which chunks a series has.
 */
import { REFUSALS } from "../../src/kernel/host/head-kernel.ts";
import {
  CHUNK_RANGE_MS,
  type Chunk,
  labelKey,
  labelsOf,
  type Sample,
  type SeriesSamples,
} from "./head-kernel-fixture.ts";

interface TwinSeries {
  last: Sample | undefined;
  open: Sample[];
  closed: Sample[][];
  closedLate: Sample[][];
  late: Sample[];
}

export interface TwinReport {
  acceptedSamples: number;
  duplicateSamples: number;
  outOfOrderSamples: number;
  createdSeries: number;
  unknownSeries: number[];
  refused: { reason: string; count: number; seriesIndex: number; timestampMs: number }[];
}

const RANGE = BigInt(CHUNK_RANGE_MS);
const CHUNK_SAMPLES = 120;

export class HeadTwin {
  readonly series = new Map<number, TwinSeries>();
  maxTime: bigint | undefined;
  #truncatedBefore: bigint | undefined;

  append(
    rows: readonly SeriesSamples[],
    withLabels: boolean,
    options: { seriesMax: number; outOfOrderWindowMs: number },
  ): TwinReport {
    const report: TwinReport = {
      acceptedSamples: 0,
      duplicateSamples: 0,
      outOfOrderSamples: 0,
      createdSeries: 0,
      unknownSeries: [],
      refused: [],
    };
    const window = BigInt(options.outOfOrderWindowMs);
    const batch = {
      report,
      window,
      inOrderFloor: this.#floor(RANGE / 2n),
      lateFloor: this.#floor(window),
    };
    let newest = this.maxTime;
    for (const [index, { series: number, samples }] of rows.entries()) {
      let series = this.series.get(number);
      if (!series) {
        if (!withLabels) {
          report.unknownSeries.push(index);
          continue;
        }
        if (options.seriesMax !== 0 && this.series.size >= options.seriesMax) {
          const first = samples[0]?.time ?? 0n;
          refuse(report, "max-series-per-user", index, first, samples.length);
          continue;
        }
        series = { last: undefined, open: [], closed: [], closedLate: [], late: [] };
        this.series.set(number, series);
        report.createdSeries++;
      }
      for (const sample of samples) {
        if (!this.#appendOne(series, index, sample, batch)) continue;
        report.acceptedSamples++;
        if (newest === undefined || sample.time > newest) newest = sample.time;
      }
    }
    this.maxTime = newest;
    report.refused.sort((a, b) => order(a.reason) - order(b.reason));
    return report;
  }

  #floor(span: bigint): bigint | undefined {
    if (this.maxTime === undefined) return this.#truncatedBefore;
    const floor = this.maxTime - span;
    return this.#truncatedBefore !== undefined && this.#truncatedBefore > floor
      ? this.#truncatedBefore
      : floor;
  }

  #appendOne(
    series: TwinSeries,
    index: number,
    sample: Sample,
    batch: {
      report: TwinReport;
      window: bigint;
      inOrderFloor: bigint | undefined;
      lateFloor: bigint | undefined;
    },
  ): boolean {
    const { report, window, inOrderFloor, lateFloor } = batch;
    const { last } = series;
    const isLater = last === undefined || sample.time > last.time;
    const aboveFloor = inOrderFloor === undefined || sample.time >= inOrderFloor;
    if (isLater && aboveFloor) {
      appendInOrder(series, sample);
      return true;
    }
    const known = isLater
      ? undefined
      : [...series.open, last].find((stored) => stored?.time === sample.time);
    if (known) {
      if (known.bits === sample.bits) report.duplicateSamples++;
      else refuse(report, "sample-duplicate-timestamp", index, sample.time, 1);
      return false;
    }
    if (window === 0n || (lateFloor !== undefined && sample.time < lateFloor)) {
      const merelyLate = window === 0n && aboveFloor;
      const reason = merelyLate ? "sample-out-of-order" : "sample-timestamp-too-old";
      refuse(report, reason, index, sample.time, 1);
      return false;
    }
    if (series.late.length === CHUNK_SAMPLES) series.closedLate.push(series.late.splice(0));
    const twin = series.late.find((stored) => stored.time === sample.time);
    if (twin) {
      if (twin.bits === sample.bits) report.duplicateSamples++;
      else refuse(report, "sample-duplicate-timestamp", index, sample.time, 1);
      return false;
    }
    series.late.push(sample);
    series.late.sort((a, b) => (a.time < b.time ? -1 : 1));
    report.outOfOrderSamples++;
    return true;
  }

  /** Forgets whole chunks that end before the time, single late samples, and series that have nothing left. */
  truncate(before: bigint): number {
    if (this.#truncatedBefore === undefined || before > this.#truncatedBefore) {
      this.#truncatedBefore = before;
    }
    let removed = 0;
    const lives = (chunk: Sample[]): boolean => chunk.some(({ time }) => time >= before);
    for (const [number, series] of this.series) {
      series.closed = series.closed.filter(lives);
      series.closedLate = series.closedLate.filter(lives);
      series.late = series.late.filter((sample) => sample.time >= before);
      if (series.open.length > 0 && !lives(series.open)) series.open = [];
      const parts = [series.closed, series.closedLate, series.late, series.open];
      if (parts.some((part) => part.length > 0)) continue;
      this.series.delete(number);
      removed++;
    }
    return removed;
  }

  get minTime(): bigint | undefined {
    let least: bigint | undefined;
    for (const { open, closed, closedLate, late } of this.series.values()) {
      for (const { time } of [open, ...closed, ...closedLate, late].flat()) {
        if (least === undefined || time < least) least = time;
      }
    }
    return least;
  }

  /** What collecting everything in the range must give, by label set. */
  readAll(min = -Infinity, max = Infinity): Map<string, Chunk[]> {
    const answer = new Map<string, Chunk[]>();
    for (const [number, series] of this.series) {
      const chunks = chunksOf(series).filter(
        ({ minTime, maxTime }) => minTime <= max && maxTime >= min,
      );
      if (chunks.length > 0) answer.set(labelKey(labelsOf(number)), chunks);
    }
    return answer;
  }

  /** Pairs with the number of series that have them. */
  index(): Map<string, number> {
    const index = new Map<string, number>();
    for (const number of this.series.keys()) {
      for (const [name, value] of labelsOf(number)) {
        index.set(`${name}=${value}`, (index.get(`${name}=${value}`) ?? 0) + 1);
      }
    }
    return new Map([...index].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

function order(reason: string): number {
  return (REFUSALS as readonly string[]).indexOf(reason);
}

function refuse(
  report: TwinReport,
  reason: string,
  seriesIndex: number,
  time: bigint,
  count: number,
): void {
  if (count === 0) return;
  const found = report.refused.find((refusal) => refusal.reason === reason);
  if (found) found.count += count;
  else report.refused.push({ reason, count, seriesIndex, timestampMs: Number(time) });
}

function appendInOrder(series: TwinSeries, sample: Sample): void {
  const first = series.open[0];
  if (first && (series.open.length >= CHUNK_SAMPLES || rangeOf(first) !== rangeOf(sample))) {
    series.closed.push(series.open.splice(0));
  }
  series.open.push(sample);
  series.last = sample;
}

function rangeOf({ time }: Sample): bigint {
  const index = time / RANGE;
  return time < 0n && index * RANGE !== time ? index - 1n : index;
}

function chunksOf(series: TwinSeries): Chunk[] {
  const chunk = (samples: readonly Sample[], closed: boolean): Chunk => ({
    minTime: Number(samples[0]!.time),
    maxTime: Number(samples.at(-1)!.time),
    closed,
    samples,
  });
  const chunks = [
    ...series.closed.map((samples) => chunk(samples, true)),
    ...(series.open.length > 0 ? [chunk(series.open, false)] : []),
    ...series.closedLate.map((samples) => chunk(samples, true)),
    ...(series.late.length > 0 ? [chunk(series.late, false)] : []),
  ];
  return chunks.sort((a, b) => a.minTime - b.minTime);
}
