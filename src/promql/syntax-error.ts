import { OpError } from "../base/errors.ts";
import { AGGREGATE_OPS } from "./ast.ts";
import { quoteGo } from "./go-text.ts";

/**
 * What is wrong with a query that the grammar does not accept, in Prometheus' words. The lezer parser says where the
 * first error is; this file reads the text once more, as Prometheus' lexer would, because an error of the lexer
 * (an unclosed parenthesis, a foreign character) before that place is what Prometheus would report.
 */
export function parseError(input: string, offset: number, message: string): OpError<"bad-data"> {
  return new OpError("bad-data", `${position(input, offset)}: parse error: ${message}`, { offset });
}

/** "line:column", both from 1; columns count bytes, as in Prometheus. */
export function position(input: string, offset: number): string {
  const before = input.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = before.split("\n").length;
  return `${line}:${Buffer.byteLength(before.slice(lineStart), "utf8") + 1}`;
}

/** `grammarOffset`: where the grammar gave up; `context` and `expected` as in `unexpected X in context, expected Y`. */
export function syntaxError(
  input: string,
  grammarOffset: number,
  place: { context: string; expected: string },
): OpError<"bad-data"> {
  const { tokens, problem } = tokenize(input);
  if (tokens.length === 0 && problem === undefined) {
    return new OpError(
      "bad-data",
      "unknown position: parse error: no expression found in input",
      {},
    );
  }
  const token = tokens.find(({ to }) => to > grammarOffset);
  if (problem !== undefined && (token === undefined || problem.at <= token.from)) {
    return parseError(input, problem.at, problem.message);
  }
  if (token?.text === "(") {
    // The grammar knows all functions by name: a name that it does not know is a selector, which cannot be called.
    const before = tokens[tokens.indexOf(token) - 1];
    if (before?.kind === "word" && place.context === "") {
      return parseError(input, before.from, `unknown function with name ${quoteGo(before.text)}`);
    }
  }
  if (token?.text === ")" && tokens[tokens.indexOf(token) - 1]?.text === ",") {
    const comma = tokens[tokens.indexOf(token) - 1]?.from ?? token.from;
    return parseError(input, comma, "trailing commas not allowed in function call args");
  }
  const found = token === undefined ? "end of input" : describe(token);
  const context = place.context === "" ? "" : ` in ${place.context}`;
  const expected = place.expected === "" ? "" : `, expected ${place.expected}`;
  return parseError(input, token?.from ?? input.length, `unexpected ${found}${context}${expected}`);
}

/** An error of the lexer alone, for text that lezer is lenient about (unterminated strings). */
export function lexicalError(input: string): OpError<"bad-data"> | undefined {
  const { problem } = tokenize(input);
  return problem === undefined ? undefined : parseError(input, problem.at, problem.message);
}

