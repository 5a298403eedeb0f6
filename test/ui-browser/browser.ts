/** Chromium, driven by Playwright, on pages that this process serves. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { findProgram, unlessInstalled } from "../../e2e/harness/requirements.ts";
import type { ClusterSources } from "../../src/ui/cluster/cluster-pages.ts";
import { clusterPages } from "../ui/cluster-fixture.ts";

/** For the `skip` option of a test: false, or the reason. */
export const unlessBrowser: string | false = unlessInstalled("chromium");

/** Chromium looks for servers of its maker at every start, and runs as root in CI. */
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export async function startBrowser(): Promise<Browser> {
  const { chromium } = await import("playwright-core");
  const executablePath = findProgram("chromium");
  if (executablePath === undefined) throw new Error("chromium is not installed");
  return chromium.launch({ executablePath, args: SWITCHES });
}

export interface Site {
  readonly url: string;
  stop(): Promise<void>;
}

export async function servePages(cluster: Partial<ClusterSources>): Promise<Site> {
  const { server } = clusterPages(cluster);
  const { port } = await server.listen();
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      // A browser holds connections open that nothing is asked on; its clock is not ours, so cut them.
      const stopped = server.shutdown();
      server.app.server.closeAllConnections();
      await stopped;
    },
  };
}

/** Another site, with one page. */
export async function serveHtml(text: string): Promise<Site> {
  const server = createServer((_request, response) => {
    response.setHeader("content-type", "text/html").end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export interface WatchedPage {
  readonly page: Page;
  /** What went wrong in it: errors of scripts, and what the content security policy forbade. */
  readonly faults: readonly string[];
}

export async function openPage(
  browser: Browser,
  options: Parameters<Browser["newPage"]>[0] = {},
): Promise<WatchedPage> {
  const page = await browser.newPage(options);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(message.text());
  });
  return { page, faults };
}
