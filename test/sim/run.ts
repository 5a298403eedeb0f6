/** One run: a cluster comes up, suffers what its plan says under load, is left in peace, and is then held to its promises. */
import { OpError } from "../../src/base/errors.ts";
import type { Logger } from "../../src/base/logger.ts";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { readSeriesSet } from "../testkit/read-series-set.ts";
import { convergenceFaults, isConverged } from "./convergence.ts";
import { type Fault, losesUnnoticed, planRun, type RunPlan } from "./plan.ts";
import { Acknowledged } from "./record.ts";
import { SimCluster, type SimNode } from "./sim-cluster.ts";
import { type Push, pushOf, TENANT } from "./workload.ts";

export interface RunReport {
  readonly plan: RunPlan;
  readonly faults: readonly string[];
  readonly acknowledged: number;
  readonly failedPushes: number;
  readonly reads: number;
  readonly failedReads: number;
  readonly virtualMs: number;
}

const PUSH_EVERY_MS = 200;
const READ_EVERY_MS = 1_500;
/** Attempts of a push, as a sender's queue would make them. */
const ATTEMPTS_MAX = 8;
const SETTLE_MS_MAX = 120_000;

export function run(seed: number, logger: Logger): Promise<RunReport> {
  return runPlan(planRun(seed), logger);
}

export async function runPlan(plan: RunPlan, logger: Logger): Promise<RunReport> {
  return await new Simulation(plan, logger).run();
}

class Simulation {
  readonly #plan: RunPlan;
  readonly #cluster: SimCluster;
  readonly #logger: Logger;
  readonly #acknowledged = new Acknowledged();
  readonly #faults: string[] = [];
  readonly #failedPushes = { count: 0 };
  readonly #pending = new Set<Promise<void>>();
  #reads = 0;
  #failedReads = 0;
  #round = 0;
  #isOver = false;
  /** Faults that still run their course. */
  #striking = 0;
  /** A replica lost samples, and nobody can know: what a query finds depends on whom it asks. */
  #mayMiss = false;

  constructor(plan: RunPlan, logger: Logger) {
    this.#plan = plan;
    this.#logger = logger;
    this.#cluster = new SimCluster(plan, logger);
  }

  async run(): Promise<RunReport> {
    const { clock, nodes } = this.#cluster;
    const starting = nodes.map((node) => this.#cluster.start(node));
    await clock.during(Promise.all(starting));
    for (const fault of this.#plan.faults) {
      clock.after(fault.atMs, () => {
        this.#striking++;
        this.#background(this.#strike(fault).finally(() => this.#striking--));
      });
    }
    this.#everyMs(PUSH_EVERY_MS, () => this.#background(this.#push()));
    this.#everyMs(READ_EVERY_MS, () => this.#background(this.#read()));
    await clock.advance(this.#plan.chaosMs);
    await this.#settle();
    this.#isOver = true;
    await clock.advance(5_000);
    await this.#checkEnd();
    return {
      plan: this.#plan,
      faults: this.#faults,
      acknowledged: this.#acknowledged.count,
      failedPushes: this.#failedPushes.count,
      reads: this.#reads,
      failedReads: this.#failedReads,
      virtualMs: clock.monotonicMs(),
    };
  }

  #background(work: Promise<void>): void {
    const done = work.catch((error: unknown) => {
      this.#faults.push(`BUG: ${error instanceof Error ? error.stack : String(error)}`);
    });
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  #everyMs(periodMs: number, work: () => void): void {
    this.#cluster.clock.after(periodMs, () => {
      if (this.#isOver) return;
      work();
      this.#everyMs(periodMs, work);
    });
  }

