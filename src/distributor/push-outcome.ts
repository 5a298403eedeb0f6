/** How a push ended: a value, because refusals are everyday. routes.ts turns it into an answer. */
export interface PushOutcome {
  readonly kind: PushOutcomeKind;
  readonly status: number;
  /** "" when all was stored. */
  readonly message: string;
  readonly retryAfterSeconds: number | undefined;
  /** What was thrown, for the log ("failed"). */
  readonly cause?: unknown;
}

export type PushOutcomeKind =
  /** All samples are stored. */
  | "stored"
  /** All samples come from replicas that are not elected: nothing is stored, and nothing is wrong. */
  | "deduplicated"
  /** Something in the request was wrong; the rest of it is stored. Sending it again will not help. */
  | "invalid"
  /** The tenant sends too much: nothing is stored. */
  | "rate-limited"
  /** The process protects itself: nothing is stored. */
  | "instance-limit"
  /** Storing failed: nothing may be taken as stored. */
  | "failed";

export const STORED: PushOutcome = {
  kind: "stored",
  status: 200,
  message: "",
  retryAfterSeconds: undefined,
};

/** Prometheus takes any 2xx for done. */
export const DEDUPLICATED: PushOutcome = {
  kind: "deduplicated",
  status: 202,
  message: "",
  retryAfterSeconds: undefined,
};

export function invalid(message: string): PushOutcome {
  return { kind: "invalid", status: 400, message, retryAfterSeconds: undefined };
}
