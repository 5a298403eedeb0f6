/**
 * A sender that does what Prometheus does behind a load balancer: whatever is not answered is sent again, to the next
 * distributor, until it is acknowledged. It keeps a record of what was acknowledged and when, of every answer that was not
 * 200, and of how long answers took; a reader beside it asks for what has been acknowledged so far, all the time.
 *
 * Values are a function of series and time, so that whatever is read back can be checked, also what was stored without an
 * acknowledgement.
 */
import assert from "node:assert/strict";
import type { Muninn } from "./muninn.ts";
import { delay } from "./poll.ts";
import type { Api } from "./query.ts";
import { encodeBody, type Series } from "./remote-write.ts";

export interface ClusterWriterOptions {
  readonly tenant: string;
  /** Asked at each attempt: where the load balancer may send it. */
  readonly targets: () => readonly Muninn[];
  readonly connections?: number;
  readonly seriesPerRequest?: number;
  /** Between the requests of a connection. */
  readonly pauseMs?: number;
}

export interface Refusal {
  /** Status, or the code of a connection error. */
  readonly outcome: string;
  readonly text: string;
}

const METRIC = "written";
/** From one request to the next, in the times of samples. */
const STEP_MS = 100;
const RETRY_MS = 30;
const RETRY_MS_MAX = 1000;
/** A reader looks at so many of the newest requests of a connection. */
const REQUESTS_READ = 100;

export class ClusterWriter {
  readonly #options: Required<ClusterWriterOptions>;
  readonly #startMs = Date.now() - 3_600_000;
  /** By connection: how many requests were acknowledged. They are sent one after the other, so those are the first ones. */
  readonly #acknowledged: number[];
  readonly #latenciesMs: number[] = [];
  readonly refusals: Refusal[] = [];
  #isStopped = false;
  #work: Promise<unknown> = Promise.resolve();

  constructor(options: ClusterWriterOptions) {
    this.#options = { connections: 4, seriesPerRequest: 20, pauseMs: 20, ...options };
    this.#acknowledged = Array.from({ length: this.#options.connections }, () => 0);
  }

  get acknowledgedSamples(): number {
    return (
      this.#acknowledged.reduce((sum, requests) => sum + requests, 0) *
      this.#options.seriesPerRequest
    );
  }

  /** Writes and reads until `stop`. */
  start(): void {
    this.#isStopped = false;
    this.#work = Promise.all(this.#acknowledged.map((_, connection) => this.#send(connection)));
  }

  /** Every request that was begun has been acknowledged then. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  /** Waits until each connection has had so many more acknowledgements. */
  async acknowledges(requests: number): Promise<void> {
    const wanted = this.#acknowledged.map((count) => count + requests);
    const deadlineMs = performance.now() + 60_000;
    while (this.#acknowledged.some((count, at) => count < (wanted[at] ?? 0))) {
      assert.ok(performance.now() < deadlineMs, `no acknowledgements: ${this.refusalText()}`);
      await delay(20);
    }
  }

  /** Answers of the distributors that blame the cluster: what a client sees as an outage. */
  get serverErrors(): readonly Refusal[] {
    return this.refusals.filter(({ outcome }) => outcome.startsWith("5"));
  }

