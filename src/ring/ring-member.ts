/**
 * The membership of this process in one ring: publishes what the lifecycle (lifecycle.ts) says, keeps the tokens on disk,
 * beats, and leaves in an order in which nobody is surprised.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { KvStore } from "../gossip/kv/kv-store.ts";
import type { Watch } from "../gossip/kv/watchers.ts";
import { type Instance, NO_TOKENS } from "./instance.ts";
import { Lifecycle, type LifecycleOptions } from "./lifecycle.ts";
import type { RingMetrics } from "./metrics.ts";
import { RING_VALUE } from "./ring-value.ts";
import type { RingWatch } from "./ring-watch.ts";
import { readTokenFile, writeTokenFile } from "./token-file.ts";

export interface RingMemberOptions extends LifecycleOptions {
  readonly key: string;
  /** Where the tokens are kept; undefined for rings whose members come and go. */
  readonly tokensFile: string | undefined;
  /** From LEAVING, told, to the last words: for callers that still hold the old ring. */
  readonly finalSleepMs: number;
}

export interface RingMemberDependencies {
  readonly store: KvStore;
  readonly watch: RingWatch;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: RingMetrics;
  /** Resolves when the others have been told what was published, or there is no hope of that. */
  readonly told: () => Promise<void>;
}

export class RingMember {
  readonly #options: RingMemberOptions;
  readonly #deps: RingMemberDependencies;
  readonly #lifecycle: Lifecycle;
  readonly #activeWaiters = new Set<() => void>();
  #listening: Watch | undefined;
  #timer: Timer | undefined;
  #tokensOnDisk: Uint32Array = NO_TOKENS;
  #writing: Promise<void> = Promise.resolve();
  #hasBeenActive = false;
  #isGone = false;
  /** When the timer fires. */
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(options: RingMemberOptions, deps: RingMemberDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#lifecycle = new Lifecycle(options);
  }

  get instance(): Instance | undefined {
    return this.#lifecycle.instance;
  }

  /**
   * Registers under this address (host:port), with the tokens of an earlier life if there was one. A damaged token file is
   * a CorruptionError.
   */
  async enter(address: string): Promise<void> {
    const { files, watch, logger } = this.#deps;
    const { tokensFile } = this.#options;
    const kept = tokensFile === undefined ? undefined : await readTokenFile(files, tokensFile);
    this.#tokensOnDisk = kept?.tokens ?? NO_TOKENS;
    const instance = this.#lifecycle.enter(watch.descriptor, watch.nowMs(), { address, kept });
    logger.info(
      { ring: watch.name, instance: instance.id, tokens: instance.tokens.length },
      instance.tokens.length > 0
        ? "entering the ring with the tokens of before"
        : "entering the ring for the first time",
    );
    this.#publish(instance);
    this.#listening = watch.onChange(() => this.#onRing());
    this.#step();
  }

  /** What the instance is a part of runs. Resolves when it is ACTIVE and the others have been told. */
  async ready(): Promise<void> {
    this.#lifecycle.ready();
    this.#step();
    if (!this.#lifecycle.isActive && !this.#isGone) {
      await new Promise<void>((resolve) => this.#activeWaiters.add(resolve));
    }
    // A crash now must find them again: what is acknowledged from here on lies where they say.
    await this.#writing;
    await this.#deps.told();
  }

  setReadOnly(readOnly: boolean): void {
    this.#publish(this.#lifecycle.setReadOnly(readOnly, this.#deps.watch.nowMs()));
  }

  /** LEAVING, told to the others, the final sleep, then the last words, told too. Beats no more. */
  async leave({ unregister }: { readonly unregister: boolean }): Promise<void> {
    const { watch, told, clock } = this.#deps;
    const { finalSleepMs } = this.#options;
    if (this.#lifecycle.instance === undefined || this.#isGone) return;
    if (this.#lifecycle.isActive) {
      this.#publish(this.#lifecycle.leave(watch.nowMs()));
      await told();
      if (finalSleepMs > 0) {
        await new Promise<void>((resolve) => void clock.after(finalSleepMs, resolve));
      }
    }
    this.#isGone = true;
    this.#timer?.cancel();
    this.#listening?.cancel();
    this.#publish(this.#lifecycle.lastWords(watch.nowMs(), { unregister }));
    for (const resolve of this.#activeWaiters) resolve();
    await this.#writing;
    await told();
  }

  /** What we publish ourselves comes back as a change of the ring: only the timer may beat, or this could go round. */
  #onRing(): void {
    this.#step(Math.min(this.#deps.watch.nowMs(), this.#dueMs - 1));
  }

  #step(nowMs = this.#deps.watch.nowMs()): void {
    if (this.#isGone) return;
    const { watch } = this.#deps;
    const news = this.#lifecycle.step(watch.descriptor, nowMs);
    if (news !== undefined) this.#publish(news);
    if (this.#lifecycle.isActive) {
      for (const resolve of this.#activeWaiters) resolve();
      this.#activeWaiters.clear();
    }
    this.#arm();
  }

  #publish(instance: Instance): void {
    const { store, metrics, watch } = this.#deps;
    metrics.heartbeats.inc({ name: watch.name });
    store.update(this.#options.key, RING_VALUE, () => new Map([[instance.id, instance]]));
    this.#keepTokens(instance);
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#dueMs = this.#lifecycle.nextDueMs;
    const delayMs = Math.max(1, this.#dueMs - this.#deps.watch.nowMs());
    this.#timer = this.#deps.clock.after(delayMs, () => this.#step());
  }

  /** On disk only once it is ACTIVE: a file says that there may be data. One that unregisters loses its claim. */
  #keepTokens({ tokens, state, registeredAtMs }: Instance): void {
    const { tokensFile } = this.#options;
    if (tokensFile === undefined) return;
    if (state === "ACTIVE") this.#hasBeenActive = true;
    const hasLeft = state === "LEFT";
    const kept = hasLeft ? NO_TOKENS : tokens;
    if (kept === this.#tokensOnDisk || (!hasLeft && !this.#hasBeenActive)) return;
    this.#tokensOnDisk = kept;
    const { files, logger } = this.#deps;
    const write = async (): Promise<void> => {
      try {
        if (hasLeft) await files.remove(tokensFile);
        else await writeTokenFile(files, tokensFile, { tokens, registeredAtMs });
      } catch (error) {
        logger.error({ err: error, file: tokensFile }, "the tokens could not be written");
      }
    };
    this.#writing = this.#writing.then(write);
  }
}
