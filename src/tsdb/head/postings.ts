/**
 * Set algebra on postings: ascending Uint32Arrays without duplicates. The inputs may be views of a kernel's memory,
 * which the next kernel call can detach: they are only read, and every result is an array of its own.
 */

/** From this ratio of lengths on, searching beats walking. */
const GALLOP_RATIO = 8;
/** With more lists than this to take away, their union is made first. */
const SUBTRAHENDS_MAX = 4;

/** Refs that are in all of the lists; at least one list. */
export function intersect(lists: readonly Uint32Array[]): Uint32Array {
  const [smallest = new Uint32Array(0), ...rest] = [...lists].sort((a, b) => a.length - b.length);
  const result = smallest.slice();
  let length = result.length;
  for (const list of rest) {
    if (length === 0) break;
    length = keep(result, length, list, true);
  }
  return trimmed(result, length);
}

/** Refs of `list` that are in none of `lists`. */
export function subtract(list: Uint32Array, lists: readonly Uint32Array[]): Uint32Array {
  const others = lists.length > SUBTRAHENDS_MAX ? [union(lists)] : lists;
  const result = list.slice();
  let length = result.length;
  for (const other of others) {
    if (length === 0) break;
    if (other.length > 0) length = keep(result, length, other, false);
  }
  return trimmed(result, length);
}

/** Refs that are in any of the lists. */
export function union(lists: readonly Uint32Array[]): Uint32Array {
  const filled = lists.filter((list) => list.length > 0);
  const [first, second] = filled;
  if (first === undefined) return new Uint32Array(0);
  if (second === undefined) return first.slice();
  if (filled.length === 2) return merge(first, second);
  let total = 0;
  let least = 0xffff_ffff;
  let greatest = 0;
  for (const list of filled) {
    total += list.length;
    least = Math.min(least, list[0] as number);
    greatest = Math.max(greatest, list.at(-1) ?? 0);
  }
  const wordCount = (greatest >>> 5) - (least >>> 5) + 1;
  return wordCount <= total
    ? uniteByBitmap(filled, least >>> 5, wordCount)
    : sortTogether(filled, total);
}

/** Whether the lists share a ref. */
export function overlap(a: Uint32Array, b: Uint32Array): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  let at = 0;
  for (const ref of short) {
    at = seek(long, at, ref);
    if (at === long.length) return false;
    if (long[at] === ref) return true;
  }
  return false;
}

/** Moves those of the first `length` refs to the front that are (or, if not `wanted`, are not) in `list`. */
function keep(refs: Uint32Array, length: number, list: Uint32Array, wanted: boolean): number {
  return list.length >= length * GALLOP_RATIO
    ? keepGalloping(refs, length, list, wanted)
    : keepWalking(refs, length, list, wanted);
}

function keepWalking(
  refs: Uint32Array,
  length: number,
  list: Uint32Array,
  wanted: boolean,
): number {
  const end = list.length;
  let kept = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const ref = refs[i] as number;
    while (at < end && (list[at] as number) < ref) at++;
    if ((at < end && list[at] === ref) === wanted) refs[kept++] = ref;
  }
  return kept;
}

function keepGalloping(
  refs: Uint32Array,
  length: number,
  list: Uint32Array,
  wanted: boolean,
): number {
  let kept = 0;
  let at = 0;
  for (let i = 0; i < length; i++) {
    const ref = refs[i] as number;
    at = seek(list, at, ref);
    if ((at < list.length && list[at] === ref) === wanted) refs[kept++] = ref;
  }
  return kept;
}

/** The first index from `from` on whose ref is not less than `ref`: steps that double, then bisection. */
function seek(list: Uint32Array, from: number, ref: number): number {
  const end = list.length;
  if (from >= end || (list[from] as number) >= ref) return from;
  let low = from;
  let step = 1;
  while (low + step < end && (list[low + step] as number) < ref) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, end);
  low++;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle] as number) < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

function merge(a: Uint32Array, b: Uint32Array): Uint32Array {
  const result = new Uint32Array(a.length + b.length);
  let length = 0;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const left = a[i] as number;
    const right = b[j] as number;
    result[length++] = left < right ? left : right;
    if (left <= right) i++;
    if (right <= left) j++;
  }
  while (i < a.length) result[length++] = a[i++] as number;
  while (j < b.length) result[length++] = b[j++] as number;
  return trimmed(result, length);
}

/** A bit per ref between the least and the greatest, and no comparison at all. */
function uniteByBitmap(
  lists: readonly Uint32Array[],
  firstWord: number,
  wordCount: number,
): Uint32Array {
  const words = new Uint32Array(wordCount);
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const ref = list[i] as number;
      const word = (ref >>> 5) - firstWord;
      words[word] = (words[word] as number) | (1 << (ref & 31));
    }
  }
  let count = 0;
  for (let i = 0; i < wordCount; i++) count += bitCount(words[i] as number);
  const result = new Uint32Array(count);
  let length = 0;
  for (let i = 0; i < wordCount; i++) {
    const base = (firstWord + i) * 32;
    for (let bits = words[i] as number; bits !== 0; bits &= bits - 1) {
      result[length++] = base + 31 - Math.clz32(bits & -bits);
    }
  }
  return result;
}

function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** For few refs that lie far apart. */
function sortTogether(lists: readonly Uint32Array[], total: number): Uint32Array {
  const all = new Uint32Array(total);
  let length = 0;
  for (const list of lists) {
    all.set(list, length);
    length += list.length;
  }
  all.sort();
  let kept = 0;
  for (let i = 0; i < total; i++) {
    if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i] as number;
  }
  return trimmed(all, kept);
}

function trimmed(refs: Uint32Array, length: number): Uint32Array {
  return length === refs.length ? refs : refs.slice(0, length);
}
