/**
 * The instances that a tenant's series are spread over, if they are not to be spread over all.
 *
 * Each instance has a rank for each tenant, by the hash of both names (rendezvous hashing); the shard is the first of each
 * zone by rank. So it is the same everywhere, a larger shard contains the smaller ones, an instance that comes takes the
 * place of one at most, and one that goes is replaced by one.
 *
 * **Reads** look back: who is in the shard now only because others came, went read-only or came back within the lookback is
 * not counted, so all that were in the shard at some time since then are there, as long as they are in the ring.
 */
import { hashText } from "./hash-text.ts";
import { compareText } from "./instance.ts";
import type { Member, RingView } from "./ring-view.ts";

export interface ShardRequest {
  readonly tenant: string;
  /** Instances in all zones together, rounded up to the same number in each, at least the replication factor. 0: all. */
  readonly size: number;
  /** Absent for writes. */
  readonly lookBack?: { readonly nowMs: number; readonly lookBackMs: number };
}

export interface Shard {
  readonly members: readonly Member[];
  /** Until then a request with a later `nowMs` gives the same, if the ring does not change. */
  readonly validUntilMs: number;
}

export function shuffleShard(view: RingView, request: ShardRequest): Shard {
  const { size, lookBack } = request;
  const sinceMs = lookBack === undefined ? undefined : lookBack.nowMs - lookBack.lookBackMs;
  const candidates = view.members.filter((member) => mayBeIn(member, sinceMs));
  const changesMs = view.members.map(({ instance }) => changeAfter(instance, sinceMs));
  const validUntilMs =
    Math.min(...changesMs, Number.POSITIVE_INFINITY) + (lookBack?.lookBackMs ?? 0);
  if (size <= 0) return { members: candidates, validUntilMs };
  const wanted = Math.max(size, view.options.replicationFactor);
  const perZone = Math.ceil(wanted / Math.max(zoneCount(view, sinceMs), 1));
  const members = view.zones.flatMap((zone) => {
    const inZone = candidates.filter(
      ({ instance }) => !view.options.zoneAware || instance.zone === zone,
    );
    return firstOf(inRankOrder(inZone, request.tenant), perZone, sinceMs);
  });
  return { members, validUntilMs };
}

/** Among how many zones, at least, the shard was shared out all the time since then. Fewer zones give more instances each. */
function zoneCount(view: RingView, sinceMs: number | undefined): number {
  if (sinceMs === undefined || !view.options.zoneAware) return view.zones.length;
  const old = view.members.filter(
    ({ instance }) =>
      instance.hasData && instance.tokens.length > 0 && instance.registeredAtMs < sinceMs,
  );
  return new Set(old.map(({ instance }) => instance.zone)).size;
}

/** Whether anything may have been written to it since then. */
function mayBeIn({ instance }: Member, sinceMs: number | undefined): boolean {
  if (!instance.hasData) return false;
  // News of its tokens may come later than news of itself, and its samples are there all the same.
  if (sinceMs !== undefined) return !instance.readOnly || instance.readOnlyUpdatedAtMs >= sinceMs;
  return !instance.readOnly && instance.tokens.length > 0;
}

/** It took writes all the time since then. */
function isSteady({ instance }: Member, sinceMs: number | undefined): boolean {
  if (sinceMs === undefined) return true;
  return (
    !instance.readOnly &&
    instance.registeredAtMs < sinceMs &&
    instance.readOnlyUpdatedAtMs < sinceMs
  );
}

function firstOf(ranked: readonly Member[], count: number, sinceMs: number | undefined): Member[] {
  const chosen: Member[] = [];
  let steady = 0;
  for (const member of ranked) {
    if (steady === count) break;
    chosen.push(member);
    if (isSteady(member, sinceMs)) steady++;
  }
  return chosen;
}

function inRankOrder(members: readonly Member[], tenant: string): Member[] {
  const seed = hashText(tenant);
  return members
    .map((member) => ({ member, rank: hashText(member.instance.id, seed) }))
    .sort(
      (left, right) =>
        left.rank - right.rank || compareText(left.member.instance.id, right.member.instance.id),
    )
    .map(({ member }) => member);
}

/** When the instance last changed, if that is after `sinceMs`, so that it will no longer be. */
function changeAfter(
  { registeredAtMs, readOnlyUpdatedAtMs }: Member["instance"],
  sinceMs: number | undefined,
): number {
  if (sinceMs === undefined) return Number.POSITIVE_INFINITY;
  const changes = [registeredAtMs, readOnlyUpdatedAtMs].filter((atMs) => atMs >= sinceMs);
  return Math.min(...changes, Number.POSITIVE_INFINITY);
}
