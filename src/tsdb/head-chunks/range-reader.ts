import { assert, must } from "../../base/assert.ts";
import { CorruptionError } from "../../base/errors.ts";
import type { FileHandle } from "../../base/file-system.ts";
import { type PlannedRead, ReadPlan } from "./read-plan.ts";

/** Ranges of bytes as parallel arrays: range i is `lengths[i]` bytes of file `files[i]` at `offsets[i]`. */
export interface ByteRanges {
  readonly files: Uint32Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
}

/** Range i is data[starts[i] .. starts[i] + lengths[i]]; the last `tailBytes` are zero, others mean nothing. */
export interface RangeBytes {
  readonly data: Uint8Array;
  readonly starts: Uint32Array;
}

/** Where the reader gets its bytes. */
export interface RangeSource {
  /** Bytes of the file that are on disk; the rest is pending. Asserts that the file exists. */
  writtenBytes(file: number): number;
  copyPending(file: number, offset: number, length: number, target: Uint8Array, at: number): void;
  /** Opens a file, at once as far as names go: a deletion after the call does no harm. */
  open(file: number): Promise<FileHandle>;
  path(file: number): string;
}

/** Reads under way at a time in one call: as many as libuv has threads. */
const PARALLEL_READS = 4;

interface FilePlan {
  readonly file: number;
  readonly writtenBytes: number;
  readonly plan: ReadPlan;
  /** Index of the plan's first read among the reads of all files. */
  firstRead: number;
  wantedBytes: number;
}

/**
 * A read that is mostly wanted goes straight to its place in `data`; one that is mostly gap goes to a buffer of
 * its own and only the wanted bytes are copied, so that `data` stays within twice of what was asked for.
 */
interface Read {
  readonly filePlan: FilePlan;
  readonly planned: PlannedRead;
  readonly isDense: boolean;
  /** Where in `data` it goes: all of it, or its ranges one after the other. */
  readonly start: number;
}

export interface ReadCount {
  readonly reads: number;
  readonly bytes: number;
}

/** Gives the bytes of many ranges. Everything pending is copied before the first await. */
export async function readRanges(
  ranges: ByteRanges,
  source: RangeSource,
  tailBytes: number,
  onRead: (count: ReadCount) => void,
): Promise<RangeBytes> {
  return await new RangeReading(ranges, source, tailBytes).run(onRead);
}

class RangeReading {
  readonly #ranges: ByteRanges;
  readonly #source: RangeSource;
  readonly #count: number;
  readonly #starts: Uint32Array;
  readonly #plans = new Map<number, FilePlan>();
  readonly #reads: Read[] = [];
  readonly #tailBytes: number;
  #pendingBytes = 0;
  #data: Uint8Array = new Uint8Array(0);

  constructor(ranges: ByteRanges, source: RangeSource, tailBytes: number) {
    this.#ranges = ranges;
    this.#source = source;
    this.#tailBytes = tailBytes;
    this.#count = ranges.files.length;
    assert(
      ranges.offsets.length === this.#count && ranges.lengths.length === this.#count,
      "ranges have three equally long arrays",
    );
    this.#starts = new Uint32Array(this.#count);
  }

