/**
 * Where a new instance puts its tokens: so that afterwards all own the same share, and nothing moves but what it takes.
 *
 *     level    every instance that owns more than L gives up what it has above L; L is chosen so that the
 *              sum of the gifts is L too (water filled the other way round)
 *     count    a giver gives in as many places as its gift is part of all gifts
 *     place    a range from p to s of a giver becomes p–t of the new instance and t–s of the giver:
 *              if the new one goes again, all returns to where it came from
 *
 * It is a function of the ring and the id: the same view gives the same tokens everywhere. When an instance that is not
 * the youngest goes, its ranges go to whoever follows, and shares are a little uneven until others join.
 */
import { SeededRandom } from "../base/random.ts";
import { hashText, mix32 } from "./hash-text.ts";
import { TOKEN_SPACE, type TokenOwner, TokenTable } from "./token-table.ts";

/** Of a range at most this part is taken: what is left must be worth a token. */
const CUT_MAX = 0.95;

/** A rank is below 2^64; in this unit it leaves room for a place in a float64. */
const RANK_UNIT = 2 ** 28;
/** An instance has no more ranges than that (TOKENS_PER_INSTANCE_MAX). */
const PLACES = 2 ** 16;

export interface Placement {
  /** Those to even out with: all of the ring, or of the zone where replicas go to distinct zones. */
  readonly neighbours: readonly TokenOwner[];
  /** What nobody may take a second time: tokens of the whole ring. */
  readonly taken: ReadonlySet<number>;
  readonly id: string;
  readonly count: number;
}

/** Ascending; `count` of them. */
export function placeTokens({ neighbours, taken, id, count }: Placement): Uint32Array {
  const table = new TokenTable(neighbours);
  const chosen = new ChosenTokens(taken);
  if (table.tokens.length === 0) {
    chosen.addEvenly(hashText(id), count);
  } else {
    const plan = { ownerCount: neighbours.length, count, seed: hashText(id) };
    for (const split of planSplits(table, plan)) chosen.addWithin(split);
  }
  return withMoreTokens({ neighbours, taken, id, count }, chosen.sorted());
}

/** Brings tokens up to `count` without taking more keys: cuts the largest own range in two, again and again. */
export function withMoreTokens(
  { neighbours, taken, id, count }: Placement,
  own: Uint32Array,
): Uint32Array {
  const chosen = new ChosenTokens(taken, own);
  while (chosen.count < count) {
    const self: TokenOwner = { id, state: "JOINING", tokens: chosen.sorted() };
    const table = new TokenTable([...neighbours, self]);
    chosen.addFrom(middleOfLargest(table, neighbours.length));
  }
  return chosen.sorted();
}

/** The key in the middle of the largest range of an owner; of all ranges, if it has none. */
function middleOfLargest(table: TokenTable, owner: number): number {
  const hasRanges = table.owners.includes(owner);
  let middle = 0;
  let largest = 0;
  for (const [range, rangeOwner] of table.owners.entries()) {
    const size = table.rangeSize(range);
    if (size <= largest || (hasRanges && rangeOwner !== owner)) continue;
    largest = size;
    middle = keyIn(table, range, Math.ceil(size / 2));
  }
  return middle;
}

/** The key at an offset into a range. */
function keyIn(table: TokenTable, range: number, offset: number): number {
  const start = (table.tokens[range] ?? 0) - table.rangeSize(range);
  return (start + offset + TOKEN_SPACE) % TOKEN_SPACE;
}

/** Takes the first `size` keys of a range of `rangeSize` keys that begins at `start`. */
interface Split {
  readonly start: number;
  readonly rangeSize: number;
  readonly size: number;
}

interface Plan {
  readonly ownerCount: number;
  readonly count: number;
  readonly seed: number;
}

function planSplits(table: TokenTable, { ownerCount, count, seed }: Plan): Split[] {
  const gifts = giftsOf(table.ownedKeys(ownerCount));
  const ranges = rangesByRank(table, ownerCount, seed);
  const chosen = chooseRanges(table, ranges, { gifts, count });
  return chosen.flatMap((of, owner) => splitsOf(table, of, gifts[owner] ?? 0));
}

/** What each owner gives up so that all end at the same level, the new one included. */
function giftsOf(owned: Float64Array): Float64Array {
  const descending = Float64Array.from(owned).sort().reverse();
  let level = 0;
  let sum = 0;
  for (const [index, share] of descending.entries()) {
    if (index > 0 && share <= level) break;
    sum += share;
    level = sum / (index + 2);
  }
  return owned.map((share) => Math.max(0, share - level));
}

/**
 * The ranges of each owner in the order in which they are cut: by size times chance. Always the largest first would make
 * instances of the same age follow each other hardly ever, and so hold uneven shares as second and third replica:
 * up to 1.30 between 3 and 100 instances (greatest to least), against 1.18 by chance.
 */
