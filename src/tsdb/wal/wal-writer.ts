import { assert } from "../../base/assert.ts";
import { type Clock, every, type Timer } from "../../base/clock.ts";
import { errorMessage, OpError } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import type { Logger } from "../../base/logger.ts";
import {
  DEFINITION,
  encodeDefinition,
  encodeFrame,
  FRAME_HEADER_BYTES,
  HEADER_BYTES,
} from "./format.ts";
import type { WalMetrics } from "./metrics.ts";
import type { WalOptions } from "./options.ts";
import { PendingBytes } from "./pending-bytes.ts";
import type { LogEnd, WalPosition } from "./replay.ts";
import { SegmentFile, SyncError } from "./segment-file.ts";
import { TenantNumbers } from "./tenant-numbers.ts";

const BLOCK_BYTES = 1024 * 1024;
const SPARE_BLOCKS = 4;
/** A tenant definition for the longest tenant id (150 bytes), with room. */
const DEFINITION_BYTES_MAX = 256;

export interface WalWriterDependencies {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly metrics: WalMetrics;
}

/** A segment that begins at a position of the pending bytes and is not made yet. */
interface Roll {
  segment: number;
  readonly position: number;
  /**
   * Set if the bytes were already in another segment whose sync failed: what must stand before them. Such a
   * segment takes its name only when all that it must hold is synced.
   */
  readonly definitions: readonly Uint8Array[] | undefined;
}

/** Appends that go out in one write and share one promise. */
class Group {
  records = 0;
  readonly #settled = Promise.withResolvers<void>();

  constructor() {
    // The appenders hold the promise; a group of nobody (cutSegment at shutdown) must not count as unhandled.
    this.#settled.promise.catch(() => undefined);
  }

  get promise(): Promise<void> {
    return this.#settled.promise;
  }

  resolve(): void {
    this.#settled.resolve();
  }

  reject(error: OpError): void {
    this.#settled.reject(error);
  }
}

/**
 * The appending side. `append` copies a record to the pending bytes; one loop at a time writes all that is
 * pending, so that what arrives during a write goes out together in the next one.
 *
 *     running ──a write or sync fails──► blocked ──a retry succeeds──► running
 *
 * While blocked every append is refused, and those that wait are rejected; but their bytes stay pending and are
 * written first once the disk takes them: the head holds those samples, and a log without them would lie.
 * A write is retried at the same offset, over whatever part of it was written.
 *
 * After a failed fdatasync the kernel may have dropped the unsynced pages and report success the next time.
 * So what was not surely synced is still in memory (sync "interval" and "commit") and goes to a NEW segment,
 * whose header says where the old one ends. docs/decisions/0004-one-wal-per-process.md
 */
export class WalWriter {
  readonly #options: WalOptions;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #metrics: WalMetrics;
  readonly #pending = new PendingBytes({ blockBytes: BLOCK_BYTES, spareBlocksMax: SPARE_BLOCKS });
  readonly #tenants = new TenantNumbers();
  readonly #file: SegmentFile;
  readonly #syncTimer: Timer | undefined;

  /** The append side: the segment of the next record, and the position that its byte 0 would have. */
  #segment: number;
  #segmentOrigin = 0;
  #hasSegment = false;
  #rolls: Roll[] = [];
  #group: Group | undefined;

