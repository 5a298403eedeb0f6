import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { helpText } from "../../src/config/help.ts";
import { referencePage } from "../../src/config/reference.ts";
import { placedOptions } from "../../src/config/schema.ts";

const path = join(import.meta.dirname, "../../docs/configuration.md");

test("docs/configuration.md is what the tables say", () => {
  if (process.env["UPDATE"] !== undefined) writeFileSync(path, referencePage());
  assert.ok(
    readFileSync(path, "utf8") === referencePage(),
    "run: UPDATE=1 node --test test/config/reference.test.ts",
  );
});

test("the page has each key, flag and alias", () => {
  const page = referencePage();
  for (const { option } of placedOptions) {
    for (const key of [option.yaml, ...option.aliases]) assert.ok(page.includes(`\`${key}\``), key);
    if (option.flag !== undefined) assert.ok(page.includes(`\`-${option.flag}\``), option.flag);
  }
});

test("-help-all has each flag, -help the basic ones", () => {
  const all = helpText(true);
  const short = helpText(false);
  for (const { option } of placedOptions) {
    if (option.flag === undefined) continue;
    const line = new RegExp(`^  -${option.flag.replaceAll(".", "\\.")}( |$)`, "m");
    assert.match(all, line);
    assert.equal(line.test(short), option.basic, option.flag);
  }
});
