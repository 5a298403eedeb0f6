/**
 * A kind of value that members can hold together without asking each other: merging is commutative, associative and
 * idempotent, so those who have heard the same things, in whatever order and however often, have the same value.
 * Values are immutable.
 */
export interface ValueType<Value> {
  /** On the wire, with each value: at most 64 bytes of UTF-8. */
  readonly id: string;
  /** The value of a key that nobody has written yet. */
  readonly empty: Value;
  isEmpty(value: Value): boolean;
  merge(mine: Value, incoming: Value): Merged<Value>;
  encode(value: Value): Uint8Array;
  /** The same value in pieces, each of at most `sizeBytesMax` where that can be. A piece is a value of its own. */
  split(value: Value, sizeBytesMax: number): readonly Value[];
  /** Throws on anything that is no value. Must not trust lengths. */
  decode(bytes: Uint8Array): Value;
  /**
   * What a change speaks of, as fine as things change on their own ("a/head", "a/tokens"): a newer change that speaks of all
   * that an older one spoke of replaces it in the queue.
   */
  subjects(change: Value): readonly string[];
  /** Tombstones keep what was removed from coming back; they go once everybody has surely seen them. */
  withoutOldTombstones(value: Value, beforeMs: number): Value;
  tombstoneCount(value: Value): number;
}

export interface Merged<Value> {
  /** `mine` itself if nothing is new. */
  readonly result: Value;
  /** What was new, and no more: merging it elsewhere has the effect of merging all of `incoming`. */
  readonly change: Value;
}