  #log(text: string): void {
    this.#logger.info({ atMs: Math.round(this.#cluster.clock.monotonicMs()) }, text);
  }

  // ------------------------------------------------------------------------------------------- load

  async #push(): Promise<void> {
    const { clock } = this.#cluster;
    const push = pushOf(this.#round, clock.nowMs());
    const turn = this.#round++;
    for (let attempt = 0; attempt < ATTEMPTS_MAX && !this.#isOver; attempt++) {
      if (await this.#pushOnce(push, turn + attempt)) return;
      this.#failedPushes.count++;
      await new Promise<void>((resolve) => void clock.after(300 * (attempt + 1), resolve));
    }
  }

  async #pushOnce(push: Push, turn: number): Promise<boolean> {
    const up = this.#cluster.up("distributor");
    const node = up[turn % Math.max(1, up.length)];
    const distributor = node?.process?.distributor;
    if (node === undefined || distributor === undefined) return false;
    const outcome = await this.#orNever(node, distributor.push(TENANT, push.body));
    if (outcome === undefined) return false;
    if (outcome.status === 200) {
      const atMs = this.#cluster.clock.monotonicMs();
      for (const { series, timeMs } of push.samples) {
        this.#acknowledged.acknowledge(series, timeMs, atMs);
      }
      return true;
    }
    if (outcome.status < 500) {
      this.#faults.push(`a valid push was answered with ${outcome.status}: ${outcome.message}`);
    }
    return false;
  }

  /** The answer of a process, unless it dies first. */
  #orNever<T>(node: SimNode, work: Promise<T>): Promise<T | undefined> {
    const { clock } = this.#cluster;
    const process = node.process;
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (process?.clock.isDead === true) resolve(undefined);
        else clock.after(500, look);
      };
      clock.after(500, look);
      work.then(
        (value) => resolve(process?.clock.isDead === true ? undefined : value),
        (error: Error) => reject(error),
      );
    });
  }

  async #read(): Promise<void> {
    for (const node of this.#cluster.up("querier")) {
      const { clock } = this.#cluster;
      const beganMs = clock.monotonicMs();
      const mayMiss = this.#mayMiss;
      const answer = await this.#select(node);
      if (answer === undefined) continue;
      this.#reads++;
      // An answer that says that it may be incomplete may be.
      if (mayMiss || this.#mayMiss || answer.warnings !== undefined) continue;
      this.#report(this.#acknowledged.faultsOf(readSeriesSet(answer), beganMs), "a query");
    }
  }

  /** undefined: it failed, and said so. */
  async #select(node: SimNode): Promise<EncodedSeriesSet | undefined> {
    const queryable = node.process?.queryable;
    if (queryable === undefined) return undefined;
    try {
      return await this.#orNever(node, queryable.select(TENANT, this.#everything));
    } catch (error) {
      if (!(error instanceof OpError)) throw error;
      this.#failedReads++;
      this.#log(`a query failed: ${error.code}: ${error.message}`);
      return undefined;
    }
  }

  get #everything() {
    const nowMs = this.#cluster.clock.nowMs();
    return {
      matchers: [{ type: "=~", name: "__name__", value: ".+" }] as const,
      minTimeMs: nowMs - 3_600_000,
      maxTimeMs: nowMs + 3_600_000,
      limits: { seriesMax: 0, chunksMax: 0, chunkBytesMax: 0 },
    };
  }

  #report(missing: readonly { series: string; timeMs: number; problem: string }[], who: string) {
    const [first] = missing;
    if (first === undefined) return;
    const { series, timeMs, problem } = first;
    const more = missing.length > 1 ? ` (and ${missing.length - 1} more)` : "";
    this.#faults.push(
      `${who} at ${Math.round(this.#cluster.clock.monotonicMs())} ms: ${series} at ${timeMs} ${problem}${more}`,
    );
  }

  // ------------------------------------------------------------------------------------------ faults

  async #strike(fault: Fault): Promise<void> {
    const { network, rpc } = this.#cluster;
    this.#log(`fault ${JSON.stringify(fault)}`);
    if (losesUnnoticed(fault, this.#plan.walSync)) this.#mayMiss = true;
    switch (fault.kind) {
      case "kill":
        return await this.#downAndUp(fault.node, fault.backAfterMs, (node) =>
          this.#cluster.kill(node),
        );
      case "power-cut":
        return await this.#downAndUp(fault.node, fault.backAfterMs, (node) =>
          this.#cluster.powerCut(node),
        );
      case "lost-disk":
        return await this.#downAndUp(fault.node, fault.backAfterMs, (node) =>
          this.#cluster.loseDisk(node),
        );
      case "gone": {
        const node = this.#cluster.node(fault.node);
        this.#cluster.kill(node);
        node.state = "gone";
        return;
      }
      case "restart":
        return await this.#restart(this.#cluster.node(fault.node), fault.backAfterMs);
      case "rolling-restart":
        for (const node of this.#cluster.nodes.filter(({ role }) => role === "ingester")) {
          await this.#restart(node, 200);
          await this.#sleep(fault.pauseMs);
        }
        return;
      case "freeze": {
        const process = this.#cluster.node(fault.node).process;
        process?.clock.freeze();
        await this.#sleep(fault.forMs);
        process?.clock.thaw();
        return;
      }
      case "slow": {
        const { host } = this.#cluster.node(fault.node);
        rpc.slowMs.set(host, fault.byMs);
        await this.#sleep(fault.forMs);
        rpc.slowMs.delete(host);
        return;
      }
      case "partition": {
        const here = fault.nodes.map((number) => this.#cluster.node(number).host);
        const there = this.#cluster.nodes
          .map(({ host }) => host)
          .filter((host) => !here.includes(host));
        if (fault.oneWay) for (const from of here) for (const to of there) network.cut(from, to);
        else network.partition(here, there);
        await this.#sleep(fault.forMs);
        network.heal();
        return;
      }
      case "clock-jump": {
        const process = this.#cluster.node(fault.node).process;
        if (process !== undefined) process.clock.skewMs += fault.byMs;
        return;
      }
    }
  }

  async #downAndUp(
    number: number,
    backAfterMs: number,
    down: (node: SimNode) => void,
  ): Promise<void> {
    const node = this.#cluster.node(number);
    down(node);
    await this.#sleep(backAfterMs);
    await this.#start(node);
  }

  async #restart(node: SimNode, backAfterMs: number): Promise<void> {
    const { process } = node;
    if (process === undefined || node.state !== "up") return;
    await this.#orNever(node, this.#cluster.stop(node));
    await this.#sleep(backAfterMs);
    await this.#start(node);
  }

  async #start(node: SimNode): Promise<void> {
    if (node.state !== "down") return;
    const starting = this.#cluster.start(node);
    await this.#orNever(node, starting);
  }

  #sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => void this.#cluster.clock.after(forMs, resolve));
  }

  // ----------------------------------------------------------------------------------------- the end

  /** All comes back that can; then time passes until the cluster has found itself. */
  async #settle(): Promise<void> {
    const { clock, network, rpc, nodes } = this.#cluster;
    network.heal();
    network.options = { ...network.options, lossRate: 0, duplicateRate: 0 };
    rpc.slowMs.clear();
    for (const node of nodes) node.process?.clock.thaw();
    const untilMs = clock.monotonicMs() + SETTLE_MS_MAX;
    while (clock.monotonicMs() < untilMs) {
      await clock.advance(2_000);
      for (const node of nodes) if (node.state === "down") this.#background(this.#start(node));
      if (this.#striking === 0 && isConverged(this.#cluster)) return;
    }
    this.#faults.push(...convergenceFaults(this.#cluster));
  }

  async #checkEnd(): Promise<void> {
    const { clock } = this.#cluster;
    this.#faults.push(...convergenceFaults(this.#cluster));
    const nowMs = clock.monotonicMs();
    // Nothing may be lost, but one has to ask all ingesters.
    const answer = await clock.during(this.#mayMiss ? this.#union() : this.#lastQuery());
    if (answer === undefined) this.#faults.push("the last query failed, with all in peace");
    else this.#report(this.#acknowledged.faultsOf(answer, nowMs), "the last query");
    if (this.#acknowledged.count === 0) this.#faults.push("nothing was ever acknowledged");
  }

  async #lastQuery(): Promise<Record<string, [number, string][]> | undefined> {
    const [querier] = this.#cluster.up("querier");
    const set = querier === undefined ? undefined : await this.#select(querier);
    return set === undefined ? undefined : readSeriesSet(set);
  }

  /** What the ingesters hold together. */
  async #union(): Promise<Record<string, [number, string][]>> {
    const all: Record<string, Map<number, string>> = {};
    for (const { process } of this.#cluster.up("ingester")) {
      const set = await process?.ingester?.select(TENANT, this.#everything);
      for (const [series, samples] of Object.entries(set === undefined ? {} : readSeriesSet(set))) {
        all[series] ??= new Map();
        for (const [timeMs, value] of samples) all[series].set(timeMs, value);
      }
    }
    return Object.fromEntries(Object.entries(all).map(([series, found]) => [series, [...found]]));
  }
}
