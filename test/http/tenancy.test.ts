import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTenant } from "../../src/http/tenancy.ts";

function accepts(value: string): void {
  assert.deepEqual(parseTenant(value), { kind: "tenant", tenant: value });
}

function refuses(value: string, message: RegExp): void {
  const parsed = parseTenant(value);
  assert.equal(parsed.kind, "invalid", value);
  assert.match(parsed.kind === "invalid" ? parsed.message : "", message);
}

test("names that Mimir takes", () => {
  accepts("a");
  accepts("Team-1_prod.eu");
  accepts("!-_.*'()");
  accepts("...");
  accepts("x".repeat(150));
});

test("names that Mimir refuses", () => {
  refuses("x".repeat(151), /too long: max 150/);
  refuses(".", /unsafe/);
  refuses("..", /unsafe/);
  refuses("a|b", /multiple org IDs/);
  refuses("a b", /unsupported character " "/);
  refuses("a/b", /unsupported character "\/"/);
  refuses("a\u0000b", /unsupported character "\\u0000"/);
  refuses("café", /unsupported character "é"/);
  refuses('a"b', /unsupported character "\\""/);
  refuses("__mimir_cluster", /reserved/);
});

test("no name is missing, not invalid", () => {
  assert.deepEqual(parseTenant(undefined), { kind: "missing" });
  assert.deepEqual(parseTenant(""), { kind: "missing" });
});
