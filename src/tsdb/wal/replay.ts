import type { Clock } from "../../base/clock.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { FileHandle, FileSystem } from "../../base/file-system.ts";
import type { Logger } from "../../base/logger.ts";
import {
  type BadBytes,
  DEFINITION,
  decodeDefinition,
  decodeHeader,
  HEADER_BYTES,
  parseSegmentName,
  segmentName,
} from "./format.ts";
import type { WalMetrics } from "./metrics.ts";
import type { WalOptions } from "./options.ts";
import { Quarantine } from "./quarantine.ts";
import { hasFrameAfter, readFrames } from "./segment-reader.ts";

/** A place in the log: the first byte of a record. */
export interface WalPosition {
  readonly segment: number;
  readonly offsetBytes: number;
}

/** Called in the order of the appends. `payload` is a view that is valid during the call only. */
export type RecordVisitor = (
  tenant: string,
  type: number,
  payload: Uint8Array,
  position: WalPosition,
) => void;

export interface ReplayProgress {
  /** Which one of the segments is being read, counted from 1. */
  readonly segment: number;
  readonly segments: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
}

export interface ReplayOptions {
  /** Records before this place (that a checkpoint covers) are not visited; it is corruption if the place is missing. */
  readonly from?: WalPosition;
  readonly onProgress?: (progress: ReplayProgress) => void;
}

export interface ReplayReport {
  readonly segments: number;
  readonly records: number;
  readonly bytes: number;
  readonly durationMs: number;
  /** Cut off the end of the last segment: a record that was being written when the process or machine died. */
  readonly tornBytes: number;
  readonly quarantinedBytes: number;
  readonly corruptions: number;
}

/** Where the log goes on after a replay. */
export interface LogEnd {
  /** The last segment number in use; 0: none. */
  readonly segment: number;
  /** Its bytes that count; 0: nothing is known of it. */
  readonly endBytes: number;
}

export interface ReplayDependencies {
  readonly clock: Clock;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly metrics: WalMetrics;
}

interface Segment {
  readonly number: number;
  readonly sizeBytes: number;
  /** What the header of the next segment says of this one; undefined: there is none, or it does not say. */
  declaredEndBytes: number | undefined;
  previousEndBytes: number;
}

/**
 * Reads the whole log once. What may be wrong, and what is done:
 *
 *     the last segment ends in a record that is cut short or damaged,      a torn write: cut off, logged
 *     with no intact record after it
 *     the last segment is shorter than a header                            it was just being made: removed, logged
 *     bytes after the end that the next segment's header declares          left by a failed sync: not read
 *     a missing segment or a short end, with NAME.corrupt beside           known since an earlier quarantine: logged
 *     anything else                                                        corruption: `onCorruption` decides
 */
export class Replay {
  readonly #options: WalOptions;
  readonly #deps: ReplayDependencies;
  readonly #visitor: RecordVisitor;
  readonly #from: WalPosition;
  readonly #onProgress: (progress: ReplayProgress) => void;
  readonly #quarantine: Quarantine;
  #segments: Segment[] = [];
  #setAside = new Set<number>();
  #records = 0;
  #bytes = 0;
  #tornBytes = 0;

  constructor(
    options: WalOptions,
    deps: ReplayDependencies,
    visitor: RecordVisitor,
    { from, onProgress }: ReplayOptions,
  ) {
    this.#options = options;
    this.#deps = deps;
    this.#visitor = visitor;
    this.#from = from ?? { segment: 0, offsetBytes: 0 };
    this.#onProgress = onProgress ?? (() => undefined);
    this.#quarantine = new Quarantine(options, deps);
  }

  async run(): Promise<{ readonly report: ReplayReport; readonly end: LogEnd }> {
    const startMs = this.#deps.clock.monotonicMs();
    await this.#listSegments();
    await this.#readHeaders();
    await this.#checkNumbers();
    const end = await this.#readSegments();
    const report: ReplayReport = {
      segments: this.#segments.length,
      records: this.#records,
      bytes: this.#bytes,
      durationMs: this.#deps.clock.monotonicMs() - startMs,
      tornBytes: this.#tornBytes,
      quarantinedBytes: this.#quarantine.bytes,
      corruptions: this.#quarantine.count,
    };
    return { report, end };
  }

