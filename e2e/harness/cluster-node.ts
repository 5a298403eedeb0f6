/** One process of a cluster, which can die and come back at the same place with the same data. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { lastingPort } from "./cluster-ports.ts";
import { Muninn } from "./muninn.ts";
import { pollUntil } from "./poll.ts";
import type { Exit } from "./program.ts";

/** Where the others and the test reach it. */
export interface NodePlace {
  readonly host: string;
  readonly httpPort: number;
  readonly rpcPort: number;
  readonly gossipPort: number;
  /** Words before the command, to start it in a network namespace. */
  readonly within?: readonly string[];
}

export interface NodeOptions {
  readonly name: string;
  readonly target: string;
  readonly dataDirectory: string;
  readonly place: NodePlace;
  readonly flags: readonly string[];
}

export class ClusterNode implements AsyncDisposable {
  readonly name: string;
  readonly target: string;
  readonly dataDirectory: string;
  readonly place: NodePlace;
  readonly #flags: readonly string[];
  readonly #earlier: Muninn[] = [];
  #muninn: Muninn | undefined;
  #isFrozen = false;

  constructor({ name, target, dataDirectory, place, flags }: NodeOptions) {
    this.name = name;
    this.target = target;
    this.dataDirectory = dataDirectory;
    this.place = place;
    this.#flags = [
      `-target=${target}`,
      `-server.rpc-listen-address=${place.host}`,
      `-server.rpc-listen-port=${place.rpcPort}`,
      `-memberlist.nodename=${name}`,
      `-memberlist.bind-addr=${place.host}`,
      `-memberlist.bind-port=${place.gossipPort}`,
      ...["ingester", "distributor", "querier"].flatMap((ring) => [
        `-${ring}.ring.instance-id=${name}`,
        `-${ring}.ring.instance-addr=${place.host}`,
      ]),
      ...flags,
    ];
  }

  static async freePlace(): Promise<NodePlace> {
    const [httpPort, rpcPort, gossipPort] = [
      await lastingPort(),
      await lastingPort(),
      await lastingPort(),
    ];
    return { host: "127.0.0.1", httpPort, rpcPort, gossipPort };
  }

  get holdsData(): boolean {
    return this.target === "ingester" || this.target === "all";
  }

  /** The process of now, or the last one. */
  get muninn(): Muninn {
    assert.ok(this.#muninn !== undefined, `${this.name} was not started`);
    return this.#muninn;
  }

  get isRunning(): boolean {
    return this.#muninn !== undefined && this.#muninn.program.exit === undefined && !this.#isFrozen;
  }

  async launch(): Promise<void> {
    const { host, httpPort, within } = this.place;
    if (this.#muninn !== undefined) this.#earlier.push(this.#muninn);
    this.#muninn = await Muninn.launch({
      dataDirectory: this.dataDirectory,
      port: httpPort,
      host,
      flags: this.#flags,
      ...(within !== undefined && { within }),
    });
  }

  /** Starts it and waits until it is ready. */
  async start(): Promise<void> {
    await this.launch();
    await this.muninn.ready();
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    await this.muninn.stop("SIGKILL");
  }

  /** As SIGTERM, and waits for its end. */
  async stop(): Promise<Exit> {
    return await this.muninn.stop("SIGTERM");
  }

  freeze(): void {
    this.#isFrozen = true;
    this.muninn.program.signal("SIGSTOP");
  }

  thaw(): void {
    this.#isFrozen = false;
    this.muninn.program.signal("SIGCONT");
  }

  /** Resident memory as the kernel counts it. */
  async memoryMebibytes(): Promise<number> {
    const status = await readFile(`/proc/${this.muninn.program.pid}/status`, "utf8");
    return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
  }

  /** Sum over all label values; 0 for a metric that has none yet. */
  async metric(name: string): Promise<number> {
    const { body } = await this.muninn.request("/metrics");
    assert.ok(body.includes(`# TYPE ${name} `), `${this.name} has no metric ${name}`);
    const lines = body.split("\n").filter((line) => /^[^{ ]+/.exec(line)?.[0] === name);
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  /** Waits until samples arrive at this ingester. */
  async takesSamples(): Promise<void> {
    const before = await this.metric("cortex_ingester_ingested_samples_total");
    await pollUntil(`samples to arrive at ${this.name}`, 30_000, async () => {
      const now = await this.metric("cortex_ingester_ingested_samples_total");
      return now > before ? true : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isFrozen) this.thaw();
    for (const muninn of this.#earlier) await muninn[Symbol.asyncDispose]();
    await this.#muninn?.[Symbol.asyncDispose]();
  }
}
