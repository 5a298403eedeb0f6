import { assert } from "../../base/assert.ts";

/**
 * Bytes on their way to a file: copied in at the end, written from the front, forgotten once the owner says so.
 *
 *     released        written          filled
 *     ───┬───────────────┬────────────────┬──►  positions: bytes since the start, over all files
 *        │ on disk, kept │ waiting or     │ the next bytes go here
 *        │ for a rewrite │ being written  │
 *
 * Bytes live in blocks of `blockBytes` (or one larger block for a larger run); what was reserved in one go lies
 * in one block. Blocks are reused, so that a steady stream allocates nothing.
 */
export class PendingBytes {
  readonly #blockBytes: number;
  readonly #spareBlocksMax: number;
  readonly #spare: Block[] = [];
  readonly #blocks: Block[] = [];
  #released = 0;
  #written = 0;
  #filled = 0;

  /** `spareBlocksMax` empty blocks are kept for reuse; 0 gives all memory back when everything is released. */
  constructor(options: { readonly blockBytes: number; readonly spareBlocksMax: number }) {
    this.#blockBytes = options.blockBytes;
    this.#spareBlocksMax = options.spareBlocksMax;
  }

  get released(): number {
    return this.#released;
  }

  get written(): number {
    return this.#written;
  }

  get filled(): number {
    return this.#filled;
  }

  /** A block with room for `sizeBytes` at its `fill`. The caller writes them there and calls `take`. */
  reserve(sizeBytes: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.bytes.length - last.fill >= sizeBytes) return last;
    const block = this.#newBlock(sizeBytes);
    this.#blocks.push(block);
    return block;
  }

  /** The `sizeBytes` after the fill of the block that `reserve` gave are now part of the stream. */
  take(sizeBytes: number): void {
    const last = this.#blocks.at(-1);
    assert(last !== undefined && last.fill + sizeBytes <= last.bytes.length, "take after reserve");
    last.fill += sizeBytes;
    this.#filled += sizeBytes;
  }

  /** Views of the bytes between two positions, valid until they are released. */
  slices(from: number, to: number): Uint8Array[] {
    assert(this.#released <= from && from <= to && to <= this.#filled, "slices of pending bytes");
    const found: Uint8Array[] = [];
    for (const block of this.#blocks) {
      if (block.start >= to) break;
      const end = Math.min(block.start + block.fill, to);
      const begin = Math.max(block.start, from);
      if (begin < end) found.push(block.bytes.subarray(begin - block.start, end - block.start));
    }
    return found;
  }

  /** Copies `length` bytes from a position to `target`. They must have been reserved in one go. */
  copy(from: number, length: number, target: Uint8Array, targetOffset: number): void {
    const block = this.#blockOf(from);
    const at = from - block.start;
    assert(at + length <= block.fill, "a copy stays inside of a block");
    target.set(block.bytes.subarray(at, at + length), targetOffset);
  }

  markWritten(to: number): void {
    assert(this.#written <= to && to <= this.#filled, "the written position moves on");
    this.#written = to;
  }

  /** Forgets everything before a position. */
  release(to: number): void {
    assert(to <= this.#written, "only what is written is released");
    if (to <= this.#released) return;
    this.#released = to;
    let gone = 0;
    for (const block of this.#blocks) {
      if (block.start + block.fill > to) break;
      gone++;
    }
    for (const block of this.#blocks.splice(0, gone)) this.#recycle(block);
  }

  /** Everything not released counts as not written: it goes out once more. */
  rewind(): void {
    this.#written = this.#released;
  }

  #newBlock(sizeBytes: number): Block {
    const block = sizeBytes <= this.#blockBytes ? this.#spare.pop() : undefined;
    if (block === undefined) return new Block(Math.max(sizeBytes, this.#blockBytes), this.#filled);
    block.start = this.#filled;
    block.fill = 0;
    return block;
  }

  #recycle(block: Block): void {
    const reusable = block.bytes.length === this.#blockBytes;
    if (reusable && this.#spare.length < this.#spareBlocksMax) this.#spare.push(block);
  }

  #blockOf(position: number): Block {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#blocks[middle] as Block).start <= position) low = middle;
      else high = middle - 1;
    }
    const block = this.#blocks[low];
    assert(block !== undefined && block.start <= position, "a position that is still pending");
    return block;
  }
}

export class Block {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
  /** Position of the first byte. */
  start: number;
  fill = 0;

  constructor(sizeBytes: number, start: number) {
    this.bytes = new Uint8Array(sizeBytes);
    this.view = new DataView(this.bytes.buffer);
    this.start = start;
  }
}
