/**
 * The tokens of several instances in one sorted array, and who owns each.
 *
 *     tokens  ascending, each once
 *     range i the keys from tokens[i-1] up to but without tokens[i]; range 0 wraps around zero
 *     owners  owners[i] owns range i: a position in the list of instances that the table was made of
 *
 * A token that two instances claim belongs to the one that is not LEAVING, of equals to the one with the lower id.
 * The other keeps it in its descriptor until it sees the conflict and takes another (lifecycle.ts).
 */
import { assert } from "../base/assert.ts";
import { compareText, type Instance } from "./instance.ts";

export const TOKEN_SPACE = 2 ** 32;
/** Positions are 16 bits, and a token and a position together must be exact in a float64. */
const OWNERS_MAX = 65_536;

export type TokenOwner = Pick<Instance, "id" | "state" | "tokens">;

export class TokenTable {
  readonly tokens: Uint32Array;
  readonly owners: Uint16Array;
  readonly hasConflicts: boolean;
  /** #starts[b]: the first range whose token is not below b << #shift. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  constructor(instances: readonly TokenOwner[]) {
    const rightful = inOrderOfRight(instances);
    const claims = sortedClaims(instances, rightful);
    this.tokens = new Uint32Array(claims.length);
    this.owners = new Uint16Array(claims.length);
    let count = 0;
    for (const claim of claims) {
      const token = Math.floor(claim / OWNERS_MAX);
      if (count > 0 && this.tokens[count - 1] === token) continue;
      this.tokens[count] = token;
      this.owners[count] = rightful[claim % OWNERS_MAX] ?? 0;
      count++;
    }
    this.hasConflicts = count < claims.length;
    if (this.hasConflicts) {
      this.tokens = this.tokens.slice(0, count);
      this.owners = this.owners.slice(0, count);
    }
    // About one token a bucket: a lookup is one read of the bucket and one or two of tokens.
    const bits = Math.min(Math.max(Math.ceil(Math.log2(count + 1)), 1), 20);
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits);
    for (let bucket = 0, range = 0; bucket < this.#starts.length; bucket++) {
      const first = bucket * 2 ** this.#shift;
      while (range < count && (this.tokens[range] ?? 0) < first) range++;
      this.#starts[bucket] = range;
    }
  }

  /** The range that holds a key; the table must not be empty. */
  rangeOf(key: number): number {
    const { tokens } = this;
    let range = this.#starts[key >>> this.#shift] ?? 0;
    while (range < tokens.length && (tokens[range] ?? 0) <= key) range++;
    return range === tokens.length ? 0 : range;
  }

  /** How many keys a range has. */
  rangeSize(range: number): number {
    const last = this.tokens[range] ?? 0;
    const before = this.tokens[range === 0 ? this.tokens.length - 1 : range - 1] ?? 0;
    return last > before ? last - before : last - before + TOKEN_SPACE;
  }

  /** How many keys each instance owns, by its position. */
  ownedKeys(instanceCount: number): Float64Array {
    const owned = new Float64Array(instanceCount);
    for (let range = 0; range < this.tokens.length; range++) {
      const owner = this.owners[range] ?? 0;
      owned[owner] = (owned[owner] ?? 0) + this.rangeSize(range);
    }
    return owned;
  }
}

/** Below zero if the first keeps a token that both claim. */
export function compareRight(
  left: Pick<Instance, "id" | "state">,
  right: Pick<Instance, "id" | "state">,
): number {
  const isLeaving = Number(left.state === "LEAVING") - Number(right.state === "LEAVING");
  return isLeaving || compareText(left.id, right.id);
}

/** Positions of the instances: who comes first keeps a token that several claim. */
function inOrderOfRight(instances: readonly TokenOwner[]): number[] {
  return instances
    .map((instance, position) => ({ instance, position }))
    .sort((left, right) => compareRight(left.instance, right.instance))
    .map(({ position }) => position);
}

/** token × 2^16 + place in the order of right, ascending. */
function sortedClaims(instances: readonly TokenOwner[], rightful: readonly number[]): Float64Array {
  assert(instances.length <= OWNERS_MAX, "a ring has at most 65,536 instances");
  const count = instances.reduce((sum, { tokens }) => sum + tokens.length, 0);
  const claims = new Float64Array(count);
  let at = 0;
  for (const [place, position] of rightful.entries()) {
    for (const token of instances[position]?.tokens ?? [])
      claims[at++] = token * OWNERS_MAX + place;
  }
  return claims.sort();
}
