import { OpError } from "../../base/errors.ts";

/** Of a signal that has fired. */
export function reasonOf(signal: AbortSignal): OpError {
  if (signal.reason instanceof OpError) return signal.reason;
  return new OpError(
    "canceled",
    "the call to an ingester was given up",
    {},
    { cause: signal.reason },
  );
}
