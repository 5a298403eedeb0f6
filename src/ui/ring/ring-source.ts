/** What the pages of a ring ask. The composition root makes one for each ring that the process has. */
import type { Impact } from "../../ring/impact.ts";
import type { RingStatus } from "../../ring/status.ts";

export interface RingPageSource {
  /** "ingester", "distributor", "store-gateway", "compactor", "querier", "query-frontend". */
  readonly name: string;
  status(): RingStatus;
  /** None for an unknown instance. */
  tokensOf(id: string): Uint32Array;
  /** What it would do to quorum if the instance went; the instance is one of the ring. */
  impactWithout(id: string): InstanceImpact;
  forget(id: string): "forgotten" | "unknown";
  /** Changes of late, newest first. */
  events(): readonly RingEvent[];
}

export interface InstanceImpact {
  readonly impact: Impact;
  /** Why it should not be forgotten (src/ring/auto-forget.ts); undefined if it may. */
  readonly reasonToKeep: string | undefined;
}

export interface RingEvent {
  readonly atMs: number;
  readonly text: string;
}

/** Where a ring is found. Mimir serves the ingesters' at both. */
export function ringPaths(name: string): readonly [string, ...string[]] {
  return name === "ingester" ? ["/ingester/ring", "/ring"] : [`/${name}/ring`];
}
