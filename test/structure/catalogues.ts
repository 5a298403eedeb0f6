/** What the documentation lists must be exactly what the source has: error codes and metric names. */
import { findAll, type SourceFile, withoutComments } from "./source-text.ts";

/** Names in backquotes in the first cell of each table row of a page. */
export function listedNames(page: string): string[] {
  return [...page.matchAll(/^\|\s*`([^`]+)`/gm)].map((match) => match[1] ?? "");
}

/** Literal codes of OpErrors, and the places where a code is not literal. */
export function errorCodes(files: readonly SourceFile[]): { codes: string[]; faults: string[] } {
  const codes = new Set<string>();
  const faults: string[] = [];
  for (const file of files) {
    if (!file.path.startsWith("src/")) continue;
    const code = withoutComments(file.text);
    for (const { text } of findAll(code, /\bnew OpError(?:<[^>]*>)?\(\s*"([^"]+)"/g)) {
      codes.add(text);
    }
    for (const { text } of findAll(code, /\bextends OpError<([^>]+)>/g)) {
      for (const { text: name } of findAll(text, /"([^"]+)"/g)) codes.add(name);
    }
    for (const { line } of findAll(code, /\bnew OpError(?:<[^>]*>)?\(\s*(?!["\s])/g)) {
      faults.push(
        `${file.path}:${line}: the code of an OpError is not a literal: write the string, so that it can be found and documented`,
      );
    }
  }
  return { codes: [...codes].sort(), faults };
}

const METRIC_NAME = /"((?:cortex|muninn|memberlist|thanos)_[a-z0-9_]+)"/g;

/** Names of our metrics, and metrics made outside of a metrics.ts. */
export function metricNames(files: readonly SourceFile[]): { names: string[]; faults: string[] } {
  const names = new Set<string>();
  const faults: string[] = [];
  for (const file of files) {
    if (!file.path.startsWith("src/")) continue;
    const code = withoutComments(file.text);
    if (file.path.endsWith("/metrics.ts")) {
      for (const { text } of findAll(code, METRIC_NAME)) names.add(text);
      continue;
    }
    for (const { line } of findAll(
      code,
      /\bnew (?:client\.)?(?:Counter|Gauge|Histogram|Summary)\b/g,
    )) {
      faults.push(
        `${file.path}:${line}: a metric is made here: move it into the metrics.ts of its folder`,
      );
    }
  }
  return { names: [...names].sort(), faults };
}

export function catalogueFaults(
  names: { inSource: readonly string[]; inPage: readonly string[] },
  page: string,
): string[] {
  const { inSource, inPage } = names;
  return [
    ...inSource
      .filter((name) => !inPage.includes(name))
      .map((name) => `${page}: \`${name}\` is in the source and not here: add a row`),
    ...inPage
      .filter((name) => !inSource.includes(name))
      .map((name) => `${page}: \`${name}\` is not in the source (any more): remove its row`),
    ...inPage
      .filter((name, index) => inPage.indexOf(name) !== index)
      .map((name) => `${page}: \`${name}\` has two rows`),
  ];
}
