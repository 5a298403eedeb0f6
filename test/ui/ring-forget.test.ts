import assert from "node:assert/strict";
import { test } from "node:test";
import { type FakeRing, fakeIngesters } from "./fake-ring.ts";
import { type RingPages, ringPages } from "./ring-fixture.ts";

const JSON_ACCEPTED = { accept: "application/json" };
const BROWSER = {
  accept: "text/html,application/xhtml+xml",
  host: "muninn.example:8080",
  origin: "http://muninn.example:8080",
  "sec-fetch-site": "same-origin",
};

/** Three ingesters, of which the last is dead. */
function withOneDead(): { ring: FakeRing; pages: RingPages } {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-2"]);
  return { ring, pages: ringPages(ring) };
}

async function tokenOf(pages: RingPages, id: string): Promise<string> {
  const { body } = await pages.get(`/ingester/ring?forget=${id}`);
  return /name="form_token" value="([^"]+)"/.exec(body)?.[1] ?? "";
}

test("as Mimir's API: curl -X POST -d forget=ID", async () => {
  const { ring, pages } = withOneDead();
  const answer = await pages.post("/ingester/ring", { forget: "ingester-2" });
  assert.equal(answer.statusCode, 302);
  assert.equal(answer.headers.location, "/ingester/ring");
  assert.deepEqual(ring.ids, ["ingester-0", "ingester-1"]);
});

test("below a path prefix, back to the page below it", async () => {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-2"]);
  const answer = await ringPages(ring, "/muninn").post("/muninn/ring", { forget: "ingester-2" });
  assert.equal(answer.headers.location, "/muninn/ring");
});

test("JSON for programs: forgotten, refused, unknown, incomplete", async () => {
  const { ring, pages } = withOneDead();
  const post = (form: Record<string, string>) => pages.post("/ring", form, JSON_ACCEPTED);
  const refused = await post({ forget: "ingester-0" });
  assert.equal(refused.statusCode, 409);
  assert.match(refused.json().error, /ingester-0 was not forgotten: it is alive/);
  const unknown = await post({ forget: "ingester-9" });
  assert.equal(unknown.statusCode, 404);
  assert.match(unknown.json().error, /no instance ingester-9 .*ingester-0, ingester-1, ingester-2/);
  const incomplete = await post({});
  assert.equal(incomplete.statusCode, 400);
  assert.equal(ring.ids.length, 3);
  const forgotten = await post({ forget: "ingester-2" });
  assert.equal(forgotten.statusCode, 200);
  assert.deepEqual(forgotten.json(), { forgotten: "ingester-2" });
});

test("a live instance goes only by force", async () => {
  for (const sure of [{ force: "true" }, { confirm: "yes" }]) {
    const { ring, pages } = withOneDead();
    const refused = await pages.post("/ring", { forget: "ingester-0" });
    assert.equal(refused.statusCode, 409);
    assert.match(refused.body, /Send force=true/);
    const done = await pages.post("/ring", { forget: "ingester-0", ...sure }, JSON_ACCEPTED);
    assert.deepEqual(done.json(), { forgotten: "ingester-0" });
    assert.ok(!ring.ids.includes("ingester-0"));
  }
});

test("so does a dead one whose going costs quorum", async () => {
  const ring = fakeIngesters(3);
  ring.pass(120_000, ["ingester-1", "ingester-2"]);
  const pages = ringPages(ring);
  const refused = await pages.post("/ring", { forget: "ingester-2" }, JSON_ACCEPTED);
  assert.equal(refused.statusCode, 409);
  assert.match(
    refused.json().error,
    /could not be written to 2 instances; also missing: ingester-1/,
  );
  const done = await pages.post("/ring", { forget: "ingester-2", force: "true" }, JSON_ACCEPTED);
  assert.equal(done.statusCode, 200);
});

test("the page that asks says what would happen, and wants a tick where it matters", async () => {
  const { pages } = withOneDead();
  const dead = await pages.get("/ring?forget=ingester-2");
  assert.match(dead.body, /<h1>Forget ingester-2\?<\/h1>/);
  assert.match(dead.body, /would go on for every key/);
  assert.doesNotMatch(dead.body, /type="checkbox"/);
  const alive = await pages.get("/ring?forget=ingester-0");
  assert.match(alive.body, /It will be back with its next heartbeat/);
  assert.match(alive.body, /<input type="checkbox" name="confirm" value="yes" required/);
  assert.equal((await pages.get("/ring?forget=nobody")).statusCode, 404);
});

test("a browser sends the form of our page and comes back to the ring", async () => {
  const { ring, pages } = withOneDead();
  const form = { forget: "ingester-2", form_token: await tokenOf(pages, "ingester-2") };
  const answer = await pages.post("/ingester/ring", form, BROWSER);
  assert.equal(answer.statusCode, 302);
  assert.equal(ring.ids.length, 2);
});

test("a browser that should have ticked is asked again", async () => {
  const { ring, pages } = withOneDead();
  const form = { forget: "ingester-0", form_token: await tokenOf(pages, "ingester-0") };
  const answer = await pages.post("/ingester/ring", form, BROWSER);
  assert.equal(answer.statusCode, 409);
  assert.match(String(answer.headers["content-type"]), /text\/html/);
  assert.match(answer.body, /was not forgotten: it is alive/);
  assert.equal(ring.ids.length, 3);
});

test("forms from other sites are refused, even with a good token and force", async () => {
  const { ring, pages } = withOneDead();
  const form = {
    forget: "ingester-2",
    force: "true",
    form_token: await tokenOf(pages, "ingester-2"),
  };
  const { "sec-fetch-site": _, ...withoutSite } = BROWSER;
  const foreign: Record<string, string>[] = [
    { ...BROWSER, "sec-fetch-site": "cross-site" },
    { ...BROWSER, "sec-fetch-site": "same-site" },
    { ...withoutSite, origin: "http://evil.example" },
    { ...withoutSite, origin: "http://muninn.example:9999" },
    { ...withoutSite, origin: "null" },
    { ...withoutSite, origin: "http://muninn.example:8080.evil.example" },
    { ...JSON_ACCEPTED, "sec-fetch-site": "cross-site" },
  ];
  for (const headers of foreign) {
    const answer = await pages.post("/ring", form, headers);
    assert.equal(answer.statusCode, 403, JSON.stringify(headers));
    assert.match(answer.body, /refused/);
  }
  assert.equal(ring.ids.length, 3);
});

test("where the browser tells no site, the origin must be the host that it reached", async () => {
  const { pages } = withOneDead();
  const { "sec-fetch-site": _, ...withoutSite } = BROWSER;
  const form = { forget: "ingester-2", form_token: await tokenOf(pages, "ingester-2") };
  assert.equal((await pages.post("/ring", form, withoutSite)).statusCode, 302);
});

test("a browser needs the token of this very form", async () => {
  const { ring, pages } = withOneDead();
  const tokens = ["", "x", await tokenOf(pages, "ingester-1")];
  for (const token of tokens) {
    const form = { forget: "ingester-2", force: "true", form_token: token };
    const answer = await pages.post("/ring", form, BROWSER);
    assert.equal(answer.statusCode, 403);
    assert.match(answer.body, /nothing was done/);
    // What comes back is a form that works.
    assert.match(answer.body, new RegExp(`value="${await tokenOf(pages, "ingester-2")}"`));
  }
  assert.equal(ring.ids.length, 3);
});

test("a body without bounds is refused", async () => {
  const { pages } = withOneDead();
  const answer = await pages.post("/ring", { forget: "x".repeat(100_000) });
  assert.equal(answer.statusCode, 413);
});
