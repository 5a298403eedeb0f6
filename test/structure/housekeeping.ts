/** Rules about files as such: their length, and notes to self left in them. */
import { findAll, type SourceFile } from "./source-text.ts";

export const FILE_LINES_MAX = 500;

/** Files that are longer than FILE_LINES_MAX on purpose, each with the reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

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

function lineCount(text: string): number {
  return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}
