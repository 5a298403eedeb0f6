import { Registry } from "prom-client";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { walMetrics } from "../../src/tsdb/wal/metrics.ts";
import { DEFAULT_WAL_OPTIONS, type WalOptions } from "../../src/tsdb/wal/options.ts";
import { type ReplayReport, Wal } from "../../src/tsdb/wal/wal.ts";
import { MemoryFileSystem } from "../testkit/memory-file-system.ts";
import { TestClock } from "../testkit/test-clock.ts";

/** Keeps its lines. */
export class LinesLogger implements Logger {
  readonly lines: { level: string; fields: LogFields; message: string }[] = [];

  debug(fields: LogFields, message: string): void {
    this.lines.push({ level: "debug", fields, message });
  }
  info(fields: LogFields, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }
  warn(fields: LogFields, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }
  error(fields: LogFields, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }
  child(): Logger {
    return this;
  }
}

export const WAL_DIRECTORY = "/data/wal";

export function segmentPath(segment: number): string {
  return `${WAL_DIRECTORY}/${String(segment).padStart(8, "0")}`;
}

/** A machine for one log: its disk, clock, log lines and metrics. */
export class WalMachine {
  readonly files: MemoryFileSystem;
  readonly clock = new TestClock();
  readonly logger = new LinesLogger();
  readonly registry = new Registry();
  readonly metrics = walMetrics(this.registry);

  constructor(files = new MemoryFileSystem()) {
    this.files = files;
  }

  async open(options: Partial<WalOptions> = {}): Promise<Wal> {
    return await Wal.open({ ...DEFAULT_WAL_OPTIONS, directory: WAL_DIRECTORY, ...options }, this);
  }

  /** Opened and replayed, with what the replay gave. */
  async start(options: Partial<WalOptions> = {}): Promise<Started> {
    const wal = await this.open(options);
    const records: SeenRecord[] = [];
    const report = await wal.replay((tenant, type, payload, position) => {
      records.push({ tenant, type, text: fromBytes(payload), ...position });
    });
    return { wal, report, records, texts: records.map((record) => record.text) };
  }

  async metric(name: string): Promise<number> {
    const values = (await this.registry.getSingleMetric(name)?.get())?.values ?? [];
    return values[0]?.value ?? Number.NaN;
  }
}

export interface Started {
  readonly wal: Wal;
  readonly report: ReplayReport;
  readonly records: SeenRecord[];
  readonly texts: string[];
}

export interface SeenRecord {
  readonly tenant: string;
  readonly type: number;
  readonly text: string;
  readonly segment: number;
  readonly offsetBytes: number;
}

export function toBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function fromBytes(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Bytes of an annotated hexdump: what follows a "#" is a comment. */
export function fromHexdump(dump: string): Uint8Array {
  const digits = dump.replaceAll(/#.*$/gm, "").replaceAll(/\s+/g, "");
  return Uint8Array.from(Buffer.from(digits, "hex"));
}
