/**
 * A ring as this process follows it in the key-value store: always the present view, for lookups; what changed lately,
 * for people; and the care for dead members (auto-forget.ts).
 */
import { type Clock, every, type Timer } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { KvStore } from "../gossip/kv/kv-store.ts";
import type { Watch } from "../gossip/kv/watchers.ts";
import { decideForget, reasonToKeep } from "./auto-forget.ts";
import { type RingDescriptor, tombstone } from "./descriptor.ts";
import { type Impact, whatIf } from "./impact.ts";
import { type Instance, isMember, NO_TOKENS } from "./instance.ts";
import type { RingGauges, RingMetrics } from "./metrics.ts";
import { Ring, type RingOptions } from "./ring.ts";
import { ringEvents } from "./ring-events.ts";
import { RING_VALUE } from "./ring-value.ts";
import type { Member, RingView } from "./ring-view.ts";
import { shownState } from "./ring-view.ts";
import type { ShardRequest } from "./shuffle-shard.ts";
import { type RingStatus, ringStatus } from "./status.ts";

export interface RingWatchOptions extends RingOptions {
  /** "ingester": in metrics, logs and paths. */
  readonly name: string;
  /** Of the key-value store: "collectors/ring". */
  readonly key: string;
  /** A member that is silent for so many heartbeat timeouts is forgotten; 0: never. */
  readonly autoForgetPeriods: number;
  /** Members hold data: one is forgotten only if no range falls below quorum. */
  readonly holdsData: boolean;
  /** Members in these zones are treated as if they were not there. */
  readonly excludedZones: readonly string[];
}

export interface RingWatchDependencies {
  readonly store: KvStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RingMetrics;
}

export interface RingEvent {
  readonly atMs: number;
  readonly text: string;
}

/** How often heartbeats are looked at. */
const REFRESH_MS = 1000;
const EVENTS_KEPT = 200;

export class RingWatch {
  readonly name: string;
  readonly #options: RingWatchOptions;
  readonly #deps: RingWatchDependencies;
  readonly #ring: Ring;
  readonly #listeners = new Set<() => void>();
  readonly #events: RingEvent[] = [];
  /** Why silent members are kept, as last logged. */
  readonly #kept = new Map<string, string>();
  /** Wall clock at the start less the monotonic one: a clock that is set must not make members look dead. */
  readonly #clockOffsetMs: number;
  #watch: Watch | undefined;
  #timer: Timer | undefined;