  /** The disk side. */
  #writing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #groupInFlight: Group | undefined;
  /** Set from a failed fdatasync until its bytes are on their way to a new segment. */
  #syncFailure: SyncError | undefined;
  #blocked: OpError | undefined;
  #blockedSinceMs = 0;
  #retryTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: WalOptions, deps: WalWriterDependencies, end: LogEnd) {
    assert(
      options.segmentBytes <= 2 ** 30,
      "a segment is at most 1 GiB: offsets in it are 32 bits",
    );
    this.#options = options;
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#metrics = deps.metrics;
    this.#file = new SegmentFile(options.directory, deps, end);
    this.#segment = end.segment + 1;
    if (options.sync === "interval") {
      this.#syncTimer = every(deps.clock, options.syncIntervalMs, () => this.#syncInBackground());
    }
  }

  /** Why appends are refused; undefined while they are not. */
  get blocked(): OpError | undefined {
    return this.#blocked;
  }

  get pendingBytes(): number {
    return this.#pending.filled - this.#pending.released;
  }

  /** The last segment that has a file. */
  get segmentOnDisk(): number {
    return this.#file.segment;
  }

  /** No record that is appended from now on lies before this place. */
  position(): WalPosition {
    const offsetBytes = this.#hasSegment ? this.#offset() : HEADER_BYTES;
    return { segment: this.#segment, offsetBytes };
  }

  /** The error that `append` of so many payload bytes would give now; the answer holds until the next await. */
  admit(payloadBytes: number): OpError | undefined {
    if (this.#blocked !== undefined) return this.#blocked;
    if (this.#isClosed) return new OpError("wal-closed", "the write-ahead log is closed");
    const wanted = payloadBytes + FRAME_HEADER_BYTES + DEFINITION_BYTES_MAX;
    if (this.pendingBytes + wanted <= this.#options.pendingBytesMax) return undefined;
    return new OpError(
      "wal-overloaded",
      `the write-ahead log in ${this.#options.directory} has ${this.pendingBytes} bytes waiting for the disk and takes at most ${this.#options.pendingBytesMax}`,
    );
  }

  append(tenant: string, type: number, payload: Uint8Array | readonly Uint8Array[]): Promise<void> {
    const payloadBytes = lengthOf(payload);
    const refusal = this.admit(payloadBytes);
    if (refusal !== undefined) return Promise.reject(refusal);
    const number = this.#tenants.numberOf(tenant);
    const sizeBytes = FRAME_HEADER_BYTES + payloadBytes;
    if (!this.#hasSegment || this.#isFull(sizeBytes)) this.#roll();
    if (!this.#tenants.isDefinedIn(number, this.#segment)) this.#define(number);
    this.#put(number, type, payload, sizeBytes);
    const group = this.#openGroup();
    group.records++;
    return group.promise;
  }

  /** The next record begins a new segment, whose file exists when the promise resolves to its number. */
  async cutSegment(): Promise<number> {
    const refusal = this.admit(0);
    if (refusal !== undefined) throw refusal;
    if (!this.#hasSegment || this.#offset() > HEADER_BYTES) this.#roll();
    const segment = this.#segment;
    await this.#openGroup().promise;
    return segment;
  }

  /** Writes and syncs what is pending; throws if the disk does not take it. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#syncTimer?.cancel();
    this.#retryTimer?.cancel();
    await this.#writing;
    await this.#syncing;
    if (this.#hasWork() || this.#blocked !== undefined) await this.#write();
    if (this.#blocked === undefined) await this.#sync().catch((error) => this.#block(error));
    // What is still in memory gets one more chance, in a new segment.
    if (this.#syncFailure !== undefined && this.#options.sync !== "none") await this.#write();
    await this.#file.close();
    if (this.#blocked !== undefined) throw this.#blocked;
  }

  #offset(): number {
    return this.#pending.filled - this.#segmentOrigin;
  }

  #isFull(sizeBytes: number): boolean {
    const offset = this.#offset();
    return offset > HEADER_BYTES && offset + sizeBytes > this.#options.segmentBytes;
  }

  #roll(): void {
    if (this.#hasSegment) this.#segment++;
    this.#hasSegment = true;
    this.#segmentOrigin = this.#pending.filled - HEADER_BYTES;
    const position = this.#pending.filled;
    this.#rolls.push({ segment: this.#segment, position, definitions: undefined });
  }

  #define(number: number): void {
    const payload = encodeDefinition(number, this.#tenants.idOf(number));
    this.#put(
      DEFINITION.tenantNumber,
      DEFINITION.type,
      payload,
      FRAME_HEADER_BYTES + payload.length,
    );
    this.#tenants.define(number, this.#segment);
  }

  #put(
    tenantNumber: number,
    type: number,
    payload: Uint8Array | readonly Uint8Array[],
    sizeBytes: number,
  ): void {
    const block = this.#pending.reserve(sizeBytes);
    encodeFrame(block, block.fill, tenantNumber, type, payload);
    this.#pending.take(sizeBytes);
  }

  #openGroup(): Group {
    this.#group ??= new Group();
    // The write starts after the current task's appends, so that they go out together.
    this.#writing ??= Promise.resolve().then(() => this.#write());
    return this.#group;
  }

  #hasWork(): boolean {
    return this.#pending.written < this.#pending.filled || this.#rolls.length > 0;
  }

  /** Never rejects: a failure blocks the log. */
  async #write(): Promise<void> {
    try {
      if (this.#syncFailure !== undefined) this.#moveToNewSegment();
      while (this.#hasWork() || this.#group !== undefined) await this.#writeGroup();
      this.#unblock();
    } catch (error) {
      this.#block(error);
    } finally {
      this.#writing = undefined;
    }
  }

  async #writeGroup(): Promise<void> {
    const group = this.#group;
    this.#group = undefined;
    this.#groupInFlight = group;
    await this.#writeUntil(this.#pending.filled);
    if (this.#options.sync === "commit") await this.#sync();
    else if (this.#options.sync === "none") this.#pending.release(this.#pending.written);
    else this.#syncSoon();
    this.#metrics.pendingBytes.set(this.pendingBytes);
    if (group === undefined) return;
    this.#groupInFlight = undefined;
    this.#metrics.groupRecords.observe(group.records);
    group.resolve();
  }

  async #writeUntil(until: number): Promise<void> {
    const pending = this.#pending;
    for (;;) {
      // A background sync failed in the meantime: the file's content is in doubt, so nothing more goes there.
      if (this.#syncFailure !== undefined) throw this.#syncFailure;
      const roll = this.#rolls[0];
      if (roll !== undefined && roll.position === pending.written) {
        await this.#startSegment(roll, until);
        continue;
      }
      if (pending.written === until) return;
      const end = Math.min(until, roll?.position ?? until);
      await this.#file.write(pending.slices(pending.written, end), pending.written);
      this.#metrics.writtenBytes.inc(end - pending.written);
      pending.markWritten(end);
    }
  }

  async #startSegment(roll: Roll, until: number): Promise<void> {
    if (this.#file.isOpen) {
      if (this.#options.sync !== "none") await this.#sync();
      await this.#file.finish(this.#pending.written);
    }
    if (roll.definitions === undefined) {
      await this.#file.create(roll.segment, roll.position);
      this.#metrics.writtenBytes.inc(HEADER_BYTES);
    } else {
      const end = Math.min(until, this.#rolls[1]?.position ?? until);
      const bytes = [...roll.definitions, ...this.#pending.slices(roll.position, end)];
      await this.#file.createWhole(roll.segment, bytes, end);
      this.#pending.markWritten(end);
      this.#pending.release(end);
    }
    this.#rolls.shift();
  }

  /** Under "interval" unsynced bytes stay in memory: a sync ahead of time keeps them few. */
  #syncSoon(): void {
    const unsyncedBytes = this.#pending.written - this.#pending.released;
    if (unsyncedBytes <= this.#options.pendingBytesMax / 4) return;
    void this.#syncInBackground();
  }

  /** Never rejects: a failure blocks the log. */
  async #syncInBackground(): Promise<void> {
    const isClean = this.#pending.written === this.#pending.released;
    if (this.#syncing !== undefined || !this.#file.isOpen || isClean) return;
    if (this.#syncFailure !== undefined) return;
    await this.#sync().catch((error: unknown) => this.#block(error));
    this.#metrics.pendingBytes.set(this.pendingBytes);
  }

  /** All that was written before the call is durable when it resolves. */
  async #sync(): Promise<void> {
    // Never two at once: the kernel tells of a failure only once, and the other would look like a success.
    while (this.#syncing !== undefined) await this.#syncing;
    if (!this.#file.isOpen) return;
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    const covered = this.#pending.written;
    const startMs = this.#clock.monotonicMs();
    const syncing = this.#file.sync();
    this.#syncing = syncing.catch(() => undefined);
    try {
      await syncing;
      this.#pending.release(covered);
    } catch (error) {
      this.#syncFailure = new SyncError(error);
      throw this.#syncFailure;
    } finally {
      this.#syncing = undefined;
      this.#metrics.fsyncSeconds.observe((this.#clock.monotonicMs() - startMs) / 1000);
    }
  }

  /** What the file of a failed sync may lack goes to the segment after it; what comes later moves up by one. */
  #moveToNewSegment(): void {
    const lost = this.#file.segment;
    const position = this.#pending.released;
    const definitions = this.#tenants.usedFrom(lost).map(definitionFrame, this.#tenants);
    this.#file.abandon(position);
    this.#tenants.shiftFrom(lost);
    for (const roll of this.#rolls) roll.segment++;
    if (this.#segment === lost) {
      const before = definitions.reduce((sum, frame) => sum + frame.length, HEADER_BYTES);
      this.#segmentOrigin = position - before;
    }
    this.#segment++;
    this.#pending.rewind();
    this.#rolls.unshift({ segment: lost + 1, position, definitions });
    this.#syncFailure = undefined;
  }

  #block(error: unknown): void {
    const isNew = this.#blocked === undefined;
    this.#metrics.writesFailed.inc();
    this.#metrics.blocked.set(1);
    this.#metrics.pendingBytes.set(this.pendingBytes);
    if (isNew) {
      this.#blockedSinceMs = this.#clock.monotonicMs();
      this.#blocked = this.#blockedError(error);
      this.#logger.error({ err: error, pendingBytes: this.pendingBytes }, this.#blocked.message);
    }
    const refusal = this.#blocked as OpError;
    this.#groupInFlight?.reject(refusal);
    this.#groupInFlight = undefined;
    this.#group?.reject(refusal);
    this.#group = undefined;
    this.#retryLater();
  }

  #blockedError(error: unknown): OpError {
    const { code } = error as { code?: string };
    const advice =
      code === "ENOSPC" || code === "EDQUOT"
        ? "free some space; writing goes on by itself"
        : "check the disk; writing is tried again every second";
    return new OpError(
      "wal-blocked",
      `the disk refuses the write-ahead log in ${this.#options.directory}: ${errorMessage(error)}: ${advice}`,
      { directory: this.#options.directory, errno: code },
      { cause: error },
    );
  }

  #retryLater(): void {
    this.#retryTimer?.cancel();
    if (this.#isClosed) return;
    this.#retryTimer = this.#clock.after(this.#options.retryMs, () => {
      // A write that was under way when a background sync failed is still running: it comes back here.
      if (this.#writing !== undefined) return this.#retryLater();
      this.#writing = this.#write();
    });
  }

  #unblock(): void {
    if (this.#blocked === undefined) return;
    const blockedMs = this.#clock.monotonicMs() - this.#blockedSinceMs;
    this.#blocked = undefined;
    this.#metrics.blocked.set(0);
    this.#logger.info({ blockedMs }, "the disk takes the write-ahead log again");
  }
}

function definitionFrame(this: TenantNumbers, number: number): Uint8Array {
  const payload = encodeDefinition(number, this.idOf(number));
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  encodeFrame({ bytes, view }, 0, DEFINITION.tenantNumber, DEFINITION.type, payload);
  return bytes;
}

function lengthOf(payload: Uint8Array | readonly Uint8Array[]): number {
  if (payload instanceof Uint8Array) return payload.length;
  let sum = 0;
  for (const part of payload) sum += part.length;
  return sum;
}
