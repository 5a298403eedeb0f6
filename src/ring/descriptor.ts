/**
 * The ring as a value: what is known of each instance, by id. Merging is a join of a semilattice (commutative,
 * associative, idempotent), so members that have heard the same things, in whatever order and however often, hold
 * the same ring.
 *
 *     head of an instance   newest heartbeat wins; the same: the later state; the same: the greater content
 *     its tokens            newest stamp wins; the same: the greater tokens
 *     its first data        the least wins
 *
 * Tokens that two instances claim are not settled here (that would make the result depend on the order) but where
 * the ring is read: see token-table.ts.
 */
import { compareText, INSTANCE_STATES, type Instance, NO_TOKENS } from "./instance.ts";

export type RingDescriptor = ReadonlyMap<string, Instance>;

export const EMPTY_RING: RingDescriptor = new Map();

export interface Merged {
  /** `mine` itself if nothing is new. */
  readonly result: RingDescriptor;
  /** What was new to `mine`, and no more: merging it anywhere else has the effect of merging `incoming`. */
  readonly change: RingDescriptor;
}

export function merge(mine: RingDescriptor, incoming: RingDescriptor): Merged {
  const change = new Map<string, Instance>();
  let result: Map<string, Instance> | undefined;
  for (const [id, theirs] of incoming) {
    const ours = mine.get(id);
    const merged = ours === undefined ? theirs : mergeInstance(ours, theirs);
    if (merged === ours) continue;
    result ??= new Map(mine);
    result.set(id, merged);
    change.set(
      id,
      ours !== undefined && hasSameTokens(ours, merged) ? withoutTokens(merged) : merged,
    );
  }
  return { result: result ?? mine, change };
}

/** The head alone, as it travels with each heartbeat. */
export function withoutTokens(instance: Instance): Instance {
  return { ...instance, tokens: NO_TOKENS, tokensUpdatedAtMs: 0 };
}

/** A ring of these instances; of two with the same id the newer. */
export function ringOf(instances: Iterable<Instance>): RingDescriptor {
  let ring = EMPTY_RING;
  for (const instance of instances) ring = merge(ring, new Map([[instance.id, instance]])).result;
  return ring;
}

/**
 * The tombstone that puts an instance out of the ring. It is newer than all that is known of the instance, also if that
 * one's clock is ahead of ours. An instance that is alive after all registers again with its next heartbeat.
 * The tokens stay as they are, though nobody counts them: if a heartbeat was under way that is newer than the tombstone, the
 * instance has them still.
 */
export function tombstone(instance: Instance, nowMs: number): Instance {
  const atMs = Math.max(nowMs, instance.heartbeatMs + 1);
  // What it took before it became read-only may be all that it has.
  const lastWriteMs = instance.readOnly ? instance.readOnlyUpdatedAtMs : atMs;
  return {
    ...instance,
    state: "LEFT",
    heartbeatMs: atMs,
    serving: false,
    hasData: false,
    lostDataAtMs: instance.hasData ? lastWriteMs : instance.lostDataAtMs,
  };
}

/**
 * Without tombstones from before `beforeMs`. Applied to the own ring and to what comes in, so that a member whose
 * clock runs late does not bring them back. Keep them for a day: a partition that lasts longer than the
 * tombstones may bring a forgotten instance back (as unhealthy, to be forgotten again).
 */
export function withoutOldTombstones(ring: RingDescriptor, beforeMs: number): RingDescriptor {
  const isOld = ({ state, heartbeatMs }: Instance): boolean =>
    state === "LEFT" && heartbeatMs < beforeMs;
  if (![...ring.values()].some(isOld)) return ring;
  return new Map([...ring].filter(([, instance]) => !isOld(instance)));
}

function mergeInstance(ours: Instance, theirs: Instance): Instance {
  const head = compareHeads(ours, theirs) >= 0 ? ours : theirs;
  const tokens = compareTokens(ours, theirs) >= 0 ? ours : theirs;
  const firstDataAtMs = leastKnown(ours.firstDataAtMs, theirs.firstDataAtMs);
  if (head === tokens && head.firstDataAtMs === firstDataAtMs) return head;
  const { tokensUpdatedAtMs } = tokens;
  return { ...head, tokens: tokens.tokens, tokensUpdatedAtMs, firstDataAtMs };
}

/** 0 is unknown. */
function leastKnown(left: number, right: number): number {
  if (left === 0 || right === 0) return left + right;
  return Math.min(left, right);
}

function compareHeads(left: Instance, right: Instance): number {
  if (left === right) return 0;
  return (
    left.heartbeatMs - right.heartbeatMs ||
    INSTANCE_STATES.indexOf(left.state) - INSTANCE_STATES.indexOf(right.state) ||
    (isSameHead(left, right) ? 0 : compareText(headText(left), headText(right)))
  );
}

/** The usual case, what is heard once more: no text is made. */
function isSameHead(left: Instance, right: Instance): boolean {
  return (
    left.id === right.id &&
    left.address === right.address &&
    left.zone === right.zone &&
    left.registeredAtMs === right.registeredAtMs &&
    left.readOnly === right.readOnly &&
    left.readOnlyUpdatedAtMs === right.readOnlyUpdatedAtMs &&
    left.serving === right.serving &&
    left.hasData === right.hasData &&
    left.lostDataAtMs === right.lostDataAtMs &&
    isSameVersions(left.versions, right.versions)
  );
}

function isSameVersions(left: Instance["versions"], right: Instance["versions"]): boolean {
  if (left === right) return true;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && left[name] === right[name])
  );
}

/** All of a head but heartbeat and state, in one order. */
function headText(instance: Instance): string {
  const { id, address, zone, registeredAtMs, readOnly, readOnlyUpdatedAtMs } = instance;
  const { serving, hasData, lostDataAtMs } = instance;
  const versions = Object.entries(instance.versions).sort(([left], [right]) =>
    compareText(left, right),
  );
  return JSON.stringify([
    id,
    address,
    zone,
    registeredAtMs,
    readOnly,
    readOnlyUpdatedAtMs,
    serving,
    hasData,
    lostDataAtMs,
    versions,
  ]);
}

function hasSameTokens(left: Instance, right: Instance): boolean {
  return left.tokens === right.tokens && left.tokensUpdatedAtMs === right.tokensUpdatedAtMs;
}

function compareTokens(left: Instance, right: Instance): number {
  if (hasSameTokens(left, right)) return 0;
  const byStamp = left.tokensUpdatedAtMs - right.tokensUpdatedAtMs;
  if (byStamp !== 0) return byStamp;
  const shared = Math.min(left.tokens.length, right.tokens.length);
  for (let i = 0; i < shared; i++) {
    const difference = (left.tokens[i] ?? 0) - (right.tokens[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.tokens.length - right.tokens.length;
}