  async #listSegments(): Promise<void> {
    const { files } = this.#deps;
    for (const name of await files.list(this.#options.directory)) {
      const path = `${this.#options.directory}/${name}`;
      const parsed = parseSegmentName(name);
      if (parsed === undefined) {
        // A segment that was being rewritten after a failed sync, and never took its name.
        if (name.endsWith(".tmp")) await files.remove(path);
        continue;
      }
      if (parsed.isCorrupt) this.#setAside.add(parsed.segment);
      else if (parsed.segment >= this.#from.segment) {
        const { sizeBytes } = await files.stat(path);
        const known = { declaredEndBytes: undefined, previousEndBytes: 0 };
        this.#segments.push({ number: parsed.segment, sizeBytes, ...known });
      }
    }
    this.#segments.sort((left, right) => left.number - right.number);
  }

  async #readHeaders(): Promise<void> {
    await this.#removeUnborn();
    const good: Segment[] = [];
    for (const segment of this.#segments) {
      const header = await this.#withFile(segment.number, async (file) => {
        const bytes = new Uint8Array(HEADER_BYTES);
        const length = await file.read(bytes, 0);
        return decodeHeader(bytes.subarray(0, length), segment.number);
      });
      if ("message" in header) {
        await this.#corruption(segment.number, header, 0, segment.sizeBytes);
        continue;
      }
      segment.previousEndBytes = header.previousEndBytes;
      good.push(segment);
    }
    for (const [index, segment] of good.entries()) {
      const next = good[index + 1];
      if (next?.number === segment.number + 1 && next.previousEndBytes > 0) {
        segment.declaredEndBytes = next.previousEndBytes;
      }
    }
    this.#segments = good;
  }

  /** A last segment without a whole header: the process died while making it, so no record can have been in it. */
  async #removeUnborn(): Promise<void> {
    const last = this.#segments.at(-1);
    if (last === undefined || last.sizeBytes >= HEADER_BYTES) return;
    this.#deps.logger.warn(
      { file: this.#path(last.number) },
      "removing a WAL segment cut short in its header",
    );
    await this.#deps.files.remove(this.#path(last.number));
    this.#tornBytes += last.sizeBytes;
    this.#segments.pop();
  }

  async #checkNumbers(): Promise<void> {
    const numbers = new Set(this.#segments.map((segment) => segment.number));
    const known = [...numbers, ...this.#setAside];
    const first = this.#from.segment > 0 ? this.#from.segment : Math.min(...known);
    const last = Math.max(...known, this.#from.segment);
    for (let number = first; number <= last; number++) {
      if (numbers.has(number)) continue;
      if (this.#setAside.has(number)) this.#logKnown(number);
      else
        await this.#corruption(number, { offsetBytes: 0, message: "the segment is missing" }, 0, 0);
    }
  }

  async #readSegments(): Promise<LogEnd> {
    const bytesTotal = this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    let end: LogEnd = { segment: Math.max(0, ...this.#setAside), endBytes: 0 };
    for (const [index, segment] of this.#segments.entries()) {
      const progress = { segment: index + 1, segments: this.#segments.length, bytesTotal };
      const isLast = index === this.#segments.length - 1;
      const endBytes = await this.#withFile(segment.number, async (file) => {
        const end = await this.#readSegment(file, segment, isLast, (done) => {
          this.#bytes += done;
          this.#onProgress({ ...progress, bytesDone: this.#bytes });
        });
        // A killed process leaves what it had not synced to the kernel. New segments follow: a power cut must not tear this one then.
        await file.sync();
        return end;
      });
      if (segment.number >= end.segment) end = { segment: segment.number, endBytes };
    }
    return end;
  }

  /** Answers how many bytes of the segment count. */
  async #readSegment(
    file: FileHandle,
    segment: Segment,
    isLast: boolean,
    onBlock: (doneBytes: number) => void,
  ): Promise<number> {
    const toBytes = segment.declaredEndBytes ?? segment.sizeBytes;
    const blockBytes = this.#options.replayBlockBytes;
    const bad = await readFrames(
      file,
      { fromBytes: HEADER_BYTES, toBytes, blockBytes, onBlock },
      this.#frameVisitor(segment.number),
    );
    if (bad === undefined) return toBytes;
    const at = bad.offsetBytes;
    if (at === segment.sizeBytes && this.#setAside.has(segment.number))
      this.#logKnown(segment.number);
    else if (isLast && !(await hasFrameAfter(file, at, segment.sizeBytes))) {
      await this.#cutTorn(segment, bad);
    } else {
      const message = isLast ? `${bad.message}, and intact records follow` : bad.message;
      await this.#corruption(segment.number, { offsetBytes: at, message }, at, segment.sizeBytes);
    }
    return at;
  }

  #frameVisitor(segment: number) {
    const tenants = new Map<number, string>();
    return (
      tenantNumber: number,
      type: number,
      payload: Uint8Array,
      offsetBytes: number,
    ): BadBytes | undefined => {
      if (tenantNumber === DEFINITION.tenantNumber) {
        return define(tenants, type, payload, offsetBytes);
      }
      const tenant = tenants.get(tenantNumber);
      if (tenant === undefined) {
        return { offsetBytes, message: `tenant number ${tenantNumber} is not defined` };
      }
      const isCovered = segment === this.#from.segment && offsetBytes < this.#from.offsetBytes;
      if (isCovered) return undefined;
      this.#records++;
      this.#visitor(tenant, type, payload, { segment, offsetBytes });
      return undefined;
    };
  }

  async #cutTorn(segment: Segment, bad: BadBytes): Promise<void> {
    const tornBytes = segment.sizeBytes - bad.offsetBytes;
    const path = this.#path(segment.number);
    this.#deps.logger.warn(
      { file: path, offsetBytes: bad.offsetBytes, tornBytes, reason: bad.message },
      "the last WAL record was not written to its end; cutting it off",
    );
    const file = await this.#deps.files.open(path, "write");
    try {
      await file.truncate(bad.offsetBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#tornBytes += tornBytes;
  }

  /** Throws, or sets aside the bytes from `fromBytes` on. */
  async #corruption(
    segment: number,
    bad: BadBytes,
    fromBytes: number,
    sizeBytes: number,
  ): Promise<void> {
    const file = this.#path(segment);
    this.#deps.metrics.corruptions.inc();
    if (this.#options.onCorruption === "fail") {
      const advice = `start once with -ingester.wal.on-corruption=quarantine to set the rest of this segment (${sizeBytes - fromBytes} bytes) aside and go on without it`;
      throw new CorruptionError(`${bad.message}; ${advice}`, {
        file,
        offsetBytes: bad.offsetBytes,
      });
    }
    await this.#quarantine.setAside(file, bad, fromBytes, sizeBytes);
    this.#setAside.add(segment);
  }

  #logKnown(segment: number): void {
    this.#deps.logger.warn(
      { file: `${this.#path(segment)}.corrupt` },
      "the rest of this WAL segment was set aside earlier",
    );
  }

  async #withFile<T>(segment: number, use: (file: FileHandle) => Promise<T>): Promise<T> {
    const file = await this.#deps.files.open(this.#path(segment), "read");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  }

  #path(segment: number): string {
    return `${this.#options.directory}/${segmentName(segment)}`;
  }
}

function define(
  tenants: Map<number, string>,
  type: number,
  payload: Uint8Array,
  offsetBytes: number,
): BadBytes | undefined {
  const definition = type === DEFINITION.type ? decodeDefinition(payload) : undefined;
  if (definition === undefined) {
    return { offsetBytes, message: `a record of the log itself (type ${type}) is unknown` };
  }
  const known = tenants.get(definition.tenantNumber);
  if (known !== undefined && known !== definition.tenant) {
    return { offsetBytes, message: `tenant number ${definition.tenantNumber} is defined twice` };
  }
  tenants.set(definition.tenantNumber, definition.tenant);
  return undefined;
}
