import { assert } from "../../base/assert.ts";
import { OpError } from "../../base/errors.ts";
import { HA_OFF, type HaControl, type HaLabels, type HaPair, readHaPairs } from "./ha-pairs.ts";
import {
  CONTROL_BYTES,
  COUNTERS_AT,
  FAILURES,
  INPUT,
  type IntakeExports,
  NO_TIME,
  OUTPUT,
  RECORD_BYTES,
  RECORD_TEXT_BYTES,
  RECORDS_AT,
} from "./intake-layout.ts";
import { instantiateKernel } from "./module.ts";

/**
 * Remote write bodies into rows by SeriesId: the host side of kernel/assembly/remote-write.ts, which has the
 * layout of everything read and written here.
 *
 * One instance holds the buffers of one request at a time and the table of known series of all tenants.
 * Everything is synchronous. What `decode` answers are views of kernel memory: they are valid until the next
 * call of any method.
 */
export interface IntakeOptions {
  /** Series remembered as valid, over all tenants (about 90 bytes each). Others are checked each time. */
  readonly knownSeriesMax: number;
  /** From chance, so that nobody can aim many series at one slot of the table. */
  readonly hashSeedLow: number;
  readonly hashSeedHigh: number;
}

export interface IntakeLimits {
  /** A snappy block that declares more is refused before memory is taken for it. */
  readonly decodedBytesMax: number;
  readonly utf8Names: boolean;
  readonly labelsMax: number;
  readonly infoLabelsMax: number;
  readonly nameBytesMax: number;
  readonly valueBytesMax: number;
  /** Inclusive, integers within ±2^53. */
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  /** Absent: HA is off for the tenant. */
  readonly ha?: HaLabels;
}

export type IntakeAnswer = IntakeRows | IntakeFailure;

/** The body as a whole cannot be read; nothing of it counts. */
export interface IntakeFailure {
  readonly kind: "bad-snappy" | "too-large" | "malformed" | "too-many-samples" | "out-of-memory";
  /** What the snappy block declares ("too-large"). */
  readonly declaredBytes: number;
  /** Where in the decoded bytes the field begins that is wrong ("malformed"). */
  readonly offsetBytes: number;
}

/** The shape of rpc's SeriesBatch, and what else is known about the request. */
export interface IntakeRows {
  readonly kind: "rows";
  readonly seriesCount: number;
  readonly ids: Uint8Array;
  readonly sampleOffsets: Uint32Array;
  readonly timestampsMs: BigInt64Array;
  readonly values: Float64Array;
  /** Ring token of each series. */
  readonly tokens: Uint32Array;
  /**
   * With HA on: of each row the number of its pair, which is `pairs[number - 1]`; 0 for a row of no pair, HA_PAIR_REFUSED for
   * one of a pair that is one too many.
   */
  readonly ha?: { readonly numbers: Uint32Array; readonly pairs: readonly HaPair[] };
  /** Of series that were new to the table of known series; the others' are empty. */
  readonly labels?: { readonly bytes: Uint8Array; readonly offsets: Uint32Array };
  readonly counts: IntakeCounts;
  /** Newest timestamp among the rows; undefined without samples. */
  readonly latestTimeMs: number | undefined;
  /** By reason, only those that occurred, in order of the codes. */
  readonly rejections: readonly Rejection[];
  /** The first series with something wrong, at most eight. */
  readonly problems: readonly SeriesProblem[];
}

export interface IntakeCounts {
  /** As they came, valid or not. */
  readonly series: number;
  readonly samples: number;
  readonly exemplars: number;
  readonly histograms: number;
  readonly metadata: number;
  /** Series that the table did not know. */
  readonly unknownToTable: number;
  readonly decodedBytes: number;
}

export const REJECT_CODES = [
  "",
  "missing-metric-name",
  "metric-name-invalid",
  "max-label-names-per-series",
  "max-label-names-per-info-series",
  "label-invalid",
  "label-name-too-long",
  "label-value-invalid",
  "label-value-too-long",
  "duplicate-label-names",
  "too-far-in-future",
  "too-far-in-past",
  "sample-duplicate-timestamp",
  "ha-label-value-too-long",
] as const;

export type RejectCode = Exclude<(typeof REJECT_CODES)[number], "">;

export interface Rejection {
  readonly code: RejectCode;
  readonly series: number;
  /** Of rejected series all; of "sample-duplicate-timestamp" those dropped, the series itself is kept. */
  readonly samples: number;
}

/** Strings here are made from at most 200 bytes; bytes that are no UTF-8 show as U+FFFD. */
export interface SeriesProblem {
  readonly code: RejectCode;
  readonly seriesIndex: number;
  /** The TimeSeries message: a copy. */
  readonly series: Uint8Array;
  readonly labelCount: number;
  readonly labelName: string;
  readonly labelValue: string;
  readonly timestampMs: bigint;
}

