import type { Wal } from "../tsdb/wal/wal.ts";
import { NO_TENANT, RECORD } from "./record-types.ts";
import type { Tenants } from "./tenants.ts";

/** One slice of state: about a millisecond of work, so that a push never waits longer for a checkpoint. */
const SLICE_BYTES = 256 * 1024;

/**
 * Keeps the log short: when it has grown enough, the state of every series is written to it once more, after which
 * everything older can be deleted. The state goes through the same log in the same order as the pushes between its
 * slices, so it needs no snapshot and no lock (docs/decisions/0008-rolling-checkpoint.md).
 */
export class Checkpoint {
  readonly #growthBytes: number;
  readonly #wal: Wal;
  readonly #tenants: Tenants;
  #lastBytes = 0;

  constructor(options: { growthBytes: number }, wal: Wal, tenants: Tenants) {
    this.#growthBytes = options.growthBytes;
    this.#wal = wal;
    this.#tenants = tenants;
  }

  /** Whether enough was logged since the last one: as much as it was large itself, so writing doubles at most. */
  async isDue(): Promise<boolean> {
    let bytes = 0;
    for (const segment of await this.#wal.segments()) bytes += segment.sizeBytes;
    return bytes > Math.max(this.#growthBytes, 2 * this.#lastBytes);
  }

  /** Writes the state of all tenants and deletes the segments before it. Throws if the disk does not take it. */
  async write(pause: () => Promise<void>): Promise<void> {
    const first = await this.#wal.cutSegment();
    await this.#wal.append(NO_TENANT, RECORD.checkpointBegin, new Uint8Array(0));
    let bytes = 0;
    for (const tenant of [...this.#tenants.all()]) {
      for (const slice of tenant.head.exportState(SLICE_BYTES)) {
        bytes += slice.length;
        await this.#wal.append(tenant.name, RECORD.entries, slice);
        await pause();
      }
    }
    // What the state says of closed chunks must be on disk before the samples they were made of are deleted.
    for (const tenant of [...this.#tenants.all()]) await tenant.head.files.sync();
    await this.#wal.append(NO_TENANT, RECORD.checkpointEnd, new Uint8Array(0));
    // Beginning another segment syncs the one before it.
    await this.#wal.cutSegment();
    await this.#wal.deleteSegmentsBefore(first);
    this.#lastBytes = bytes;
  }
}
