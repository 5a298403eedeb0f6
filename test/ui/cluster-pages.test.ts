import assert from "node:assert/strict";
import { test } from "node:test";
import type { LightMyRequestResponse } from "fastify";
import { OpError } from "../../src/base/errors.ts";
import type { HttpFixture } from "../http/http-fixture.ts";
import { instance, NOW_MS } from "../ring/fixture.ts";
import { clusterPages, ELECTED, fakeMemberlist, member } from "./cluster-fixture.ts";
import { FakeRing, fakeIngesters } from "./fake-ring.ts";

const HOSTILE = `"><script>alert('x')</script>`;

function get(
  { server }: HttpFixture,
  url: string,
  accept = "text/html",
): Promise<LightMyRequestResponse> {
  return server.app.inject({ url, headers: { accept } });
}

async function json(fixture: HttpFixture, url: string): Promise<Record<string, unknown>> {
  return (await get(fixture, url, "application/json")).json();
}

function post({ server }: HttpFixture, form: string, headers: Record<string, string> = {}) {
  return server.app.inject({
    method: "POST",
    url: "/memberlist",
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
    payload: form,
  });
}

test("the first page has a line for each ring, and links to every page", async () => {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-1", "ingester-2"]);
  const distributors = new FakeRing({ name: "distributor", instances: [instance("d-1")] });
  const fixture = clusterPages({ rings: [ring, distributors] });
  const { body } = await get(fixture, "/");
  assert.match(
    body,
    /dot bad">✕<\/span><a href="\/ingester\/ring">Ingester ring<\/a> <span class="soft">Writes and reads fail/,
  );
  assert.match(body, /dot good">✓<\/span><a href="\/distributor\/ring">/);
  for (const [, link] of body.matchAll(/<li>(?:<span[^/]*<\/span>)?<a href="([^"]+)"/g)) {
    assert.equal((await get(fixture, link ?? "")).statusCode, 200, link);
  }
  for (const link of ["/memberlist", "/distributor/ha_tracker", "/distributor/all_user_stats"]) {
    assert.ok(body.includes(`<li><a href="${link}">`), link);
  }
});

test("assets are there under the addresses that pages use", async () => {
  const fixture = clusterPages();
  const { body } = await get(fixture, "/ring");
  const assets = [...body.matchAll(/(?:href|src)="(\/ui\/[^"]+)"/g)].map(([, link]) => link ?? "");
  assert.equal(assets.length, 3);
  for (const asset of assets) {
    const answer = await get(fixture, asset);
    assert.equal(answer.statusCode, 200, asset);
    assert.match(String(answer.headers["content-type"]), /^text\/(?:css|javascript)/);
  }
});

test("memberlist: members, what they share, and what was said", async () => {
  const { body } = await get(clusterPages(), "/memberlist");
  assert.match(body, /muninn-7f3a/);
  assert.match(body, /2 members are alive/);
  assert.match(body, /node-1 <span class="soft">\(this one\)/);
  assert.match(body, />Zone<\/a><\/th>/);
  assert.match(body, /<code>00abcdef<\/code>/);
  assert.match(body, /ingester-1\/head/);
  assert.match(body, /digests of other members are not known here/);
});

test("memberlist: who holds something else is told, if it is known", async () => {
  const same = member("node-2", { digests: new Map([["collectors/ring", 0x00ab_cdef]]) });
  const other = member("node-3", { digests: new Map([["collectors/ring", 1]]) });
  const page = async (...members: (typeof same)[]): Promise<string> =>
    (
      await get(
        clusterPages({ memberlist: fakeMemberlist([member("node-1"), ...members]) }),
        "/memberlist",
      )
    ).body;
  assert.match(await page(same), /1 of 1 other members were heard of, and hold the same/);
  assert.match(await page(same, other), /<li>node-3 holds something else under collectors\/ring/);
  assert.match(await page(), /no other member to agree with/);
});

test("memberlist: JSON, and one key", async () => {
  const fixture = clusterPages();
  const all = await json(fixture, "/memberlist");
  assert.deepEqual(all, {
    now: "2023-11-14T22:13:20.000Z",
    node: "node-1",
    address: "node-1.example:7946",
    cluster_label: "muninn-7f3a",
    encrypted: true,
    health_score: 0,
    queued_messages: 2,
    oldest_news_ms: 6_000,
    members: ["node-1", "node-2"].map((name) => ({
      name,
      address: `${name}.example:7946`,
      state: "alive",
      meta: { zone: "zone-a", role: "ingester" },
      incarnation: 1,
      state_for_ms: 65_000,
      round_trip_ms: 0.42,
      digests: null,
    })),
    keys: [
      {
        key: "collectors/ring",
        type: "ring",
        version: 1234,
        size_bytes: 6789,
        tombstones: 1,
        updated: "2023-11-14T22:13:18.000Z",
        digest: 0x00ab_cdef,
      },
    ],
    history: [
      {
        at: "2023-11-14T22:13:19.000Z",
        direction: "received",
        key: "collectors/ring",
        type: "ring",
        size_bytes: 90,
        news: ["ingester-1/head"],
      },
    ],
  });
  assert.deepEqual(await json(fixture, "/memberlist?viewKey=collectors/ring"), {
    key: "collectors/ring",
    value: { "ingester-0": { state: "ACTIVE" } },
  });
  assert.equal((await get(fixture, "/memberlist?viewKey=x", "application/json")).statusCode, 404);
  assert.match(
    (await get(fixture, "/memberlist?viewKey=collectors/ring")).body,
    /&quot;state&quot;: &quot;ACTIVE&quot;/,
  );
  assert.match((await get(fixture, "/memberlist?viewKey=x")).body, /Nobody has written this key/);
});

