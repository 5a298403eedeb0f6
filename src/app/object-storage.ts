/**
 * Object storage as far as this version goes: it is configured, perhaps, and looked for, but no block is written to it or
 * read from it yet. The samples of the head period are served from this machine alone, and an operator who configured a
 * bucket must not learn that by accident: the log, /ready and the first page say it.
 */
import { type Clock, every, type Timer } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Config } from "../config/config.ts";
import type { Machine } from "./machine.ts";

const PROBE_TIMEOUT_MS = 5_000;
const PROBE_PERIOD_MS = 60_000;

export class ObjectStorageCheck {
  readonly #storage: Config["storage"];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #probe: Machine["probe"];
  #timer: Timer | undefined;
  #notice: string | undefined;

  constructor(storage: Config["storage"], { clock, logger, probe }: Machine) {
    this.#storage = storage;
    this.#clock = clock;
    this.#logger = logger;
    this.#probe = probe;
  }

  /** Does not wait for the answer: a bucket that hangs must not delay the replay. */
  start(): void {
    if (this.#storage.backend !== "s3") return;
    this.#timer = every(this.#clock, PROBE_PERIOD_MS, () => this.check());
    void this.check();
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** What an operator should know, if anything. */
  get notice(): string | undefined {
    return this.#notice;
  }

  /** Never rejects. A change is logged once. */
  async check(): Promise<void> {
    const url = endpointUrl(this.#storage.s3);
    const result = await this.#probe(url, PROBE_TIMEOUT_MS);
    const where = `object storage (s3 bucket "${this.#storage.s3.bucketName}" at ${url})`;
    const consequence =
      "this version keeps samples on this machine only, for the retention period of the head";
    const notice =
      result.kind === "answered"
        ? `${where} is configured and answers, but is not used yet: ${consequence}`
        : `${where} is configured but unreachable (${result.reason}), and is not used yet: ${consequence}`;
    if (notice === this.#notice) return;
    this.#notice = notice;
    this.#logger.warn({ endpoint: url, result: result.kind }, notice);
  }
}

function endpointUrl({ endpoint, region, insecure }: Config["storage"]["s3"]): string {
  const host =
    endpoint === "" ? `s3.${region === "" ? "us-east-1" : region}.amazonaws.com` : endpoint;
  return `${insecure ? "http" : "https"}://${host}/`;
}
