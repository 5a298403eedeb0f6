/**
 * Keys and values that all members of a gossip cluster hold together (value-type.ts says how that can be). A change is
 * made here first and then gossiped, just the part that is new; who learns something new from it passes that on. A push/pull
 * carries everything, so what gossip has lost is made up for.
 *
 * It keeps no time and sends nothing by itself: `Gossip` asks it for what there is to say.
 */
import { crc32 } from "node:zlib";
import { assert } from "../../base/assert.ts";
import type { Clock } from "../../base/clock.ts";
import { textBytes } from "../codec/byte-writer.ts";
import { ProtocolError } from "../codec/protocol-error.ts";
import type { GossipUser } from "../gossip.ts";
import { type Broadcast, BroadcastQueue } from "../membership/broadcast-queue.ts";
import { History, type HistoryEntry } from "./history.ts";
import { type KvMetrics, type KvState, metricKey } from "./metrics.ts";
import type { KvOptions } from "./options.ts";
import { decodePairs, encodePairs, joinMessages, KEY_BYTES_MAX, type Pair } from "./pairs.ts";
import type { ValueType } from "./value-type.ts";
import { type Watch, Watchers } from "./watchers.ts";

interface Entry {
  readonly type: ValueType<unknown>;
  value: unknown;
  /** Counts the changes that this process has seen. */
  version: number;
  updatedAtMs: number;
}

interface ChangeBroadcast extends Broadcast {
  readonly subjects: ReadonlySet<string>;
}

export interface KeyStatus {
  readonly key: string;
  readonly type: string;
  readonly version: number;
  readonly updatedAtMs: number;
  readonly sizeBytes: number;
  readonly tombstones: number;
  /** Equal on two members: they hold the same. */
  readonly digest: number;
}

type Origin = "own" | "received" | "received-state";

export class KvStore implements GossipUser {
  readonly #options: KvOptions;
  readonly #clock: Clock;
  readonly #metrics: KvMetrics;
  readonly #types: ReadonlyMap<string, ValueType<unknown>>;
  readonly #entries = new Map<string, Entry>();
  readonly #queue: BroadcastQueue;
  readonly #watchers = new Watchers();
  readonly #history: History;
  /** Own changes that are not told as often as they will be. */
  #ownPending = 0;
  readonly #sentWaiters = new Set<() => void>();

