/** Runs script commands against the engine in this process: parse, plan, select from memory, evaluate. */
import { QueryKernel } from "../../src/kernel/host/query-kernel.ts";
import { evaluate, type QueryResult, type ResultData } from "../../src/promql/engine.ts";
import { parseExpr } from "../../src/promql/parser.ts";
import { planQuery, type SelectorPlan } from "../../src/promql/plan.ts";
import { regexMatches } from "../../src/promql/regex.ts";
import type { EncodedSeriesSet } from "../../src/storage/encoded-series.ts";
import { cutChunks, type SeriesFixture, seriesSet } from "../testkit/series-set.ts";
import { columnsOf } from "../testkit/xor.ts";
import type { Command, EvalCommand, LabelMap, ScriptSeries, ScriptValue } from "./script.ts";

export interface EngineSettings {
  readonly delayedNameRemoval: boolean;
}

type Sample = [number, number | "stale"];

/** Series that `load` made, encoded when they are first selected. */
export class ScriptStorage {
  readonly #samples = new Map<
    string,
    { labels: LabelMap; samples: Sample[]; fixture?: SeriesFixture }
  >();

  load(gapMs: number, series: readonly ScriptSeries[]): void {
    // A series that comes twice in one load: the later one counts.
    const last = new Map(series.map((one) => [labelText(one.labels), one]));
    for (const [key, { labels, values }] of last) {
      const added: Sample[] = [];
      values.forEach((value, i) => {
        if (value !== undefined && value !== "histogram") added.push([i * gapMs, value]);
      });
      if (added.length === 0) continue;
      const known = this.#samples.get(key)?.samples ?? [];
      const byTime = new Map<number, number | "stale">([...known, ...added]);
      const samples = [...byTime].sort((a, b) => a[0] - b[0]);
      this.#samples.set(key, { labels, samples });
    }
  }

  select(plan: SelectorPlan): EncodedSeriesSet {
    const found: SeriesFixture[] = [];
    for (const entry of this.#samples.values()) {
      const matches = plan.matchers.every(({ type, name, value }) => {
        const have = entry.labels[name] ?? "";
        if (type === "=" || type === "!=") return (have === value) === (type === "=");
        return regexMatches(value, have) === (type === "=~");
      });
      const inside = entry.samples.some(
        ([time]) => time >= plan.minTimeMs && time <= plan.maxTimeMs,
      );
      if (!matches || !inside) continue;
      entry.fixture ??= { labels: entry.labels, chunks: cutChunks(columnsOf(entry.samples)) };
      found.push(narrowed(entry.fixture, plan.labelsWanted));
    }
    return seriesSet(found);
  }
}

/** What a storage may do with labelsWanted: leave everything else out. */
function narrowed(fixture: SeriesFixture, wanted: readonly string[] | undefined): SeriesFixture {
  if (wanted === undefined) return fixture;
  const labels = Object.fromEntries(
    Object.entries(fixture.labels).filter(([name]) => wanted.includes(name)),
  );
  return { ...fixture, labels };
}

