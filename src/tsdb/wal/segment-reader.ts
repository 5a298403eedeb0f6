import type { FileHandle } from "../../base/file-system.ts";
import {
  type BadBytes,
  FRAME_HEADER_BYTES,
  findFrame,
  frameIsIntact,
  frameLength,
} from "./format.ts";

/** Called for each frame, in order; the payload is a view that is valid during the call only. */
export type FrameVisitor = (
  tenantNumber: number,
  type: number,
  payload: Uint8Array,
  offsetBytes: number,
) => BadBytes | undefined;

export interface ReadPlan {
  readonly fromBytes: number;
  readonly toBytes: number;
  readonly blockBytes: number;
  onBlock(doneBytes: number): void;
}

/**
 * Reads the frames of a segment between two offsets in one pass: big blocks, the next one being read while
 * the frames of this one are visited, every frame's checksum verified. Answers the first thing that is wrong.
 */
export async function readFrames(
  file: FileHandle,
  plan: ReadPlan,
  visit: FrameVisitor,
): Promise<BadBytes | undefined> {
  const source = new ReadAhead(file, plan);
  const window = new Window(plan);
  try {
    for (;;) {
      const block = await source.next();
      if (block.length === 0) return window.leftOver();
      window.add(block);
      source.start();
      const bad = window.visitFrames(visit);
      if (bad !== undefined) return bad;
      plan.onBlock(block.length);
    }
  } finally {
    await source.stop();
  }
}

/** One read under way at any time. */
class ReadAhead {
  readonly #file: FileHandle;
  readonly #toBytes: number;
  readonly #block: Uint8Array;
  #offset: number;
  #reading: Promise<number>;

  constructor(file: FileHandle, plan: ReadPlan) {
    this.#file = file;
    this.#toBytes = plan.toBytes;
    this.#offset = plan.fromBytes;
    this.#block = new Uint8Array(Math.min(plan.blockBytes, plan.toBytes - plan.fromBytes));
    this.#reading = this.#read();
  }

  /** The block that was being read, empty at the end; valid until `start`. */
  async next(): Promise<Uint8Array> {
    const length = await this.#reading;
    this.#offset += length;
    return this.#block.subarray(0, length);
  }

  start(): void {
    this.#reading = this.#read();
    // A failure is thrown by `next`; until then it must not count as unhandled.
    this.#reading.catch(() => undefined);
  }

  async stop(): Promise<void> {
    await this.#reading.catch(() => undefined);
  }

  async #read(): Promise<number> {
    const length = Math.min(this.#block.length, this.#toBytes - this.#offset);
    return await this.#file.read(this.#block.subarray(0, length), this.#offset);
  }
}

/** The bytes that were read and not yet visited: frames that go over the end of a block are put together here. */
class Window {
  readonly #toBytes: number;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #fill = 0;
  /** Offset in the file of the window's first byte. */
  #offset: number;

  constructor(plan: ReadPlan) {
    this.#toBytes = plan.toBytes;
    this.#offset = plan.fromBytes;
    this.#bytes = new Uint8Array(2 * Math.min(plan.blockBytes, plan.toBytes - plan.fromBytes));
    this.#view = new DataView(this.#bytes.buffer);
  }

  add(block: Uint8Array): void {
    if (this.#fill + block.length > this.#bytes.length) this.#grow(this.#fill + block.length);
    this.#bytes.set(block, this.#fill);
    this.#fill += block.length;
  }

  /** Visits the frames that are whole, and keeps the rest. */
  visitFrames(visit: FrameVisitor): BadBytes | undefined {
    let at = 0;
    while (this.#fill - at >= FRAME_HEADER_BYTES) {
      const offsetBytes = this.#offset + at;
      const length = frameLength(this.#view, at);
      if (length === undefined) return { offsetBytes, message: "there is no record" };
      if (offsetBytes + length > this.#toBytes) {
        return { offsetBytes, message: "the record goes over the end of the segment" };
      }
      if (this.#fill - at < length) break;
      if (!frameIsIntact(this.#bytes, this.#view, at, length)) {
        return { offsetBytes, message: "the record's checksum does not match" };
      }
      const payload = this.#bytes.subarray(at + FRAME_HEADER_BYTES, at + length);
      const type = this.#bytes[at + 12] as number;
      const bad = visit(this.#view.getUint32(at + 8, true), type, payload, offsetBytes);
      if (bad !== undefined) return bad;
      at += length;
    }
    this.#bytes.copyWithin(0, at, this.#fill);
    this.#fill -= at;
    this.#offset += at;
    return undefined;
  }

  /** At the end of the file nothing may be left. */
  leftOver(): BadBytes | undefined {
    if (this.#fill === 0 && this.#offset === this.#toBytes) return undefined;
    const message =
      this.#fill === 0
        ? `the segment ends here instead of at ${this.#toBytes}`
        : "the record is cut short";
    return { offsetBytes: this.#offset, message };
  }

  #grow(sizeBytes: number): void {
    const larger = new Uint8Array(Math.max(sizeBytes, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#fill));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Whether an intact frame stands somewhere after `offsetBytes`: then what is bad there is no torn tail. */
export async function hasFrameAfter(
  file: FileHandle,
  offsetBytes: number,
  sizeBytes: number,
): Promise<boolean> {
  const rest = new Uint8Array(Math.max(sizeBytes - offsetBytes - 1, 0));
  const length = await file.read(rest, offsetBytes + 1);
  return findFrame(rest.subarray(0, length), 0) !== undefined;
}