  refusalText(): string {
    const counts = new Map<string, number>();
    for (const { outcome, text } of this.refusals) {
      const key = `${outcome}: ${text.slice(0, 400)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return [...counts].map(([text, count]) => `${count} × ${text}`).join("\n");
  }

  /** Of single attempts, since the last call. */
  latencyText(): string {
    const sorted = this.#latenciesMs.splice(0).sort((a, b) => a - b);
    const at = (share: number): string =>
      `${Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0)} ms`;
    return `${sorted.length} pushes, median ${at(0.5)}, p99 ${at(0.99)}, slowest ${at(1)}`;
  }

  async #send(connection: number): Promise<void> {
    const { tenant, pauseMs, targets } = this.#options;
    for (let turn = connection, retryMs = RETRY_MS; !this.#isStopped; ) {
      const request = this.#acknowledged[connection] ?? 0;
      const body = encodeBody(this.#series(connection, request));
      const muninns = targets();
      const muninn = muninns[turn % muninns.length];
      assert.ok(muninn !== undefined);
      const refusal = await this.#attempt(muninn, tenant, body);
      if (refusal === undefined) {
        this.#acknowledged[connection] = request + 1;
        retryMs = RETRY_MS;
        await delay(pauseMs);
      } else {
        this.refusals.push(refusal);
        turn++;
        await delay(retryMs);
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }

  async #attempt(muninn: Muninn, tenant: string, body: Uint8Array): Promise<Refusal | undefined> {
    const startMs = performance.now();
    try {
      const answer = await muninn.pushBody(tenant, body);
      if (answer.status === 200) return undefined;
      return { outcome: String(answer.status), text: answer.body };
    } catch (error) {
      const { code = "broken" } = error as { code?: string };
      return { outcome: code, text: String(error) };
    } finally {
      this.#latenciesMs.push(performance.now() - startMs);
    }
  }

  #series(connection: number, request: number): Series[] {
    const timestampMs = this.#timeMs(request);
    return Array.from({ length: this.#options.seriesPerRequest }, (_, series) => ({
      labels: { __name__: METRIC, connection: String(connection), series: String(series) },
      samples: [{ timestampMs, value: valueAt(connection, series, timestampMs) }],
    }));
  }

  #timeMs(request: number): number {
    return this.#startMs + request * STEP_MS;
  }

  /** Everything acknowledged is there, and nothing that is there was not sent. Throws what the query threw, or what is wrong. */
  async verify(api: Api): Promise<number> {
    let seen = 0;
    for (const [connection, count] of this.#acknowledged.entries()) {
      seen += await this.#check(api, connection, { from: 0, to: count });
    }
    return seen;
  }

  /** The same for the newest requests of one connection. */
  async verifyNewest(api: Api, connection: number): Promise<void> {
    const to = this.#acknowledged[connection] ?? 0;
    if (to === 0) return;
    await this.#check(api, connection, { from: Math.max(0, to - REQUESTS_READ), to });
  }

  /** What was acknowledged before this was called: `to` is not included. */
  async #check(
    api: Api,
    connection: number,
    { from, to }: { from: number; to: number },
  ): Promise<number> {
    const endMs = this.#timeMs(to - 1);
    const rangeMs = (to - from) * STEP_MS;
    const stored = await api.samples(`${METRIC}{connection="${connection}"}[${rangeMs}ms]`, endMs);
    const bySeries = new Map(
      [...stored].map(([labels, points]) => [
        Object.fromEntries(JSON.parse(labels) as [string, string][])["series"],
        points,
      ]),
    );
    let seen = 0;
    for (let series = 0; series < this.#options.seriesPerRequest; series++) {
      const points = bySeries.get(String(series)) ?? new Map<number, number>();
      const where = `connection ${connection}, series ${series}`;
      seen += points.size;
      for (const [time, value] of points) {
        assert.equal(
          value,
          valueAt(connection, series, time),
          `${where}, time ${time}: wrong value`,
        );
      }
      for (let request = from; request < to; request++) {
        assert.ok(
          points.has(this.#timeMs(request)),
          `${where}: request ${request} of ${from} to ${to} was acknowledged and its sample is lost`,
        );
      }
    }
    return seen;
  }
}

/** Asks for the newest acknowledged samples over and over, and keeps what went wrong: a missing sample, or a failed query. */
export class ClusterReader {
  readonly #writer: ClusterWriter;
  readonly #api: Api;
  readonly #connections: number;
  readonly failures: string[] = [];
  queries = 0;
  #isStopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(writer: ClusterWriter, api: Api, connections = 4) {
    this.#writer = writer;
    this.#api = api;
    this.#connections = connections;
  }

  start(): void {
    this.#isStopped = false;
    this.#work = this.#read();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#work;
  }

  async #read(): Promise<void> {
    for (let turn = 0; !this.#isStopped; turn++) {
      try {
        await this.#writer.verifyNewest(this.#api, turn % this.#connections);
      } catch (error) {
        this.failures.push(error instanceof Error ? error.message : String(error));
      }
      this.queries++;
      await delay(100);
    }
  }
}

/** Arbitrary, and different for neighbours in every argument; exact in a double. */
function valueAt(connection: number, series: number, timeMs: number): number {
  return ((timeMs % 1_000_003) * 64 + connection) * 1024 + series;
}
