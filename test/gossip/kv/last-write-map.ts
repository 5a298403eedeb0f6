import { strict as assert } from "node:assert";
import type { Merged, ValueType } from "../../../src/gossip/kv/value-type.ts";

/** A map in which the newest write of each name wins; undefined is a tombstone. The plainest value that merges. */
export type LastWriteMap = ReadonlyMap<string, Written>;

export interface Written {
  readonly atMs: number;
  readonly text: string | undefined;
}

export const LAST_WRITE_MAP: ValueType<LastWriteMap> = {
  id: "last-write-map",
  empty: new Map(),
  isEmpty: (value) => value.size === 0,
  merge,
  encode: (value) =>
    new TextEncoder().encode(JSON.stringify([...value].toSorted(([a], [b]) => (a < b ? -1 : 1)))),
  split: (value, sizeBytesMax) => {
    assert.ok(sizeBytesMax > 0);
    return [...value].map((pair) => new Map([pair]));
  },
  decode: (bytes) => {
    const pairs: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    assert.ok(Array.isArray(pairs));
    return new Map(
      pairs.map((pair: unknown) => {
        assert.ok(Array.isArray(pair) && typeof pair[0] === "string");
        const { atMs, text } = pair[1] as Written;
        assert.ok(Number.isFinite(atMs) && (text === undefined || typeof text === "string"));
        return [pair[0], { atMs, text }];
      }),
    );
  },
  subjects: (change) => [...change.keys()],
  withoutOldTombstones: (value, beforeMs) => {
    const kept = [...value].filter(([, { atMs, text }]) => text !== undefined || atMs >= beforeMs);
    return kept.length === value.size ? value : new Map(kept);
  },
  tombstoneCount: (value) => [...value.values()].filter(({ text }) => text === undefined).length,
};

function merge(mine: LastWriteMap, incoming: LastWriteMap): Merged<LastWriteMap> {
  const change = new Map([...incoming].filter(([name, theirs]) => isNewer(theirs, mine.get(name))));
  return { result: change.size === 0 ? mine : new Map([...mine, ...change]), change };
}

function isNewer(theirs: Written, ours: Written | undefined): boolean {
  if (ours === undefined || theirs.atMs !== ours.atMs) return theirs.atMs > (ours?.atMs ?? -1);
  return (theirs.text ?? "") > (ours.text ?? "");
}
