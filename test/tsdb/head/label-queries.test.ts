import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { OpError } from "../../../src/base/errors.ts";
import { formatLabels } from "../../../src/model/labels.ts";
import type { Matcher } from "../../../src/model/matchers.ts";
import { labelNames, labelValues, seriesLabels } from "../../../src/tsdb/head/label-queries.ts";
import {
  compileAll,
  headOf,
  matcherLists,
  matchingSeries,
  type PlainSeries,
  seriesLists,
  truncate,
} from "./head-index-fixture.ts";

const sets = fc.array(matcherLists, { maxLength: 3 });
const limits = fc.constantFrom(0, 0, 1, 3);
const ALWAYS = { minTimeMs: -Infinity, maxTimeMs: Infinity, seriesMax: 0, limit: 0 };

function selected(list: readonly PlainSeries[], all: readonly Matcher[][]): PlainSeries[] {
  if (all.length === 0) return [...list];
  const refs = new Set(all.flatMap((matchers) => matchingSeries(list, matchers)));
  return list.filter((_series, ref) => refs.has(ref));
}

function sorted(texts: Iterable<string>, limit: number): string[] {
  const all = [...new Set(texts)].sort((a, b) => Buffer.from(a).compare(Buffer.from(b)));
  return limit === 0 ? all : all.slice(0, limit);
}

describe("label queries of a head", () => {
  it("give the names and values of the series selected", () => {
    fc.assert(
      fc.property(seriesLists, sets, limits, (list, all, limit) => {
        const kernel = headOf(list);
        const labels = selected(list, all).flatMap((series) => series.labels);
        const compiled = all.map(compileAll);
        const names = sorted(
          labels.map(({ name }) => name),
          limit,
        );
        assert.deepEqual(labelNames(kernel, compiled, { limit }), names);
        for (const name of ["__name__", "ä", "other"]) {
          const values = labels.filter((label) => label.name === name).map(({ value }) => value);
          assert.deepEqual(labelValues(kernel, name, compiled, { limit }), sorted(values, limit));
        }
      }),
      { numRuns: 200 },
    );
  });

  it("give the label sets of the series in the time range", () => {
    const range = fc.record({
      minTimeMs: fc.integer({ min: 995, max: 1025 }),
      maxTimeMs: fc.integer({ min: 995, max: 1025 }),
    });
    fc.assert(
      fc.property(seriesLists, sets, range, (list, all, { minTimeMs, maxTimeMs }) => {
        const request = { ...ALWAYS, minTimeMs, maxTimeMs };
        const answer = seriesLabels(headOf(list), all.map(compileAll), request);
        const expected = selected(list, all)
          .filter(({ timeMs }) => timeMs >= minTimeMs && timeMs <= maxTimeMs)
          .map(({ labels }) => formatLabels(labels));
        assert.deepEqual(answer.map(formatLabels).sort(), expected.sort());
      }),
      { numRuns: 100 },
    );
  });

  it("sort label sets, cut them at the limit, and refuse more series than allowed", () => {
    const list = ["b", "a", "\uffff", "\u{1f4a5}"].map((value) => ({
      labels: [{ name: "pod", value }],
      timeMs: 1000,
    }));
    const kernel = headOf(list);
    const values = (answer: ReturnType<typeof seriesLabels>) =>
      answer.map(([label]) => label?.value);
    assert.deepEqual(values(seriesLabels(kernel, [], ALWAYS)), ["a", "b", "\uffff", "\u{1f4a5}"]);
    assert.deepEqual(values(seriesLabels(kernel, [], { ...ALWAYS, limit: 2 })), ["a", "b"]);
    assert.throws(
      () => seriesLabels(kernel, [], { ...ALWAYS, seriesMax: 3 }),
      (error) => error instanceof OpError && error.code === "max-series-per-query",
    );
  });

  it("leave out what no series has any more", () => {
    const kernel = headOf([
      { labels: [{ name: "old", value: "x" }], timeMs: 1000 },
      { labels: [{ name: "pod", value: "a" }], timeMs: 1000 },
      { labels: [{ name: "pod", value: "b" }], timeMs: 1010 },
    ]);
    truncate(kernel, 1005, true);
    assert.deepEqual(labelNames(kernel, [], { limit: 0 }), ["pod"]);
    assert.deepEqual(labelValues(kernel, "pod", [], { limit: 0 }), ["b"]);
    assert.deepEqual(labelValues(kernel, "old", [], { limit: 0 }), []);
    assert.equal(seriesLabels(kernel, [], ALWAYS).length, 1);
  });

  it("leave out pairs that a log defined but no series has", () => {
    const kernel = headOf([]);
    kernel.replayEntries(Uint8Array.of(1, 0, 3, 0x70, 0x6f, 0x64, 1, 0x61));
    assert.deepEqual(labelNames(kernel, [], { limit: 0 }), []);
    assert.deepEqual(labelValues(kernel, "pod", [], { limit: 0 }), []);
  });
});
