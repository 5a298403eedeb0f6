/** Rules about files as such: their length, and notes to self left in them. */
import { posix } from "node:path";
import { findAll, type SourceFile } from "./source-text.ts";

export const FILE_LINES_MAX = 500;

/** Files that are longer than FILE_LINES_MAX on purpose, each with the reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  "src/kernel/assembly/head.ts":
    "what becomes of a sample is decided on the state of one head, which is module state in the kernel",
  "src/kernel/assembly/label-index.ts":
    "pairs, labels of series and postings are one index over shared tables",
  "src/kernel/host/head-kernel.ts":
    "the only code that knows the addresses of a head: one class, a method for each kernel call",
};

export function lengthFaults(
  files: readonly SourceFile[],
  longFiles: Readonly<Record<string, string>> = LONG_FILES,
): string[] {
  const lineCounts = new Map(files.map((file) => [file.path, lineCount(file.text)]));
  const tooLong = [...lineCounts]
    .filter(([path, lines]) => lines > FILE_LINES_MAX && longFiles[path] === undefined)
    .map(
      ([path, lines]) =>
        `${path}: ${lines} lines: look for its second subject and give that a file of its own, or list the file with a reason in test/structure/housekeeping.ts`,
    );
  const stale = Object.keys(longFiles)
    .filter((path) => (lineCounts.get(path) ?? 0) <= FILE_LINES_MAX)
    .map((path) => `${path}: no longer over ${FILE_LINES_MAX} lines: take it off LONG_FILES`);
  return [...tooLong, ...stale];
}

// Assembled, so that this file does not find itself.
const NOTES = new RegExp(`\\b(?:TO${"DO"}(?!\\(#\\d+\\))|FIX${"ME"}|XX${"X"}|HA${"CK"})\\b`, "g");

export function noteFaults(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    findAll(file.text, NOTES).map(
      ({ line, text }) =>
        `${file.path}:${line}: ${text} without an issue number: do it now, or open an issue and write TO${"DO"}(#NUMBER)`,
    ),
  );
}

/** Relative links of Markdown pages that lead to no file. `exists` is asked with paths from the root. */
export function linkFaults(
  pages: readonly SourceFile[],
  exists: (path: string) => boolean,
): string[] {
  return pages.flatMap((page) =>
    findAll(page.text, /\]\(([^)\s]+)\)/g).flatMap(({ line, text }) => {
      const target = text.split("#")[0] ?? "";
      if (target === "" || /^[a-z]+:/.test(target)) return [];
      const path = posix.join(posix.dirname(page.path), target);
      return exists(path) ? [] : [`${page.path}:${line}: the link to ${text} leads nowhere`];
    }),
  );
}

function lineCount(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}
