import { Counter, Gauge, type Registry } from "prom-client";
import { FastHistogram, type HistogramSeries } from "../http/fast-histogram.ts";

/** Seconds, Mimir's buckets of this metric. */
const DURATION_BOUNDS = [0.001, 0.004, 0.016, 0.064, 0.256, 1.024, 4.096, 16.384];

/** What the listener for other members counts besides its requests, which are in the metrics of all HTTP requests. */
export interface RpcServerMetrics {
  readonly rejected: Counter<"reason">;
}

export function newRpcServerMetrics(
  registry: Registry,
  connections: () => number,
): RpcServerMetrics {
  const registers = [registry];
  new Gauge({
    name: "muninn_rpc_server_connections",
    help: "Connections of other members that are open.",
    registers,
    collect() {
      this.set(connections());
    },
  });
  return {
    rejected: new Counter({
      name: "muninn_rpc_server_rejected_total",
      help: "Calls and connections that were refused before anything was done for them, by reason: the code of the error, `tls` or `garbage`.",
      labelNames: ["reason"],
      registers,
    }),
  };
}

/** Durations of calls to ingesters, under Mimir's name. Series are made on their first use and kept. */
export class IngesterCallMetrics {
  readonly #duration: FastHistogram<"operation" | "status_code">;
  readonly #series = new Map<string, Map<string, HistogramSeries>>();

  constructor(registry: Registry) {
    this.#duration = new FastHistogram(
      {
        name: "cortex_ingester_client_request_duration_seconds",
        help: "Time (in seconds) that calls to ingesters took, by what came of them: 2xx, 4xx, 5xx, cancel, or error when there was no answer.",
        labelNames: ["operation", "status_code"],
        bounds: DURATION_BOUNDS,
      },
      registry,
    );
  }

  observe(operation: string, statusCode: string, durationMs: number): void {
    let byStatus = this.#series.get(operation);
    if (byStatus === undefined) {
      byStatus = new Map();
      this.#series.set(operation, byStatus);
    }
    let series = byStatus.get(statusCode);
    if (series === undefined) {
      series = this.#duration.series({ operation, status_code: statusCode });
      byStatus.set(statusCode, series);
    }
    series.observe(durationMs / 1000);
  }
}

export type RequestType = "push" | "read";

const REQUEST_TYPES: readonly RequestType[] = ["push", "read"];
const RESULTS = ["success", "error", "circuit_breaker_open"] as const;
const STATES = ["closed", "open", "half-open"] as const;

/** Plain numbers that the guards of all ingesters add to, read when somebody looks. */
export interface GuardCounts {
  readonly results: Record<RequestType, Record<(typeof RESULTS)[number], number>>;
  readonly transitions: Record<RequestType, Record<(typeof STATES)[number], number>>;
  readonly overloaded: { requests: number; bytes: number };
}

export function newGuardCounts(): GuardCounts {
  const perType = <Value>(value: () => Value): Record<RequestType, Value> => ({
    push: value(),
    read: value(),
  });
  return {
    results: perType(() => ({ success: 0, error: 0, circuit_breaker_open: 0 })),
    transitions: perType(() => ({ closed: 0, open: 0, "half-open": 0 })),
    overloaded: { requests: 0, bytes: 0 },
  };
}

/** Of one kind of calls to one ingester. */
export interface GuardState {
  readonly inflightRequests: number;
  readonly inflightBytes: number;
  readonly breakerState: (typeof STATES)[number] | undefined;
}

/** What the gauges read: the ingesters that calls may go to. */
export type GuardStates = () => readonly Readonly<Record<RequestType, GuardState>>[];

/** Mimir has the breaker's metrics at the ingester; here the caller has the breaker, and they have its prefix. */
export function registerGuardMetrics(
  registry: Registry,
  counts: GuardCounts,
  states: GuardStates,
): void {
  const registers = [registry];
  new Counter({
    name: "cortex_ingester_client_circuit_breaker_results_total",
    help: "Calls to ingesters by what the circuit breaker saw of them.",
    labelNames: ["request_type", "result"],
    registers,
    collect() {
      this.reset();
      for (const request_type of REQUEST_TYPES) {
        for (const result of RESULTS) {
          this.inc({ request_type, result }, counts.results[request_type][result]);
        }
      }
    },
  });
  new Counter({
    name: "cortex_ingester_client_circuit_breaker_transitions_total",
    help: "Circuit breakers of ingesters that entered a state. The log names the ingester.",
    labelNames: ["request_type", "state"],
    registers,
    collect() {
      this.reset();
      for (const request_type of REQUEST_TYPES) {
        for (const state of STATES) {
          this.inc({ request_type, state }, counts.transitions[request_type][state]);
        }
      }
    },
  });
  new Gauge({
    name: "cortex_ingester_client_circuit_breaker_current_state",
    help: "Ingesters whose circuit breaker is in the state.",
    labelNames: ["request_type", "state"],
    registers,
    collect() {
      for (const request_type of REQUEST_TYPES) {
        for (const state of STATES) {
          const inState = states().filter((one) => one[request_type].breakerState === state);
          this.set({ request_type, state }, inState.length);
        }
      }
    },
  });
  new Counter({
    name: "muninn_ingester_client_overloaded_total",
    help: "Calls that were not made because as many `requests` or `bytes` to the ingester were under way as may be.",
    labelNames: ["limit"],
    registers,
    collect() {
      this.reset();
      this.inc({ limit: "requests" }, counts.overloaded.requests);
      this.inc({ limit: "bytes" }, counts.overloaded.bytes);
    },
  });
  registerGuardGauges(registry, states);
}

function registerGuardGauges(registry: Registry, states: GuardStates): void {
  const registers = [registry];
  new Gauge({
    name: "muninn_ingester_client_inflight_requests",
    help: "Calls to ingesters that are under way.",
    labelNames: ["request_type"],
    registers,
    collect() {
      for (const request_type of REQUEST_TYPES) {
        const counts = states().map((one) => one[request_type].inflightRequests);
        this.set({ request_type }, sum(counts));
      }
    },
  });
  new Gauge({
    name: "muninn_ingester_client_inflight_bytes",
    help: "Bytes of the pushes to ingesters that are under way.",
    registers,
    collect() {
      this.set(sum(states().map((one) => one.push.inflightBytes)));
    },
  });
  new Gauge({
    name: "cortex_distributor_ingester_clients",
    help: "The current number of ingester clients.",
    registers,
    collect() {
      this.set(states().length);
    },
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
