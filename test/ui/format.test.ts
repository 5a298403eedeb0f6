import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes, formatCount, formatTime } from "../../src/ui/format.ts";
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