  async run(onRead: (count: ReadCount) => void): Promise<RangeBytes> {
    this.#planRanges();
    this.#planReads();
    this.#place();
    await this.#readAll();
    const bytes = this.#reads.reduce((sum, { planned }) => sum + planned.end - planned.begin, 0);
    onRead({ reads: this.#reads.length, bytes });
    return { data: this.#data, starts: this.#starts };
  }

  #planRanges(): void {
    const { files, offsets, lengths } = this.#ranges;
    let filePlan: FilePlan | undefined;
    for (let index = 0; index < this.#count; index++) {
      const file = files[index] as number;
      const offset = offsets[index] as number;
      const length = lengths[index] as number;
      if (filePlan?.file !== file) filePlan = this.#planOf(file);
      if (offset >= filePlan.writtenBytes) {
        this.#pendingBytes += length;
        continue;
      }
      assert(offset + length <= filePlan.writtenBytes, "a range is on disk or pending, not both");
      filePlan.plan.add(offset, length);
      filePlan.wantedBytes += length;
    }
  }

  #planOf(file: number): FilePlan {
    const known = this.#plans.get(file);
    if (known !== undefined) return known;
    const writtenBytes = this.#source.writtenBytes(file);
    const plan = new ReadPlan(writtenBytes);
    const made = { file, writtenBytes, plan, firstRead: 0, wantedBytes: 0 };
    this.#plans.set(file, made);
    return made;
  }

  /** Gives every read its place in `data`, after the pending ranges. */
  #planReads(): void {
    let start = this.#pendingBytes;
    for (const filePlan of this.#plans.values()) {
      filePlan.plan.finish();
      filePlan.firstRead = this.#reads.length;
      for (const planned of filePlan.plan.reads) {
        const extent = planned.end - planned.begin;
        const isDense = planned.wantedBytes * 2 >= extent;
        this.#reads.push({ filePlan, planned, isDense, start });
        start += isDense ? extent : planned.wantedBytes;
      }
    }
    assert(start + this.#tailBytes < 2 ** 32, "one call reads less than 4 GiB");
    this.#data = new Uint8Array(start + this.#tailBytes);
  }

  /** Sets `starts`, and copies what is pending. */
  #place(): void {
    const { files, offsets, lengths } = this.#ranges;
    const used = new Uint32Array(this.#reads.length);
    let pendingStart = 0;
    let filePlan: FilePlan | undefined;
    for (let index = 0; index < this.#count; index++) {
      const file = files[index] as number;
      const offset = offsets[index] as number;
      const length = lengths[index] as number;
      if (filePlan?.file !== file) filePlan = this.#planOf(file);
      if (offset >= filePlan.writtenBytes) {
        this.#source.copyPending(file, offset, length, this.#data, pendingStart);
        this.#starts[index] = pendingStart;
        pendingStart += length;
        continue;
      }
      const readIndex = filePlan.firstRead + filePlan.plan.readOf(offset);
      const read = this.#reads[readIndex] as Read;
      if (read.isDense) this.#starts[index] = read.start + offset - read.planned.begin;
      else {
        const usedBytes = used[readIndex] as number;
        this.#starts[index] = read.start + usedBytes;
        used[readIndex] = usedBytes + length;
      }
    }
  }

  async #readAll(): Promise<void> {
    if (this.#reads.length === 0) return;
    const handles = new Map<number, FileHandle>();
    try {
      const opened = [...this.#plans.values()]
        .filter(({ plan }) => plan.reads.length > 0)
        .map(async ({ file }) => handles.set(file, await this.#source.open(file)));
      await allSettledOrThrow(opened);
      const rangesOfSparse = this.#rangesOfSparseReads();
      let next = 0;
      const work = async (): Promise<void> => {
        for (let index = next++; index < this.#reads.length; index = next++) {
          const read = this.#reads[index] as Read;
          const handle = must(handles.get(read.filePlan.file), "the file was opened");
          if (read.isDense) await this.#readDense(handle, read);
          else await this.#readSparse(handle, read, rangesOfSparse[index] as number[]);
        }
      };
      await allSettledOrThrow(Array.from({ length: PARALLEL_READS }, work));
    } finally {
      await Promise.all([...handles.values()].map((handle) => handle.close()));
    }
  }

  async #readDense(handle: FileHandle, read: Read): Promise<void> {
    const extent = read.planned.end - read.planned.begin;
    await this.#readExactly(handle, read, this.#data.subarray(read.start, read.start + extent));
  }

  async #readSparse(handle: FileHandle, read: Read, ranges: readonly number[]): Promise<void> {
    const bytes = new Uint8Array(read.planned.end - read.planned.begin);
    await this.#readExactly(handle, read, bytes);
    for (const index of ranges) {
      const begin = (this.#ranges.offsets[index] as number) - read.planned.begin;
      const end = begin + (this.#ranges.lengths[index] as number);
      this.#data.set(bytes.subarray(begin, end), this.#starts[index]);
    }
  }

  async #readExactly(handle: FileHandle, read: Read, target: Uint8Array): Promise<void> {
    const length = await handle.read(target, read.planned.begin);
    if (length === target.length) return;
    const file = this.#source.path(read.filePlan.file);
    const offsetBytes = read.planned.begin + length;
    throw new CorruptionError("the file ends here, inside of its chunks", { file, offsetBytes });
  }

  /** For each sparse read the indices of its ranges. */
  #rangesOfSparseReads(): (number[] | undefined)[] {
    const found = this.#reads.map(({ isDense }): number[] | undefined =>
      isDense ? undefined : [],
    );
    if (found.every((ranges) => ranges === undefined)) return found;
    const { files, offsets } = this.#ranges;
    for (let index = 0; index < this.#count; index++) {
      const filePlan = this.#planOf(files[index] as number);
      const offset = offsets[index] as number;
      if (offset >= filePlan.writtenBytes) continue;
      found[filePlan.firstRead + filePlan.plan.readOf(offset)]?.push(index);
    }
    return found;
  }
}

/** Waits for all, also when one fails: files must not be closed under a read. */
async function allSettledOrThrow(tasks: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(tasks)) {
    if (result.status === "rejected") throw result.reason;
  }
}
