/**
 * The limits in force: defaults, and per-tenant overrides from the runtime files, which are read again every reload period.
 *
 * - `start` reads them once and fails if they are bad: a process never starts with limits that nobody wrote.
 * - Later, a reading that fails changes nothing. It is told in the log once for each change of what is wrong, by the
 *   metrics, and by `status` until a reading succeeds.
 * - `version` grows only when some limit has changed: a new comment in the file empties no caches.
 */
import { createHash } from "node:crypto";
import type { Registry } from "prom-client";
import { stringify } from "yaml";
import { type Clock, every, type Timer } from "../base/clock.ts";
import { errorMessage, OpError } from "../base/errors.ts";
import type { FileSystem } from "../base/file-system.ts";
import type { Logger } from "../base/logger.ts";
import type { Limits, LimitsSource } from "../model/limits.ts";
import { newOverridesMetrics, type OverridesMetrics } from "./metrics.ts";
import { limitsTree } from "./print.ts";
import {
  type InstanceLimits,
  type NamedText,
  type RuntimeConfig,
  type RuntimeReading,
  readRuntimeFiles,
} from "./runtime-file.ts";
import type { Config } from "./schema.ts";

export type OverridesOptions = Pick<
  Config,
  "limits" | "tsdb" | "runtimeConfig" | "distributor" | "ingester"
>;

export interface OverridesCollaborators {
  readonly clock: Clock;
  readonly fileSystem: FileSystem;
  readonly logger: Logger;
  readonly registry: Registry;
}

export interface OverridesStatus {
  readonly files: readonly string[];
  readonly version: number;
  /** Of the files in force; undefined before the first reading and without files. */
  readonly sha256: string | undefined;
  readonly loadedAtMs: number | undefined;
  readonly lastReloadSuccessful: boolean;
  /** Why the last reading failed. */
  readonly errors: readonly string[];
}

interface Files {
  readonly texts: readonly NamedText[];
  readonly sha256: string;
}

export class Overrides implements LimitsSource {
  readonly #options: OverridesOptions;
  readonly #clock: Clock;
  readonly #fileSystem: FileSystem;
  readonly #logger: Logger;
  readonly #metrics: OverridesMetrics;
  #current: RuntimeConfig;
  #version = 1;
  #sha256: string | undefined;
  #loadedAtMs: number | undefined;
  #errors: readonly string[] = [];
  #timer: Timer | undefined;

