/**
 * The life of an ingester in its ring: it enters before the log is replayed (so that others know that it comes), becomes
 * ACTIVE when it is, and leaves in an order in which no write fails and nothing acknowledged gets out of reach.
 */
import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { RingMember } from "../ring/ring-member.ts";
import type { Ingester } from "./ingester.ts";

export interface IngesterLifeOptions {
  /** Whether a stop takes the instance out of the ring; can be switched while it runs. */
  readonly unregisterOnShutdown: boolean;
  /** Exists while a shutdown is prepared, also over a restart. */
  readonly preparedFile: string;
  /** From ACTIVE to ready. */
  readonly minReadyDurationMs: number;
}

export interface IngesterLifeDependencies {
  readonly ingester: Pick<Ingester, "maintain" | "stop" | "status">;
  readonly member: RingMember;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class IngesterLife {
  readonly #options: IngesterLifeOptions;
  readonly #deps: IngesterLifeDependencies;
  #isPrepared = false;
  /** The others know of this life of the instance. */
  #isKnown = false;
  #unregister: boolean;
  #isShutDown = false;

  constructor(options: IngesterLifeOptions, deps: IngesterLifeDependencies) {
    this.#options = options;
    this.#deps = deps;
    this.#unregister = options.unregisterOnShutdown;
  }

  /** Before the log is replayed. `address`: host:port where the members of the cluster reach this one. */
  async enter(address: string): Promise<void> {
    const { files, member, logger } = this.#deps;
    this.#isPrepared = await exists(files, this.#options.preparedFile);
    if (this.#isPrepared) {
      logger.warn(
        { file: this.#options.preparedFile },
        "a shutdown is prepared: this ingester will unregister when it stops; undo with DELETE /ingester/prepare-shutdown",
      );
    }
    await member.enter(address);
  }

  /** After it. Resolves when the instance is ACTIVE and others have been told. */
  async ready(): Promise<void> {
    const { member, clock } = this.#deps;
    await member.ready();
    this.#isKnown = true;
    const { minReadyDurationMs } = this.#options;
    if (minReadyDurationMs === 0) return;
    await new Promise<void>((resolve) => void clock.after(minReadyDurationMs, resolve));
  }

  /** On the way out: pushes and queries are still answered while others learn of it. */
  async leave(): Promise<void> {
    const unregister = this.willUnregister;
    await this.#deps.member.leave({ unregister });
    // It is done: the same machine may come back as a new instance.
    if (this.#isPrepared) await this.#deps.files.remove(this.#options.preparedFile);
  }

  /**
   * One that comes back with an empty disk before anybody has noticed that it was away would answer queries with nothing,
   * and be taken for a replica: it answers when the others know.
   */
  readonly whyUnreadable = (): string | undefined => {
    const hasLost = (this.#deps.member.instance?.lostDataAtMs ?? 0) > 0;
    return hasLost && !this.#isKnown
      ? "the ingester came back without its data; others are being told"
      : undefined;
  };

  /** Why the process is not ready though all of it runs. */
  get unready(): string | undefined {
    return this.#isShutDown ? "the ingester was shut down by POST /ingester/shutdown" : undefined;
  }

  get willUnregister(): boolean {
    return this.#unregister || this.#isPrepared;
  }

  // ------------------------------------------------------------------------------- asked by operators

  get isPrepared(): boolean {
    this.#mustRun();
    return this.#isPrepared;
  }

  async prepareShutdown(): Promise<void> {
    this.#mustRun();
    await this.#deps.files.writeFileAtomic(this.#options.preparedFile, new Uint8Array());
    this.#isPrepared = true;
    this.#deps.logger.info({}, "a shutdown is prepared: this ingester unregisters when it stops");
  }

  async undoPrepareShutdown(): Promise<void> {
    this.#mustRun();
    await this.#deps.files.remove(this.#options.preparedFile);
    this.#isPrepared = false;
    this.#deps.logger.info({}, "the prepared shutdown is undone");
  }

  /** undefined: as configured. */
  set unregisterOnShutdown(unregister: boolean | undefined) {
    this.#mustRun();
    this.#unregister = unregister ?? this.#options.unregisterOnShutdown;
  }

  get unregisterOnShutdown(): boolean {
    return this.#unregister;
  }

  /** Unix seconds since when it is read-only; 0: it is not. */
  get readOnlySinceSeconds(): number {
    this.#mustRun();
    const instance = this.#deps.member.instance;
    return instance?.readOnly === true ? Math.trunc(instance.readOnlyUpdatedAtMs / 1000) : 0;
  }

  setReadOnly(readOnly: boolean): void {
    this.#mustRun();
    this.#deps.member.setReadOnly(readOnly);
    this.#deps.logger.info({ readOnly }, "the mode of this ingester was changed");
  }

  /** Writes out what is old enough to leave memory, and shortens the log. */
  async flush(): Promise<void> {
    this.#mustRun();
    await this.#deps.ingester.maintain();
  }

  /** Flushes, leaves the ring for good and stops the ingester; the process stays, and is not ready any more. */
  async shutdown(): Promise<void> {
    this.#mustRun();
    const { ingester, member } = this.#deps;
    await ingester.maintain();
    // Somebody else may have asked for the same meanwhile.
    this.#mustRun();
    this.#isShutDown = true;
    await member.leave({ unregister: true });
    await ingester.stop();
    this.#deps.logger.warn(
      {},
      "the ingester was shut down on request; the process waits for its end",
    );
  }

  #mustRun(): void {
    if (this.#isShutDown) throw new OpError("stopping", "the ingester was shut down on request");
    const { state } = this.#deps.ingester.status;
    if (state !== "running") {
      throw new OpError("starting", `the ingester is not running (${state}); retry in a moment`);
    }
  }
}

async function exists(files: FileSystem, path: string): Promise<boolean> {
  try {
    await files.stat(path);
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return false;
    throw error;
  }
}
