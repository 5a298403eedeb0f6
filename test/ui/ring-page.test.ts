import assert from "node:assert/strict";
import { test } from "node:test";
import { grow, instance, NOW_MS } from "../ring/fixture.ts";
import { FakeRing, fakeIngesters } from "./fake-ring.ts";
import { ringPages } from "./ring-fixture.ts";

const HOSTILE = `"><script>alert('x')</script>`;
const PAGE_BYTES_MAX = 150_000;

test("the ring of the ingesters is at Mimir's two paths, others at theirs", async () => {
  const ingesters = ringPages(fakeIngesters(3));
  for (const path of ["/ingester/ring", "/ring"]) {
    const { statusCode, body, headers } = await ingesters.get(path);
    assert.equal(statusCode, 200);
    assert.match(body, /<h1>Ingester ring<\/h1>/);
    assert.match(String(headers["content-security-policy"]), /script-src 'self'/);
  }
  const queriers = ringPages(new FakeRing({ name: "querier", instances: [instance("q-1")] }));
  assert.match((await queriers.get("/querier/ring")).body, /1 querier is there and healthy/);
  assert.equal((await queriers.get("/ring")).statusCode, 404);
});

test("the page answers whether all is well, and shows each instance in drawing and table", async () => {
  const { body } = await ringPages(fakeIngesters(3)).get("/ring");
  assert.match(body, /All is well/);
  for (const id of ["ingester-0", "ingester-1", "ingester-2"]) {
    assert.match(body, new RegExp(`<tr data-key="${id}" data-instance="${id}">`));
    assert.match(body, new RegExp(`<g class="arc" [^>]*data-instance="${id}"`));
    assert.match(body, new RegExp(`<circle class="tokens [^>]*data-instance="${id}"`));
  }
  assert.match(body, />33\.3%</);
});

test("two dead of three: the page says what fails, and whom to start", async () => {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-1", "ingester-2"]);
  const { body } = await ringPages(ring).get("/ring");
  assert.match(body, /Writes and reads fail/);
  assert.match(body, /100% of the keys cannot be written to 2 instances/);
  assert.match(body, /Start ingester-1, ingester-2 again/);
  assert.match(body, /fill="url\(#unhealthy\)"/);
  assert.match(body, />2 U</);
});

test("an empty ring says what to do", async () => {
  const { body } = await ringPages(new FakeRing({ instances: [] })).get("/ring");
  assert.match(body, /No ingester is in the ring/);
  assert.match(body, /-memberlist\.join/);
});

test("a ring without tokens has no drawing", async () => {
  const ring = new FakeRing({ name: "distributor", instances: [instance("d-1"), instance("d-2")] });
  const { body } = await ringPages(ring).get("/distributor/ring");
  assert.doesNotMatch(body, /<svg class="ring"/);
  assert.match(body, /2 distributors are there and healthy/);
  assert.doesNotMatch(body, /quorum/);
});

