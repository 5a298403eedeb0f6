/**
 * Source files as text, for the rules of this folder. Not a parser: good enough to tell code from
 * comments and strings, and small enough to be right (source-text.test.ts).
 */
export interface SourceFile {
  /** From the root of the repository, with "/": src/tsdb/head.ts */
  readonly path: string;
  readonly text: string;
}

export interface Located {
  readonly line: number;
  readonly text: string;
}

/** The same text with comments turned to spaces; every character keeps its place, so lines can be counted. */
export function withoutComments(text: string): string {
  return blank(text, { comments: true, strings: false });
}

/** Comments and the contents of '…' and "…" turned to spaces. Template strings stay: they hold code. */
export function codeOnly(text: string): string {
  return blank(text, { comments: true, strings: true });
}

/** All matches of `pattern` (flag g), with the line of each; group 1 if there is one, else the whole match. */
export function findAll(text: string, pattern: RegExp): Located[] {
  return [...text.matchAll(pattern)].map((match) => ({
    line: lineAt(text, match.index),
    text: match[1] ?? match[0],
  }));
}

/** What a file imports: static, dynamic, side effect, and the URL of a worker. */
export function importsOf(file: SourceFile): Located[] {
  const code = withoutComments(file.text);
  const patterns = [
    /\bfrom\s*"([^"]+)"/g,
    /\bimport\s*\(?\s*"([^"]+)"/g,
    /\bnew URL\(\s*"([^"]+\.ts)"\s*,\s*import\.meta\.url/g,
  ];
  return patterns.flatMap((pattern) => findAll(code, pattern));
}

function lineAt(text: string, index: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i !== -1 && i < index; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

function blank(text: string, what: { comments: boolean; strings: boolean }): string {
  let out = "";
  let at = 0;
  while (at < text.length) {
    const end = tokenEnd(text, at, out);
    const token = text.slice(at, end);
    const isComment = token.startsWith("//") || token.startsWith("/*");
    const isString = token.length > 1 && (token[0] === '"' || token[0] === "'");
    if (isComment && what.comments) out += spaces(token);
    else if (isString && what.strings) out += token[0] + spaces(token.slice(1, -1)) + token[0];
    else out += token;
    at = end;
  }
  return out;
}

function spaces(token: string): string {
  return token.replace(/[^\n]/g, " ");
}

function tokenEnd(text: string, at: number, before: string): number {
  const two = text.slice(at, at + 2);
  if (two === "//") return endOr(text, text.indexOf("\n", at));
  if (two === "/*") return endOr(text, text.indexOf("*/", at + 2), 2);
  const first = text[at];
  if (first === '"' || first === "'") return closing(text, at, first);
  if (first === "/" && mayStartRegularExpression(before)) return regularExpressionEnd(text, at);
  return at + 1;
}

function endOr(text: string, index: number, extra = 0): number {
  return index === -1 ? text.length : index + extra;
}

/** Just after the quote that ends the string begun at `at`; strings do not run over lines. */
function closing(text: string, at: number, quote: string): number {
  let i = at + 1;
  while (i < text.length && text[i] !== quote && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return Math.min(i + 1, text.length);
}

/** A slash divides after a value and starts a regular expression after anything else. */
function mayStartRegularExpression(before: string): boolean {
  const trimmed = before.slice(-200).trimEnd();
  return /(^|[(,=:[!&|?{};+\-*%<>~^]|\breturn|\bcase|\btypeof)$/.test(trimmed.slice(-10));
}

function regularExpressionEnd(text: string, at: number): number {
  let i = at + 1;
  let inClass = false;
  while (i < text.length && text[i] !== "\n" && (inClass || text[i] !== "/")) {
    if (text[i] === "[") inClass = true;
    if (text[i] === "]") inClass = false;
    i += text[i] === "\\" ? 2 : 1;
  }
  return Math.min(i + 1, text.length);
}