  constructor(options: OverridesOptions, collaborators: OverridesCollaborators) {
    const { clock, fileSystem, logger, registry } = collaborators;
    this.#options = options;
    this.#clock = clock;
    this.#fileSystem = fileSystem;
    this.#logger = logger;
    this.#current = { tenants: new Map(), instanceLimits: instanceLimitsOf(options) };
    this.#metrics = newOverridesMetrics(registry, () => ({
      defaults: options.limits,
      tenants: this.#current.tenants,
    }));
  }

  async start(): Promise<void> {
    if (this.#options.runtimeConfig.files.length === 0) return;
    await this.reload();
    if (this.#errors.length > 0) {
      throw new OpError("runtime-config-invalid", this.#errors.join("; "));
    }
    this.#timer = every(this.#clock, this.#options.runtimeConfig.reloadPeriodMs, () =>
      this.reload(),
    );
  }

  stop(): Promise<void> {
    this.#timer?.cancel();
    return Promise.resolve();
  }

  forTenant(tenant: string): Limits {
    return this.#current.tenants.get(tenant) ?? this.#options.limits;
  }

  get version(): number {
    return this.#version;
  }

  /** Limits of this process as a whole, which the runtime file can change too. */
  get instanceLimits(): InstanceLimits {
    return this.#current.instanceLimits;
  }

  /** Reads the files now. Never throws: what went wrong is in `status`. */
  async reload(): Promise<void> {
    const reading = await this.#read();
    if ("errors" in reading) this.#failed(reading.errors);
    else this.#succeeded(reading.files, reading.config);
    this.#metrics.reloaded(this.#errors.length === 0, this.#sha256);
  }

  status(): OverridesStatus {
    return {
      files: this.#options.runtimeConfig.files,
      version: this.#version,
      sha256: this.#sha256,
      loadedAtMs: this.#loadedAtMs,
      lastReloadSuccessful: this.#errors.length === 0,
      errors: this.#errors,
    };
  }

  /** What is in force, as YAML; the state of the reading stands above it in comments. "diff": only what differs from the defaults. */
  page(mode: "full" | "diff"): string {
    const overrides: Record<string, unknown> = {};
    for (const [tenant, limits] of this.#current.tenants) {
      overrides[tenant] = limitsTree(limits, mode === "diff" ? this.#options.limits : undefined);
    }
    return `${this.#pageHead()}${stringify({ overrides }, { lineWidth: 0 })}`;
  }

  #pageHead(): string {
    const { files, sha256, loadedAtMs, errors } = this.status();
    const lines = [`files: ${files.join(", ") || "none (-runtime-config.file)"}`];
    if (sha256 !== undefined) lines.push(`sha256: ${sha256}`);
    if (loadedAtMs !== undefined)
      lines.push(`in force since: ${new Date(loadedAtMs).toISOString()}`);
    if (errors.length > 0) {
      lines.push("the last reading failed, what follows is from the one before:");
      lines.push(...errors.flatMap((error) => error.split("\n")).map((error) => `  ${error}`));
    }
    return lines.map((line) => `# ${line}\n`).join("");
  }

  async #read(): Promise<
    | { readonly files: Files; readonly config: RuntimeConfig }
    | { readonly errors: readonly string[] }
  > {
    let files: Files;
    try {
      files = await this.#readFiles();
    } catch (error) {
      return { errors: [errorMessage(error)] };
    }
    const config = this.#parse(files);
    return "errors" in config ? config : { files, config };
  }

  /** The usual case, nothing new, costs no parsing. */
  #parse({ texts, sha256 }: Files): RuntimeReading {
    if (sha256 === this.#sha256) return this.#current;
    const { limits, tsdb } = this.#options;
    return readRuntimeFiles(texts, { limits, tsdb, ...instanceLimitsOf(this.#options) });
  }

  async #readFiles(): Promise<Files> {
    const texts: NamedText[] = [];
    const hashes: string[] = [];
    for (const path of this.#options.runtimeConfig.files) {
      const bytes = await this.#fileSystem.readFile(path);
      hashes.push(sha256(bytes));
      texts.push({ path, text: new TextDecoder().decode(bytes) });
    }
    // One file: what sha256sum prints for it.
    const [only] = hashes;
    return { texts, sha256: hashes.length === 1 && only ? only : sha256(hashes.join(",")) };
  }

  #succeeded(files: Files, config: RuntimeConfig): void {
    const wasBad = this.#errors.length > 0;
    this.#errors = [];
    if (files.sha256 === this.#sha256) {
      if (wasBad) this.#logger.info({ sha256: files.sha256 }, "runtime configuration is as before");
      return;
    }
    if (!isSame(this.#current, config)) {
      this.#current = config;
      this.#version++;
    }
    this.#sha256 = files.sha256;
    this.#loadedAtMs = this.#clock.nowMs();
    this.#logger.info(
      { sha256: files.sha256, tenants: config.tenants.size },
      "runtime configuration loaded",
    );
  }

  #failed(errors: readonly string[]): void {
    const isNews = errors.join("\n") !== this.#errors.join("\n");
    this.#errors = errors;
    if (!isNews) return;
    this.#logger.warn(
      { err: errors.join("; ") },
      "runtime configuration is bad: the limits of before stay in force",
    );
  }
}

function instanceLimitsOf({ distributor, ingester }: OverridesOptions): InstanceLimits {
  return { distributor: distributor.instanceLimits, ingester: ingester.instanceLimits };
}

function isSame(left: RuntimeConfig, right: RuntimeConfig): boolean {
  const flat = ({ tenants, instanceLimits }: RuntimeConfig) =>
    JSON.stringify([[...tenants].sort(([a], [b]) => (a < b ? -1 : 1)), instanceLimits]);
  return flat(left) === flat(right);
}

function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}