/** Enough of a series for its message (200 characters of text), and a bound on what is copied. */
const PROBLEM_SERIES_BYTES_MAX = 1 << 20;

const utf8 = new TextDecoder();

interface KnownTenant {
  readonly number: number;
  readonly name: Uint8Array;
  /** By number - 1. */
  pairs: HaPair[];
}

export class IntakeKernel {
  readonly #options: IntakeOptions;
  #kernel!: IntakeExports & { readonly memory: { readonly buffer: ArrayBuffer } };
  #controlAt = 0;
  #control!: DataView;
  /** Whether the buffers hold the rows of a body that could be read. */
  #hasRows = false;
  /** Numbers are never reused, so an entry of a tenant that was forgotten can match nobody else. */
  readonly #tenants = new Map<string, KnownTenant>();
  #lastTenantNumber = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#start();
  }

  /** Decodes a body, up to the labels of known series, which stay bytes. */
  decode(tenant: string, body: Uint8Array, limits: IntakeLimits): IntakeAnswer {
    return this.#guarded(() => this.#run(tenant, body, limits, undefined));
  }

  /**
   * Decodes a body again that `decode` has read with the same limits, and answers only the wanted rows (numbers
   * from the first answer, rising) with their canonical labels.
   */
  decodeWithLabels(
    tenant: string,
    body: Uint8Array,
    limits: IntakeLimits,
    wantedRows: Uint32Array,
  ): IntakeAnswer {
    return this.#guarded(() => this.#run(tenant, body, limits, wantedRows));
  }

  /**
   * The rows of the last answer as a push frame (docs/formats/push-frame.md), with the labels that they have: all, or
   * those with these numbers, in this order. It may be called again for other rows of the same answer; the views
   * of that answer end with the first call. Throws "unavailable" if the memory is full.
   */
  encodeFrame(rows?: Uint32Array): Uint8Array {
    assert(this.#hasRows, "there are no rows to encode");
    try {
      return this.#encodeFrame(rows);
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#start();
      throw new OpError("unavailable", "no memory left to encode the rows of the request");
    }
  }

  #encodeFrame(rows: Uint32Array | undefined): Uint8Array {
    const kernel = this.#kernel;
    const rowsAt = kernel.frameRowsInput(rows?.length ?? 0) >>> 0;
    if (rows) new Uint32Array(kernel.memory.buffer, rowsAt, rows.length).set(rows);
    const lengthBytes = rows ? kernel.encodeChosenRows(rows.length) : kernel.encodeAllRows();
    assert(lengthBytes > 0, "a row to encode is none of the last answer");
    return new Uint8Array(kernel.memory.buffer, kernel.frameAddress() >>> 0, lengthBytes);
  }

  /** Rules of validation changed: every series must be looked at again. */
  forgetSeries(): void {
    this.#kernel.clearKnownSeries();
    this.#kernel.clearHaPairs();
    this.#clearPairs();
  }

  /** The tenant is idle, or has more HA pairs than it can use at once; its series go with the next sweeps. */
  forgetTenant(tenant: string): void {
    const known = this.#tenants.get(tenant);
    if (known === undefined) return;
    if (known.pairs.length > 0) this.#kernel.forgetHaPairs(known.number);
    this.#tenants.delete(tenant);
  }

  /**
   * Looks at one of `parts` parts of the remembered series, and drops those that nobody sent since that part was
   * looked at before. Answers how many were dropped. `sweep(0, 1)` looks at all.
   */
  sweep(part: number, parts: number): number {
    return this.#kernel.sweepKnownSeries(part, parts);
  }

  /**
   * Gives memory back after a request of unusual size, by starting afresh: buffers cannot shrink. The series
   * are then checked once more as they come. Returns whether it did.
   */
  trim(bufferBytesMax: number): boolean {
    const largest = Math.max(
      this.#kernel.intakeLargestBuffer() >>> 0,
      this.#kernel.frameCapacity() >>> 0,
    );
    if (largest <= bufferBytesMax) return false;
    this.#start();
    return true;
  }

  get knownSeries(): number {
    return this.#kernel.knownSeriesCount();
  }

  get memoryBytes(): number {
    return this.#kernel.memoryUsed() >>> 0;
  }

  /** False after a write outside of a buffer: a bug. For the fuzzer. */
  get guardsIntact(): boolean {
    return this.#kernel.intakeGuardsIntact() === 1 && this.#kernel.frameGuardsIntact() === 1;
  }

  #start(): void {
    this.#hasRows = false;
    this.#kernel = instantiateKernel<IntakeExports>();
    this.#controlAt = this.#kernel.intakeStart(
      this.#options.hashSeedLow,
      this.#options.hashSeedHigh,
    );
    this.#kernel.knownSeriesLimit(this.#options.knownSeriesMax);
    this.#clearPairs();
    this.#refresh();
  }

  #clearPairs(): void {
    for (const known of this.#tenants.values()) known.pairs = [];
  }

  #refresh(): void {
    const buffer = this.#kernel.memory.buffer;
    if (this.#control?.buffer === buffer) return;
    this.#control = new DataView(buffer, this.#controlAt, CONTROL_BYTES);
  }

  /** A trap can only mean that the memory is full (4 GiB): its state is unknown, so a new one takes its place. */
  #guarded(run: () => IntakeAnswer): IntakeAnswer {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      this.#start();
      return { kind: "out-of-memory", declaredBytes: 0, offsetBytes: 0 };
    }
  }

  #run(
    tenant: string,
    body: Uint8Array,
    limits: IntakeLimits,
    wanted: Uint32Array | undefined,
  ): IntakeAnswer {
    this.#hasRows = false;
    const known = this.#tenant(tenant);
    // All room first: each may grow the memory, which detaches views.
    const bodyAt = this.#kernel.intakeInput(INPUT.body, body.length) >>> 0;
    const tenantAt = this.#kernel.intakeInput(INPUT.tenant, known.name.length) >>> 0;
    const wantedAt =
      wanted === undefined ? 0 : this.#kernel.intakeInput(INPUT.wanted, 4 * wanted.length) >>> 0;
    const ha = limits.ha === undefined ? undefined : this.#writeHaLabels(limits.ha);
    const memory = this.#kernel.memory.buffer;
    new Uint8Array(memory, bodyAt, body.length).set(body);
    new Uint8Array(memory, tenantAt, known.name.length).set(known.name);
    if (wanted !== undefined) new Uint32Array(memory, wantedAt, wanted.length).set(wanted);
    this.#refresh();
    this.#writeControl(known, limits, wanted);
    this.#writeHaControl(known.pairs.length, ha);
    const code = this.#kernel.intake(body.length);
    this.#refresh();
    for (const pair of this.#newPairs()) known.pairs.push(pair);
    if (code < 0) return this.#failure(code);
    this.#hasRows = true;
    return this.#rows(ha === undefined ? undefined : known.pairs);
  }

  #tenant(name: string): KnownTenant {
    let known = this.#tenants.get(name);
    if (known === undefined) {
      this.#lastTenantNumber++;
      assert(this.#lastTenantNumber < 2 ** 32, "tenant numbers used up");
      known = { number: this.#lastTenantNumber, name: Buffer.from(name), pairs: [] };
      this.#tenants.set(name, known);
    }
    return known;
  }

  #writeControl(
    { number, name }: KnownTenant,
    limits: IntakeLimits,
    wanted: Uint32Array | undefined,
  ): void {
    const control = this.#control;
    control.setUint32(0, limits.decodedBytesMax, true);
    control.setUint32(4, number, true);
    control.setUint32(8, name.length, true);
    control.setUint32(12, limits.utf8Names ? 1 : 0, true);
    control.setFloat64(16, limits.maxTimeMs, true);
    control.setFloat64(24, limits.minTimeMs, true);
    control.setUint32(32, limits.labelsMax, true);
    control.setUint32(36, limits.infoLabelsMax, true);
    control.setUint32(40, limits.nameBytesMax, true);
    control.setUint32(44, limits.valueBytesMax, true);
    control.setUint32(48, wanted?.length ?? 0, true);
    control.setUint32(52, wanted === undefined ? 0 : 1, true);
  }

  /** May grow the memory. */
  #writeHaLabels({ clusterLabel, replicaLabel, pairsMax }: HaLabels): HaControl {
    const names = Buffer.from(clusterLabel + replicaLabel);
    const clusterBytes = Buffer.byteLength(clusterLabel);
    const at = this.#kernel.intakeInput(INPUT.haLabels, names.length) >>> 0;
    new Uint8Array(this.#kernel.memory.buffer, at, names.length).set(names);
    return { clusterBytes, replicaBytes: names.length - clusterBytes, pairsMax };
  }

  #writeHaControl(pairs: number, ha: HaControl | undefined): void {
    const { clusterBytes, replicaBytes, pairsMax } = ha ?? HA_OFF;
    for (const [index, value] of [pairs, pairsMax, clusterBytes, replicaBytes].entries()) {
      assert(value <= 0xffff, "a number of the HA tracker has more than 16 bits");
      this.#control.setUint16(56 + 2 * index, value, true);
    }
  }

  #newPairs(): HaPair[] {
    const count = this.#control.getUint32(108, true);
    if (count === 0) return [];
    return readHaPairs(this.#kernel.memory.buffer, this.#output(OUTPUT.newHaPairs), count);
  }

  #failure(code: number): IntakeFailure {
    const kind = FAILURES[code];
    assert(kind !== undefined, `kernel answered ${code}`);
    return {
      kind,
      declaredBytes: this.#control.getUint32(100, true),
      offsetBytes: this.#control.getUint32(120, true),
    };
  }

  #rows(pairs: readonly HaPair[] | undefined): IntakeRows {
    const control = this.#control;
    const memory = this.#kernel.memory.buffer;
    const rows = control.getUint32(64, true);
    const samples = control.getUint32(68, true);
    const latest = control.getBigInt64(112, true);
    const problems = this.#problems();
    const labels = this.#labels(rows);
    return {
      kind: "rows",
      seriesCount: rows,
      ids: new Uint8Array(memory, this.#output(OUTPUT.ids), 16 * rows),
      sampleOffsets: new Uint32Array(memory, this.#output(OUTPUT.offsets), rows + 1),
      timestampsMs: new BigInt64Array(memory, this.#output(OUTPUT.times), samples),
      values: new Float64Array(memory, this.#output(OUTPUT.values), samples),
      tokens: new Uint32Array(memory, this.#output(OUTPUT.tokens), rows),
      ...(pairs === undefined ? {} : { ha: { numbers: this.#haNumbers(rows), pairs } }),
      ...(labels.bytes.length > 0 ? { labels } : {}),
      counts: {
        series: control.getUint32(72, true),
        samples: control.getUint32(76, true),
        exemplars: control.getUint32(80, true),
        histograms: control.getUint32(84, true),
        metadata: control.getUint32(88, true),
        unknownToTable: control.getUint32(96, true),
        decodedBytes: control.getUint32(100, true),
      },
      latestTimeMs: latest === NO_TIME ? undefined : Number(latest),
      rejections: problems.length === 0 ? [] : this.#rejections(),
      problems,
    };
  }

  #haNumbers(rows: number): Uint32Array {
    const memory = this.#kernel.memory.buffer;
    return rows === 0
      ? new Uint32Array(0)
      : new Uint32Array(memory, this.#output(OUTPUT.haPairs), rows);
  }

  #labels(rows: number): { bytes: Uint8Array; offsets: Uint32Array } {
    const memory = this.#kernel.memory.buffer;
    const offsets = new Uint32Array(memory, this.#output(OUTPUT.labelOffsets), rows + 1);
    const bytes = new Uint8Array(memory, this.#output(OUTPUT.labels), offsets[rows] ?? 0);
    return { bytes, offsets };
  }

  #output(which: number): number {
    return this.#kernel.intakeOutput(which) >>> 0;
  }

  #rejections(): Rejection[] {
    const found: Rejection[] = [];
    REJECT_CODES.forEach((code, index) => {
      const at = COUNTERS_AT + 8 * index;
      const series = this.#control.getUint32(at, true);
      if (code === "" || series === 0) return;
      found.push({ code, series, samples: this.#control.getUint32(at + 4, true) });
    });
    return found;
  }

  #problems(): SeriesProblem[] {
    const count = this.#control.getUint32(104, true);
    return Array.from({ length: count }, (_, index) =>
      this.#problem(RECORDS_AT + RECORD_BYTES * index),
    );
  }

  #problem(at: number): SeriesProblem {
    const control = this.#control;
    const memory = this.#kernel.memory.buffer;
    const code = REJECT_CODES[control.getUint32(at, true)];
    assert(code !== undefined && code !== "", "unknown code of a rejected series");
    const seriesAt = this.#output(OUTPUT.decoded) + control.getUint32(at + 8, true);
    const seriesBytes = control.getUint32(at + 12, true);
    const whole = seriesBytes <= PROBLEM_SERIES_BYTES_MAX;
    return {
      code,
      seriesIndex: control.getUint32(at + 4, true),
      series: new Uint8Array(memory, seriesAt, whole ? seriesBytes : 0).slice(),
      labelCount: control.getUint32(at + 16, true),
      labelName: this.#recordText(at + 48, control.getUint32(at + 20, true)),
      labelValue: this.#recordText(at + 256, control.getUint32(at + 24, true)),
      timestampMs: control.getBigInt64(at + 32, true),
    };
  }

  #recordText(at: number, lengthBytes: number): string {
    const kept = Math.min(lengthBytes, RECORD_TEXT_BYTES);
    return utf8.decode(new Uint8Array(this.#kernel.memory.buffer, this.#controlAt + at, kept));
  }
}
