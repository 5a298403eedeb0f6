import type { Clock } from "../base/clock.ts";
import { OpError } from "../base/errors.ts";
import { EwmaRate } from "../base/ewma-rate.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import { PatternCache } from "../model/compiled-matcher.ts";
import { Head } from "../tsdb/head/head.ts";
import { HeadChunkFiles } from "../tsdb/head-chunks/head-chunk-files.ts";
import type { HeadChunkMetrics } from "../tsdb/head-chunks/metrics.ts";
import { headChunkOptions } from "../tsdb/head-chunks/options.ts";
import type { IngesterMetrics } from "./metrics.ts";
import type { IngesterInstanceLimits, IngesterOptions } from "./options.ts";

export interface TenantsDependencies {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly chunkMetrics: HeadChunkMetrics;
  readonly instanceLimits: () => IngesterInstanceLimits;
  readonly metrics: Pick<IngesterMetrics, "instanceRejected">;
}

/** A tenant with an open head. */
export interface Tenant {
  readonly name: string;
  readonly head: Head;
  /** When the last push came, for closing idle tenants. */
  lastPushMs: number;
  /** Samples stored, a second. */
  readonly rate: EwmaRate;
}

/**
 * The open heads. A tenant's folder is made durable before its head takes a sample, so that at the next start
 * every tenant in the log has its folder.
 */
export class Tenants {
  readonly #options: IngesterOptions;
  readonly #deps: TenantsDependencies;
  /** Compiled regular expressions hold nothing of a tenant's data, so all heads share them. */
  readonly #patterns = new PatternCache();
  readonly #open = new Map<string, Tenant>();
  readonly #opening = new Map<string, Promise<Tenant>>();
  /** Folders that are being removed: a head is not opened in one. */
  readonly #removing = new Map<string, Promise<void>>();

  constructor(options: IngesterOptions, deps: TenantsDependencies) {
    this.#options = options;
    this.#deps = deps;
  }

  get size(): number {
    return this.#open.size;
  }

  get(name: string): Tenant | undefined {
    return this.#open.get(name);
  }

  all(): IterableIterator<Tenant> {
    return this.#open.values();
  }

  /** Tenants that have a folder, open or not. */
  async onDisk(): Promise<string[]> {
    const { files } = this.#deps;
    await files.makeDirectory(this.#options.tsdbDirectory);
    const names: string[] = [];
    for (const name of await files.list(this.#options.tsdbDirectory)) {
      // The lock of the folder, and those that other processes try to get and remove again.
      if (name.startsWith("~")) continue;
      const stat = await files.stat(`${this.#options.tsdbDirectory}/${name}`);
      if (stat.isDirectory) names.push(name);
    }
    return names;
  }

  /** For a push, which may bring one tenant too many. What is on disk already is opened whatever the limit. */
  async openForPush(name: string): Promise<Tenant> {
    const { maxTenants } = this.#deps.instanceLimits();
    const isNew = !this.#open.has(name) && !this.#opening.has(name);
    if (isNew && maxTenants > 0 && this.#open.size + this.#opening.size >= maxTenants) {
      this.#deps.metrics.instanceRejected.inc({ reason: "ingester_max_tenants" });
      throw new OpError(
        "ingester-max-tenants",
        `the write request has been rejected because the ingester has ${maxTenants} tenants already (err-mimir-ingester-max-tenants). Raise -ingester.instance-limits.max-tenants or add ingesters`,
      );
    }
    return await this.mustOpen(name);
  }

  async mustOpen(name: string): Promise<Tenant> {
    const open = this.#open.get(name);
    if (open) return open;
    const opening = this.#opening.get(name) ?? this.#openHead(name);
    this.#opening.set(name, opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(name);
    }
  }

  async #openHead(name: string): Promise<Tenant> {
    await this.#removing.get(name);
    const { files, clock, logger, random, chunkMetrics } = this.#deps;
    const directory = `${this.#options.tsdbDirectory}/${name}`;
    await files.makeDirectory(directory);
    await files.syncDirectory(this.#options.tsdbDirectory);
    const chunkFiles = await HeadChunkFiles.open(
      `${directory}/chunks_head`,
      headChunkOptions(this.#options.headChunkWriteBufferBytes),
      { files, clock, logger: logger.child({ user: name }), metrics: chunkMetrics },
    );
    const head = new Head(
      {
        chunkRangeMs: this.#options.chunkRangeMs,
        seed: (BigInt(random.uint32()) << 32n) | BigInt(random.uint32()),
        memoryBytesMax: this.#options.headMemoryBytesMax,
      },
      chunkFiles,
      this.#patterns,
    );
    const tenant: Tenant = { name, head, lastPushMs: clock.nowMs(), rate: new EwmaRate() };
    this.#open.set(name, tenant);
    return tenant;
  }

  /** Forgets the head at once and removes its folder. */
  async remove(name: string): Promise<void> {
    const tenant = this.#open.get(name);
    this.#open.delete(name);
    const removing = this.#removeFolder(name, tenant);
    this.#removing.set(name, removing);
    try {
      await removing;
    } finally {
      this.#removing.delete(name);
    }
  }

  async #removeFolder(name: string, tenant: Tenant | undefined): Promise<void> {
    await tenant?.head.files.close();
    await this.#deps.files.removeDirectory(`${this.#options.tsdbDirectory}/${name}`);
  }

  async closeAll(): Promise<void> {
    for (const tenant of this.#open.values()) await tenant.head.files.close();
  }
}