test("memberlist: the history is cleared by our form and by curl, not by other sites", async () => {
  const memberlist = fakeMemberlist();
  const fixture = clusterPages({ memberlist });
  const origin = { host: "m.example", origin: "http://m.example" };
  assert.equal(
    (await post(fixture, "clear=history", { "sec-fetch-site": "cross-site" })).statusCode,
    403,
  );
  assert.equal((await post(fixture, "clear=history", origin)).statusCode, 403, "no token");
  assert.equal((await post(fixture, "clear=all")).statusCode, 400);
  assert.equal(memberlist.cleared(), false);
  const token = /name="form_token" value="([^"]+)"/.exec(
    (await get(fixture, "/memberlist")).body,
  )?.[1];
  assert.equal((await post(fixture, `clear=history&form_token=${token}`, origin)).statusCode, 302);
  assert.equal(memberlist.cleared(), true);
  const other = fakeMemberlist();
  assert.equal((await post(clusterPages({ memberlist: other }), "clear=history")).statusCode, 302);
  assert.equal(other.cleared(), true);
});

test("HA tracker: who is elected, and when another may take over", async () => {
  const silent = { ...ELECTED, cluster: "us", receivedAtMs: NOW_MS - 31_000 };
  const haTracker = { isEnabled: true, nowMs: () => NOW_MS, rows: () => [silent, ELECTED] };
  const fixture = clusterPages({ haTracker });
  const { body } = await get(fixture, "/distributor/ha_tracker");
  assert.match(
    body,
    /team-a[\s\S]*eu[\s\S]*prom-0[\s\S]*2h ago[\s\S]*4s ago[\s\S]*in 26s[\s\S]*us[\s\S]*with its next samples/,
  );
  const { elected, now } = await json(fixture, "/distributor/ha_tracker");
  assert.equal(now, "2023-11-14T22:13:20.000Z");
  assert.deepEqual((elected as object[])[0], {
    userID: "team-a",
    cluster: "eu",
    replica: "prom-0",
    electedAt: "2023-11-14T20:13:20.000Z",
    electedLastSeenTime: "2023-11-14T22:13:16.000Z",
    electedChanges: 2,
    updateDuration: 11_000_000_000,
    failoverDuration: 26_000_000_000,
  });
  const off = clusterPages({ haTracker: { ...haTracker, isEnabled: false } });
  assert.match(
    (await get(off, "/distributor/ha_tracker")).body,
    /-distributor\.ha-tracker\.enable/,
  );
  const none = clusterPages({ haTracker: { ...haTracker, rows: () => [] } });
  assert.match((await get(none, "/distributor/ha_tracker")).body, /No replica is elected/);
});

test("all_user_stats: page, and JSON as Mimir's", async () => {
  const fixture = clusterPages();
  const { body } = await get(fixture, "/distributor/all_user_stats");
  assert.match(body, /team-a[\s\S]*120,034[\s\S]*8,012/);
  assert.deepEqual(await json(fixture, "/distributor/all_user_stats"), {
    now: "2023-11-14T22:13:20.000Z",
    stats: [
      {
        userID: "team-a",
        ingestionRate: 8012.3,
        numSeries: 120_034,
        APIIngestionRate: 8000,
        RuleIngestionRate: 12.3,
      },
    ],
    replicationFactor: 3,
  });
});

test("all_user_stats: ingesters that are missing are named, a bug is not hidden", async () => {
  const failing = (error: Error) =>
    clusterPages({ userStats: { nowMs: () => NOW_MS, stats: () => Promise.reject(error) } });
  const missing = failing(new OpError("unavailable", "no answer from ingester-2 (10.0.0.3:9095)"));
  const page = await get(missing, "/distributor/all_user_stats");
  assert.equal(page.statusCode, 503);
  assert.match(page.body, /no answer from ingester-2 \(10\.0\.0\.3:9095\)/);
  assert.deepEqual(await json(missing, "/distributor/all_user_stats"), {
    error: "no answer from ingester-2 (10.0.0.3:9095)",
  });
  const bug = await get(failing(new Error("secret")), "/distributor/all_user_stats");
  assert.equal(bug.statusCode, 500);
  assert.doesNotMatch(bug.body, /secret/);
});

test("text from the cluster stays text", async () => {
  const memberlist = {
    ...fakeMemberlist([member(HOSTILE, { address: HOSTILE, meta: { [HOSTILE]: HOSTILE } })]),
    keys: () => [
      {
        key: HOSTILE,
        type: HOSTILE,
        version: 1,
        updatedAtMs: 0,
        sizeBytes: 1,
        tombstones: 0,
        digest: -1,
      },
    ],
    valueOf: () => HOSTILE,
  };
  const stats = {
    tenant: HOSTILE,
    seriesCount: 1,
    ingestionRate: 1,
    apiIngestionRate: 1,
    ruleIngestionRate: 0,
  };
  const fixture = clusterPages({
    memberlist,
    haTracker: {
      isEnabled: true,
      nowMs: () => NOW_MS,
      rows: () => [{ ...ELECTED, tenant: HOSTILE, cluster: HOSTILE, replica: HOSTILE }],
    },
    userStats: {
      nowMs: () => NOW_MS,
      stats: async () => ({ replicationFactor: 3, tenants: [stats] }),
    },
  });
  for (const url of [
    "/memberlist",
    `/memberlist?viewKey=${encodeURIComponent(HOSTILE)}`,
    "/distributor/ha_tracker",
    "/distributor/all_user_stats",
  ]) {
    const { statusCode, body } = await get(fixture, url);
    assert.equal(statusCode, 200);
    assert.match(body, /&lt;script&gt;/, url);
    assert.doesNotMatch(body, /<script>/, url);
  }
});
