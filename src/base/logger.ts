/** Structured log lines. Implemented by sys/logger.ts on pino; passed down, one child per component. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

/** `err` takes an Error; other values are printed as they are. */
export type LogFields = Readonly<Record<string, unknown>>;
