/** The pages of a process that is part of a cluster: those of which it has the part. */
import type { FastifyInstance } from "fastify";
import { type FormPagesOptions, registerRingPage } from "../ring/ring-page.ts";
import type { RingPageSource } from "../ring/ring-source.ts";
import { type HaTrackerPageSource, registerHaTrackerPage } from "./ha-tracker-page.ts";
import { registerMemberlistPage } from "./memberlist-page.ts";
import type { MemberlistPageSource } from "./memberlist-source.ts";
import { registerUserStatsPage, type UserStatsPageSource } from "./user-stats-page.ts";

export interface ClusterSources {
  readonly rings: readonly RingPageSource[];
  readonly memberlist?: MemberlistPageSource;
  readonly haTracker?: HaTrackerPageSource;
  readonly userStats?: UserStatsPageSource;
}

export function registerClusterPages(
  app: FastifyInstance,
  options: FormPagesOptions,
  sources: ClusterSources,
): void {
  const { rings, memberlist, haTracker, userStats } = sources;
  for (const ring of rings) registerRingPage(app, options, ring);
  if (memberlist !== undefined) registerMemberlistPage(app, options, memberlist);
  if (haTracker !== undefined) registerHaTrackerPage(app, options.frame, haTracker);
  if (userStats !== undefined) registerUserStatsPage(app, options.frame, userStats);
}
