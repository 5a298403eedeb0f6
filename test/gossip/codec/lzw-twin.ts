/**
 * LZW in plain words: codes as lists of numbers, bits as text, entries as arrays. The order of bits is least significant first;
 * codes have 9 to 12 bits; 256 clears, 257 ends.
 */
const CLEAR = 256;
const END = 257;
const WIDTH_MAX = 12;

/** As Go's writer does it: clears at the start, and when the entry before the last possible one is made. */
export function twinCompress(input: Uint8Array): Uint8Array {
  let bits = "";
  let entries = new Map<string, number>();
  let last = END;
  let width = 9;
  const write = (code: number): void => {
    bits += reversed(code.toString(2).padStart(width, "0"));
  };
  const addEntry = (words: string): void => {
    last++;
    if (last === 2 ** width) width++;
    if (last < 2 ** WIDTH_MAX - 1) {
      entries.set(words, last);
      return;
    }
    write(CLEAR);
    entries = new Map();
    last = END;
    width = 9;
  };
  const codeOf = (words: string): number | undefined =>
    words.length === 1 ? words.charCodeAt(0) : entries.get(words);
  write(CLEAR);
  let words = "";
  for (const byte of input) {
    const longer = words + String.fromCharCode(byte);
    if (codeOf(longer) !== undefined) {
      words = longer;
      continue;
    }
    write(codeOf(words) ?? -1);
    addEntry(longer);
    words = String.fromCharCode(byte);
  }
  if (words !== "") {
    write(codeOf(words) ?? -1);
    addEntry("");
  }
  write(END);
  return packed(bits);
}

/** The codes, each with its width, as bytes. */
export function packCodes(codes: readonly (readonly [code: number, width: number])[]): Uint8Array {
  const bits = codes.map(([code, width]) => reversed(code.toString(2).padStart(width, "0")));
  return packed(bits.join(""));
}

function reversed(text: string): string {
  let result = "";
  for (const character of text) result = character + result;
  return result;
}

function packed(bits: string): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0; at < bits.length; at += 8) {
    bytes.push(Number.parseInt(reversed(bits.slice(at, at + 8)), 2));
  }
  return Uint8Array.from(bytes);
}

/** undefined: no LZW, or more than `sizeMax` bytes. */
export function twinDecompress(input: Uint8Array, sizeMax: number): Uint8Array | undefined {
  const bits = [...input].map((byte) => reversed(byte.toString(2).padStart(8, "0"))).join("");
  const output: number[] = [];
  let entries = new Map<number, readonly number[]>();
  let next = END;
  let width = 9;
  let previous: readonly number[] | undefined;
  for (let at = 0; ; ) {
    const read = bits.slice(at, at + width);
    if (read.length < width) return undefined;
    at += width;
    const code = Number.parseInt(reversed(read), 2);
    if (code === END) return Uint8Array.from(output);
    if (code === CLEAR) {
      entries = new Map();
      next = END;
      width = 9;
      previous = undefined;
      continue;
    }
    let words: readonly number[] | undefined = code < CLEAR ? [code] : entries.get(code);
    // The entry that is just being made: what came before, and its own first byte.
    if (words === undefined && code === next && previous !== undefined) {
      words = [...previous, previous[0] ?? 0];
    }
    if (words === undefined) return undefined;
    output.push(...words);
    if (output.length > sizeMax) return undefined;
    if (previous !== undefined) entries.set(next, [...previous, words[0] ?? 0]);
    previous = words;
    next++;
    if (next < 2 ** width) continue;
    if (width < WIDTH_MAX) width++;
    else {
      // Full: no more entries until a clear.
      previous = undefined;
      next--;
    }
  }
}
