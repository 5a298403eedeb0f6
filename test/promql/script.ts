/**
 * Reader of PromQL test scripts in Prometheus' format (its promql/promqltest/README.md describes it):
 *
 *     load 5m                                  series and their values at 0, 5m, 10m, ...
 *       metric{a="b"} 1 2x3 _ stale 0+10x10    n x repeats, _ is no sample, a+bxn counts up
 *     clear
 *     eval instant at 50m EXPR                 also eval_fail, eval_ordered, eval_warn, eval_info
 *       expect warn msg: TEXT                  and ordered, fail, info, no_warn, no_info, string, range vector
 *       {a="b"} 10
 *     eval range from 0 to 10m step 5m EXPR
 *
 * Native histograms ({{...}}) are read past: the engine does not have them, and no sample is loaded in their place.
 */
import { parseFloatGo, unquote } from "../../src/promql/go-text.ts";

export type LabelMap = Readonly<Record<string, string>>;

/** undefined: no sample. */
export type ScriptValue = number | "stale" | "histogram" | undefined;

export interface ScriptSeries {
  readonly labels: LabelMap;
  readonly values: readonly ScriptValue[];
}

export interface Expectation {
  readonly type: "ordered" | "fail" | "warn" | "info" | "no_warn" | "no_info";
  readonly message?: string;
  readonly regex?: string;
}

export interface EvalCommand {
  readonly kind: "eval";
  readonly line: number;
  readonly expr: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0: instant. */
  readonly stepMs: number;
  readonly expectations: Expectation[];
  readonly series: ScriptSeries[];
  scalar?: number;
  string?: string;
  /** An instant query whose result is a range vector with these times. */
  rangeVector?: { startMs: number; stepMs: number };
}

export type Command =
  | { readonly kind: "clear"; readonly line: number }
  | {
      readonly kind: "load";
      readonly line: number;
      readonly gapMs: number;
      readonly series: ScriptSeries[];
    }
  | EvalCommand;

export function parseScript(text: string): Command[] {
  const lines = text.split("\n").map((line) => {
    const trimmed = line.trim();
    return trimmed.startsWith("#") ? "" : trimmed;
  });
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === "") continue;
    const body: string[] = [];
    const first = i;
    const isBlock = /^(load|eval)/.test(line);
    while (isBlock && i + 1 < lines.length && lines[i + 1] !== "") body.push(lines[++i]!);
    commands.push(parseCommand(line, first + 1, body));
  }
  return commands;
}

function parseCommand(line: string, number: number, body: string[]): Command {
  if (line === "clear") return { kind: "clear", line: number };
  const load = /^load(?:_with_nhcb)?\s+(\S+)$/.exec(line);
  if (load !== null) {
    return {
      kind: "load",
      line: number,
      gapMs: durationMs(load[1]!),
      series: body.map(parseSeries),
    };
  }
  const instant = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+at\s+(\S+)\s+(.+)$/.exec(line);
  if (instant !== null) {
    const [, modifier, at, expr] = instant;
    const atMs = durationMs(at!);
    return evalCommand(number, expr!, { startMs: atMs, endMs: atMs, stepMs: 0 }, modifier, body);
  }
  const range =
    /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$/.exec(
      line,
    );
  if (range !== null) {
    const [, modifier, from, to, step, expr] = range;
    const times = { startMs: durationMs(from!), endMs: durationMs(to!), stepMs: durationMs(step!) };
    return evalCommand(number, expr!, times, modifier, body);
  }
  throw new Error(`line ${number}: unknown command ${line}`);
}

function evalCommand(
  line: number,
  expr: string,
  times: { startMs: number; endMs: number; stepMs: number },
  modifier: string | undefined,
  body: readonly string[],
): EvalCommand {
  const command: EvalCommand = { kind: "eval", line, expr, ...times, expectations: [], series: [] };
  const { expectations } = command;
  if (modifier !== undefined) expectations.push({ type: modifier as Expectation["type"] });
  for (const text of body) {
    const failed = /^expected_fail_(message|regexp)\s+(.*)$/.exec(text);
    const expected =
      /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/.exec(text);
    const vector = /^expect range vector\s+from\s+(\S+)\s+to\s+\S+\s+step\s+(\S+)$/.exec(text);
    const string = /^expect string\s+(.+)$/.exec(text);
    if (failed !== null) {
      const [, kind, wanted] = failed;
      expectations[0] = {
        type: "fail",
        ...(kind === "message" ? { message: wanted! } : { regex: wanted! }),
      };
    } else if (vector !== null) {
      command.rangeVector = { startMs: durationMs(vector[1]!), stepMs: durationMs(vector[2]!) };
    } else if (string !== null) {
      command.string = unquote(string[1]!) ?? "";
    } else if (expected !== null) {
      const [, type, kind, wanted] = expected;
      const detail =
        wanted === undefined ? {} : { [kind === "msg" ? "message" : "regex"]: wanted.trim() };
      expectations.push({ type: type as Expectation["type"], ...detail });
    } else {
      const scalar = numberOf(text);
      if (scalar === undefined) command.series.push(parseSeries(text));
      else command.scalar = scalar;
    }
  }
  return command;
}

