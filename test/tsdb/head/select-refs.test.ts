import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Matcher } from "../../../src/model/matchers.ts";
import { selectRefs } from "../../../src/tsdb/head/select-refs.ts";
import {
  compileAll,
  headOf,
  matcherLists,
  matchingSeries,
  type PlainSeries,
  seriesLists,
  truncate,
} from "./head-index-fixture.ts";

describe("selectRefs", () => {
  it("finds what a walk over all series finds", () => {
    fc.assert(
      fc.property(seriesLists, matcherLists, (list, matchers) => {
        const refs = selectRefs(headOf(list), compileAll(matchers));
        assert.deepEqual([...refs], matchingSeries(list, matchers));
      }),
      { numRuns: 400 },
    );
  });

  it("finds the series that are left after others went", () => {
    fc.assert(
      fc.property(seriesLists, matcherLists, fc.boolean(), (list, matchers, clean) => {
        const kernel = headOf(list);
        truncate(kernel, 1010, clean);
        const refs = selectRefs(kernel, compileAll(matchers));
        // Until the index is clean, refs of series that went may be there too.
        const found = [...refs].filter((ref) => clean || list[ref]!.timeMs >= 1010);
        const expected = matchingSeries(list, matchers);
        assert.deepEqual(
          found,
          expected.filter((ref) => list[ref]!.timeMs >= 1010),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("meets many pairs with few series and few pairs with many series", () => {
    const list: PlainSeries[] = Array.from({ length: 4000 }, (_, i) => ({
      labels: [
        { name: "__name__", value: i % 4 === 0 ? "up" : "down" },
        { name: "pod", value: `p${i % 1000}` },
        { name: "zone", value: i < 10 ? "small" : `z${i % 7}` },
      ],
      timeMs: 1000,
    }));
    const kernel = headOf(list);
    const questions: Matcher[][] = [
      [
        { type: "=", name: "zone", value: "small" },
        { type: "=~", name: "pod", value: "p.*[02468]" },
      ],
      [
        { type: "=", name: "__name__", value: "up" },
        { type: "=~", name: "pod", value: "p[0-9]+" },
      ],
      [
        { type: "=~", name: "zone", value: "z.*" },
        { type: "!~", name: "pod", value: "p1.*" },
      ],
      [
        { type: "=~", name: "pod", value: "p1|p22|p333|nothing" },
        { type: "!=", name: "zone", value: "z1" },
      ],
      [{ type: "!=", name: "__name__", value: "up" }],
      [],
    ];
    for (const matchers of questions) {
      const refs = selectRefs(kernel, compileAll(matchers));
      assert.deepEqual([...refs], matchingSeries(list, matchers), JSON.stringify(matchers));
    }
  });

  it("gives arrays of its own", () => {
    const kernel = headOf([{ labels: [{ name: "a", value: "x" }], timeMs: 1000 }]);
    const refs = selectRefs(kernel, compileAll([{ type: "=", name: "a", value: "x" }]));
    assert.ok(refs.buffer.byteLength < 64);
  });
});