export function labelText(labels: LabelMap): string {
  return JSON.stringify(
    Object.entries(labels)
      .filter(([, value]) => value !== "")
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Runs commands in order; `report` gets each eval with undefined or what was wrong. */
export function runScript(
  commands: readonly Command[],
  settings: EngineSettings,
  report: (command: EvalCommand, problem: string | undefined) => void,
): void {
  const kernel = new QueryKernel();
  let storage = new ScriptStorage();
  for (const command of commands) {
    if (command.kind === "clear") storage = new ScriptStorage();
    else if (command.kind === "load") storage.load(command.gapMs, command.series);
    else report(command, runEval(command, storage, kernel, settings));
  }
}

function ask(
  command: { expr: string; startMs: number; endMs: number; stepMs: number },
  storage: ScriptStorage,
  kernel: QueryKernel,
  settings: EngineSettings,
): QueryResult | Error {
  try {
    const expr = parseExpr(command.expr, {
      experimentalFunctions: ["all"],
      durationExpressions: true,
    });
    const { startMs, endMs, stepMs } = command;
    const options = {
      startMs,
      endMs,
      stepMs,
      lookbackMs: 300_000,
      subqueryStepMs: 60_000,
      ...settings,
    };
    const plan = planQuery(expr, options);
    const sets = plan.selectors.map((selector) => storage.select(selector));
    return evaluate(command.expr, plan, sets, kernel, { samplesMax: 50_000_000 });
  } catch (error) {
    if (error instanceof Error && error.name === "OpError") return error;
    throw error;
  }
}

function runEval(
  command: EvalCommand,
  storage: ScriptStorage,
  kernel: QueryKernel,
  settings: EngineSettings,
): string | undefined {
  const result = ask(command, storage, kernel, settings);
  const fail = command.expectations.find(({ type }) => type === "fail");
  if (fail !== undefined) {
    if (!(result instanceof Error)) return "succeeded, should have failed";
    if (result.message.startsWith("not implemented")) return result.message;
    return messageProblem([result.message], fail);
  }
  if (result instanceof Error) return result.message;
  const problem = annotationProblem(command, result) ?? resultProblem(command, result.data);
  if (problem !== undefined || command.stepMs !== 0) return problem;
  return rangeProblem(command, result.data, storage, kernel, settings);
}

/** The same expression as the middle step of a range query must give the same. */
function rangeProblem(
  command: EvalCommand,
  instant: ResultData,
  storage: ScriptStorage,
  kernel: QueryKernel,
  settings: EngineSettings,
): string | undefined {
  if (instant.kind === "matrix" || instant.kind === "string") return undefined;
  // The order of an instant result has no meaning in a range query.
  const { startMs } = command;
  const times = { startMs: startMs - 60_000, endMs: startMs + 60_000, stepMs: 60_000 };
  const result = ask({ expr: command.expr, ...times }, storage, kernel, settings);
  if (result instanceof Error) return `as a range query: ${result.message}`;
  if (result.data.kind !== "grid") return `as a range query: a ${result.data.kind}`;
  const samples = result.data.series.flatMap(({ labels, steps, values }) => {
    const value = values[steps.indexOf(1)];
    return value === undefined ? [] : [{ labels, value }];
  });
  const data: ResultData =
    instant.kind === "scalar"
      ? { kind: "scalar", timeMs: startMs, value: samples[0]?.value ?? Number.NaN }
      : { kind: "vector", timeMs: startMs, samples };
  const problem = resultProblem({ ...command, expectations: [] }, data);
  return problem === undefined ? undefined : `as a range query: ${problem}`;
}

function messageProblem(
  found: readonly string[],
  wanted: { message?: string; regex?: string },
): string | undefined {
  const plain = found.map((text) => text.replace(/ \(\d+:\d+\)$/, ""));
  const { message, regex } = wanted;
  if (message !== undefined && ![...found, ...plain].includes(message)) {
    return `message ${JSON.stringify(message)} wanted, got ${JSON.stringify(found)}`;
  }
  if (regex !== undefined && !found.some((text) => new RegExp(regex).test(text))) {
    return `message like ${regex} wanted, got ${JSON.stringify(found)}`;
  }
  return undefined;
}

function annotationProblem(command: EvalCommand, result: QueryResult): string | undefined {
  for (const expectation of command.expectations) {
    const list = /warn/.test(expectation.type) ? result.warnings : result.infos;
    if (expectation.type === "warn" || expectation.type === "info") {
      if (list.length === 0) return `no ${expectation.type} annotation`;
      const problem = messageProblem(list, expectation);
      if (problem !== undefined) return problem;
    } else if (expectation.type.startsWith("no_") && list.length > 0) {
      return `unexpected annotations ${JSON.stringify(list)}`;
    }
  }
  return undefined;
}

function resultProblem(command: EvalCommand, data: ResultData): string | undefined {
  switch (data.kind) {
    case "string":
      return data.value === command.string ? undefined : `string ${JSON.stringify(data.value)}`;
    case "scalar":
      if (command.scalar === undefined) return "a scalar, wanted series";
      return almostEqual(data.value, command.scalar)
        ? undefined
        : `${data.value}, wanted ${command.scalar}`;
    case "vector": {
      const got = data.samples.map(({ labels, value }) => ({
        key: labelText(Object.fromEntries(labels.map((label) => [label.name, label.value]))),
        points: new Map([[0, value]]),
      }));
      return seriesProblem(command, got);
    }
    case "grid": {
      const got = data.series.map(({ labels, steps, values }) => ({
        key: labelText(Object.fromEntries(labels.map((label) => [label.name, label.value]))),
        points: new Map([...values].map((value, i) => [steps[i]!, value])),
      }));
      return seriesProblem(command, got);
    }
    case "matrix": {
      const { startMs, stepMs } = command.rangeVector ?? { startMs: 0, stepMs: 1 };
      const got = data.series.map(({ labels, timesMs, values }) => ({
        key: labelText(Object.fromEntries(labels.map((label) => [label.name, label.value]))),
        points: new Map([...values].map((value, i) => [(timesMs[i]! - startMs) / stepMs, value])),
      }));
      return seriesProblem(command, got);
    }
  }
}

function seriesProblem(
  command: EvalCommand,
  got: readonly { key: string; points: ReadonlyMap<number, number> }[],
): string | undefined {
  if (command.scalar !== undefined) return "series, wanted a scalar";
  const wanted = new Map(command.series.map(({ labels, values }) => [labelText(labels), values]));
  const keys = got.map(({ key }) => key);
  if (new Set(keys).size !== keys.length) return `series twice: ${keys.join(" ")}`;
  if (command.expectations.some(({ type }) => type === "ordered")) {
    if (keys.join() !== [...wanted.keys()].join()) return `order ${keys.join(" ")}`;
  }
  for (const { key, points } of got) {
    const values = wanted.get(key);
    if (values === undefined) return `unexpected series ${key} ${JSON.stringify([...points])}`;
    const problem = pointsProblem(points, values);
    if (problem !== undefined) return `${key}: ${problem}`;
  }
  const missing = [...wanted.keys()].find((key) => !keys.includes(key));
  return missing === undefined ? undefined : `missing series ${missing}`;
}

function pointsProblem(
  points: ReadonlyMap<number, number>,
  values: readonly ScriptValue[],
): string | undefined {
  for (let i = 0; i < values.length; i++) {
    const wanted = values[i];
    const have = points.get(i);
    if (wanted === undefined && have === undefined) continue;
    if (typeof wanted !== "number") return `point ${i} is ${have}, wanted ${wanted}`;
    if (have === undefined || !almostEqual(have, wanted))
      return `point ${i} is ${have}, wanted ${wanted}`;
  }
  const more = [...points.keys()].find((step) => step >= values.length || !Number.isInteger(step));
  return more === undefined ? undefined : `unexpected point ${more}`;
}

/** Prometheus' own tolerance. */
function almostEqual(a: number, b: number): boolean {
  if (Object.is(a, b) || a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const smallestNormal = 2.2250738585072014e-308;
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < smallestNormal) return difference < 1e-6 * smallestNormal;
  return difference / Math.min(sum, Number.MAX_VALUE) < 1e-6;
}
