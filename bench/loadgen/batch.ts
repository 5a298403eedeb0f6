/**
 * The series of one request as a protobuf template: labels are encoded once, and a body is made by writing values and
 * timestamps into their fixed places. One sample takes 18 bytes:
 *
 *     0x12 0x10   field 2 of the series (sample), 16 bytes
 *     0x09 f64    field 1 (value), little-endian
 *     0x10 varint field 2 (timestamp in ms), six bytes for any time between 1971 and 2109
 */
import { compressSync } from "snappy";
import { hash2 } from "./hash.ts";
import type { LoadSeries } from "./profile.ts";
import { valueAt } from "./value.ts";

const SAMPLE_BYTES = 18;
const SCRAPE_OFFSET_MAX_MS = 14_000;

export interface Timing {
  /** Time of round 0. Each target has a fixed offset of 0 to 14 s on top. */
  readonly startMs: number;
  readonly intervalMs: number;
}

export class Batch {
  readonly seriesCount: number;
  readonly samplesPerSeries: number;
  readonly labelBytes: number;
  readonly labelCount: number;
  readonly #seed: number;
  readonly #series: readonly Pick<LoadSeries, "kind" | "id" | "bucket">[];
  readonly #offsetsMs: readonly number[];
  readonly #template: Buffer;
  /** Where the samples of each series begin in the template. */
  readonly #places: readonly number[];

  constructor(series: readonly LoadSeries[], samplesPerSeries: number, seed: number) {
    this.seriesCount = series.length;
    this.samplesPerSeries = samplesPerSeries;
    this.#seed = seed;
    this.#series = series.map(({ kind, id, bucket }) => ({ kind, id, bucket }));
    this.#offsetsMs = series.map(({ target }) => hash2(target, 99, seed) % SCRAPE_OFFSET_MAX_MS);
    const pieces: Buffer[] = [];
    const places: number[] = [];
    let sizeBytes = 0;
    let labelBytes = 0;
    for (const { labels } of series) {
      const encoded = encodeLabels(labels);
      const samplesBytes = SAMPLE_BYTES * samplesPerSeries;
      const head = Buffer.concat([field(1, encoded.length + samplesBytes), encoded]);
      pieces.push(head, Buffer.alloc(samplesBytes));
      places.push(sizeBytes + head.length);
      sizeBytes += head.length + samplesBytes;
      for (const [name, value] of labels) labelBytes += Buffer.byteLength(name + value);
    }
    this.#template = Buffer.concat(pieces);
    this.#places = places;
    this.labelBytes = labelBytes;
    this.labelCount = series.reduce((sum, { labels }) => sum + labels.length, 0);
  }

  get sampleCount(): number {
    return this.seriesCount * this.samplesPerSeries;
  }

  get rawBytes(): number {
    return this.#template.length;
  }

  /** The compressed request for rounds `round` .. `round + samplesPerSeries`. */
  body(round: number, timing: Timing): Uint8Array {
    return compressSync(this.message(round, timing));
  }

  /** The protobuf message; valid until the next call. */
  message(round: number, { startMs, intervalMs }: Timing): Buffer {
    const bytes = this.#template;
    for (const [i, series] of this.#series.entries()) {
      let at = this.#places[i] as number;
      const offsetMs = this.#offsetsMs[i] as number;
      for (let r = round; r < round + this.samplesPerSeries; r++, at += SAMPLE_BYTES) {
        bytes[at] = 0x12;
        bytes[at + 1] = SAMPLE_BYTES - 2;
        bytes[at + 2] = 0x09;
        bytes.writeDoubleLE(valueAt(series, r, this.#seed), at + 3);
        bytes[at + 11] = 0x10;
        writeTimestamp(bytes, at + 12, startMs + r * intervalMs + offsetMs);
      }
    }
    return bytes;
  }
}

function writeTimestamp(bytes: Buffer, at: number, timeMs: number): void {
  let rest = timeMs;
  for (let i = 0; i < 5; i++) {
    bytes[at + i] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  bytes[at + 5] = rest;
}

function encodeLabels(labels: LoadSeries["labels"]): Buffer {
  const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.concat(
    sorted.map(([name, value]) => {
      const label = Buffer.concat([text(1, name), text(2, value)]);
      return Buffer.concat([field(1, label.length), label]);
    }),
  );
}

function text(number: number, value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([field(number, bytes.length), bytes]);
}

/** Tag of a length-delimited field, and the length. */
function field(number: number, sizeBytes: number): Buffer {
  const out = [(number << 3) | 2];
  let rest = sizeBytes;
  while (rest >= 128) {
    out.push((rest & 127) | 128);
    rest >>>= 7;
  }
  out.push(rest);
  return Buffer.from(out);
}
