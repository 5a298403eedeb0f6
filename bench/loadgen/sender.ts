/**
 * Sends a load over some keep-alive connections, one request at a time each, as a Prometheus with as many shards.
 * Connection c owns the batches b with b mod connections = c and sends them in the order of rounds, so that each
 * series is in order of time.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "undici";
import type { Load, LoadRequest } from "./load.ts";

const CONNECTIONS = 4;
const HEADERS = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
  "user-agent": "muninn-bench",
};

export interface SendOptions {
  readonly url: string;
  readonly tenant: string | undefined;
  /** 0 = as fast as it goes. */
  readonly samplesPerSecond?: number;
  /**
   * No connection begins a step before all have ended the one before it. Back-filling needs it: connections with
   * fewer batches would otherwise run hours ahead, and what the others send would be too old.
   */
  readonly inStep?: boolean;
  /** Only steps [from, to) of the load. */
  readonly from?: number;
  readonly to?: number;
}

export interface SendResult {
  readonly sampleCount: number;
  readonly durationSeconds: number;
  /** Of each request, sorted. */
  readonly latenciesMs: Float64Array;
}

/** Any answer but 2xx ends it with an error: a benchmark of refusals means nothing. */
export async function send(load: Load, options: SendOptions): Promise<SendResult> {
  const url = new URL(options.url);
  const steps = load.steps.slice(options.from ?? 0, options.to ?? load.steps.length);
  const pace = new Pace(options.samplesPerSecond ?? 0);
  const latenciesMs: number[] = [];
  let sampleCount = 0;

  const clients = Array.from(
    { length: CONNECTIONS },
    () => new Client(url.origin, { pipelining: 1, headersTimeout: 120_000 }),
  );
  /** All requests of these steps, each connection at its own pace. */
  const sendSteps = async (some: Load["steps"]): Promise<void> => {
    const sendAll = async (client: Client, connection: number): Promise<void> => {
      for (const requests of some) {
        for (let b = connection; b < requests.length; b += CONNECTIONS) {
          const request = requests[b] as LoadRequest;
          await pace.wait(request.sampleCount);
          latenciesMs.push(await post(client, url.pathname, request, options.tenant));
          sampleCount += request.sampleCount;
        }
      }
    };
    await Promise.all(clients.map(sendAll));
  };

  const began = performance.now();
  if (options.inStep === true) for (const step of steps) await sendSteps([step]);
  else await sendSteps(steps);
  const durationSeconds = (performance.now() - began) / 1000;
  await Promise.all(clients.map((client) => client.close()));
  return {
    sampleCount,
    durationSeconds,
    latenciesMs: Float64Array.from(latenciesMs).sort(),
  };
}

async function post(
  client: Client,
  path: string,
  { body }: LoadRequest,
  tenant: string | undefined,
): Promise<number> {
  const began = performance.now();
  const answer = await client.request({
    method: "POST",
    path,
    body,
    headers: tenant === undefined ? HEADERS : { ...HEADERS, "x-scope-orgid": tenant },
  });
  if (answer.statusCode >= 300) {
    throw new Error(`push refused with ${answer.statusCode}: ${await answer.body.text()}`);
  }
  await answer.body.dump();
  return performance.now() - began;
}

/** Hands out the moments at which requests are due, shared by all connections. */
class Pace {
  readonly #samplesPerSecond: number;
  readonly #beganMs = performance.now();
  #granted = 0;

  constructor(samplesPerSecond: number) {
    this.#samplesPerSecond = samplesPerSecond;
  }

  async wait(sampleCount: number): Promise<void> {
    if (this.#samplesPerSecond === 0) return;
    const dueMs = this.#beganMs + (this.#granted / this.#samplesPerSecond) * 1000;
    this.#granted += sampleCount;
    const restMs = dueMs - performance.now();
    if (restMs > 0.5) await delay(restMs);
  }
}

/** Of a sorted list. */
export function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