  constructor(options: RingWatchOptions, deps: RingWatchDependencies) {
    this.name = options.name;
    this.#options = options;
    this.#deps = deps;
    this.#ring = new Ring(options);
    this.#clockOffsetMs = deps.clock.nowMs() - deps.clock.monotonicMs();
    deps.metrics.watch(options.name, () => this.#gauges());
  }

  start(): void {
    const { store, clock } = this.#deps;
    this.#watch = store.watchKey(this.#options.key, RING_VALUE, () => this.#update());
    this.#update();
    this.#timer = every(clock, REFRESH_MS, () => this.#refresh());
  }

  stop(): void {
    this.#watch?.cancel();
    this.#timer?.cancel();
  }

  /** Time as heartbeats are measured by. */
  nowMs(): number {
    return Math.trunc(this.#clockOffsetMs + this.#deps.clock.monotonicMs());
  }

  get view(): RingView {
    return this.#ring.view;
  }

  get descriptor(): RingDescriptor {
    return this.#ring.descriptor;
  }

  /** Changes with each new view. */
  get version(): number {
    return this.#ring.version;
  }

  shard(request: ShardRequest): RingView {
    return this.#ring.shard(request);
  }

  /** Called after each change of the descriptor or of anybody's health. */
  onChange(listener: () => void): Watch {
    this.#listeners.add(listener);
    return { cancel: () => void this.#listeners.delete(listener) };
  }

  /** Resolves true when the view changes, false after `timeoutMs`. */
  changed(timeoutMs: number): Promise<boolean> {
    const { version } = this;
    return new Promise((resolve) => {
      const timer = this.#deps.clock.after(timeoutMs, () => finish(false));
      const listening = this.onChange(() => {
        if (this.version !== version) finish(true);
      });
      const finish = (isChanged: boolean): void => {
        timer.cancel();
        listening.cancel();
        resolve(isChanged);
      };
    });
  }

  // --------------------------------------------------------------------------------------- for people

  status(): RingStatus {
    return ringStatus(this.#ring, this.nowMs());
  }

  tokensOf(id: string): Uint32Array {
    return this.descriptor.get(id)?.tokens ?? NO_TOKENS;
  }

  /** Newest first. */
  events(): readonly RingEvent[] {
    return this.#events.toReversed();
  }

  /** What the going of an instance would do to quorum, and why it should not go, if so. */
  impactWithout(id: string): { impact: Impact; reasonToKeep: string | undefined } {
    const member = this.view.members.find(({ instance }) => instance.id === id);
    return {
      impact: whatIf(this.view, id),
      reasonToKeep: member === undefined ? undefined : this.#reasonToKeep(member),
    };
  }

  forget(id: string): "forgotten" | "unknown" {
    const instance = this.descriptor.get(id);
    if (instance === undefined || !isMember(instance)) return "unknown";
    this.#forget(instance, "asked");
    return "forgotten";
  }

  // ------------------------------------------------------------------------------------------- upkeep

  #update(): void {
    const { store } = this.#deps;
    const before = this.view;
    const ring = store.get(this.#options.key, RING_VALUE);
    this.#ring.update(this.#withoutExcludedZones(ring), this.nowMs());
    this.#tell(before);
  }

  #withoutExcludedZones(ring: RingDescriptor): RingDescriptor {
    const { excludedZones } = this.#options;
    if (excludedZones.length === 0) return ring;
    return new Map([...ring].filter(([, { zone }]) => !excludedZones.includes(zone)));
  }

  #refresh(): void {
    const before = this.view;
    this.#ring.refresh(this.nowMs());
    if (this.view !== before) this.#tell(before);
    this.#autoForget();
  }

  #tell(before: RingView): void {
    if (this.view !== before) {
      const atMs = this.#deps.clock.nowMs();
      for (const text of ringEvents(before, this.view)) {
        this.#deps.logger.info({ ring: this.name }, text);
        this.#events.push({ atMs, text });
      }
      this.#events.splice(0, this.#events.length - EVENTS_KEPT);
    }
    for (const listener of [...this.#listeners]) listener();
  }

  #autoForget(): void {
    const { autoForgetPeriods, heartbeatTimeoutMs, holdsData } = this.#options;
    if (autoForgetPeriods === 0) return;
    if (this.view.members.every(({ isAlive }) => isAlive)) return this.#kept.clear();
    const nowMs = this.nowMs();
    const forgetAfterMs = autoForgetPeriods * heartbeatTimeoutMs;
    const quietMs = (id: string): number => this.#ring.quietMs(id, nowMs);
    if (!holdsData) {
      const silent = this.view.members.find(
        ({ instance, isAlive }) => !isAlive && quietMs(instance.id) > forgetAfterMs,
      );
      if (silent !== undefined) this.#forget(silent.instance, "auto");
      return;
    }
    const { forget, kept } = decideForget(this.view, { forgetAfterMs, quietMs });
    this.#logKept(kept);
    if (forget !== undefined) this.#forget(forget.instance, "auto");
  }

  #logKept(kept: readonly { readonly member: Member; readonly reason: string }[]): void {
    for (const { member, reason } of kept) {
      const { id } = member.instance;
      if (this.#kept.get(id) === reason) continue;
      this.#kept.set(id, reason);
      const text = `${id} is silent for long and is not forgotten: ${reason}`;
      this.#deps.logger.warn({ ring: this.name, instance: id }, text);
      this.#events.push({ atMs: this.#deps.clock.nowMs(), text });
    }
    for (const id of this.#kept.keys()) {
      if (!kept.some(({ member }) => member.instance.id === id)) this.#kept.delete(id);
    }
  }

  #forget(instance: Instance, reason: "auto" | "asked"): void {
    const { store, clock, logger, metrics } = this.#deps;
    const { key } = this.#options;
    store.update(key, RING_VALUE, (ring) => {
      const current = ring.get(instance.id);
      if (current === undefined || !isMember(current)) return undefined;
      return new Map([[instance.id, tombstone(current, clock.nowMs())]]);
    });
    metrics.forgotten.inc({ name: this.name, reason });
    const silentMs = this.#ring.silenceMs(instance.id, this.nowMs());
    logger.warn(
      { ring: this.name, instance: instance.id, address: instance.address, silentMs },
      reason === "auto"
        ? "a member was silent for too long and is forgotten; every range keeps its quorum without it"
        : "a member is forgotten, as a person asked",
    );
  }

  #reasonToKeep(member: Member): string | undefined {
    return this.#options.holdsData ? reasonToKeep(this.view, member) : undefined;
  }

  #gauges(): RingGauges {
    const members = new Map<string, number>(
      ["ACTIVE", "JOINING", "LEAVING", "PENDING", "Unhealthy"].map((state) => [state, 0]),
    );
    const oldestSeconds = new Map<string, number>();
    let readOnly = 0;
    for (const member of this.view.members) {
      const { instance } = member;
      const state = member.isAlive ? instance.state : "Unhealthy";
      members.set(state, (members.get(state) ?? 0) + 1);
      const seconds = (this.descriptor.get(instance.id)?.heartbeatMs ?? 0) / 1000;
      oldestSeconds.set(state, Math.min(oldestSeconds.get(state) ?? seconds, seconds));
      if (shownState(member).includes("read-only")) readOnly++;
    }
    return { members, oldestSeconds, tokens: this.view.table.tokens.length, readOnly };
  }
}
