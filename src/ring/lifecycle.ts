/**
 * What one instance says of itself, from entering the ring to leaving it: a pure state machine. The driver
 * (ring-member.ts) gives it the ring and the time, and publishes what comes back.
 *
 *     enter ──► PENDING ──tokens──► JOINING ──ready, ring observed──► ACTIVE ──leave──► LEAVING ──lastWords──► gone
 *                                      ▲                                                   │
 *                                      └───────────────── enter (restart) ─────────────────┘
 *
 * A restarted instance takes its tokens back: from the ring, or from its file if the ring has forgotten it. A new one plans its
 * tokens from what it sees, waits for the observe period, and plans again: if that changes them, because others joined at the
 * same time, it observes once more. One that has held data never moves; it only replaces tokens that it lost to another.
 *
 * An ACTIVE instance that finds itself forgotten was forgotten by mistake: it registers again with its next step.
 */
import { assert, must } from "../base/assert.ts";
import { type RingDescriptor, tombstone } from "./descriptor.ts";
import { type Instance, isMember, NO_TOKENS } from "./instance.ts";
import { lostTokens, mendTokens, planTokens, type TokenPlanOptions } from "./token-plan.ts";

/** What the file says (token-file.ts). */
export interface KeptTokens {
  readonly tokens: Uint32Array;
  /** When the life began that wrote it; undefined in files of other programs. */
  readonly registeredAtMs: number | undefined;
}

export interface LifecycleOptions {
  readonly id: string;
  readonly zone: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly heartbeatPeriodMs: number;
  /** How long a new instance looks at the ring before it keeps the tokens that it has planned. */
  readonly observePeriodMs: number;
  /** After so many looks it keeps what it has, conflicts are then mended one by one. */
  readonly observationsMax: number;
  readonly tokens: TokenPlanOptions;
}

export class Lifecycle {
  readonly #options: LifecycleOptions;
  #own: Instance | undefined;
  /** By our clock; the stamp may be ahead of it, when others' clocks are. */
  #publishedAtMs = 0;
  #isReady = false;
  #isLeaving = false;
  /** Until when the ring is observed; undefined for an instance that keeps its tokens. */
  #observedAtMs: number | undefined;
  #observations = 0;

  constructor(options: LifecycleOptions) {
    assert(options.id !== "", "an instance of a ring has an id");
    this.#options = options;
  }

  /** As it was last published; undefined before `enter`. */
  get instance(): Instance | undefined {
    return this.#own;
  }

  get isActive(): boolean {
    return this.#own?.state === "ACTIVE";
  }

