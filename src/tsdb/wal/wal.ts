import { assert, must } from "../../base/assert.ts";
import type { OpError } from "../../base/errors.ts";
import { parseSegmentName, segmentName } from "./format.ts";
import type { WalOptions } from "./options.ts";
import {
  type RecordVisitor,
  Replay,
  type ReplayDependencies,
  type ReplayOptions,
  type ReplayReport,
  type WalPosition,
} from "./replay.ts";
import { WalWriter } from "./wal-writer.ts";

export type {
  RecordVisitor,
  ReplayOptions,
  ReplayProgress,
  ReplayReport,
  WalPosition,
} from "./replay.ts";

export type WalDependencies = ReplayDependencies;

/**
 * The write-ahead log of a process: records of all its tenants in one sequence of segment files (format.ts has
 * the layout). What a record holds is the business of its user; here it is a tenant, a type byte and bytes.
 *
 *     open ──► replay (once, also of an empty log) ──► append, cutSegment, deleteSegmentsBefore … ──► close
 *
 * Appends begin a new segment; an old one is never appended to.
 */
export class Wal {
  readonly #options: WalOptions;
  readonly #deps: WalDependencies;
  #writer: WalWriter | undefined;

  private constructor(options: WalOptions, deps: WalDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  static async open(options: WalOptions, deps: WalDependencies): Promise<Wal> {
    await deps.files.makeDirectory(options.directory);
    return new Wal(options, deps);
  }

  /** Gives every record to the visitor, in the order of the appends. Errors of the visitor end it. */
  async replay(visitor: RecordVisitor, options: ReplayOptions = {}): Promise<ReplayReport> {
    assert(this.#writer === undefined, "the log is replayed once");
    const replay = new Replay(this.#options, this.#deps, visitor, options);
    const { report, end } = await replay.run();
    this.#writer = new WalWriter(this.#options, this.#deps, end);
    return report;
  }

  /**
   * Copies the payload before it returns. Resolves once the record is written (with sync "commit": synced). Rejects
   * with "wal-blocked" or "wal-overloaded"; after a "wal-blocked" rejection of an append that was waiting, the record
   * is kept and still written if the disk recovers, since the head has its samples already.
   */
  append(tenant: string, type: number, payload: Uint8Array | readonly Uint8Array[]): Promise<void> {
    return this.#mustWriter().append(tenant, type, payload);
  }

  /**
   * The error that an append of so many payload bytes would give now. Ask before changing a head: if the answer is
   * undefined, `append` before the next await takes the record.
   */
  admit(payloadBytes: number): OpError | undefined {
    return this.#mustWriter().admit(payloadBytes);
  }

  /** Why the disk refuses writes, while it does. */
  get blocked(): OpError | undefined {
    return this.#writer?.blocked;
  }

  /** Bytes in memory: waiting for a write, or kept until they are synced. */
  get pendingBytes(): number {
    return this.#writer?.pendingBytes ?? 0;
  }

  /** All records that are appended from now on lie at or after this place. */
  position(): WalPosition {
    return this.#mustWriter().position();
  }

  /** Later records go to a new segment; resolves to its number when its file is there. */
  async cutSegment(): Promise<number> {
    return await this.#mustWriter().cutSegment();
  }

  /** Oldest first, so that what is left is without a gap at any time. The segment being written stays. */
  async deleteSegmentsBefore(segment: number): Promise<void> {
    const { files, metrics, clock } = this.#deps;
    const before = Math.min(segment, this.#mustWriter().segmentOnDisk);
    const startMs = clock.monotonicMs();
    metrics.truncations.inc();
    try {
      for (const name of await files.list(this.#options.directory)) {
        const parsed = parseSegmentName(name);
        if (parsed === undefined || parsed.segment >= before) continue;
        await files.remove(`${this.#options.directory}/${name}`);
        await files.syncDirectory(this.#options.directory);
      }
    } catch (error) {
      metrics.truncationsFailed.inc();
      throw error;
    } finally {
      metrics.truncateSeconds.observe((clock.monotonicMs() - startMs) / 1000);
    }
  }

  /** The segments on disk, oldest first. */
  async segments(): Promise<{ readonly segment: number; readonly sizeBytes: number }[]> {
    const found: { segment: number; sizeBytes: number }[] = [];
    for (const name of await this.#deps.files.list(this.#options.directory)) {
      const parsed = parseSegmentName(name);
      if (parsed === undefined || parsed.isCorrupt) continue;
      const path = `${this.#options.directory}/${segmentName(parsed.segment)}`;
      found.push({ segment: parsed.segment, ...(await this.#size(path)) });
    }
    return found;
  }

  /** Writes and syncs everything; throws "wal-blocked" if the disk does not take it. */
  async close(): Promise<void> {
    await this.#writer?.close();
  }

  async #size(path: string): Promise<{ readonly sizeBytes: number }> {
    const { sizeBytes } = await this.#deps.files.stat(path);
    return { sizeBytes };
  }

  #mustWriter(): WalWriter {
    return must(this.#writer, "the log is replayed before it is written");
  }
}
