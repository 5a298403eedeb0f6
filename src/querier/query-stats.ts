/** What one query cost; filled in as it goes, so that a failed query is told too. */
export interface QueryStats {
  queueMs: number;
  fetchMs: number;
  evaluationMs: number;
  fetchedSeries: number;
  fetchedChunks: number;
  fetchedChunkBytes: number;
  /** Samples in the chunks that the evaluation decoded, also those outside of the time asked. */
  decodedSamples: number;
  /** Most samples that the evaluation held at once. */
  peakSamples: number;
}

export function newQueryStats(): QueryStats {
  return {
    queueMs: 0,
    fetchMs: 0,
    evaluationMs: 0,
    fetchedSeries: 0,
    fetchedChunks: 0,
    fetchedChunkBytes: 0,
    decodedSamples: 0,
    peakSamples: 0,
  };
}
