/**
 * Operational failures: what can go wrong in a correct program (bad input, full disk, limits).
 * Each has a literal `code` that docs/errors.md lists; `data` carries what a program may want to read.
 * Expected outcomes on hot paths are values instead, and bugs are `assert`s (see assert.ts).
 */
export class OpError<Code extends string = string> extends Error {
  override name = "OpError";
  readonly code: Code;
  readonly data: Readonly<Record<string, unknown>>;

  constructor(
    code: Code,
    message: string,
    data: Record<string, unknown> = {},
    options?: { cause?: unknown },
  ) {
    super(message, options);
    this.code = code;
    this.data = data;
  }
}

/** Bytes on disk that are not what was written: says where, so that an operator can look. */
export class CorruptionError extends OpError<"corruption"> {
  constructor(message: string, where: { file: string; offsetBytes: number }) {
    super("corruption", `${where.file} at byte ${where.offsetBytes}: ${message}`, { ...where });
  }
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
