/** The pages in a real browser: what the scripts do, and that everything works without them. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { type FakeRing, fakeIngesters } from "../ui/fake-ring.ts";
import {
  openPage,
  type Site,
  serveHtml,
  servePages,
  startBrowser,
  unlessBrowser,
  type WatchedPage,
} from "./browser.ts";

/** A little more than the period of the refreshing; the page's clock is ours. */
const REFRESH_MS = 5100;

describe("pages in Chromium", { skip: unlessBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());
  // Whatever becomes of a test, nothing of it may stay open: the run would not end.
  const open: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0).reverse()) await one.close();
  });

  async function serve(ring: FakeRing): Promise<Site> {
    const site = await servePages({ rings: [ring] });
    open.push({ close: () => site.stop() });
    return site;
  }

  async function newPage(options: Parameters<Browser["newPage"]>[0] = {}): Promise<WatchedPage> {
    const opened = await openPage(browser, options);
    open.push(opened.page);
    return opened;
  }

  async function withRing(ring: FakeRing, use: (page: Page) => Promise<void>): Promise<void> {
    const { url } = await serve(ring);
    const { page, faults } = await newPage();
    await page.clock.install();
    await page.goto(`${url}/ring`);
    await use(page);
    assert.deepEqual(faults, []);
  }

  test("who comes to an instance with the keyboard sees it lit in ring and table", () =>
    withRing(fakeIngesters(3), async (page) => {
      await page.locator("svg.ring .arc").first().focus();
      assert.deepEqual(await centre(page), ["ingester-0", "ACTIVE", "owns 33.3%, holds 100%"]);
      await page.keyboard.press("ArrowRight");
      assert.equal((await centre(page))[0], "ingester-1");
      assert.equal(await page.locator("tr[data-lit]").getAttribute("data-instance"), "ingester-1");
      assert.equal(await page.locator("circle.tokens[data-lit]").count(), 1);
      await page.keyboard.press("ArrowLeft");
      await page.keyboard.press("ArrowLeft");
      assert.equal((await centre(page))[0], "ingester-2");
      await page.locator("tr[data-instance=ingester-0] td").first().hover();
      assert.equal((await centre(page))[0], "ingester-0");
      await page.locator("h1").hover();
      assert.deepEqual(await centre(page), ["3 of 3", "healthy", "1,536 tokens, RF 3"]);
    }));

  test("Tab stops at the ring once, and the arcs are named for readers of the screen", () =>
    withRing(fakeIngesters(5), async (page) => {
      assert.equal(await page.locator("svg.ring .arc[tabindex='0']").count(), 1);
      assert.equal(await page.getByRole("img", { name: /ingester-4\s+ACTIVE/ }).count(), 1);
    }));

  test("what changes in the ring shows by itself, and focus and elements stay", async () => {
    const ring = fakeIngesters(3);
    await withRing(ring, async (page) => {
      const link = page.locator("tr[data-instance=ingester-1] td a").first();
      await link.focus();
      await link.evaluate((element) => element.closest("tr")?.setAttribute("data-mark", ""));
      await page.evaluate("document.querySelector('tr[data-mark]').isTheSame = true");
      ring.pass(120_000, ["ingester-1", "ingester-2"]);
      await page.clock.runFor(REFRESH_MS);
      await page.getByText("Writes and reads fail").waitFor();
      assert.equal(
        await page.locator(".arc[data-instance=ingester-1] path").getAttribute("fill"),
        "url(#unhealthy)",
      );
      assert.equal(
        await page.evaluate("document.querySelector('tr[data-instance=ingester-1]').isTheSame"),
        true,
      );
      assert.equal(await focused(page), "ingester-1");
      assert.match((await centre(page))[1] ?? "", /^UNHEALTHY/);
    });
  });

  test("a heading orders the table, keeps focus, and the order outlasts refreshing", async () => {
    const ring = fakeIngesters(12);
    await withRing(ring, async (page) => {
      await page.getByRole("link", { name: "Instance", exact: true }).focus();
      await page.keyboard.press("Enter");
      await page.locator("th[aria-sort=ascending]").waitFor();
      await page.keyboard.press("Enter");
      await page.locator("th[aria-sort=descending]").waitFor();
      assert.equal((await rows(page))[0], "ingester-11");
      assert.equal(await focused(page), "Instance");
      assert.match(page.url(), /\?sort=-id$/);
      ring.change("ingester-11", { state: "LEAVING" });
      await page.clock.runFor(REFRESH_MS);
      await page.locator("tr[data-instance=ingester-11] .leaving").waitFor();
      assert.deepEqual((await rows(page)).slice(0, 3), [
        "ingester-11",
        "ingester-10",
        "ingester-9",
      ]);
      await page.goBack();
      await page.locator("th[aria-sort=ascending]").waitFor();
      assert.equal((await rows(page))[0], "ingester-0");
    });
  });

  test("refreshing can be paused, and says so when nobody answers", async () => {
    const ring = fakeIngesters(3);
    const site = await serve(ring);
    const { page } = await newPage();
    await page.clock.install();
    await page.goto(`${site.url}/ring`);
    await page.getByRole("button", { name: "Pause" }).click();
    ring.change("ingester-0", { state: "LEAVING" });
    await page.clock.runFor(3 * REFRESH_MS);
    assert.equal(await page.locator("tr .leaving").count(), 0);
    assert.match(await page.locator("[data-live-bar]").innerText(), /^Paused, as of/);
    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator("tr .leaving").waitFor();
    await site.stop();
    await page.clock.runFor(REFRESH_MS);
    await page.getByText(/No answer, as of/).waitFor();
  });

  test("an instance opens in place with what would happen without it, and closes", () =>
    withRing(fakeIngesters(3), async (page) => {
      await page.locator("tr[data-instance=ingester-1] a").first().click();
      await page.locator("#instance").getByText("If it went").waitFor();
      assert.match(page.url(), /\?without=ingester-1$/);
      await page.clock.runFor(REFRESH_MS);
      assert.equal(await page.locator("#instance h2").innerText(), "ingester-1");
      await page.locator("#instance").getByText("Close").click();
      await page.locator("#instance").waitFor({ state: "detached" });
    }));

  test("forgetting a live instance takes a tick, and leads back to the ring", async () => {
    const ring = fakeIngesters(3);
    await withRing(ring, async (page) => {
      await page.getByRole("link", { name: "Forget ingester-2" }).first().click();
      const button = page.getByRole("button", { name: "Forget ingester-2" });
      await button.click();
      assert.match(page.url(), /\?forget=ingester-2$/, "the browser wants the tick first");
      assert.equal(ring.ids.length, 3);
      await page.getByRole("checkbox").check();
      await button.click();
      await page.waitForURL("**/ring");
      assert.deepEqual(await rows(page), ["ingester-0", "ingester-1"]);
      await page.getByText("ingester-2 was forgotten by hand").waitFor();
    });
  });

  test("a form of another site does nothing", async () => {
    const ring = fakeIngesters(3);
    const site = await serve(ring);
    const evil = await serveHtml(
      `<form method="post" action="${site.url}/ring"><input name="forget" value="ingester-0"><input name="force" value="true"><button>Win a prize</button></form>`,
    );
    open.push({ close: () => evil.stop() });
    const { page } = await newPage();
    await page.goto(evil.url);
    await page.getByRole("button").click();
    await page.getByText(/refused: the form was sent from another site/).waitFor();
    assert.equal(ring.ids.length, 3);
  });

  test("all of it works without script", async () => {
    const ring = fakeIngesters(3);
    const site = await serve(ring);
    const { page } = await newPage({ javaScriptEnabled: false });
    await page.goto(`${site.url}/ring`);
    assert.equal(await page.getByRole("button", { name: "Pause" }).count(), 0);
    await page.getByRole("link", { name: "Instance", exact: true }).click();
    await page.getByRole("link", { name: "Instance", exact: true }).click();
    assert.deepEqual(await rows(page), ["ingester-2", "ingester-1", "ingester-0"]);
    await page.locator("tr[data-instance=ingester-1] a").first().click();
    assert.equal(await page.locator("#instance h2").innerText(), "ingester-1");
    await page.getByRole("link", { name: "Forget ingester-0" }).first().click();
    await page.getByRole("checkbox").check();
    await page.getByRole("button", { name: "Forget ingester-0" }).click();
    assert.deepEqual(await rows(page), ["ingester-1", "ingester-2"]);
  });

  test("no page is wider than a narrow screen, or at fault, in light or dark", async () => {
    const site = await serve(fakeIngesters(100, { zones: 3 }));
    const paths = [
      "/",
      "/ring",
      "/ring?without=ingester-zone-a-0",
      "/ring?forget=ingester-zone-a-0",
      "/memberlist",
      "/distributor/ha_tracker",
      "/distributor/all_user_stats",
      "/services",
      "/ingester/tenants",
    ];
    for (const colorScheme of ["light", "dark"] as const) {
      const { page, faults } = await newPage({
        viewport: { width: 390, height: 800 },
        colorScheme,
      });
      for (const path of paths) {
        await page.goto(`${site.url}${path}`);
        assert.equal(await page.evaluate("document.documentElement.scrollWidth"), 390, path);
      }
      assert.deepEqual(faults, []);
    }
  });
});

async function centre(page: Page): Promise<string[]> {
  return page.locator("svg.ring .centre text").allTextContents();
}

async function rows(page: Page): Promise<(string | null)[]> {
  const found = page.locator("tbody tr[data-instance]");
  return Promise.all((await found.all()).map((row) => row.getAttribute("data-instance")));
}

async function focused(page: Page): Promise<string | null> {
  return page.locator(":focus").textContent();
}