  /** When `step` has something to say at the latest. */
  get nextDueMs(): number {
    const heartbeatMs = this.#publishedAtMs + this.#options.heartbeatPeriodMs;
    const isWaiting = this.#isReady && this.#observedAtMs !== undefined && !this.#isLeaving;
    return isWaiting ? Math.min(heartbeatMs, this.#observedAtMs ?? heartbeatMs) : heartbeatMs;
  }

  /**
   * `address`: host:port where others reach it; `kept`: what the file tells of this life. Returns what to publish.
   */
  enter(
    ring: RingDescriptor,
    nowMs: number,
    { address, kept }: { readonly address: string; readonly kept?: KeptTokens | undefined },
  ): Instance {
    const { id, zone, versions } = this.#options;
    const known = ring.get(id);
    const before = known !== undefined && isMember(known) ? known : undefined;
    const keptTokens = kept?.tokens ?? NO_TOKENS;
    const tokens = before !== undefined && before.tokens.length > 0 ? before.tokens : keptTokens;
    const stamp = Math.max(nowMs, (known?.heartbeatMs ?? 0) + 1);
    const own: Instance = {
      id,
      address,
      zone,
      versions,
      state: tokens.length > 0 ? "JOINING" : "PENDING",
      heartbeatMs: stamp,
      registeredAtMs: before?.registeredAtMs ?? kept?.registeredAtMs ?? nowMs,
      readOnly: before?.readOnly ?? false,
      readOnlyUpdatedAtMs: before?.readOnlyUpdatedAtMs ?? 0,
      serving: false,
      // Tokens in a file tell of a life in which it was ACTIVE.
      hasData: before?.hasData ?? keptTokens.length > 0,
      lostDataAtMs: lostDataAtMs(known, keptTokens, stamp),
      firstDataAtMs: known?.firstDataAtMs ?? kept?.registeredAtMs ?? 0,
      tokens,
      tokensUpdatedAtMs: tokens === before?.tokens ? before.tokensUpdatedAtMs : stamp,
    };
    this.#own = own;
    this.#publishedAtMs = nowMs;
    const mended = mendTokens(ring, own, this.#options.tokens);
    if (tokens.length > 0 && mended !== tokens) this.#take(mended, stamp);
    if (tokens.length === 0) this.#observedAtMs = nowMs + this.#options.observePeriodMs;
    return this.#entered;
  }

  /** What it is a part of runs: it may become ACTIVE. */
  ready(): void {
    this.#isReady = true;
  }

  /** To be called whenever the ring changed, and when `nextDueMs` is there. Returns what to publish, if anything. */
  step(ring: RingDescriptor, nowMs: number): Instance | undefined {
    const before = this.#entered;
    if (!this.#isLeaving) {
      this.#returnIfForgotten(ring, nowMs);
      this.#lookAtTokens(ring, nowMs);
      this.#becomeActive(nowMs);
    }
    if (this.#own !== before) return this.#own;
    if (nowMs < this.#publishedAtMs + this.#options.heartbeatPeriodMs) return undefined;
    return this.#change({}, nowMs);
  }

  /** Takes no more writes from now on, and still answers. */
  leave(nowMs: number): Instance {
    this.#isLeaving = true;
    return this.#change({ state: "LEAVING" }, nowMs);
  }

  /** It answers no more. `unregister`: and it will not come back. */
  lastWords(nowMs: number, { unregister }: { readonly unregister: boolean }): Instance {
    this.#isLeaving = true;
    if (!unregister) return this.#change({ state: "LEAVING", serving: false }, nowMs);
    this.#own = tombstone(this.#entered, nowMs);
    return this.#own;
  }

  /** Read-only: takes no new writes, answers reads. */
  setReadOnly(readOnly: boolean, nowMs: number): Instance {
    const own = this.#entered;
    if (own.readOnly === readOnly) return own;
    return this.#change({ readOnly, readOnlyUpdatedAtMs: nowMs }, nowMs);
  }

  get #entered(): Instance {
    return must(this.#own, "an instance enters the ring first");
  }

  #change(changes: Partial<Instance>, nowMs: number): Instance {
    const own = this.#entered;
    this.#own = { ...own, ...changes, heartbeatMs: Math.max(nowMs, own.heartbeatMs + 1) };
    this.#publishedAtMs = nowMs;
    return this.#own;
  }

  #take(tokens: Uint32Array, nowMs: number): void {
    const { tokensUpdatedAtMs } = this.#entered;
    this.#change({ tokens, tokensUpdatedAtMs: Math.max(nowMs, tokensUpdatedAtMs + 1) }, nowMs);
  }

  #returnIfForgotten(ring: RingDescriptor, nowMs: number): void {
    const seen = ring.get(this.#options.id);
    const own = this.#entered;
    if (seen === undefined || isMember(seen) || seen.heartbeatMs < own.heartbeatMs) return;
    const stamp = Math.max(nowMs, seen.heartbeatMs + 1, seen.tokensUpdatedAtMs + 1);
    // Shards look back to this time as to the end of a read-only one: it was in none of them until now.
    const changes = { heartbeatMs: stamp, tokensUpdatedAtMs: stamp, readOnlyUpdatedAtMs: nowMs };
    this.#own = { ...own, ...changes };
    this.#publishedAtMs = nowMs;
  }

  #lookAtTokens(ring: RingDescriptor, nowMs: number): void {
    const own = this.#entered;
    if (this.#observedAtMs === undefined) {
      const isDisputed = own.tokens.length > 0 && lostTokens(ring, own).size > 0;
      if (isDisputed) this.#take(mendTokens(ring, own, this.#options.tokens), nowMs);
      return;
    }
    if (own.state === "PENDING") this.#plan(ring, nowMs);
    if (!this.#isReady || nowMs < this.#observedAtMs) return;
    this.#observations++;
    const isChanged = this.#plan(ring, nowMs);
    const isLast = this.#observations >= this.#options.observationsMax;
    this.#observedAtMs = isChanged && !isLast ? nowMs + this.#options.observePeriodMs : undefined;
  }

  /** Whether that gave other tokens than before. */
  #plan(ring: RingDescriptor, nowMs: number): boolean {
    const own = this.#entered;
    const tokens = planTokens(ring, own, this.#options.tokens, nowMs);
    if (isSame(tokens, own.tokens)) return false;
    this.#take(tokens, nowMs);
    if (own.state === "PENDING") this.#change({ state: "JOINING" }, nowMs);
    return true;
  }

  #becomeActive(nowMs: number): void {
    const isWaiting = !this.#isReady || this.#observedAtMs !== undefined;
    const { state, hasData, registeredAtMs } = this.#entered;
    if (isWaiting || state !== "JOINING") return;
    // Shards are looked back to by when their instances began to take writes.
    const sinceMs = hasData ? registeredAtMs : nowMs;
    const firstDataAtMs = this.#entered.firstDataAtMs || sinceMs;
    const life = { registeredAtMs: sinceMs, firstDataAtMs, hasData: true };
    this.#change({ ...life, state: "ACTIVE", serving: true }, nowMs);
  }
}

/** The file of the tokens goes with the disk: one that had data and comes without it has lost its disk. */
function lostDataAtMs(known: Instance | undefined, kept: Uint32Array, nowMs: number): number {
  if (known === undefined) return 0;
  if (kept.length === 0 && known.hasData) return nowMs;
  // Forgotten with its data, it brings that back; what a member has lost stays lost.
  return kept.length > 0 && !isMember(known) ? 0 : known.lostDataAtMs;
}

function isSame(left: Uint32Array, right: Uint32Array): boolean {
  return left.length === right.length && left.every((token, index) => token === right[index]);
}
