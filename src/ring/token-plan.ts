/**
 * The tokens that an instance should have, by what it sees of the ring.
 *
 * Several instances may join at once, as in a new cluster. Those that have data keep their tokens; those that do not are
 * placed one after the other in order of their ids, each as if the ones before it were there already. With the same view
 * all arrive at the same layout without talking about it; an instance plans again at the end of the time in which it
 * observes the ring, and observes once more if its tokens changed (lifecycle.ts).
 */
import type { RingDescriptor } from "./descriptor.ts";
import { compareText, type Instance, isMember } from "./instance.ts";
import { placeTokens, withMoreTokens } from "./placement.ts";
import { compareRight } from "./token-table.ts";

export interface TokenPlanOptions {
  readonly tokenCount: number;
  /** Shares are evened out in each zone by itself, since each zone holds a replica of everything. */
  readonly zoneAware: boolean;
  /** Who joins and has not been heard of for so long is not waited for. */
  readonly heartbeatTimeoutMs: number;
}

type Self = Pick<Instance, "id" | "zone">;

export function planTokens(
  ring: RingDescriptor,
  self: Self,
  options: TokenPlanOptions,
  nowMs: number,
): Uint32Array {
  const others = [...ring.values()].filter((other) => isMember(other) && other.id !== self.id);
  const settled = others.filter((other) => !isJoiningNew(other));
  const before = others
    .filter((other) => isJoiningNew(other) && other.id < self.id)
    .filter((other) => isNear(other, self, options))
    .filter(({ heartbeatMs }) => nowMs - heartbeatMs <= options.heartbeatTimeoutMs)
    .sort((left, right) => compareText(left.id, right.id));
  const taken = new Set(settled.flatMap(({ tokens }) => [...tokens]));
  const neighbours = settled.filter((other) => isNear(other, self, options));
  for (const { id } of before) {
    const tokens = placeTokens({ neighbours, taken, id, count: options.tokenCount });
    neighbours.push({ ...(ring.get(id) as Instance), tokens });
    for (const token of tokens) taken.add(token);
  }
  return placeTokens({ neighbours, taken, id: self.id, count: options.tokenCount });
}

/** Tokens of `own` that another member claims with better right. */
export function lostTokens(ring: RingDescriptor, own: Instance): Set<number> {
  const lost = new Set<number>();
  for (const other of ring.values()) {
    if (other.id === own.id || !isMember(other) || compareRight(own, other) < 0) continue;
    for (const token of sharedTokens(own.tokens, other.tokens)) lost.add(token);
  }
  return lost;
}

/**
 * The own tokens without those that are lost, brought to the right number. Ranges keep their owner as far as
 * possible: too few are made more by cutting own ranges, too many are made fewer by leaving out evenly.
 */
export function mendTokens(
  ring: RingDescriptor,
  own: Instance,
  options: TokenPlanOptions,
): Uint32Array {
  const lost = lostTokens(ring, own);
  const kept = own.tokens.filter((token) => !lost.has(token));
  if (kept.length === options.tokenCount) return lost.size === 0 ? own.tokens : kept;
  if (kept.length > options.tokenCount) {
    const step = kept.length / options.tokenCount;
    return Uint32Array.from(
      { length: options.tokenCount },
      (_, index) => kept[Math.floor(index * step)] ?? 0,
    );
  }
  const others = [...ring.values()].filter((other) => isMember(other) && other.id !== own.id);
  const taken = new Set(others.flatMap(({ tokens }) => [...tokens]));
  const neighbours = others.filter((other) => isNear(other, own, options));
  return withMoreTokens({ neighbours, taken, id: own.id, count: options.tokenCount }, kept);
}

/** Nothing was written to it yet: its tokens may still change. */
function isJoiningNew({ state, hasData }: Instance): boolean {
  return (state === "PENDING" || state === "JOINING") && !hasData;
}

function isNear(other: Self, self: Self, { zoneAware }: TokenPlanOptions): boolean {
  return !zoneAware || other.zone === self.zone;
}

/** What two ascending lists have in common. */
function sharedTokens(left: Uint32Array, right: Uint32Array): number[] {
  const shared: number[] = [];
  let j = 0;
  for (const token of left) {
    while (j < right.length && (right[j] ?? 0) < token) j++;
    if (right[j] === token) shared.push(token);
  }
  return shared;
}
