import { Registry } from "prom-client";
import type { LogFields, Logger } from "../../src/base/logger.ts";
import { HTTP_DEFAULTS, type HttpOptions } from "../../src/http/options.ts";
import { HttpServer } from "../../src/http/server.ts";
import { TestClock } from "../testkit/test-clock.ts";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: LogFields;
  readonly message: string;
}

/** Keeps its lines for the test to read. */
export class MemoryLogger implements Logger {
  readonly lines: LogLine[];
  readonly #fields: LogFields;

  constructor(lines: LogLine[] = [], fields: LogFields = {}) {
    this.lines = lines;
    this.#fields = fields;
  }

  debug(fields: LogFields, message: string): void {
    this.#write("debug", fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#write("info", fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#write("warn", fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#write("error", fields, message);
  }

  child(fields: LogFields): Logger {
    return new MemoryLogger(this.lines, { ...this.#fields, ...fields });
  }

  #write(level: LogLine["level"], fields: LogFields, message: string): void {
    this.lines.push({ level, fields: { ...this.#fields, ...fields }, message });
  }
}

export interface HttpFixture {
  readonly server: HttpServer;
  readonly clock: TestClock;
  readonly logger: MemoryLogger;
  readonly registry: Registry;
}

export function newHttpFixture(options: Partial<HttpOptions> = {}): HttpFixture {
  const clock = new TestClock();
  const logger = new MemoryLogger();
  const registry = new Registry();
  const server = new HttpServer(
    { ...HTTP_DEFAULTS, listenAddress: "127.0.0.1", listenPort: 0, ...options },
    { clock, logger, registry },
  );
  return { server, clock, logger, registry };
}
