import { OpError } from "../base/errors.ts";
import type { Config } from "../config/config.ts";
import { type Parts, TARGETS } from "./modules.ts";

export type Target = Config["target"][number];

/** The parts that the targets name. Throws for those that this version does not have yet. */
export function partsOf(targets: readonly Target[]): readonly (keyof Parts)[] {
  const missing = targets.filter((target) => !(target in TARGETS));
  if (missing.length > 0) {
    throw new OpError(
      "target-not-available",
      `target ${missing.join(",")}: not available in this version; there are ${Object.keys(TARGETS).join(", ")}`,
      { targets: missing },
    );
  }
  return targets.flatMap((target) => TARGETS[target as keyof typeof TARGETS]);
}
