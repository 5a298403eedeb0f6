import type { IntakeRows } from "../kernel/host/intake.ts";
import type { Limits } from "../model/limits.ts";
import type { RejectedSamples } from "../rpc/ingester.ts";

/** Where the rows of a push go: straight to the ingester of this process, or to replicas in the ring. */
export interface RowStore {
  /**
   * Resolves when all rows are stored, as safely as this store promises, but for those listed, by their row numbers.
   * Rejects with an OpError if nothing may be taken as stored: the sender has to repeat the push.
   */
  store(push: DecodedPush): Promise<readonly RejectedSamples[]>;
}

/**
 * A push that was decoded. Rows are views of kernel memory, gone with the next await; what is asked for later is decoded
 * again from the body.
 */
export interface DecodedPush {
  readonly tenant: string;
  readonly limits: Limits;
  readonly rows: IntakeRows;
  /** The row numbers to store, ascending; undefined: all. */
  readonly kept: Uint32Array | undefined;
  /** A push frame of these rows (undefined: all) of those decoded last: a copy. */
  frame(rows: Uint32Array | undefined): Uint8Array;
  /** The same rows once more. */
  again(): IntakeRows;
  /** These rows alone (numbers ascending), with their labels. */
  withLabels(rows: Uint32Array): IntakeRows;
}
