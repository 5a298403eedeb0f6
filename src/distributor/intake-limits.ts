import type { IntakeLimits } from "../kernel/host/intake.ts";
import type { Limits } from "../model/limits.ts";

const UNLIMITED = 0xffff_ffff;
/** Beyond this a millisecond is no integer any more: no such timestamp is accepted, whatever the limits say. */
const TIME_MS_MAX = 2 ** 53;

/** A tenant's limits as the kernel takes them, for a request that arrives at `nowMs`. */
export function intakeLimits(
  limits: Limits,
  { nowMs, decodedBytesMax }: { readonly nowMs: number; readonly decodedBytesMax: number },
): IntakeLimits {
  const { pastGracePeriodMs, outOfOrderTimeWindowMs, creationGracePeriodMs } = limits;
  return {
    decodedBytesMax,
    utf8Names: limits.nameValidationScheme === "utf8",
    labelsMax: limits.maxLabelNamesPerSeries || UNLIMITED,
    infoLabelsMax: limits.maxLabelNamesPerInfoSeries || UNLIMITED,
    nameBytesMax: limits.maxLabelNameLength || UNLIMITED,
    valueBytesMax: limits.maxLabelValueLength || UNLIMITED,
    maxTimeMs: Math.min(TIME_MS_MAX, nowMs + creationGracePeriodMs),
    minTimeMs:
      pastGracePeriodMs > 0
        ? Math.max(-TIME_MS_MAX, nowMs - pastGracePeriodMs - outOfOrderTimeWindowMs)
        : -TIME_MS_MAX,
  };
}
