/**
 * A key that nobody reads is a promise nobody keeps. The program runs on a configuration that notes which of its values
 * are looked at: every option that does not say that it waits for a feature must be.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config/config.ts";
import { defaultConfig } from "../../src/config/defaults.ts";
import { placedOptions } from "../../src/config/schema.ts";
import { namedSeries } from "../testkit/remote-write.ts";
import { during, get, newApp, push } from "./app-fixture.ts";

/** Read before the program is built, or only in a situation that this test does not make. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "log.level": "run.ts, for the logger",
  "log.format": "run.ts, for the logger",
  "runtimeConfig.reloadPeriodMs": "overrides.ts, when there are files",
};

test("every option that does not wait for a feature is read by the program", async () => {
  const seen = new Set<string>();
  const config = noting(withPort(defaultConfig()), [], seen);
  const { app, server, clock } = newApp({ config });
  await app.start();
  const now = clock.nowMs();
  const pair = ["a", "b"].map((replica) =>
    namedSeries("up", { job: "a", cluster: "c", __replica__: replica }, [[now, 1]]),
  );
  assert.equal((await push(server, "t", now, pair)).status, 200);
  assert.equal((await push(server, "t", now - 1000)).status, 429);
  for (const path of [
    "query?query=up",
    `query_range?query=up[5m:]&start=${now / 1000}&end=${now / 1000}&step=1`,
    "labels",
    "series?match[]=up",
  ]) {
    await get(server, `/prometheus/api/v1/${path}`);
  }
  await clock.advance(120_000);
  await app.stop();
  await runMember(seen);
  const unread = placedOptions
    .filter(({ option, place }) => option.waitsFor === undefined && !seen.has(place.join(".")))
    .map(({ place }) => place.join("."));
  assert.deepEqual(unread.sort(), Object.keys(ELSEWHERE).sort());
});

/** What only a member of a cluster reads: gossip, calls to others, the rings of components. */
async function runMember(seen: Set<string>): Promise<void> {
  const config = withPort(defaultConfig());
  const { server, memberlist, ring } = config;
  const member: Config = {
    ...config,
    target: ["ingester", "distributor", "querier"],
    server: { ...server, rpcListenAddress: "127.0.0.1", rpcListenPort: 0 },
    // Nobody is there.
    memberlist: { ...memberlist, joinMembers: ["10.0.0.9"] },
    ring: { ...ring, replicationFactor: 1 },
  };
  const { app, server: http, clock } = newApp({ config: noting(member, [], seen) });
  await during(clock, app.start());
  const pushed = await during(clock, push(http, "t", clock.nowMs()));
  assert.equal(pushed.status, 200, pushed.body);
  await during(clock, get(http, "/prometheus/api/v1/query?query=up"));
  await during(clock, app.stop());
}

function withPort(config: Config): Config {
  const server = { ...config.server, httpListenAddress: "127.0.0.1", httpListenPort: 0 };
  const auth = { ...config.auth, multitenancyEnabled: false };
  const rates = { requestRate: 0.001, requestBurstSize: 1 };
  const limits = { ...config.limits, ...rates, acceptHaSamples: true };
  const distributor = { ...config.distributor, haTracker: { enable: true } };
  return { ...config, server, auth, limits, distributor };
}

/** The same values, and each one that is looked at is noted by its place. */
function noting<Value>(value: Value, place: readonly string[], seen: Set<string>): Value {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    const innerPlace = [...place, key];
    const noted = noting(inner, innerPlace, seen);
    Object.defineProperty(copy, key, {
      enumerable: true,
      get: () => {
        seen.add(innerPlace.join("."));
        return noted;
      },
    });
  }
  return copy as Value;
}