function rangesByRank(table: TokenTable, ownerCount: number, seed: number): number[][] {
  const rangesOf: number[][] = Array.from({ length: ownerCount }, () => []);
  for (const [range, owner] of table.owners.entries()) rangesOf[owner]?.push(range);
  return rangesOf.map((ranges) => {
    // Rank and place in one number: numbers are sorted many times as fast as by a function that compares.
    const ranked = new Float64Array(ranges.length);
    for (const [place, range] of ranges.entries()) {
      const chance = mix32((table.tokens[range] ?? 0) ^ seed) + 1;
      const rank = Math.floor((table.rangeSize(range) * chance) / RANK_UNIT);
      ranked[place] = rank * PLACES + place;
    }
    ranked.sort().reverse();
    return ranges.map((_, index) => ranges[(ranked[index] ?? 0) % PLACES] ?? 0);
  });
}

interface Choice {
  readonly gifts: Float64Array;
  readonly count: number;
}

/**
 * `count` ranges to cut: again and again the largest of the owner that has most left to give, if a part `cut` of each
 * range is taken. `cut` is the smallest that suffices, found by bisection.
 */
function chooseRanges(table: TokenTable, ranges: readonly number[][], choice: Choice): number[][] {
  let low = 0;
  let high = CUT_MAX;
  let best = chooseWith(table, ranges, { ...choice, cut: high });
  for (let step = 0; step < 8; step++) {
    const cut = (low + high) / 2;
    const tried = chooseWith(table, ranges, { ...choice, cut });
    if (tried.isEnough) {
      high = cut;
      best = tried;
    } else {
      low = cut;
    }
  }
  return best.chosen;
}

function chooseWith(
  table: TokenTable,
  ranges: readonly number[][],
  { gifts, count, cut }: Choice & { readonly cut: number },
): { chosen: number[][]; isEnough: boolean } {
  const left = Float64Array.from(gifts);
  const chosen: number[][] = ranges.map(() => []);
  for (let i = 0; i < count; i++) {
    const owner = largestIndex(left);
    const range = ranges[owner]?.[chosen[owner]?.length ?? 0];
    if (range === undefined) {
      left[owner] = 0;
      continue;
    }
    chosen[owner]?.push(range);
    left[owner] = (left[owner] ?? 0) - cut * table.rangeSize(range);
  }
  return { chosen, isEnough: left.every((gift) => gift <= 0) };
}

function largestIndex(values: Float64Array): number {
  let index = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[index] ?? 0)) index = i;
  return index;
}

/** Shares a gift out over ranges in proportion to their sizes; sums are rounded, so that nothing gets lost. */
function splitsOf(table: TokenTable, ranges: readonly number[], gift: number): Split[] {
  const total = ranges.reduce((sum, range) => sum + table.rangeSize(range), 0);
  const part = total === 0 ? 0 : Math.min(gift / total, CUT_MAX);
  let before = 0;
  return ranges.map((range) => {
    const rangeSize = table.rangeSize(range);
    const size = Math.round((before + rangeSize) * part) - Math.round(before * part);
    before += rangeSize;
    return { start: keyIn(table, range, 0), rangeSize, size };
  });
}

/** The tokens of the new instance, each different from all others of the ring. */
class ChosenTokens {
  readonly #taken: ReadonlySet<number>;
  readonly #chosen: Set<number>;

  constructor(taken: ReadonlySet<number>, own: Iterable<number> = []) {
    this.#taken = taken;
    this.#chosen = new Set(own);
  }

  get count(): number {
    return this.#chosen.size;
  }

  sorted(): Uint32Array {
    return Uint32Array.from(this.#chosen).sort();
  }

  /**
   * The first instance: one token in each part of the space, by chance within the part. Evenly spaced ones would make
   * the tokens of several zones follow each other in the same order everywhere.
   */
  addEvenly(seed: number, count: number): void {
    const random = new SeededRandom(seed);
    for (let i = 0; i < count; i++) {
      this.#add(Math.floor(((i + random.float()) / count) * TOKEN_SPACE));
    }
  }

  /** No token where the range is too small to be shared. */
  addWithin({ start, rangeSize, size }: Split): void {
    for (let at = size; at > 0 && at < rangeSize; at++) {
      if (this.#add((start + at) % TOKEN_SPACE)) return;
    }
  }

  /** The first free key from this one on. */
  addFrom(key: number): void {
    let token = key;
    while (!this.#add(token)) token = (token + 1) % TOKEN_SPACE;
  }

  #add(token: number): boolean {
    if (this.#taken.has(token) || this.#chosen.has(token)) return false;
    this.#chosen.add(token);
    return true;
  }
}