interface Token {
  readonly kind: "word" | "number" | "string" | "operator" | "punctuation";
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

interface Problem {
  readonly at: number;
  readonly message: string;
}

const KEYWORDS = new Set(
  "offset by without on ignoring group_left group_right bool start end".split(" "),
);
const WORD_OPERATORS = new Set(["and", "or", "unless", "atan2"]);

function describe(token: Token): string {
  const lower = token.text.toLowerCase();
  switch (token.kind) {
    case "operator":
      return `<op:${token.text}>`;
    case "number":
      return `number ${quoteShort(token.text)}`;
    case "string":
      return `string ${quoteShort(token.text)}`;
    case "punctuation":
      return quoteGo(token.text);
    case "word":
      if (KEYWORDS.has(lower)) return `<${token.text}>`;
      if (WORD_OPERATORS.has(lower)) return `<op:${token.text}>`;
      if ((AGGREGATE_OPS as readonly string[]).includes(lower)) return `<aggr:${token.text}>`;
      if (token.text.includes(":")) return `metric identifier ${quoteGo(token.text)}`;
      return `identifier ${quoteGo(token.text)}`;
  }
}

function quoteShort(text: string): string {
  return text.length > 10 ? `${quoteGo(text.slice(0, 10))}...` : quoteGo(text);
}

const NUMBER =
  /(?:0[xX][0-9a-fA-F_]+|(?:\d+(?:ms|[smhdwy]))+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)/y;
const WORD = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const OPERATORS = /==|!=|=~|!~|<=|>=|[-+*/%^=<>@]/y;

function tokenize(input: string): { tokens: Token[]; problem: Problem | undefined } {
  const tokens: Token[] = [];
  let parens = 0;
  let brace = false;
  let bracket = false;
  let at = 0;
  const fail = (message: string, where = at) => ({ tokens, problem: { at: where, message } });
  const push = (kind: Token["kind"], to: number) => {
    tokens.push({ kind, text: input.slice(at, to), from: at, to });
    at = to;
  };
  const match = (pattern: RegExp): number => {
    pattern.lastIndex = at;
    return pattern.test(input) ? pattern.lastIndex : -1;
  };
  while (at < input.length) {
    const char = String.fromCodePoint(input.codePointAt(at) ?? 0);
    if (/\s/.test(char)) {
      at += char.length;
      continue;
    }
    if (char === "#") {
      const newline = input.indexOf("\n", at);
      at = newline < 0 ? input.length : newline;
      continue;
    }
    if (char === '"' || char === "'" || char === "`") {
      const end = stringEnd(input, at, char);
      if (end < 0) {
        return fail(char === "`" ? "unterminated raw string" : "unterminated quoted string");
      }
      push("string", end);
      continue;
    }
    const wordEnd = match(WORD);
    if (wordEnd > at && !(bracket && char === ":")) {
      push("word", wordEnd);
      continue;
    }
    if (brace) {
      if (char === "}") brace = false;
      else if (char === "{") return fail("unexpected left brace '{'");
      else if (char === "!" && !/[=~]/.test(input[at + 1] ?? "")) {
        return fail(`unexpected character after '!' inside braces: ${quoteRune(input, at + 1)}`);
      } else if (!/[,=!]/.test(char)) {
        return fail(`unexpected character inside braces: ${quoteRune(input, at)}`);
      }
      const operatorEnd = match(OPERATORS);
      push(operatorEnd > at ? "operator" : "punctuation", operatorEnd > at ? operatorEnd : at + 1);
      continue;
    }
    const numberEnd = match(NUMBER);
    if (numberEnd > at) {
      WORD.lastIndex = numberEnd;
      if (WORD.test(input) && input[numberEnd] !== ":") {
        return fail(`bad number or duration syntax: ${quoteGo(input.slice(at, numberEnd + 1))}`);
      }
      push("number", numberEnd);
      continue;
    }
    if (char === "!" && input[at + 1] !== "=") {
      return fail(`unexpected character after '!': ${quoteRune(input, at + 1)}`);
    }
    if (char === "=" && input[at + 1] === "~") return fail("unexpected character after '=': '~'");
    const operatorEnd = match(OPERATORS);
    if (operatorEnd > at) {
      push("operator", operatorEnd);
      continue;
    }
    if (char === "(") parens++;
    else if (char === ")") {
      parens--;
      if (parens < 0) return fail("unexpected right parenthesis ')'");
    } else if (char === "{") brace = true;
    else if (char === "[") {
      if (bracket) return fail("unexpected left bracket '['");
      bracket = true;
    } else if (char === "]") {
      if (!bracket) return fail("unexpected right bracket ']'");
      bracket = false;
    } else if (char !== "," && char !== ":") {
      return fail(`unexpected character: ${quoteRune(input, at)}`);
    }
    push("punctuation", at + 1);
  }
  if (brace) return fail("unexpected end of input inside braces", input.length);
  if (bracket) return fail("unexpected end of input in duration expression", input.length);
  if (parens > 0) return fail("unclosed left parenthesis", input.length);
  return { tokens, problem: undefined };
}

function stringEnd(input: string, from: number, quote: string): number {
  for (let i = from + 1; i < input.length; i++) {
    const char = input[i];
    if (char === quote) return i + 1;
    if (quote === "`") continue;
    if (char === "\n") return -1;
    if (char === "\\") i++;
  }
  return -1;
}

function quoteRune(input: string, at: number): string {
  const code = input.codePointAt(at);
  return code === undefined ? "'\\ufffd'" : `'${String.fromCodePoint(code)}'`;
}
