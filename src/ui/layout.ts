/** The frame of every page, and how a page is sent. */
import type { FastifyReply } from "fastify";
import { type Html, html } from "./html.ts";

/** Nothing from elsewhere, no inline script or style, no framing: injected markup could do nothing. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ");

export interface PageFrame {
  /** In front of every link. */
  readonly pathPrefix: string;
  readonly version: string;
  /** Of the first ring of the process. */
  readonly ringPath?: string | undefined;
}

export interface Page {
  readonly title: string;
  readonly body: Html;
  /** Asked for again every few seconds, and updated in place (assets/live-script.ts). */
  readonly isLive?: boolean;
  /** For broad tables. */
  readonly isWide?: boolean;
  /** Names below /ui/. */
  readonly scripts?: readonly string[];
}

export function sendPage(reply: FastifyReply, frame: PageFrame, page: Page): FastifyReply {
  return reply
    .type("text/html; charset=utf-8")
    .header("content-security-policy", CONTENT_SECURITY_POLICY)
    .header("x-content-type-options", "nosniff")
    .header("referrer-policy", "same-origin")
    .header("cache-control", "no-store")
    .send(renderPage(frame, page));
}

function renderPage(frame: PageFrame, page: Page): string {
  const { pathPrefix, version } = frame;
  const { title, body, isLive = false, isWide = false, scripts = [] } = page;
  const asset = (name: string): string => `${pathPrefix}/ui/${name}?v=${version}`;
  const liveBar = html`<p class="live" data-live-bar="live" hidden><span></span> <button type="button"></button></p>`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · Muninn</title>
<link rel="stylesheet" href="${asset("style.css")}">
</head>
<body${isWide ? html` class="wide"` : undefined}>
<header>
<a href="${pathPrefix}/"><span class="mark">M</span><b>Muninn</b></a>
${isLive ? liveBar : undefined}
<nav>${navigation(frame)}</nav>
</header>
<main>
${body}
</main>
<footer>Muninn ${version}</footer>
${[...(isLive ? ["live.js"] : []), ...scripts].map(
  (name) => html`<script src="${asset(name)}" defer></script>
`,
)}</body>
</html>
`.text;
}

function navigation({ pathPrefix, ringPath }: PageFrame): Html[] {
  const links: readonly (readonly [path: string, text: string])[] = [
    ...(ringPath === undefined ? [] : [[ringPath, "Ring"] as const]),
    ["/services", "Services"],
    ["/ingester/tenants", "Tenants"],
    ["/config", "Configuration"],
  ];
  return links.map(([path, text]) => html`<a href="${pathPrefix}${path}">${text}</a>`);
}
