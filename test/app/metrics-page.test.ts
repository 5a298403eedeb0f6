import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { metricsPage } from "../../tools/docs/metrics-page.ts";

test("docs/metrics.md is what the program has (else: node tools/generate-docs.ts)", async () => {
  const page = await readFile(join(import.meta.dirname, "../../docs/metrics.md"), "utf8");
  assert.equal(page, await metricsPage());
});
