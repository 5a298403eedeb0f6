/**
 * Which reads bring many ranges of one file: ranges that lie at most GAP_BYTES apart go together, up to about
 * READ_BYTES_MAX a read. Below that gap, reading what is not wanted costs less than another call to the
 * operating system (about 12 µs through the thread pool; 64 KiB from the page cache take as long).
 *
 * Nothing is sorted. The file is seen as pages; each page knows the extent of the ranges that begin in it, and
 * a walk over the pages in order makes the reads. That is linear: 48,000 ranges take about a millisecond.
 */
const GAP_BYTES = 64 * 1024;
const READ_BYTES_MAX = 4 * 1024 * 1024;
const PAGE_SHIFT = 14;

export class ReadPlan {
  readonly #pages: number;
  /** Extent of the ranges that begin in a page: first byte, byte after the last (0: no range), bytes wanted. */
  readonly #begins: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #wanted: Uint32Array;
  /** The read that brings the ranges beginning in a page. */
  readonly #readOfPage: Uint32Array;
  readonly reads: PlannedRead[] = [];

  /** Of a file of `sizeBytes`: every range begins before its end. */
  constructor(sizeBytes: number) {
    this.#pages = (sizeBytes >>> PAGE_SHIFT) + 1;
    this.#begins = new Uint32Array(this.#pages).fill(0xffffffff);
    this.#ends = new Uint32Array(this.#pages);
    this.#wanted = new Uint32Array(this.#pages);
    this.#readOfPage = new Uint32Array(this.#pages);
  }

  add(offset: number, length: number): void {
    const page = offset >>> PAGE_SHIFT;
    if (offset < (this.#begins[page] as number)) this.#begins[page] = offset;
    if (offset + length > (this.#ends[page] as number)) this.#ends[page] = offset + length;
    this.#wanted[page] = (this.#wanted[page] as number) + length;
  }

  /** Makes `reads` of all ranges added. */
  finish(): void {
    let read: PlannedRead | undefined;
    for (let page = 0; page < this.#pages; page++) {
      const end = this.#ends[page] as number;
      if (end === 0) continue;
      const begin = this.#begins[page] as number;
      const joins =
        read !== undefined && begin - read.end <= GAP_BYTES && end - read.begin <= READ_BYTES_MAX;
      if (read === undefined || !joins) {
        read = { begin, end, wantedBytes: 0 };
        this.reads.push(read);
      }
      read.end = Math.max(read.end, end);
      read.wantedBytes += this.#wanted[page] as number;
      this.#readOfPage[page] = this.reads.length - 1;
    }
  }

  /** Index of the read that holds the range beginning at `offset`. */
  readOf(offset: number): number {
    return this.#readOfPage[offset >>> PAGE_SHIFT] as number;
  }
}

export interface PlannedRead {
  readonly begin: number;
  end: number;
  /** Sum of the ranges in it; more than its extent if some are asked for twice. */
  wantedBytes: number;
}
