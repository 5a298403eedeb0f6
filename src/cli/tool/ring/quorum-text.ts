/** Quorum in words. */
import { percent, some } from "../table.ts";
import type { Loss, Quorum } from "./ring-page.ts";

export function quorumLines({ writes, reads }: Quorum): string[] {
  return [
    `writes: ${lossText(writes, "can be written to enough instances")}`,
    `reads: ${lossText(reads, "can be read completely")}`,
  ];
}

export function hasLoss({ rangesBelowQuorum, share }: Loss): boolean {
  return rangesBelowQuorum > 0 || share > 0;
}

function lossText(loss: Loss, when: string): string {
  if (!hasLoss(loss)) return `all keys ${when}`;
  const missing = loss.because.length === 0 ? "" : `; missing: ${some(loss.because)}`;
  return `${percent(loss.share)} of the keys (${loss.rangesBelowQuorum} ranges) are below quorum${missing}`;
}
