import type { HeadKernel } from "../../kernel/host/head-kernel.ts";
import type { CompiledMatcher } from "../../model/compiled-matcher.ts";
import { intersect, subtract, union } from "./postings.ts";

/**
 * Which series of a head satisfy all matchers. As in Prometheus an absent label is an empty one, so there are two kinds:
 *
 *     matcher that "" does not satisfy    the series are those of the pairs that match          (intersection)
 *     matcher that "" satisfies           the series are all but those of the other pairs       (subtraction)
 *
 * `HeadKernel.postings` gives views that any kernel call which allocates would detach. Therefore all pair ids are
 * found first, and from then on nothing but `postings` is called.
 */
interface Condition {
  readonly pairIds: readonly number[];
  /** Series of the pairs, a series counted once per pair. */
  readonly refCount: number;
}

/** A set of refs this many times smaller than the lists to meet is compared with each list by itself. */
const SMALL_RATIO = 4;

/**
 * Refs of all series that satisfy `matchers`, ascending. A series that was removed since the index was last cleaned
 * may be among them; `collect` passes over it.
 */
export function selectRefs(kernel: HeadKernel, matchers: readonly CompiledMatcher[]): Uint32Array {
  const required: Condition[] = [];
  const excluded: Condition[] = [];
  for (const matcher of matchers) {
    if (matcher.matchesAll) continue;
    const nameId = kernel.tryNameId(matcher.name);
    if (matcher.matchesEmpty) {
      if (nameId === undefined) continue;
      excluded.push(conditionOf(kernel, otherPairs(kernel, nameId, matcher)));
    } else {
      const pairIds = nameId === undefined ? [] : matchingPairs(kernel, nameId, matcher);
      const condition = conditionOf(kernel, pairIds);
      if (condition.refCount === 0) return new Uint32Array(0);
      required.push(condition);
    }
  }
  const everything = required.length === 0 ? allPairs(kernel) : [];
  const included =
    required.length === 0 ? unitePairs(kernel, everything) : intersectAll(kernel, required);
  return subtractAll(kernel, included, excluded);
}

/** Pairs of a name whose value satisfies the matcher. */
function matchingPairs(
  kernel: HeadKernel,
  nameId: number,
  matcher: CompiledMatcher,
): readonly number[] {
  if (matcher.literals) return pairsOfValues(kernel, nameId, matcher.literals);
  return filterPairs(kernel, nameId, (value) => matcher.matches(value));
}

/** Pairs of a name whose value does not satisfy the matcher. */
function otherPairs(
  kernel: HeadKernel,
  nameId: number,
  matcher: CompiledMatcher,
): readonly number[] {
  if (matcher.rejectedLiterals) return pairsOfValues(kernel, nameId, matcher.rejectedLiterals);
  return filterPairs(kernel, nameId, (value) => !matcher.matches(value));
}

function pairsOfValues(kernel: HeadKernel, nameId: number, values: readonly string[]): number[] {
  const pairIds: number[] = [];
  for (const value of values) {
    const pairId = kernel.tryPairId(nameId, value);
    if (pairId !== undefined) pairIds.push(pairId);
  }
  return pairIds;
}

function filterPairs(
  kernel: HeadKernel,
  nameId: number,
  accepts: (value: string) => boolean,
): number[] {
  const { ids, values, postingsCounts } = kernel.pairsOf(nameId);
  const pairIds: number[] = [];
  for (const [index, value] of values.entries()) {
    if (postingsCounts[index] !== 0 && accepts(value)) pairIds.push(ids[index] as number);
  }
  return pairIds;
}

function conditionOf(kernel: HeadKernel, pairIds: readonly number[]): Condition {
  let refCount = 0;
  for (const pairId of pairIds) refCount += kernel.postings(pairId).length;
  return { pairIds, refCount };
}

/** Every pair there is: a series without a metric name is a series too. */
function allPairs(kernel: HeadKernel): number[] {
  const pairIds: number[] = [];
  for (const { id } of kernel.labelNames()) {
    for (const pairId of kernel.pairsOf(id).ids) pairIds.push(pairId);
  }
  return pairIds;
}

function postingsOf(kernel: HeadKernel, pairIds: readonly number[]): Uint32Array[] {
  return pairIds.map((pairId) => kernel.postings(pairId));
}

function unitePairs(kernel: HeadKernel, pairIds: readonly number[]): Uint32Array {
  return union(postingsOf(kernel, pairIds));
}

/** The rarest condition first; those with one pair are met at once, so that unions come when little is left. */
function intersectAll(kernel: HeadKernel, conditions: readonly Condition[]): Uint32Array {
  const single = conditions.filter((condition) => condition.pairIds.length === 1);
  const several = conditions.filter((condition) => condition.pairIds.length > 1);
  several.sort((a, b) => a.refCount - b.refCount);
  let refs =
    single.length > 0
      ? intersect(single.flatMap((condition) => postingsOf(kernel, condition.pairIds)))
      : undefined;
  for (const { pairIds, refCount } of several) {
    if (refs === undefined) {
      refs = unitePairs(kernel, pairIds);
      continue;
    }
    if (refs.length === 0) break;
    refs = meet(refs, postingsOf(kernel, pairIds), refCount);
  }
  return refs ?? new Uint32Array(0);
}

/** Refs that are in any of the lists. */
function meet(refs: Uint32Array, lists: readonly Uint32Array[], listsLength: number): Uint32Array {
  if (refs.length * lists.length * SMALL_RATIO > listsLength) {
    return intersect([refs, union(lists)]);
  }
  return union(lists.map((list) => intersect([refs, list])));
}

function subtractAll(
  kernel: HeadKernel,
  refs: Uint32Array,
  conditions: readonly Condition[],
): Uint32Array {
  let left = refs;
  for (const { pairIds } of conditions.toSorted((a, b) => b.refCount - a.refCount)) {
    if (left.length === 0) break;
    if (pairIds.length > 0) left = subtract(left, postingsOf(kernel, pairIds));
  }
  return left;
}
