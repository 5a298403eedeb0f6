import { CorruptionError } from "../base/errors.ts";
import type { WalPosition } from "../tsdb/wal/wal.ts";
import { NO_TENANT, RECORD } from "./record-types.ts";
import type { Tenant, Tenants } from "./tenants.ts";

interface QueuedRecord {
  readonly type: number;
  readonly payload: Uint8Array;
  readonly position: WalPosition;
}

/**
 * Builds the heads from the log, record by record. After a checkpoint the log may begin in the middle of a
 * series' life: rows of series that nothing has defined yet are passed over, because the state that the
 * checkpoint wrote covers them. Such rows behind a complete checkpoint, or without one, are missing data.
 */
export class HeadReplay {
  readonly #tenants: Tenants;
  readonly #walDirectory: string;
  readonly #queues = new Map<string, QueuedRecord[]>();
  readonly #opening: Promise<void>[] = [];
  #checkpointComplete = false;
  #rows = 0;
  /** Rows passed over since the last complete checkpoint, and before any. */
  #skippedBefore = 0;
  #skippedAfter = 0;

  constructor(tenants: Tenants, walDirectory: string) {
    this.#tenants = tenants;
    this.#walDirectory = walDirectory;
  }

  readonly visit = (
    tenant: string,
    type: number,
    payload: Uint8Array,
    position: WalPosition,
  ): void => {
    if (tenant === NO_TENANT) return this.#checkpoint(type);
    const open = this.#tenants.get(tenant);
    const queue = this.#queues.get(tenant);
    if (open && !queue) return this.#apply(open, { type, payload, position });
    // Its folder is missing or was removed when the tenant closed: open it, and keep its records in order meanwhile.
    const record = { type, payload: payload.slice(), position };
    if (queue) queue.push(record);
    else this.#openLater(tenant, record);
  };

  #openLater(name: string, record: QueuedRecord): void {
    const queue = [record];
    this.#queues.set(name, queue);
    const open = async (): Promise<void> => {
      const tenant = await this.#tenants.mustOpen(name);
      for (const queued of queue) this.#apply(tenant, queued);
      this.#queues.delete(name);
    };
    this.#opening.push(open());
  }

  #checkpoint(type: number): void {
    if (type !== RECORD.checkpointEnd) return;
    this.#checkpointComplete = true;
    this.#skippedBefore += this.#skippedAfter;
    this.#skippedAfter = 0;
  }

  #apply(tenant: Tenant, record: QueuedRecord): void {
    const { head } = tenant;
    switch (record.type) {
      case RECORD.entries:
        this.#must(head.replayEntries(record.payload), "entries", record.position);
        return;
      case RECORD.rows:
        this.#rows += this.#must(head.replayRows(record.payload), "rows", record.position);
        this.#skippedAfter += head.takeSkippedRows();
        return;
      case RECORD.tenantClosed:
        head.clear();
        return;
      default:
        this.#must(undefined, `a record type (${record.type}) of another version`, record.position);
    }
  }

  #must(done: number | undefined, what: string, position: WalPosition): number {
    if (done !== undefined) return done;
    const file = `${this.#walDirectory} segment ${position.segment}`;
    throw new CorruptionError(`cannot read ${what}`, { file, offsetBytes: position.offsetBytes });
  }

  /** Waits for tenants that were opened on the way. Call when the log is read. */
  async finish(): Promise<{ readonly samples: number; readonly lostSamples: number }> {
    await Promise.all(this.#opening);
    const covered = this.#checkpointComplete ? this.#skippedBefore : 0;
    const skipped = this.#skippedBefore + this.#skippedAfter;
    return { samples: this.#rows - skipped, lostSamples: skipped - covered };
  }
}
