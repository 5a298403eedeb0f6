/**
 * The ring as one process sees it while it changes. `update` takes each new descriptor, `refresh` lets time pass; both give
 * a view. As long as nothing changed that lookups depend on (heartbeats alone do not) it is the same view, with all that was
 * found in it. When only states or health changed, the sorted tokens are kept.
 */
import { LRUCache } from "lru-cache";
import { EMPTY_RING, type RingDescriptor } from "./descriptor.ts";
import { HeartbeatWatch } from "./heartbeat-watch.ts";
import { compareText, type Instance, isMember, lossAtMs } from "./instance.ts";
import { type Loss, type Member, RingView, type RingViewOptions } from "./ring-view.ts";
import { type ShardRequest, shuffleShard } from "./shuffle-shard.ts";

export interface RingOptions extends RingViewOptions {
  readonly heartbeatTimeoutMs: number;
  /** Views of tenants' shards that are kept; one takes about 7 KiB for each instance in it. */
  readonly shardsMax: number;
}

interface CachedShard {
  readonly view: RingView;
  readonly validUntilMs: number;
}

export class Ring {
  readonly #options: RingOptions;
  readonly #watch = new HeartbeatWatch();
  readonly #shards: LRUCache<string, CachedShard>;
  #descriptor: RingDescriptor = EMPTY_RING;
  #view: RingView;
  #version = 0;

  constructor(options: RingOptions) {
    this.#options = options;
    this.#view = new RingView([], options);
    this.#shards = new LRUCache({ max: options.shardsMax });
  }

  /** Changes with each new view. */
  get version(): number {
    return this.#version;
  }

  get descriptor(): RingDescriptor {
    return this.#descriptor;
  }

  get view(): RingView {
    return this.#view;
  }

  update(descriptor: RingDescriptor, nowMs: number): RingView {
    this.#watch.observe(descriptor, nowMs);
    this.#descriptor = descriptor;
    return this.refresh(nowMs);
  }

  refresh(nowMs: number): RingView {
    const members = this.#members(nowMs);
    const losses = [...this.#descriptor.values()]
      .map((instance): Loss => {
        const { id, zone } = instance;
        return { id, zone, lostDataAtMs: lossAtMs(instance) };
      })
      .filter(({ lostDataAtMs }) => lostDataAtMs > 0)
      .sort((left, right) => compareText(left.id, right.id));
    const before = this.#view.members;
    const isSame = members.length === before.length && members.every(hasTwinIn(before));
    if (isSame && hasSameLosses(losses, this.#view.losses)) return this.#view;
    const canKeepTable = !this.#view.table.hasConflicts && hasSameTokens(members, before);
    const known = canKeepTable ? { table: this.#view.table, losses } : { losses };
    this.#view = new RingView(members, this.#options, known);
    this.#version++;
    this.#shards.clear();
    return this.#view;
  }

  /** By our clock, whatever the instance's own says; infinite for an unknown one. */
  silenceMs(id: string, nowMs: number): number {
    return this.#watch.silenceMs(id, nowMs);
  }

  /** How long this process has had no news of it; no clock but ours is in this. */
  quietMs(id: string, nowMs: number): number {
    return this.#watch.quietMs(id, nowMs);
  }

  /** The part of the ring that a tenant's series are written to or read from. */
  shard(request: ShardRequest): RingView {
    const { tenant, size, lookBack } = request;
    if (size <= 0 && lookBack === undefined) return this.#view;
    const key = `${size} ${lookBack?.lookBackMs ?? "write"} ${tenant}`;
    const cached = this.#shards.get(key);
    if (cached !== undefined && (lookBack?.nowMs ?? 0) <= cached.validUntilMs) return cached.view;
    const { members, validUntilMs } = shuffleShard(this.#view, request);
    const isAll = members.length === this.#view.members.length;
    const view = isAll ? this.#view : this.#view.subset(members);
    this.#shards.set(key, { view, validUntilMs });
    return view;
  }

  /** In the order of ids. */
  #members(nowMs: number): Member[] {
    const { heartbeatTimeoutMs } = this.#options;
    return [...this.#descriptor.values()]
      .filter(isMember)
      .sort((left, right) => (left.id < right.id ? -1 : 1))
      .map((instance) => ({
        instance,
        isAlive: this.#watch.silenceMs(instance.id, nowMs) <= heartbeatTimeoutMs,
      }));
  }
}

function hasTwinIn(before: readonly Member[]): (member: Member, index: number) => boolean {
  return (member, index) => {
    const other = before[index];
    return (
      other !== undefined &&
      other.isAlive === member.isAlive &&
      isSameButHeartbeat(other.instance, member.instance)
    );
  };
}

/** Nothing that lookups, shards or messages depend on is different. */
function isSameButHeartbeat(left: Instance, right: Instance): boolean {
  return (
    left === right ||
    (left.id === right.id &&
      left.state === right.state &&
      left.tokens === right.tokens &&
      left.zone === right.zone &&
      left.address === right.address &&
      left.serving === right.serving &&
      left.hasData === right.hasData &&
      left.lostDataAtMs === right.lostDataAtMs &&
      left.firstDataAtMs === right.firstDataAtMs &&
      left.readOnly === right.readOnly &&
      left.readOnlyUpdatedAtMs === right.readOnlyUpdatedAtMs &&
      left.registeredAtMs === right.registeredAtMs)
  );
}

function hasSameLosses(now: readonly Loss[], before: readonly Loss[]): boolean {
  return (
    now.length === before.length &&
    now.every(
      ({ id, lostDataAtMs }, index) =>
        before[index]?.id === id && before[index].lostDataAtMs === lostDataAtMs,
    )
  );
}

function hasSameTokens(members: readonly Member[], before: readonly Member[]): boolean {
  return (
    members.length === before.length &&
    members.every(
      ({ instance }, index) =>
        before[index]?.instance.id === instance.id &&
        before[index].instance.tokens === instance.tokens,
    )
  );
}
