/**
 * LZW as Go's compress/lzw writes it with LSB order and 8-bit literals: codes of 9 to 12 bits, least significant bit
 * first. 256 clears the table, 257 ends, entries begin at 258. The writer begins with a clear and clears again when
 * the table is full; the reader takes what any writer of the format may do.
 */
import { ByteWriter } from "./byte-writer.ts";
import { ProtocolError } from "./protocol-error.ts";

const CLEAR = 256;
const END = 257;
const WIDTH_MIN = 9;
const WIDTH_MAX = 12;
const TABLE_SIZE = 1 << WIDTH_MAX;
const NONE = -1;

export function lzwCompress(input: Uint8Array): Uint8Array {
  const bits = new BitWriter(input.length);
  let width = WIDTH_MIN;
  let last = END;
  let table = new Map<number, number>();
  let code = NONE;
  /** Counts the entry that the reader makes for the code just written; false: the table was full and is empty now. */
  const countEntry = (): boolean => {
    last++;
    if (last === 1 << width) width++;
    if (last < TABLE_SIZE - 1) return true;
    bits.write(CLEAR, width);
    width = WIDTH_MIN;
    last = END;
    table = new Map();
    return false;
  };
  bits.write(CLEAR, width);
  for (const byte of input) {
    const key = (code << 8) | byte;
    const known = code === NONE ? byte : table.get(key);
    if (known !== undefined) {
      code = known;
      continue;
    }
    bits.write(code, width);
    code = byte;
    if (countEntry()) table.set(key, last);
  }
  if (code !== NONE) {
    bits.write(code, width);
    countEntry();
  }
  bits.write(END, width);
  return bits.finish();
}

class BitWriter {
  readonly #bytes: ByteWriter;
  #bits = 0;
  #count = 0;

  constructor(capacityBytes: number) {
    this.#bytes = new ByteWriter(Math.max(64, capacityBytes));
  }

  write(code: number, width: number): void {
    this.#bits |= code << this.#count;
    this.#count += width;
    while (this.#count >= 8) {
      this.#bytes.uint8(this.#bits & 0xff);
      this.#bits >>>= 8;
      this.#count -= 8;
    }
  }

  finish(): Uint8Array {
    if (this.#count > 0) this.#bytes.uint8(this.#bits & 0xff);
    return this.#bytes.finish();
  }
}

/** Never gives more than `sizeBytesMax`: a few bytes of input may stand for a thousand times as many. */
export function lzwDecompress(input: Uint8Array, sizeBytesMax: number): Uint8Array {
  return new Decompressor(input, sizeBytesMax).run();
}

class Decompressor {
  readonly #input: Uint8Array;
  readonly #sizeBytesMax: number;
  readonly #prefix = new Uint16Array(TABLE_SIZE);
  readonly #suffix = new Uint8Array(TABLE_SIZE);
  #offset = 0;
  #bits = 0;
  #count = 0;
  #output: Uint8Array;
  #size = 0;

  constructor(input: Uint8Array, sizeBytesMax: number) {
    this.#input = input;
    this.#sizeBytesMax = sizeBytesMax;
    this.#output = new Uint8Array(Math.min(sizeBytesMax, 4 * input.length + 64));
  }

  run(): Uint8Array {
    let width = WIDTH_MIN;
    // The entry that the next code completes. `previous` is NONE right after a clear and while the table is full.
    let next = END;
    let previous = NONE;
    for (;;) {
      const code = this.#read(width);
      if (code === END) return this.#output.subarray(0, this.#size);
      if (code === CLEAR) {
        width = WIDTH_MIN;
        next = END;
        previous = NONE;
        continue;
      }
      const isNewest = code === next && previous !== NONE;
      if (code > next) throw new ProtocolError("malformed", "LZW: a code that has no entry yet");
      // An entry that this very code completes ends in its own first byte.
      const first = this.#expand(isNewest ? previous : code, isNewest);
      if (previous !== NONE) {
        this.#suffix[next] = first;
        this.#prefix[next] = previous;
      }
      previous = code;
      next++;
      if (next < 1 << width) continue;
      if (width < WIDTH_MAX) width++;
      else {
        previous = NONE;
        next--;
      }
    }
  }

  #read(width: number): number {
    while (this.#count < width) {
      const byte = this.#input[this.#offset++];
      if (byte === undefined) throw new ProtocolError("malformed", "LZW: no end code");
      this.#bits |= byte << this.#count;
      this.#count += 8;
    }
    const code = this.#bits & ((1 << width) - 1);
    this.#bits >>>= width;
    this.#count -= width;
    return code;
  }

  /** Writes what `code` stands for, its first byte once more if asked, and gives that byte. */
  #expand(code: number, repeatsFirst: boolean): number {
    let length = 1;
    for (let at = code; at >= CLEAR; at = this.#prefix[at] as number) length++;
    const end = this.#reserve(repeatsFirst ? length + 1 : length) + length;
    let at = end - 1;
    let rest = code;
    for (; rest >= CLEAR; rest = this.#prefix[rest] as number) {
      this.#output[at--] = this.#suffix[rest] as number;
    }
    this.#output[at] = rest;
    if (repeatsFirst) this.#output[end] = rest;
    return rest;
  }

  #reserve(count: number): number {
    const at = this.#size;
    const size = at + count;
    if (size > this.#sizeBytesMax) {
      throw new ProtocolError("too-large", `LZW: more than ${this.#sizeBytesMax} bytes`);
    }
    if (size > this.#output.length) {
      const grown = new Uint8Array(Math.min(this.#sizeBytesMax, Math.max(size, 2 * at)));
      grown.set(this.#output.subarray(0, at));
      this.#output = grown;
    }
    this.#size = size;
    return at;
  }
}
