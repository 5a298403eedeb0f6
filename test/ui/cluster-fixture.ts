/** All pages of a process, as part of a small made-up cluster. */

import type { ClusterSources } from "../../src/ui/cluster/cluster-pages.ts";
import type { ElectedReplica } from "../../src/ui/cluster/ha-tracker-page.ts";
import type { MemberlistPageSource, MemberView } from "../../src/ui/cluster/memberlist-source.ts";
import { type PagesSources, registerPages } from "../../src/ui/pages.ts";
import { type HttpFixture, newHttpFixture } from "../http/http-fixture.ts";
import { NOW_MS } from "../ring/fixture.ts";
import { fakeIngesters } from "./fake-ring.ts";
import { FORM_KEY } from "./ring-fixture.ts";

export function member(name: string, changes: Partial<MemberView> = {}): MemberView {
  return {
    name,
    address: `${name}.example:7946`,
    status: "alive",
    meta: { zone: "zone-a", role: "ingester" },
    statusForMs: 65_000,
    roundTripMs: 0.42,
    incarnation: 1,
    digests: undefined,
    ...changes,
  };
}

export interface FakeMemberlist extends MemberlistPageSource {
  readonly cleared: () => boolean;
}

export function fakeMemberlist(
  members: readonly MemberView[] = [member("node-1"), member("node-2")],
): FakeMemberlist {
  let isCleared = false;
  return {
    cleared: () => isCleared,
    status: () => ({
      nowMs: NOW_MS,
      nodeName: "node-1",
      clusterLabel: "muninn-7f3a",
      isEncrypted: true,
      address: "node-1.example:7946",
      healthScore: 0,
      oldestNewsMs: 6_000,
      queuedMessages: 2,
      members,
    }),
    keys: () => [
      {
        key: "collectors/ring",
        type: "ring",
        version: 1234,
        updatedAtMs: NOW_MS - 2000,
        sizeBytes: 6789,
        tombstones: 1,
        digest: 0x00ab_cdef,
      },
    ],
    valueOf: (key) =>
      key === "collectors/ring" ? { "ingester-0": { state: "ACTIVE" } } : undefined,
    history: () =>
      isCleared
        ? []
        : [
            {
              atMs: NOW_MS - 1000,
              direction: "received",
              key: "collectors/ring",
              type: "ring",
              value: new Uint8Array(90),
              news: ["ingester-1/head"],
            },
          ],
    clearHistory: () => {
      isCleared = true;
    },
  };
}

export const ELECTED: ElectedReplica = {
  tenant: "team-a",
  cluster: "eu",
  replica: "prom-0",
  receivedAtMs: NOW_MS - 4000,
  electedAtMs: NOW_MS - 7_200_000,
  electedChanges: 2,
  updateTimeoutMs: 15_000,
  failoverTimeoutMs: 30_000,
};

export function clusterPages(
  cluster: Partial<ClusterSources> = {},
  sources: Partial<PagesSources> = {},
): HttpFixture {
  const fixture = newHttpFixture();
  fixture.server.routes((app) =>
    registerPages(
      app,
      {
        pathPrefix: "",
        prometheusPrefix: "/prometheus",
        multitenancyEnabled: true,
        build: { version: "1.2.3", revision: "", branch: "", nodeVersion: "" },
        formKey: FORM_KEY,
      },
      {
        registry: fixture.registry,
        services: () => [],
        readiness: () => ({ isReady: true, reasons: [] }),
        tenants: () => [],
        notices: () => [],
        configText: () => "",
        flags: () => ({}),
        runtimeConfigText: () => "",
        userLimits: () => ({}),
        ...sources,
        cluster: {
          rings: [fakeIngesters(3)],
          memberlist: fakeMemberlist(),
          haTracker: { isEnabled: true, nowMs: () => NOW_MS, rows: () => [ELECTED] },
          userStats: {
            nowMs: () => NOW_MS,
            stats: async () => ({
              replicationFactor: 3,
              tenants: [
                {
                  tenant: "team-a",
                  seriesCount: 120_034,
                  ingestionRate: 8012.3,
                  apiIngestionRate: 8000,
                  ruleIngestionRate: 12.3,
                },
              ],
            }),
          },
          ...cluster,
        },
      },
    ),
  );
  return fixture;
}
