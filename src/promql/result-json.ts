import type { Labels } from "../model/labels.ts";
import type { GridSeries, MatrixSeries, ResultData, VectorSample } from "./engine.ts";
import { formatFloat } from "./go-text.ts";
import type { Grid } from "./plan.ts";

/**
 * The `data` object of Prometheus' query API, as UTF-8 bytes. A range query over a thousand series answers with a
 * million points, so points are written digit by digit into one growing buffer: a timestamp is made once per step and
 * copied, small integers never become strings.
 *
 *     {"resultType":"matrix","result":[{"metric":{..},"values":[[1435781430.781,"1"],..]},..]}
 */
export function resultJson(data: ResultData): Uint8Array {
  const out = new ByteBuilder();
  switch (data.kind) {
    case "scalar":
      out.text(
        `{"resultType":"scalar","result":[${data.timeMs / 1000},"${formatFloat(data.value)}"]}`,
      );
      break;
    case "string":
      out.text(
        `{"resultType":"string","result":[${data.timeMs / 1000},${JSON.stringify(data.value)}]}`,
      );
      break;
    case "vector":
      writeVector(out, data.timeMs, data.samples);
      break;
    case "grid":
      writeGrid(out, data.grid, data.series);
      break;
    case "matrix":
      writeMatrix(out, data.series);
      break;
  }
  return out.bytes();
}

/** Seconds with no or exactly three decimals. */
export function formatTimestamp(timeMs: number): string {
  const absolute = Math.abs(timeMs);
  const fraction = absolute % 1000;
  const seconds = (absolute - fraction) / 1000;
  const sign = timeMs < 0 ? "-" : "";
  return fraction === 0
    ? `${sign}${seconds}`
    : `${sign}${seconds}.${String(fraction).padStart(3, "0")}`;
}

/** A sample's value: decimal, with an exponent of at least two digits from 1e21 on and below 1e-6. */
export function formatSample(value: number): string {
  const magnitude = Math.abs(value);
  // In this range JavaScript and Go print the same, without an exponent.
  if (magnitude >= 1e-6 && magnitude < 1e21) return String(value);
  const text = String(value);
  if (text === "Infinity") return "+Inf";
  if (text === "-Infinity") return "-Inf";
  if (text === "0" && Object.is(value, -0)) return "-0";
  return text.replace(/e([+-])(\d)$/, "e$10$2");
}

function metricJson(labels: Labels): string {
  const pairs = labels.map(({ name, value }) => `${JSON.stringify(name)}:${JSON.stringify(value)}`);
  return `{"metric":{${pairs.join(",")}},`;
}

function writeVector(out: ByteBuilder, timeMs: number, samples: readonly VectorSample[]): void {
  const time = formatTimestamp(timeMs);
  out.text('{"resultType":"vector","result":[');
  samples.forEach(({ labels, value }, i) => {
    if (i > 0) out.text(",");
    out.text(`${metricJson(labels)}"value":[${time},"${formatSample(value)}"]}`);
  });
  out.text("]}");
}

function writeGrid(out: ByteBuilder, grid: Grid, series: readonly GridSeries[]): void {
  const heads = new ByteBuilder();
  const headEnds = new Uint32Array(grid.count + 1);
  for (let s = 0; s < grid.count; s++) {
    heads.text(`[${formatTimestamp(grid.startMs + s * grid.stepMs)},"`);
    headEnds[s + 1] = heads.length;
  }
  const headBytes = heads.bytes();
  out.text('{"resultType":"matrix","result":[');
  series.forEach(({ labels, steps, values }, i) => {
    if (i > 0) out.text(",");
    out.text(metricJson(labels));
    out.text('"values":[');
    for (let point = 0; point < steps.length; point++) {
      if (point > 0) out.comma();
      const step = steps[point]!;
      out.copy(headBytes, headEnds[step]!, headEnds[step + 1]!);
      out.sample(values[point]!);
    }
    out.text("]}");
  });
  out.text("]}");
}

function writeMatrix(out: ByteBuilder, series: readonly MatrixSeries[]): void {
  out.text('{"resultType":"matrix","result":[');
  series.forEach(({ labels, timesMs, values }, i) => {
    if (i > 0) out.text(",");
    out.text(metricJson(labels));
    out.text('"values":[');
    for (let s = 0; s < timesMs.length; s++) {
      out.text(`${s > 0 ? "," : ""}[${formatTimestamp(timesMs[s]!)},"`);
      out.sample(values[s]!);
    }
    out.text("]}");
  });
  out.text("]}");
}

const ZERO = 48;
const COMMA = 44;
const MINUS = 45;
const QUOTE = 34;
const BRACKET = 93;

/** Integers up to here are written digit by digit. */
const SMALL_INTEGER = 1e9;

/** Longest text of a number. */
const NUMBER_MAX = 32;

class ByteBuilder {
  #buffer = new Uint8Array(4096);
  #length = 0;
  readonly #encoder = new TextEncoder();

  get length(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  text(text: string): void {
    this.#reserve(3 * text.length);
    this.#length += this.#encoder.encodeInto(text, this.#buffer.subarray(this.#length)).written;
  }

  comma(): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = COMMA;
  }

  copy(from: Uint8Array, start: number, end: number): void {
    this.#reserve(end - start);
    let at = this.#length;
    const buffer = this.#buffer;
    for (let i = start; i < end; i++) buffer[at++] = from[i]!;
    this.#length = at;
  }

  /** The value, and the end of the point: `1.5"]`. */
  sample(value: number): void {
    this.#reserve(NUMBER_MAX);
    if (
      Number.isInteger(value) &&
      value > -SMALL_INTEGER &&
      value < SMALL_INTEGER &&
      !Object.is(value, -0)
    ) {
      this.#integer(value);
    } else {
      const text = formatSample(value);
      let at = this.#length;
      const buffer = this.#buffer;
      for (let i = 0; i < text.length; i++) buffer[at++] = text.charCodeAt(i);
      this.#length = at;
    }
    this.#buffer[this.#length++] = QUOTE;
    this.#buffer[this.#length++] = BRACKET;
  }

  #integer(value: number): void {
    const buffer = this.#buffer;
    let rest = value;
    if (rest < 0) {
      buffer[this.#length++] = MINUS;
      rest = -rest;
    }
    let digits = 1;
    for (let power = 10; power <= rest; power *= 10) digits++;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      const next = Math.trunc(rest / 10);
      buffer[at] = ZERO + (rest - next * 10);
      rest = next;
    }
    this.#length += digits;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(this.#buffer.length * 2, this.#length + more));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}
