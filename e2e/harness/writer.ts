/**
 * A sender that keeps a record of what was acknowledged. Values are a function of series and time, so that
 * whatever is read back can be checked, also what was stored without an acknowledgement.
 */
import assert from "node:assert/strict";
import type { Muninn } from "./muninn.ts";
import type { Api } from "./query.ts";
import type { Series } from "./remote-write.ts";

export interface WriterOptions {
  readonly tenant: string;
  readonly metric: string;
  /** Each has series of its own and sends one request at a time. */
  readonly connections: number;
  readonly seriesPerRequest: number;
  readonly startMs: number;
  readonly stepMs: number;
}

export class RecordingWriter {
  readonly #options: WriterOptions;
  /** By connection: the next request, and the numbers of those that were answered with 200. */
  readonly #next: number[];
  readonly #acknowledged: number[][];
  #isStopped = false;
  #onAcknowledged: (() => void) | undefined;
  /** Status of each answer that was not 200; "broken" for a connection that was cut. */
  readonly refusals = new Map<string, number>();
  lastRefusal = "";

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#next = Array.from({ length: options.connections }, () => 0);
    this.#acknowledged = Array.from({ length: options.connections }, () => []);
  }

  get acknowledgedRequests(): number {
    return this.#acknowledged.reduce((sum, requests) => sum + requests.length, 0);
  }

  get acknowledgedSamples(): number {
    return this.acknowledgedRequests * this.#options.seriesPerRequest;
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Resolves at the next acknowledgement. */
  nextAcknowledgement(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAcknowledged = resolve;
    });
  }

  /** Sends on all connections until `stop`, until `untilRefused` and a refusal, or until a connection breaks. */
  async run(muninn: Muninn, until: { refused: boolean } = { refused: false }): Promise<void> {
    this.#isStopped = false;
    await Promise.all(this.#next.map((_, connection) => this.#send(muninn, connection, until)));
  }

  async #send(muninn: Muninn, connection: number, until: { refused: boolean }): Promise<void> {
    while (!this.#isStopped) {
      const request = this.#next[connection] as number;
      const outcome = await this.#sendOne(muninn, connection, request);
      if (outcome === "200") {
        this.#acknowledged[connection]?.push(request);
        this.#onAcknowledged?.();
        this.#onAcknowledged = undefined;
      } else {
        this.refusals.set(outcome, (this.refusals.get(outcome) ?? 0) + 1);
        if (outcome === "broken" || until.refused) this.#isStopped = true;
      }
      // Never the same time twice: what became of a request without an answer stays open.
      this.#next[connection] = request + 1;
    }
  }

  async #sendOne(muninn: Muninn, connection: number, request: number): Promise<string> {
    try {
      const answer = await muninn.push(this.#options.tenant, this.#body(connection, request));
      if (answer.status !== 200) this.lastRefusal = answer.body;
      return String(answer.status);
    } catch {
      return "broken";
    }
  }

  #body(connection: number, request: number): Series[] {
    const { metric, seriesPerRequest } = this.#options;
    const timestampMs = this.#timeMs(request);
    return Array.from({ length: seriesPerRequest }, (_, series) => ({
      labels: { __name__: metric, connection: String(connection), series: String(series) },
      samples: [{ timestampMs, value: valueAt(connection, series, timestampMs) }],
    }));
  }

  #timeMs(request: number): number {
    return this.#options.startMs + request * this.#options.stepMs;
  }

  /** Everything acknowledged is there, and nothing that is there was not sent. Returns the number of samples seen. */
  async verify(api: Api): Promise<number> {
    let seen = 0;
    for (const [connection, requests] of this.#acknowledged.entries()) {
      const last = this.#timeMs(this.#next[connection] ?? 0);
      const selector = `${this.#options.metric}{connection="${connection}"}[2h]`;
      const stored = await api.samples(selector, last);
      const bySeries = new Map(
        [...stored].map(([labels, points]) => [
          Object.fromEntries(JSON.parse(labels) as [string, string][])["series"],
          points,
        ]),
      );
      for (let series = 0; series < this.#options.seriesPerRequest; series++) {
        const points = bySeries.get(String(series)) ?? new Map<number, number>();
        seen += points.size;
        for (const [time, value] of points) {
          assert.equal(
            value,
            valueAt(connection, series, time),
            `connection ${connection}, series ${series}, time ${time}: wrong value`,
          );
        }
        for (const request of requests) {
          assert.ok(
            points.has(this.#timeMs(request)),
            `connection ${connection}, series ${series}: request ${request} was acknowledged and its sample is lost`,
          );
        }
      }
    }
    return seen;
  }
}

/** Arbitrary, and different for neighbours in every argument; exact in a double. */
function valueAt(connection: number, series: number, timeMs: number): number {
  return ((timeMs % 1_000_003) * 64 + connection) * 1024 + series;
}
