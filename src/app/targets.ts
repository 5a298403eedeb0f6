import { OpError } from "../base/errors.ts";
import type { Config } from "../config/config.ts";

export type Target = Config["target"][number];

/** This version is one process that is everything; the components as processes of their own come with the cluster. */
export function checkTargets(targets: readonly Target[]): void {
  const missing = targets.filter((target) => target !== "all");
  if (missing.length === 0) return;
  throw new OpError(
    "target-not-available",
    `target ${missing.join(",")}: not available in this version, only -target=all is`,
    { targets: missing },
  );
}
