/**
 * Log lines on pino. Fields come as they are given; the line's own are `ts`, `level` and `msg`.
 *
 *     logfmt   ts=2026-01-02T03:04:05.678Z level=info msg="HTTP server listening" port=8080
 *     json     {"level":"info","ts":"2026-01-02T03:04:05.678Z","port":8080,"msg":"HTTP server listening"}
 */
import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";
import type { Clock } from "../base/clock.ts";
import type { LogFields, Logger } from "../base/logger.ts";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "logfmt" | "json";
}

/** Lines go to standard error (as Mimir's do) unless `output` says otherwise. */
export function createLogger(
  options: LoggerOptions,
  { clock, output }: { readonly clock: Clock; readonly output?: DestinationStream },
): Logger {
  // Synchronous, so that the last lines before an exit are not lost.
  const lines = output ?? destination({ dest: 2, sync: true });
  const stream: DestinationStream =
    options.format === "json" ? lines : { write: (line) => lines.write(logfmtOfJson(line)) };
  return new PinoBackedLogger(
    pino(
      {
        level: options.level,
        base: null,
        messageKey: "msg",
        timestamp: () => `,"ts":"${new Date(clock.nowMs()).toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        serializers: { err: describeError },
      },
      stream,
    ),
  );
}

class PinoBackedLogger implements Logger {
  readonly #pino: PinoLogger;

  constructor(logger: PinoLogger) {
    this.#pino = logger;
  }

  debug(fields: LogFields, message: string): void {
    this.#pino.debug(fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#pino.info(fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#pino.warn(fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(fields, message);
  }

  child(fields: LogFields): Logger {
    return new PinoBackedLogger(this.#pino.child(fields));
  }
}

/** The stack holds type and message; causes follow, since they usually hold the system's own error. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = error.cause instanceof Error ? `\ncaused by: ${String(error.cause.stack)}` : "";
  return `${error.stack ?? error.message}${cause}`;
}

/** pino writes JSON. Turning it round costs microseconds, and only for lines that are really written. */
export function logfmtOfJson(line: string): string {
  const { ts, level, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const ordered = { ts, level, msg, ...fields };
  const pairs = Object.entries(ordered)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key.replace(/[\s="]/g, "_")}=${logfmtValue(value)}`);
  return `${pairs.join(" ")}\n`;
}

function logfmtValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text === "" || /[\s="\\\p{Cc}]/u.test(text) ? JSON.stringify(text) : text;
}