function numberOf(text: string): number | undefined {
  if (/^[+-]?0x[0-9a-f]+$/i.test(text)) return Number(text);
  return parseFloatGo(text);
}

export function durationMs(text: string): number {
  if (/^-?[\d.]+$/.test(text)) return Math.round(Number(text) * 1000);
  const units: Record<string, number> = {
    ms: 1,
    s: 1000,
    m: 60_000,
    h: 3_600_000,
    d: 86_400_000,
    w: 604_800_000,
    y: 31_536_000_000,
  };
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    total += Number(digits) * units[unit!]!;
  }
  return text.startsWith("-") ? -total : total;
}

export function parseSeries(line: string): ScriptSeries {
  const labels: Record<string, string> = {};
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0] ?? "";
  if (name !== "") labels.__name__ = name;
  let at = name.length;
  while (/\s/.test(line[at] ?? "")) at++;
  if (line[at] === "{" && line[at + 1] !== "{") at = parseLabels(line, at + 1, labels);
  else if (name === "") throw new Error(`no metric in ${line}`);
  return { labels, values: parseValues(line.slice(at)) };
}

function parseLabels(line: string, from: number, labels: Record<string, string>): number {
  const pattern =
    /\s*(?:([a-zA-Z_][a-zA-Z0-9_]*)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`))?\s*(?:=\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`))?\s*([,}])/y;
  let at = from;
  for (;;) {
    pattern.lastIndex = at;
    const match = pattern.exec(line);
    if (match === null) throw new Error(`bad labels in ${line}`);
    at = pattern.lastIndex;
    const [, plain, quoted, literal, end] = match;
    const name = plain ?? (quoted === undefined ? "" : (unquote(quoted) ?? ""));
    if (literal !== undefined) {
      const value = unquote(literal) ?? "";
      if (value !== "") labels[name] = value;
    } else if (name !== "") {
      labels.__name__ = name;
    }
    if (end === "}") return at;
  }
}

function parseValues(text: string): ScriptValue[] {
  const values: ScriptValue[] = [];
  const pattern = /\{\{.*?\}\}(?:[+-]\{\{.*?\}\})?(?:x\d+)?|[^\s,]+/g;
  for (const [token] of text.matchAll(pattern)) values.push(...expand(token));
  return values;
}

const NUMBER = "(?:\\d+\\.?\\d*(?:e[+-]?\\d+)?|\\.\\d+(?:e[+-]?\\d+)?|inf|nan)";

function expand(token: string): ScriptValue[] {
  const repeat = /^(.+?)x(\d+)$/.exec(token);
  const base = repeat?.[1] ?? token;
  const times = repeat === null ? 0 : Number(repeat[2]);
  if (token.startsWith("{{")) return Array.from({ length: times + 1 }, () => "histogram" as const);
  // _x3 is three missing samples, 1x3 is four ones.
  if (base === "_")
    return Array.from({ length: Math.max(times, repeat === null ? 1 : 0) }, () => undefined);
  if (base.toLowerCase() === "stale")
    return Array.from({ length: times + 1 }, () => "stale" as const);
  const single = numberOf(base);
  if (single !== undefined) return Array.from({ length: times + 1 }, () => single);
  const split = new RegExp(`^([+-]?${NUMBER})([+-])([+-]?${NUMBER})$`, "i").exec(base);
  const start = split === null ? undefined : numberOf(split[1]!);
  const step = split === null ? undefined : numberOf(split[3]!);
  if (split === null || start === undefined || step === undefined) {
    throw new Error(`bad value ${token}`);
  }
  const sign = split[2] === "-" ? -1 : 1;
  const values: number[] = [];
  let value = start;
  for (let i = 0; i <= times; i++) {
    values.push(value);
    value += sign * step;
  }
  return values;
}
