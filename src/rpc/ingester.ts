import type { Queryable } from "../storage/queryable.ts";

/**
 * What a distributor and a querier see of an ingester: in-process with -target=all, over HTTP otherwise.
 * design.md section 4: known series travel without labels, as their 128-bit SeriesId.
 */
export interface IngesterClient extends Queryable {
  /**
   * Stores the rows of a push frame (docs/formats/push-frame.md). The frame must not change until the promise is settled.
   * `signal` ends the waiting; what was sent may be stored all the same. `isNeeded`: the other replicas do not suffice, so this one
   * is to be tried even if it has failed lately.
   */
  pushFrame(
    tenant: string,
    frame: Uint8Array,
    signal?: AbortSignal,
    isNeeded?: boolean,
  ): Promise<PushAnswer>;
  /** Of each tenant that has a head there. */
  allUserStats(signal?: AbortSignal): Promise<readonly UserStats[]>;
}

export interface UserStats {
  readonly tenant: string;
  readonly seriesCount: number;
  /** Samples a second that this ingester takes from the tenant (moving average). */
  readonly samplesPerSecond: number;
}

/** An ingester in the same process takes rows as they lie in memory too. */
export interface LocalIngester extends IngesterClient {
  push(tenant: string, batch: SeriesBatch): Promise<PushAnswer>;
}

/**
 * Samples of several series of one tenant, struct of arrays. The arrays may be views of a kernel memory that
 * the caller reuses: an implementation reads (copies, encodes) them before its first await.
 *
 *     series i: id bytes ids[16*i .. 16*i+16], samples sampleOffsets[i] .. sampleOffsets[i+1]
 *     labels, if sent: canonical label bytes labels.bytes[labels.offsets[i] .. labels.offsets[i+1]], empty where not sent
 *
 * Canonical label bytes: for each label in byte order of its name: varint length, name, varint length, value.
 * SeriesId = MurmurHash3-x64-128 (seed 0) of the canonical label bytes, h1 then h2, each little-endian.
 */
export interface SeriesBatch {
  readonly seriesCount: number;
  readonly ids: Uint8Array;
  readonly sampleOffsets: Uint32Array;
  readonly timestampsMs: BigInt64Array;
  readonly values: Float64Array;
  readonly labels?: { readonly bytes: Uint8Array; readonly offsets: Uint32Array };
}

/**
 * Once the promise resolves, every sample that the answer does not list is in the WAL.
 * A rejection (OpError) means that nothing of the batch may be taken as stored: retry all of it.
 */
export interface PushAnswer {
  /** Indices of series whose id the ingester does not know and whose labels did not come along: send them again. */
  readonly unknownSeries: Uint32Array;
  /** Samples that were not stored, by reason; empty in the ordinary case. */
  readonly rejected: readonly RejectedSamples[];
}

export interface RejectedSamples {
  readonly reason: RejectReason;
  readonly count: number;
  /** The first of them, for the message: which series of the batch, and when. */
  readonly seriesIndex: number;
  readonly timestampMs: number;
  /** Limit or window that was passed, where the reason has one (series per user; out-of-order window in ms). */
  readonly limit?: number;
}

export type RejectReason =
  | "sample-out-of-order"
  | "sample-timestamp-too-old"
  | "sample-duplicate-timestamp"
  | "max-series-per-user"
  | "ingester-max-series";
