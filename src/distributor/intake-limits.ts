import type { HaLabels } from "../kernel/host/ha-pairs.ts";
import type { IntakeLimits } from "../kernel/host/intake.ts";
import type { Limits } from "../model/limits.ts";
import { clustersMax } from "./ha-tracker/ha-tracker.ts";

const UNLIMITED = 0xffff_ffff;
/** Beyond this a millisecond is no integer any more: no such timestamp is accepted, whatever the limits say. */
const TIME_MS_MAX = 2 ** 53;
/** Replicas of a cluster, on average: more than two come up where their names change. */
const REPLICAS_MAX = 16;
/** What the kernel can count. */
const HA_PAIRS_MAX = 0xffff;

/** A tenant's limits as the kernel takes them, for a request that arrives at `nowMs`. */
export function intakeLimits(
  limits: Limits,
  request: {
    readonly nowMs: number;
    readonly decodedBytesMax: number;
    /** The process follows pairs at all. */
    readonly hasHaTracker: boolean;
  },
): IntakeLimits {
  const { nowMs, decodedBytesMax, hasHaTracker } = request;
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
    ...(hasHaTracker && limits.acceptHaSamples ? { ha: haLabels(limits) } : {}),
  };
}

function haLabels(limits: Limits): HaLabels {
  return {
    clusterLabel: limits.haClusterLabel,
    replicaLabel: limits.haReplicaLabel,
    pairsMax: Math.min(HA_PAIRS_MAX, REPLICAS_MAX * clustersMax(limits)),
  };
}
