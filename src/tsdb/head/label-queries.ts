import { Buffer } from "node:buffer";
import { OpError } from "../../base/errors.ts";
import type { CollectedSeries, HeadKernel } from "../../kernel/host/head-kernel.ts";
import type { CompiledMatcher } from "../../model/compiled-matcher.ts";
import type { Label, Labels } from "../../model/labels.ts";
import type { SeriesRequest } from "../../storage/queryable.ts";
import { overlap, union } from "./postings.ts";
import { selectRefs } from "./select-refs.ts";

/**
 * Label names and values of a head, answered from the index alone: what has no series (any more) is left out, and as in
 * Prometheus the times of the samples play no part. Label sets of series are those with samples in the time range.
 * An answer is the union over the matcher sets; an empty list of sets, or an empty set, asks for everything.
 */
export type MatcherSets = readonly (readonly CompiledMatcher[])[];

/** Names of the labels that the series selected have, in byte order of UTF-8. `limit` 0 = unlimited. */
export function labelNames(
  kernel: HeadKernel,
  sets: MatcherSets,
  { limit }: { readonly limit: number },
): string[] {
  const refs = selectedRefs(kernel, sets);
  const names: string[] = [];
  for (const { id, name } of kernel.labelNames()) {
    const { ids } = kernel.pairsOf(id);
    if (ids.some((pairId) => isUsed(kernel.postings(pairId), refs))) names.push(name);
  }
  return sortedAndCut(names, limit);
}

/** Values of one label of the series selected, in byte order of UTF-8. */
export function labelValues(
  kernel: HeadKernel,
  name: string,
  sets: MatcherSets,
  { limit }: { readonly limit: number },
): string[] {
  const refs = selectedRefs(kernel, sets);
  const nameId = kernel.tryNameId(name);
  if (nameId === undefined) return [];
  const { ids, values } = kernel.pairsOf(nameId);
  const used = values.filter((_value, index) =>
    isUsed(kernel.postings(ids[index] as number), refs),
  );
  return sortedAndCut(used, limit);
}

/** Label sets of the series selected that have samples in the range, sorted. Throws OpError "max-series-per-query". */
export function seriesLabels(
  kernel: HeadKernel,
  sets: MatcherSets,
  request: Omit<SeriesRequest, "matcherSets">,
): Labels[] {
  const refs = selectedRefs(kernel, sets) ?? selectRefs(kernel, []);
  const collected = kernel.collectLabels(refs, request);
  if (typeof collected === "string") {
    throw new OpError(
      "max-series-per-query",
      `the query exceeded the maximum number of series (limit: ${request.seriesMax} series) (err-mimir-max-series-per-query). Narrow the selectors or the time range, or raise the per-tenant limit with -querier.max-fetched-series-per-query`,
    );
  }
  const all = decodeLabels(collected).sort(compareLabels);
  return request.limit > 0 && all.length > request.limit ? all.slice(0, request.limit) : all;
}

function decodeLabels(collected: CollectedSeries): Labels[] {
  const { symbolBytes, symbolOffsets, labels, labelOffsets } = collected;
  const text = Buffer.from(symbolBytes.buffer, symbolBytes.byteOffset, symbolBytes.length);
  const symbols: string[] = [];
  for (let i = 0; i + 1 < symbolOffsets.length; i++) {
    symbols.push(text.toString("utf8", symbolOffsets[i], symbolOffsets[i + 1]));
  }
  const all: Labels[] = [];
  for (let i = 0; i < collected.seriesCount; i++) {
    const series: Label[] = [];
    for (let at = labelOffsets[i] as number; at < (labelOffsets[i + 1] as number); at++) {
      series.push({
        name: symbols[labels[at * 2] as number] as string,
        value: symbols[labels[at * 2 + 1] as number] as string,
      });
    }
    all.push(series);
  }
  return all;
}

function compareLabels(a: Labels, b: Labels): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a[i] as Label;
    const right = b[i] as Label;
    const order = compareUtf8(left.name, right.name) || compareUtf8(left.value, right.value);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** undefined: all series. */
function selectedRefs(kernel: HeadKernel, sets: MatcherSets): Uint32Array | undefined {
  if (sets.length === 0) return undefined;
  if (sets.some((matchers) => matchers.every((matcher) => matcher.matchesAll))) return undefined;
  return union(sets.map((matchers) => selectRefs(kernel, matchers)));
}

function isUsed(postings: Uint32Array, refs: Uint32Array | undefined): boolean {
  return refs === undefined ? postings.length > 0 : overlap(postings, refs);
}

function sortedAndCut(texts: string[], limit: number): string[] {
  texts.sort(compareUtf8);
  return limit > 0 && texts.length > limit ? texts.slice(0, limit) : texts;
}

/**
 * Order of the UTF-8 bytes without making them. It differs from the order of UTF-16 units in one point:
 * surrogates (characters above U+FFFF) come after U+E000 to U+FFFF.
 */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
