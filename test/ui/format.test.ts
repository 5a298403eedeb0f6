import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatShare,
  formatSome,
  formatTime,
  rfc3339,
} from "../../src/ui/format.ts";
import { html } from "../../src/ui/html.ts";

test("counts have separators", () => {
  assert.equal(formatCount(0), "0");
  assert.equal(formatCount(999), "999");
  assert.equal(formatCount(1000), "1,000");
  assert.equal(formatCount(12_345_678), "12,345,678");
});

test("sizes have three digits and a unit", () => {
  assert.equal(formatBytes(0), "0 B");
  assert.equal(formatBytes(1023), "1023 B");
  assert.equal(formatBytes(1024), "1.00 KiB");
  assert.equal(formatBytes(15.5 * 1024 * 1024), "15.5 MiB");
  assert.equal(formatBytes(200 * 1024 ** 3), "200 GiB");
  assert.equal(formatBytes(5000 * 1024 ** 4), "5000 TiB");
});

test("times that no calendar has are a dash", () => {
  assert.equal(formatTime(0), "1970-01-01 00:00:00 UTC");
  assert.equal(formatTime(undefined), "–");
  assert.equal(formatTime(Number.POSITIVE_INFINITY), "–");
  assert.equal(formatTime(9e15), "–");
});

test("html escapes values, not what is html already", () => {
  const items = ["<a>", `"b"`, "it's & more"].map((item) => html`<li>${item}</li>`);
  assert.equal(
    html`<ul title="${`"x"`}">${items}${undefined}${3}</ul>`.text,
    `<ul title="&quot;x&quot;"><li>&lt;a&gt;</li><li>&quot;b&quot;</li><li>it&#39;s &amp; more</li>3</ul>`,
  );
});

test("durations have two units at most", () => {
  assert.equal(formatDuration(0), "0s");
  assert.equal(formatDuration(59_999), "59s");
  assert.equal(formatDuration(60_000), "1m");
  assert.equal(formatDuration(200_000), "3m 20s");
  assert.equal(formatDuration(3_600_000 * 5 + 180_000), "5h 3m");
  assert.equal(formatDuration(86_400_000 * 12 + 3_600_000 * 4), "12d 4h");
  assert.equal(formatDuration(-61_000), "1m 1s");
  assert.equal(formatDuration(Number.POSITIVE_INFINITY), "–");
});

test("shares have three significant digits", () => {
  assert.equal(formatShare(0), "0%");
  assert.equal(formatShare(1), "100%");
  assert.equal(formatShare(1 / 3), "33.3%");
  assert.equal(formatShare(0.009996), "1.00%");
  assert.equal(formatShare(0.0051234), "0.512%");
  assert.equal(formatShare(1e-9), "<0.001%");
  assert.equal(formatShare(0.99999), "100%");
});

test("times that never were are Go's zero time", () => {
  assert.equal(rfc3339(0), "0001-01-01T00:00:00Z");
  assert.equal(rfc3339(1500), "1970-01-01T00:00:01.500Z");
  assert.equal(rfc3339(9e15), "0001-01-01T00:00:00Z");
});

test("long lists of names are cut", () => {
  assert.equal(formatSome(["a", "b"], 2), "a, b");
  assert.equal(formatSome(["a", "b", "c", "d"], 2), "a, b and 2 more");
});
