/** A broken invariant of ours: never caught except at the top, where the process logs and exits. */
export class BugError extends Error {
  override name = "BugError";
}

export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BugError(`BUG: ${message}`);
}

/** The value of an expression that cannot be undefined by construction. */
export function must<T>(value: T | undefined | null, message: string): T {
  if (value === undefined || value === null) throw new BugError(`BUG: ${message}`);
  return value;
}
