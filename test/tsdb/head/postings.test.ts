import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { intersect, overlap, subtract, union } from "../../../src/tsdb/head/postings.ts";

function ascending(refs: Iterable<number>): Uint32Array {
  return Uint32Array.from(new Set(refs)).sort();
}

/** Dense and sparse lists, short and long, up to the ends of 32 bits. */
const list = fc
  .oneof(
    fc.array(fc.nat({ max: 60 }), { maxLength: 50 }),
    fc.array(fc.nat({ max: 5000 }), { maxLength: 800, size: "max" }),
    fc.array(fc.nat({ max: 0xffff_ffff }), { maxLength: 20 }),
    fc.constantFrom([], [0], [0xffff_ffff], [31, 32, 63, 64], [0, 0xffff_ffff]),
    fc
      .tuple(fc.nat({ max: 3000 }), fc.nat({ max: 3000 }))
      .map(([from, length]) => Array.from({ length }, (_, i) => from + i)),
  )
  .map(ascending);
const lists = fc.array(list, { maxLength: 8 });

/** A result that shares memory with an input would change when the kernel does. */
function assertFresh(result: Uint32Array, inputs: readonly Uint32Array[]): void {
  for (const input of inputs) assert.notEqual(result.buffer, input.buffer);
}

describe("postings algebra", () => {
  it("intersects", () => {
    fc.assert(
      fc.property(lists, (all) => {
        const [first = new Uint32Array(0), ...rest] = all;
        const sets = rest.map((refs) => new Set(refs));
        const expected = first.filter((ref) => sets.every((set) => set.has(ref)));
        const result = intersect(all);
        assert.deepEqual(result, expected);
        assertFresh(result, all);
      }),
    );
  });

  it("unites", () => {
    fc.assert(
      fc.property(lists, (all) => {
        const result = union(all);
        assert.deepEqual(result, ascending(all.flatMap((refs) => [...refs])));
        assertFresh(result, all);
      }),
    );
  });

  it("subtracts", () => {
    fc.assert(
      fc.property(list, lists, (from, all) => {
        const gone = new Set(all.flatMap((refs) => [...refs]));
        const result = subtract(from, all);
        assert.deepEqual(
          result,
          from.filter((ref) => !gone.has(ref)),
        );
        assertFresh(result, [from, ...all]);
      }),
    );
  });

  it("tells whether two lists share a ref", () => {
    fc.assert(
      fc.property(list, list, (a, b) => {
        const set = new Set(a);
        assert.equal(
          overlap(a, b),
          b.some((ref) => set.has(ref)),
        );
      }),
    );
  });

  it("leaves its inputs as they are", () => {
    fc.assert(
      fc.property(list, lists, (from, all) => {
        const copies = [from, ...all].map((refs) => refs.slice());
        intersect(all);
        union(all);
        subtract(from, all);
        assert.deepEqual([from, ...all], copies);
      }),
    );
  });
});
