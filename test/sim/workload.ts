/** What a Prometheus would send: series that grow by a sample each round, retried until they are acknowledged or given up. */
import { namedSeries, writeBody } from "../testkit/remote-write.ts";

export const TENANT = "sim";
const SERIES = 24;
const SERIES_PER_PUSH = 6;

export interface Push {
  readonly body: Uint8Array;
  readonly samples: readonly { readonly series: number; readonly timeMs: number }[];
}

export function pushOf(round: number, timeMs: number): Push {
  const samples = Array.from({ length: SERIES_PER_PUSH }, (_, index) => ({
    series: (round * SERIES_PER_PUSH + index) % SERIES,
    timeMs,
  }));
  const body = writeBody(
    ...samples.map(({ series }) => {
      const key = labelKey(series);
      return namedSeries(nameOf(series), { job: jobOf(series) }, [[timeMs, valueOf(key, timeMs)]]);
    }),
  );
  return { body, samples };
}

/** As read-series-set.ts prints labels. */
export function labelKey(series: number): string {
  return `__name__=${nameOf(series)},job=${jobOf(series)}`;
}

/** A value that nobody can have by accident. */
export function valueOf(key: string, timeMs: number): number {
  let hash = 7;
  for (let at = 0; at < key.length; at++) hash = (hash * 31 + key.charCodeAt(at)) | 0;
  return ((hash ^ (timeMs % 1_000_003)) >>> 0) / 8;
}

function nameOf(series: number): string {
  return `m_${series}`;
}

function jobOf(series: number): string {
  return `job-${series % 3}`;
}
