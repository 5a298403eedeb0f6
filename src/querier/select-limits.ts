import { OpError } from "../base/errors.ts";
import type { SelectLimits } from "../storage/queryable.ts";

/** Throws the OpError of the first limit that is passed. */
export function checkSelectLimits(
  found: { readonly series: number; readonly chunks?: number; readonly bytes?: number },
  limits: SelectLimits,
): void {
  const { chunks = 0, bytes = 0, series } = found;
  if (passes(series, limits.seriesMax)) {
    throw refused(
      "max-series-per-query",
      "series",
      limits.seriesMax,
      "max-fetched-series-per-query",
    );
  }
  if (passes(chunks, limits.chunksMax)) {
    throw refused(
      "max-chunks-per-query",
      "chunks",
      limits.chunksMax,
      "max-fetched-chunks-per-query",
    );
  }
  if (passes(bytes, limits.chunkBytesMax)) {
    const flag = "max-fetched-chunk-bytes-per-query";
    throw refused("max-chunks-bytes-per-query", "bytes of chunks", limits.chunkBytesMax, flag);
  }
}

function passes(count: number, limit: number): boolean {
  return limit > 0 && count > limit;
}

function refused(code: string, what: string, limit: number, flag: string): OpError {
  return new OpError(
    code,
    `the query needs more than ${limit} ${what}: narrow its matchers or its time range, or raise -querier.${flag} (err-mimir-${code})`,
    { limit },
  );
}