test("zones are circles of their own, and a table", async () => {
  const { body } = await ringPages(fakeIngesters(6, { zones: 3 })).get("/ring");
  assert.match(body, /from outside in: zone-a, zone-b, zone-c/);
  const radii = new Set(
    [...body.matchAll(/<circle class="tokens [^>]* r="([\d.]+)"/g)].map(([, r]) => r),
  );
  assert.equal(radii.size, 3);
  assert.match(body, /<tr data-key="zone-b"><td>zone-b<\/td><td class="number">2 of 2/);
});

test("a page of 100 instances with 512 tokens each stays small", async () => {
  for (const zones of [0, 3]) {
    const ring = fakeIngesters(100, { zones });
    const { body } = await ringPages(ring).get("/ring");
    assert.equal([...body.matchAll(/<g class="arc"/g)].length, 100);
    assert.equal([...body.matchAll(/<tr data-key="ingester/g)].length, 100);
    assert.ok(body.length <= PAGE_BYTES_MAX, `${body.length} bytes with ${zones} zones`);
  }
});

test("text of instances stays text wherever it is shown", async () => {
  const [one] = grow({ count: 1 });
  assert.ok(one !== undefined);
  const hostile = {
    ...one,
    id: HOSTILE,
    address: HOSTILE,
    zone: HOSTILE,
    versions: { a: HOSTILE },
  };
  const ring = new FakeRing({
    instances: [hostile, instance("b", { versions: { [HOSTILE]: "1" } })],
  });
  ring.tell(HOSTILE);
  const pages = ringPages(ring);
  const id = encodeURIComponent(HOSTILE);
  for (const url of [
    "/ring",
    `/ring?without=${id}`,
    `/ring?forget=${id}`,
    `/ring?sort=${id}`,
    "/ring?tokens=true",
  ]) {
    const { statusCode, body } = await pages.get(url);
    assert.equal(statusCode, 200, url);
    assert.doesNotMatch(body, /<script>|alert\('x'\)/, url);
  }
  assert.doesNotMatch((await pages.get(`/ring?without=${id}x`)).body, /<script>/);
});

test("nothing of the page is inline or from elsewhere, and links have the path prefix", async () => {
  const { body } = await ringPages(fakeIngesters(3), "/muninn").get(
    "/muninn/ring?without=ingester-1",
  );
  assert.doesNotMatch(body, / style=|<style|onclick|<script>|src="http|href="http/);
  const links = [...body.matchAll(/(?:href|src|action)="([^"]+)"/g)].map(([, link]) => link ?? "");
  assert.deepEqual(
    links.filter((link) => !link.startsWith("/muninn/") && !link.startsWith("?")),
    [],
  );
});

test("the order is in the address, and other parameters stay", async () => {
  const ring = fakeIngesters(12);
  ring.pass(3000, ["ingester-7"]);
  const pages = ringPages(ring);
  const order = async (url: string): Promise<string[]> =>
    [...(await pages.get(url)).body.matchAll(/<tr data-key="(ingester-\d+)"/g)].map(
      ([, id]) => id ?? "",
    );
  assert.deepEqual(
    await order("/ring"),
    Array.from({ length: 12 }, (_, i) => `ingester-${i}`),
  );
  assert.equal((await order("/ring?sort=-heartbeat"))[0], "ingester-7");
  assert.deepEqual((await order("/ring?sort=-id")).slice(0, 3), [
    "ingester-11",
    "ingester-10",
    "ingester-9",
  ]);
  assert.deepEqual(await order("/ring?sort=nonsense"), await order("/ring"));
  const { body } = await pages.get("/ring?without=ingester-3&sort=-owned");
  assert.match(
    body,
    /<th class="number" aria-sort="descending"><a href="\?without=ingester-3&amp;sort=owned"/,
  );
});

test("?without tells what would become of quorum", async () => {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-1"]);
  const { body } = await ringPages(ring).get("/ring?without=ingester-0");
  assert.match(
    body,
    /<section id="instance"[\s\S]*If it went[\s\S]*would fail for 100% of the keys/,
  );
  assert.match(body, /also missing: ingester-1/);
});

test("an unknown instance: 404, and the page says so", async () => {
  const pages = ringPages(fakeIngesters(3));
  const page = await pages.get("/ring?without=nobody");
  assert.equal(page.statusCode, 404);
  assert.match(page.body, /nobody is not in this ring/);
  const json = await pages.json("/ring?without=nobody");
  assert.equal(json.statusCode, 404);
  assert.deepEqual(json.json(), {
    error: "no instance nobody in ring ingester: it has ingester-0, ingester-1, ingester-2",
  });
});

test("JSON has Mimir's shape and ours", async () => {
  const ring = fakeIngesters(3);
  ring.change("ingester-1", { readOnly: true, readOnlyUpdatedAtMs: NOW_MS - 5000 });
  ring.pass(120_000, ["ingester-2"]);
  ring.tell("something");
  const answer = (await ringPages(ring).json("/ingester/ring")).json();
  assert.deepEqual(Object.keys(answer), [
    "shards",
    "now",
    "replication_factor",
    "zone_aware",
    "zones",
    "quorum",
    "events",
  ]);
  assert.equal(answer.now, "2023-11-14T22:15:20.000Z");
  const [first, second, third] = answer.shards;
  assert.equal(first.state, "ACTIVE");
  assert.deepEqual(first.tokens, []);
  assert.equal(first.token_count, 512);
  assert.equal(first.read_only_updated_timestamp, "0001-01-01T00:00:00Z");
  assert.ok(Math.abs(first.owned - 1 / 3) < 0.01);
  assert.ok(Math.abs(first.held - 1) < 1e-9);
  assert.deepEqual(first.versions, { muninn: "0.1.0", replication_factor: "3" });
  assert.deepEqual(
    [second.state, second.read_only, second.read_only_updated_timestamp],
    ["ACTIVE", true, "2023-11-14T22:13:15.000Z"],
  );
  assert.deepEqual(
    [third.state, third.serving, third.heartbeat_age_ms],
    ["UNHEALTHY", true, 121_546],
  );
  assert.equal(answer.quorum.writes.ranges_below_quorum, 1536);
  assert.deepEqual(answer.quorum.writes.because, ["ingester-1", "ingester-2"]);
  assert.equal(answer.quorum.reads.share, 0);
  assert.deepEqual(answer.events, [{ at: "2023-11-14T22:15:20.000Z", text: "something" }]);
});

test("JSON with tokens, and with the impact of one that goes", async () => {
  const ring = fakeIngesters(3);
  const pages = ringPages(ring);
  const { shards } = (await pages.json("/ring?tokens=true")).json();
  assert.deepEqual(shards[1].tokens, [...ring.tokensOf("ingester-1")]);
  const fine = (await pages.json("/ring?without=ingester-1")).json();
  assert.deepEqual(fine.impact, {
    writes: { ranges_below_quorum: 0, share: 0, because: [] },
    reads: { ranges_below_quorum: 0, share: 0, because: [] },
    reason_to_keep: null,
  });
  ring.pass(120_000, ["ingester-0"]);
  const { impact } = (await pages.json("/ring?without=ingester-1")).json();
  assert.deepEqual([impact.writes.share, impact.writes.because], [1, ["ingester-0"]]);
  assert.match(impact.reason_to_keep, /could not be written to 2 instances/);
});

test("a ring without replicas has no quorum to lose, in JSON either", async () => {
  const ring = new FakeRing({ name: "distributor", instances: [instance("d-1")] });
  const answer = (await ringPages(ring).json("/distributor/ring?without=d-1")).json();
  assert.deepEqual(answer.quorum.writes, { ranges_below_quorum: 0, share: 0, because: [] });
  assert.equal(answer.impact, undefined);
});
