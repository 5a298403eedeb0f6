/** Muninn as a cluster on loopback: a distributor, ingesters and a querier, each a process of its own. */
import assert from "node:assert/strict";
import { temporaryFolder } from "../../e2e/harness/folder.ts";
import { pollUntil } from "../../e2e/harness/poll.ts";
import { freePort, Program } from "../../e2e/harness/program.ts";
import { Api } from "../../e2e/harness/query.ts";
import { cpuSeconds } from "../process-usage.ts";
import { LIFTED_LIMITS, MUNINN, MUNINN_LAUNCHER } from "./kinds.ts";
import type { ServerKind } from "./server.ts";

type Target = "distributor" | "ingester" | "querier";

const READY_TIMEOUT_MS = 120_000;
const REPLICAS = 3;
const ACTIVE_INGESTERS = 'cortex_ring_members{name="ingester",state="ACTIVE"}';

export class ClusterProcess {
  readonly name: string;
  readonly #arguments: readonly string[];
  readonly #port: number;
  #program: Program;

  constructor(name: string, port: number, args: readonly string[]) {
    this.name = name;
    this.#port = port;
    this.#arguments = args;
    this.#program = this.#spawn();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  cpuSeconds(): number {
    return cpuSeconds(this.#program.pid);
  }

  /** Sum of the series of a metric. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const values = text
      .split("\n")
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
      .map((line) => Number(line.slice(line.lastIndexOf(" "))));
    assert.ok(values.length > 0, `${this.name} has no metric ${name}`);
    return values.reduce((sum, value) => sum + value, 0);
  }

  async kill(): Promise<void> {
    await this.#program.stop("SIGKILL");
  }

  /** Starts it again on the same data and ports; does not wait until it is ready. */
  restart(): void {
    this.#program = this.#spawn();
  }

  async ready(): Promise<void> {
    await pollUntil(`${this.name} to be ready`, READY_TIMEOUT_MS, async () => {
      if (this.#program.exit !== undefined) return true;
      return (await fetch(`${this.url}/ready`)).ok ? true : undefined;
    });
    const { exit, output } = this.#program;
    if (exit !== undefined) throw new Error(`${this.name} ended early:\n${output}`);
  }

  #spawn(): Program {
    const { name } = this;
    return new Program({ name, command: process.execPath, arguments: this.#arguments });
  }
}

/** Replication factor 3, so each of its three ingesters has every series. */
export class Cluster implements AsyncDisposable {
  readonly kind: ServerKind = MUNINN;
  readonly distributor: ClusterProcess;
  readonly ingesters: readonly ClusterProcess[];
  readonly #querier: ClusterProcess;
  readonly #removeFolder: () => PromiseLike<void>;

  private constructor(
    [distributor, querier, ...ingesters]: readonly ClusterProcess[],
    removeFolder: () => PromiseLike<void>,
  ) {
    assert.ok(distributor !== undefined && querier !== undefined);
    this.distributor = distributor;
    this.ingesters = ingesters;
    this.#querier = querier;
    this.#removeFolder = removeFolder;
  }

  static async start(): Promise<Cluster> {
    const folder = await temporaryFolder("bench-cluster");
    const gossipPort = await freePort();
    const start = async (target: Target, number: number): Promise<ClusterProcess> => {
      const name = `${target}-${number}`;
      const isFirst = target === "distributor";
      const httpPort = await freePort();
      return new ClusterProcess(name, httpPort, [
        MUNINN_LAUNCHER,
        `-target=${target}`,
        `-data-dir=${folder.path}/${name}`,
        "-server.http-listen-address=127.0.0.1",
        `-server.http-listen-port=${httpPort}`,
        "-server.rpc-listen-address=127.0.0.1",
        `-server.rpc-listen-port=${await freePort()}`,
        "-memberlist.bind-addr=127.0.0.1",
        `-memberlist.bind-port=${isFirst ? gossipPort : await freePort()}`,
        `-memberlist.nodename=${name}`,
        "-memberlist.cluster-label=bench",
        ...(isFirst ? [] : [`-memberlist.join=127.0.0.1:${gossipPort}`]),
        "-ingester.ring.instance-addr=127.0.0.1",
        ...(target === "ingester" ? [`-ingester.ring.instance-id=${name}`] : []),
        "-distributor.ring.instance-addr=127.0.0.1",
        "-querier.ring.instance-addr=127.0.0.1",
        ...LIFTED_LIMITS,
      ]);
    };
    const processes = [await start("distributor", 1), await start("querier", 1)];
    for (let number = 1; number <= REPLICAS; number++) {
      processes.push(await start("ingester", number));
    }
    const cluster = new Cluster(processes, () => folder[Symbol.asyncDispose]());
    await cluster.ready();
    return cluster;
  }

  get writeUrl(): string {
    return this.distributor.url + this.kind.writePath;
  }

  get api(): Api {
    return new Api(this.#querier.url + this.kind.queryPrefix, this.kind.tenant);
  }

  /** Distributor and ingesters: what a push costs. */
  cpuSeconds(): number {
    return [this.distributor, ...this.ingesters].reduce((sum, one) => sum + one.cpuSeconds(), 0);
  }

  /** Each process is, and the distributor knows all ingesters. */
  async ready(): Promise<void> {
    for (const one of this.#all) await one.ready();
    await pollUntil("all ingesters to be in the ring", READY_TIMEOUT_MS, async () => {
      const active = await this.distributor.metric(ACTIVE_INGESTERS);
      return active === REPLICAS ? true : undefined;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#all.map((one) => one.kill()));
    await this.#removeFolder();
  }

  get #all(): readonly ClusterProcess[] {
    return [this.distributor, this.#querier, ...this.ingesters];
  }
}