  constructor(
    options: KvOptions,
    collaborators: {
      readonly clock: Clock;
      readonly metrics: KvMetrics;
      readonly types: readonly ValueType<unknown>[];
    },
  ) {
    this.#options = options;
    this.#clock = collaborators.clock;
    this.#metrics = collaborators.metrics;
    this.#types = new Map(collaborators.types.map((type) => [type.id, type]));
    this.#history = new History(options.historyBytesMax);
    this.#queue = new BroadcastQueue({
      retransmitMultiplier: options.retransmitMultiplier,
      lengthMax: options.broadcastsMax,
    });
  }

  /** `empty` for a key that nobody has written. */
  get<Value>(key: string, type: ValueType<Value>): Value {
    const entry = this.#entries.get(key);
    if (entry === undefined) return type.empty;
    assert(entry.type.id === type.id, `key ${key} holds a ${entry.type.id}, not a ${type.id}`);
    return entry.value as Value;
  }

  /**
   * Merges what `change` gives for the present value (undefined: nothing) into it, and tells everybody. False if that
   * made no difference. Nothing comes between reading and writing.
   */
  update<Value>(
    key: string,
    type: ValueType<Value>,
    change: (current: Value) => Value | undefined,
  ): boolean {
    assert(this.#types.get(type.id) === type, `type ${type.id} is not registered`);
    assert(textBytes(key).length <= KEY_BYTES_MAX, "a key of the gossip store is too long");
    this.#metrics.casAttempts.inc();
    let incoming: Value | undefined;
    try {
      incoming = change(this.get(key, type));
    } catch (error) {
      this.#metrics.casFailures.inc();
      throw error;
    }
    if (incoming === undefined) return false;
    const news = this.#merge(key, type, incoming, "own");
    if (news.length === 0) return false;
    this.#metrics.casSuccesses.inc();
    return true;
  }

  /** Calls with each new value, whoever made it. */
  watchKey<Value>(key: string, type: ValueType<Value>, listener: (value: Value) => void): Watch {
    return this.#watchers.watchKey(key, () => listener(this.get(key, type)));
  }

  watchPrefix<Value>(
    prefix: string,
    type: ValueType<Value>,
    listener: (key: string, value: Value) => void,
  ): Watch {
    return this.#watchers.watchPrefix(prefix, (key) => listener(key, this.get(key, type)));
  }

  keys(prefix = ""): string[] {
    return [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  }

  /** Resolves when own changes are told as often as they will be, or after `timeoutMs`: before leaving. */
  async waitUntilSent(timeoutMs: number): Promise<void> {
    if (this.#ownPending === 0) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        timer.cancel();
        this.#sentWaiters.delete(finish);
        resolve();
      };
      const timer = this.#clock.after(timeoutMs, finish);
      this.#sentWaiters.add(finish);
    });
  }

  /** Oldest first. */
  get history(): readonly HistoryEntry[] {
    return this.#history.entries;
  }

  clearHistory(): void {
    this.#history.clear();
  }

  get keyStatuses(): KeyStatus[] {
    return this.keys().map((key) => {
      const { type, value, version, updatedAtMs } = this.#entries.get(key) as Entry;
      const bytes = type.encode(value);
      const tombstones = type.tombstoneCount(value);
      const digest = crc32(bytes);
      const sizeBytes = bytes.length;
      return { key, type: type.id, version, updatedAtMs, sizeBytes, tombstones, digest };
    });
  }

  get metricsState(): KvState {
    const { length, sizeBytes, dropped } = this.#queue;
    const tombstones = new Map<string, number>();
    for (const [key, { type, value }] of this.#entries) {
      const group = metricKey(key);
      tombstones.set(group, (tombstones.get(group) ?? 0) + type.tombstoneCount(value));
    }
    return { keyCount: this.#entries.size, queue: { length, sizeBytes, dropped }, tombstones };
  }

  get waitingBytes(): number {
    return this.#queue.sizeBytes;
  }

  broadcasts(overheadBytes: number, limitBytes: number, memberCount: number): Uint8Array[] {
    return this.#queue.take(overheadBytes, limitBytes, memberCount);
  }

  largeBroadcast(limitBytes: number, memberCount: number): Uint8Array | undefined {
    const { bundleBytesMax } = this.#options;
    const messages = this.#queue.takeLarger(limitBytes, bundleBytesMax, memberCount);
    return messages.length === 0 ? undefined : joinMessages(messages);
  }

  localState(): Uint8Array {
    for (const key of this.#entries.keys()) this.#dropOldTombstones(key);
    const state = encodePairs(this.#pairs());
    this.#metrics.pushes.inc();
    this.#metrics.pushesBytes.inc(state.length);
    return state;
  }

  *#pairs(): Generator<Pair> {
    for (const [key, { type, value }] of this.#entries) {
      yield { key, type: type.id, value: type.encode(value) };
    }
  }

  mergeRemoteState(bytes: Uint8Array): void {
    this.#metrics.pulls.inc();
    this.#metrics.pullsBytes.inc(bytes.length);
    this.#take(bytes, "received-state");
  }

  receive(payload: Uint8Array): void {
    this.#metrics.received.inc();
    this.#metrics.receivedBytes.inc(payload.length);
    this.#take(payload, "received");
  }

  #take(bytes: Uint8Array, origin: Origin): void {
    try {
      for (const pair of decodePairs(bytes)) this.#takePair(pair, origin);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#metrics.receivedInvalid.inc();
    }
  }

  #takePair(pair: Pair, origin: Origin): void {
    const { key, value } = pair;
    const type = this.#types.get(pair.type);
    const entry = this.#entries.get(key);
    const isOther = entry !== undefined && entry.type !== type;
    const isTooMany = entry === undefined && this.#entries.size >= this.#options.keysMax;
    const incoming = type === undefined ? undefined : tryDecode(type, value);
    if (type === undefined || incoming === undefined || isOther || isTooMany) {
      this.#metrics.receivedInvalid.inc();
      return;
    }
    const news = this.#merge(key, type, incoming.value, origin);
    this.#remember(pair, origin, news);
  }

  /** Gives what was new, by its subjects. */
  #merge(
    key: string,
    type: ValueType<unknown>,
    incoming: unknown,
    origin: Origin,
  ): readonly string[] {
    const beforeMs = this.#clock.nowMs() - this.#options.tombstoneAgeMs;
    const entry = this.#entries.get(key);
    const mine = entry?.value ?? type.empty;
    // Old tombstones of others must not come back to life as news.
    const { result, change } = type.merge(mine, type.withoutOldTombstones(incoming, beforeMs));
    if (result === mine) return [];
    const updated: Entry = entry ?? { type, value: mine, version: 0, updatedAtMs: 0 };
    updated.value = result;
    updated.version++;
    updated.updatedAtMs = this.#clock.nowMs();
    this.#entries.set(key, updated);
    this.#dropOldTombstones(key);
    this.#broadcast(key, type, change, origin);
    this.#watchers.tell(key);
    return type.subjects(change);
  }

  #dropOldTombstones(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    const { type, value } = entry;
    const beforeMs = this.#clock.nowMs() - this.#options.tombstoneAgeMs;
    const kept = type.withoutOldTombstones(value, beforeMs);
    if (kept === value) return;
    const removed = type.tombstoneCount(value) - type.tombstoneCount(kept);
    this.#metrics.tombstonesRemoved.inc({ key: metricKey(key) }, removed);
    entry.value = kept;
    if (type.isEmpty(kept)) this.#entries.delete(key);
  }

  #broadcast(key: string, type: ValueType<unknown>, change: unknown, origin: Origin): void {
    for (const piece of type.split(change, this.#options.pieceBytesMax)) {
      const pair = { key, type: type.id, value: type.encode(piece) };
      if (origin === "own") {
        this.#ownPending++;
        this.#remember(pair, origin, type.subjects(piece));
      }
      const broadcast: ChangeBroadcast = {
        group: key,
        subjects: new Set(type.subjects(piece)),
        message: encodePairs([pair]),
        replaces: (older) => (older as ChangeBroadcast).subjects.isSubsetOf(broadcast.subjects),
        finished: () => this.#broadcastEnds(origin),
      };
      this.#queue.add(broadcast);
    }
  }

  #broadcastEnds(origin: Origin): void {
    if (origin !== "own") return;
    this.#ownPending--;
    if (this.#ownPending > 0) return;
    for (const finish of [...this.#sentWaiters]) finish();
  }

  #remember({ key, type, value }: Pair, origin: Origin, news: readonly string[]): void {
    const direction = origin === "own" ? "sent" : origin;
    this.#history.add({ atMs: this.#clock.nowMs(), direction, key, type, value, news });
  }
}

/** A value from outside may be anything, and its type says so by throwing, in its own words. */
function tryDecode(type: ValueType<unknown>, bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: type.decode(bytes) };
  } catch {
    return undefined;
  }
}
