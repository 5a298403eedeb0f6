/**
 * The repository's own rules, held by reading the source as text (docs/development.md). The rules stand in
 * test/structure/ and are themselves tested there on planted faults.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  catalogueFaults,
  errorCodes,
  isSaid,
  listedNames,
  metricNames,
} from "./structure/catalogues.ts";
import { determinismFaults } from "./structure/determinism.ts";
import { lengthFaults, linkFaults, noteFaults } from "./structure/housekeeping.ts";
import { layerFaults } from "./structure/layers.ts";
import type { SourceFile } from "./structure/source-text.ts";

const root = join(import.meta.dirname, "..");
const folders = ["src", "test", "bench", "e2e", "tools", "bin"];
const files: SourceFile[] = folders.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(?:ts|js)$/.test(name))
    .map((name) => `${folder}/${name}`)
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") })),
);

function page(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

function none(faults: readonly string[]): void {
  assert.ok(faults.length === 0, `\n${faults.join("\n")}`);
}

test("imports go down only", () => none(layerFaults(files)));

test("clock, chance, disk and sockets are used in src/sys only", () => {
  none(determinismFaults(files));
});

test("files are short, or say why not", () => none(lengthFaults(files)));

test("notes to self have an issue", () => none(noteFaults(files)));

test("links in the documentation lead somewhere", () => {
  const paths = [
    "README.md",
    "CHANGELOG.md",
    ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];
  const pages = paths.map((path) => ({ path, text: page(path) }));
  none(linkFaults(pages, (path) => existsSync(join(root, path))));
});

test("docs/errors.md lists exactly the error codes of the source", () => {
  const { codes, faults } = errorCodes(files);
  const catalogue = {
    inSource: codes,
    inPage: listedNames(page("docs/errors.md")),
    mayBeInPage: (code: string) => isSaid(files, code),
    page: "docs/errors.md",
  };
  none([...faults, ...catalogueFaults(catalogue)]);
});

test("docs/metrics.md lists exactly the metrics of the source", () => {
  const { names, faults } = metricNames(files);
  const catalogue = {
    inSource: names,
    inPage: listedNames(page("docs/metrics.md")),
    page: "docs/metrics.md",
  };
  none([...faults, ...catalogueFaults(catalogue)]);
});
