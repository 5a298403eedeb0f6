/**
 * A load: all request bodies, built before anything is measured, so that the sender costs next to nothing and every
 * server gets the same bytes.
 */
import { Batch, type Timing } from "./batch.ts";
import { type LoadSeries, seriesOf } from "./profile.ts";

/** Prometheus' own default for a remote write request. */
const SAMPLES_PER_REQUEST = 2000;
const SEED = 1;

export interface LoadOptions {
  readonly profile: string;
  /** Scrapes of every series. */
  readonly rounds: number;
  readonly intervalMs?: number;
  /** > 1 packs so many scrapes of a series into one request: back-filling. */
  readonly samplesPerSeries?: number;
  /** End of the last round; the load is laid before it. */
  readonly endMs: number;
}

export interface LoadRequest {
  readonly body: Uint8Array;
  readonly sampleCount: number;
}

export interface Load {
  readonly timing: Timing;
  readonly endMs: number;
  readonly seriesCount: number;
  readonly sampleCount: number;
  readonly wireBytes: number;
  readonly rawBytes: number;
  readonly labelBytes: number;
  readonly labelCount: number;
  /** By step (one or more rounds), then by batch. A step holds every series once. */
  readonly steps: readonly (readonly LoadRequest[])[];
}

export function buildLoad(options: LoadOptions): Load {
  const samplesPerSeries = options.samplesPerSeries ?? 1;
  const intervalMs = options.intervalMs ?? 15_000;
  const stepCount = Math.ceil(options.rounds / samplesPerSeries);
  const timing = {
    startMs: options.endMs - stepCount * samplesPerSeries * intervalMs,
    intervalMs,
  };
  const steps: LoadRequest[][] = Array.from({ length: stepCount }, () => []);
  const sums = {
    seriesCount: 0,
    sampleCount: 0,
    wireBytes: 0,
    rawBytes: 0,
    labelBytes: 0,
    labelCount: 0,
  };
  for (const batch of batchesOf(options.profile, samplesPerSeries)) {
    sums.seriesCount += batch.seriesCount;
    sums.labelBytes += batch.labelBytes;
    sums.labelCount += batch.labelCount;
    for (const [step, requests] of steps.entries()) {
      const body = batch.body(step * samplesPerSeries, timing);
      // The compressor hands out a large buffer: keep only what is used of it.
      requests.push({
        body: Uint8Array.prototype.slice.call(body),
        sampleCount: batch.sampleCount,
      });
      sums.sampleCount += batch.sampleCount;
      sums.wireBytes += body.length;
      sums.rawBytes += batch.rawBytes;
    }
  }
  return { ...sums, timing, endMs: options.endMs, steps };
}

function* batchesOf(profile: string, samplesPerSeries: number): Generator<Batch> {
  const seriesPerBatch = Math.max(1, Math.floor(SAMPLES_PER_REQUEST / samplesPerSeries));
  let pending: LoadSeries[] = [];
  for (const series of seriesOf(profile, SEED)) {
    pending.push(series);
    if (pending.length < seriesPerBatch) continue;
    yield new Batch(pending, samplesPerSeries, SEED);
    pending = [];
  }
  if (pending.length > 0) yield new Batch(pending, samplesPerSeries, SEED);
}
