/** What the documentation lists must be exactly what the source has: error codes and metric names. */
import { findAll, type SourceFile, withoutComments } from "./source-text.ts";

/** Names in backquotes in the first cell of each table row of a page. */
export function listedNames(page: string): string[] {
  return [...page.matchAll(/^\|\s*`([^`]+)`/gm)].map((match) => match[1] ?? "");
}

/** Files whose OpErrors get their code from elsewhere, and where the literals are. */
export const PASSED_ON_CODES: Readonly<Record<string, string>> = {
  "src/querier/evaluation.ts":
    "translates the error types of the engine, which are fixed by the API",
  "src/rpc/http/peer-error.ts": "gives an error of another member the code that it has there",
  "src/distributor/replicated-store.ts":
    "gives the error of a replica its name, under the same code",
  "src/querier/select-limits.ts": "the literals stand at the calls of its `refused`",
};

/** Literal codes of OpErrors, and the places where a code is not literal. */
export function errorCodes(
  files: readonly SourceFile[],
  passedOn: Readonly<Record<string, string>> = PASSED_ON_CODES,
): { codes: string[]; faults: string[] } {
  const codes = new Set<string>();
  const faults: string[] = [];
  const notLiteral = new Set<string>();
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
      notLiteral.add(file.path);
      if (passedOn[file.path] !== undefined) continue;
      faults.push(
        `${file.path}:${line}: the code of an OpError is not a literal: write the string, so that it can be found and documented`,
      );
    }
  }
  for (const path of Object.keys(passedOn)) {
    if (!notLiteral.has(path))
      faults.push(`${path}: all its codes are literal: take it off the list`);
  }
  return { codes: [...codes].sort(), faults };
}

/** Whether a file of src other than the table of codes itself says this code. */
export function isSaid(files: readonly SourceFile[], code: string): boolean {
  return files.some(
    ({ path, text }) =>
      path.startsWith("src/") && path !== "src/http/errors.ts" && text.includes(`"${code}"`),
  );
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

export interface Catalogue {
  /** Must be in the page. */
  readonly inSource: readonly string[];
  readonly inPage: readonly string[];
  /** Whether a name that is not in `inSource` may be in the page all the same. */
  readonly mayBeInPage?: (name: string) => boolean;
  readonly page: string;
}

export function catalogueFaults({ inSource, inPage, page, mayBeInPage }: Catalogue): string[] {
  return [
    ...inSource
      .filter((name) => !inPage.includes(name))
      .map((name) => `${page}: \`${name}\` is in the source and not here: add a row`),
    ...inPage
      .filter((name) => !inSource.includes(name) && mayBeInPage?.(name) !== true)
      .map((name) => `${page}: \`${name}\` is not in the source (any more): remove its row`),
    ...inPage
      .filter((name, index) => inPage.indexOf(name) !== index)
      .map((name) => `${page}: \`${name}\` has two rows`),
  ];
}
