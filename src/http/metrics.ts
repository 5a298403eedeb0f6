/**
 * What the server says about its requests, under Mimir's names. A `RouteMetrics` is made once per route and method,
 * so that a request touches only objects that it already holds.
 */
import { Gauge, type Registry } from "prom-client";
import { FastHistogram, type HistogramSeries } from "./fast-histogram.ts";

/** Seconds; the buckets of Mimir's server, so that quantiles of both can be compared. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100];
const MEBIBYTE = 1024 * 1024;
const SIZE_BOUNDS = [1, 2.5, 5, 10, 25, 50, 100, 250].map((size) => size * MEBIBYTE);

export interface RouteMetrics {
  readonly route: string;
  readonly method: string;
  /** `undefined` before the first request: routes that nobody uses stay out of /metrics. */
  inflight: number | undefined;
  readonly requestBytes: HistogramSeries;
  readonly responseBytes: HistogramSeries;
  /** Made on the first answer with this status. */
  durationFor(status: number): HistogramSeries;
}

export interface Sockets {
  /** Open now; asked at each scrape. */
  readonly connections: () => number;
  readonly connectionsMax: number;
}

export class HttpMetrics {
  readonly #routes = new Map<string, RouteMetrics>();
  readonly #duration: FastHistogram<"method" | "route" | "status_code" | "ws">;
  readonly #requestBytes: FastHistogram<"method" | "route">;
  readonly #responseBytes: FastHistogram<"method" | "route">;

  constructor(registry: Registry, sockets: Sockets) {
    this.#duration = new FastHistogram(
      {
        name: "cortex_request_duration_seconds",
        help: "Time (in seconds) spent serving HTTP requests.",
        labelNames: ["method", "route", "status_code", "ws"],
        bounds: DURATION_BOUNDS,
      },
      registry,
    );
    this.#requestBytes = new FastHistogram(
      {
        name: "cortex_request_message_bytes",
        help: "Size (in bytes) of request bodies, as they came over the wire.",
        labelNames: ["method", "route"],
        bounds: SIZE_BOUNDS,
      },
      registry,
    );
    this.#responseBytes = new FastHistogram(
      {
        name: "cortex_response_message_bytes",
        help: "Size (in bytes) of response bodies, as they went over the wire.",
        labelNames: ["method", "route"],
        bounds: SIZE_BOUNDS,
      },
      registry,
    );
    this.#registerGauges(registry, sockets);
  }

  forRoute(method: string, route: string): RouteMetrics {
    const key = `${method} ${route}`;
    let metrics = this.#routes.get(key);
    if (metrics === undefined) {
      metrics = this.#newRoute(method, route);
      this.#routes.set(key, metrics);
    }
    return metrics;
  }

  #newRoute(method: string, route: string): RouteMetrics {
    const byStatus = new Map<number, HistogramSeries>();
    const duration = this.#duration;
    return {
      route,
      method,
      inflight: undefined,
      requestBytes: this.#requestBytes.series({ method, route }),
      responseBytes: this.#responseBytes.series({ method, route }),
      durationFor(status) {
        let series = byStatus.get(status);
        if (series === undefined) {
          series = duration.series({ method, route, status_code: String(status), ws: "false" });
          byStatus.set(status, series);
        }
        return series;
      },
    };
  }

  #registerGauges(registry: Registry, { connections, connectionsMax }: Sockets): void {
    const routes = this.#routes;
    new Gauge({
      name: "cortex_inflight_requests",
      help: "Current number of inflight requests.",
      labelNames: ["method", "route"],
      registers: [registry],
      collect() {
        for (const { method, route, inflight } of routes.values()) {
          if (inflight !== undefined) this.set({ method, route }, inflight);
        }
      },
    });
    new Gauge({
      name: "cortex_tcp_connections",
      help: "Current number of accepted TCP connections.",
      labelNames: ["protocol"],
      registers: [registry],
      collect() {
        this.set({ protocol: "http" }, connections());
      },
    });
    new Gauge({
      name: "cortex_tcp_connections_limit",
      help: "The max number of TCP connections that can be accepted (0 means no limit).",
      labelNames: ["protocol"],
      registers: [registry],
    }).set({ protocol: "http" }, connectionsMax);
  }
}
