/**
 * The script of pages that refresh themselves. It asks for the page again every few seconds, and brings what is shown to
 * what came, element by element, so that focus, selection and open details stay. Links with `data-stay` (order of a
 * table, one instance) are followed the same way. So each page is made in one place, the server, and works without script.
 *
 * `data-key` tells which child is which when order changes. After each change the document gets "muninn:refreshed".
 */
export const LIVE_SCRIPT = `
"use strict";
(() => {
  const PERIOD_MS = 5000;
  const main = document.querySelector("main");
  const bar = document.querySelector("[data-live-bar]");
  const [note, button] = bar.children;
  let paused = false;
  let newest = 0;
  let refreshedAtMs = Date.now();
  let failed = false;

  const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);
  const isAlike = (left, right) => left.nodeType === right.nodeType && left.nodeName === right.nodeName;

  function bringAttributes(shown, wanted) {
    for (const { name } of [...shown.attributes]) {
      if (!wanted.hasAttribute(name) && !(name === "open" && shown.nodeName === "DETAILS")) shown.removeAttribute(name);
    }
    for (const { name, value } of wanted.attributes) {
      if (shown.getAttribute(name) !== value) shown.setAttribute(name, value);
    }
  }

  function bring(shown, wanted) {
    if (shown.isEqualNode(wanted)) return;
    if (shown.nodeType !== 1) {
      shown.nodeValue = wanted.nodeValue;
      return;
    }
    bringAttributes(shown, wanted);
    const keyed = new Map([...shown.children].map((child) => [keyOf(child), child]));
    let at = shown.firstChild;
    for (const child of [...wanted.childNodes]) {
      const key = keyOf(child);
      const candidate = key === null ? at : keyed.get(key);
      if (candidate == null || keyOf(candidate) !== key || !isAlike(candidate, child)) {
        shown.insertBefore(child, at);
        continue;
      }
      if (candidate === at) at = at.nextSibling;
      else shown.insertBefore(candidate, at);
      bring(candidate, child);
    }
    while (at !== null) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function show(text) {
    const wanted = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    if (wanted === null) return;
    const focused = document.activeElement;
    bring(main, wanted);
    if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
    document.dispatchEvent(new Event("muninn:refreshed"));
  }

  async function load() {
    const turn = ++newest;
    const answer = await window.fetch(window.location.href, { headers: { accept: "text/html" } }).catch(() => undefined);
    const isPage = answer?.headers.get("content-type")?.startsWith("text/html") === true;
    const text = isPage ? await answer.text().catch(() => undefined) : undefined;
    if (turn !== newest) return;
    failed = text === undefined;
    if (!failed) {
      refreshedAtMs = Date.now();
      show(text);
    }
    say();
  }

  function say() {
    const seconds = Math.round((Date.now() - refreshedAtMs) / 1000);
    const since = new Date(refreshedAtMs).toLocaleTimeString();
    note.textContent = failed ? "No answer, as of " + since : paused ? "Paused, as of " + since : seconds < 8 ? "Live" : "As of " + seconds + " s ago";
    bar.dataset.liveBar = failed ? "failed" : paused ? "paused" : "live";
    button.textContent = paused ? "Resume" : "Pause";
  }

  button.addEventListener("click", () => {
    paused = !paused;
    say();
    if (!paused) void load();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-stay]");
    if (link === null || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const before = new URL(window.location.href).searchParams.get("without");
    window.history.pushState(null, "", link.href);
    void load().then(() => {
      const opened = new URL(window.location.href).searchParams.get("without");
      if (opened !== null && opened !== before) document.getElementById("instance")?.scrollIntoView({ block: "nearest" });
    });
  });
  window.addEventListener("popstate", () => void load());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) void load();
  });
  window.setInterval(() => {
    if (!paused && !document.hidden) void load();
  }, PERIOD_MS);
  window.setInterval(say, 1000);
  bar.hidden = false;
  say();
})();
`;
