/** Durations and sizes as operators write them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/config/duration.ts";
import type { Parsed } from "../../src/config/parsed.ts";
import { formatSize, parseSize } from "../../src/config/size.ts";

function value(parsed: Parsed<number>): number {
  assert.ok("value" in parsed, "problem" in parsed ? parsed.problem : "");
  return parsed.value;
}

test("durations", () => {
  const check = (text: string, ms: number) => assert.equal(value(parseDuration(text)), ms, text);
  check("0", 0);
  check("0s", 0);
  check("-0s", 0);
  check("250ms", 250);
  check("1.5s", 1500);
  check(".5h", 1_800_000);
  check("1h30m", 5_400_000);
  check("1h0m0s", 3_600_000);
  check("2000000ns", 2);
  check("3000us", 3);
  check("3000µs", 3);
  check("2d", 172_800_000);
  check("1w", 604_800_000);
  check("1y", 31_536_000_000);
  check("-5m", -300_000);
  check(" 5m ", 300_000);
});

test("what is no duration", () => {
  for (const text of [
    "",
    "5",
    "1.5",
    "5 m",
    "m",
    "1h 30m",
    "1hh",
    "five",
    "--1s",
    "1M",
    "1e3s",
    "-",
  ]) {
    assert.ok("problem" in parseDuration(text), text);
  }
  assert.match(JSON.stringify(parseDuration("1us")), /whole number of milliseconds/);
  assert.ok("problem" in parseDuration("99999999999y"));
});

test("a printed duration reads back", () => {
  assert.equal(formatDuration(46_800_000), "13h");
  assert.equal(formatDuration(5_400_000), "1h30m");
  assert.equal(formatDuration(1_001), "1s1ms");
  fc.assert(
    fc.property(fc.integer({ min: -1e14, max: 1e14 }), (ms) => {
      assert.equal(value(parseDuration(formatDuration(ms))), ms);
    }),
  );
});

test("sizes", () => {
  const check = (text: string, bytes: number) => assert.equal(value(parseSize(text)), bytes, text);
  check("0", 0);
  check("104857600", 104_857_600);
  check("100MiB", 104_857_600);
  check("100 MiB", 104_857_600);
  check("1.5KiB", 1536);
  check("1kB", 1000);
  check("2GB", 2_000_000_000);
  check("1TiB", 2 ** 40);
  check("7b", 7);
  for (const text of ["", "MiB", "1 apple", "0.5", "1e30", "1K", "9999999TiB"]) {
    assert.ok("problem" in parseSize(text), text);
  }
});

test("a printed size reads back", () => {
  assert.equal(formatSize(104_857_600), "100MiB");
  assert.equal(formatSize(1000), "1000");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      assert.equal(value(parseSize(formatSize(bytes))), bytes);
    }),
  );
});
