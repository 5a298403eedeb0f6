import type { SyntaxNode } from "@lezer/common";
import { parser as lezerParser } from "@prometheus-io/lezer-promql";
import { assert, must } from "../base/assert.ts";
import { OpError } from "../base/errors.ts";
import type {
  Aggregate,
  AggregateOp,
  AtModifier,
  BinaryOp,
  Call,
  Expr,
  MatrixSelector,
  SelectorMatcher,
  Subquery,
  VectorMatching,
  VectorSelector,
} from "./ast.ts";
import { isSetOp } from "./ast.ts";
import { functionSignature } from "./functions.ts";
import { formatFloat, quoteGo, unquote } from "./go-text.ts";
import { combineDurations, readNumber } from "./number-literal.ts";
import { type ChainItem, orderOperators } from "./operator-order.ts";
import { regexProblem } from "./regex.ts";
import { lexicalError, parseError, syntaxError } from "./syntax-error.ts";
import {
  child,
  children,
  errorPlace,
  expressions,
  leftDepth,
  skipComments,
  withoutBareDots,
} from "./syntax-nodes.ts";
import { checkTypes } from "./type-check.ts";

export interface ParseOptions {
  /** Names of experimental functions and aggregations that are allowed; "all" allows every one. */
  readonly experimentalFunctions: readonly string[];
  /** Arithmetic in durations (`[5m * 2]`), experimental in Prometheus. */
  readonly durationExpressions: boolean;
}

export const DEFAULT_PARSE_OPTIONS: ParseOptions = {
  experimentalFunctions: [],
  durationExpressions: false,
};

/** Deeper nesting than this is refused, so that no recursion over the tree can pass the stack. */
const DEPTH_MAX = 1000;

/** lezer gives up after this many operators that group to the left, with an error as for a foreign token. */
const CHAIN_MAX = 300;

/** Durations and times beyond this (about 292 years, int64 nanoseconds) are out of range. */
const DURATION_SECONDS_MAX = 2 ** 63 / 1e9;

/**
 * PromQL text to a checked tree. The grammar is the Prometheus project's own (lezer-promql); this file turns its
 * syntax tree into ours. Throws OpError "bad-data" with Prometheus' message and position, or "not-implemented" for
 * syntax that is newer than the engine.
 */
export function parseExpr(input: string, options: ParseOptions = DEFAULT_PARSE_OPTIONS): Expr {
  const tree = lezerParser.parse(withoutBareDots(input));
  const builder = new TreeBuilder(input, options);
  builder.refuseErrors(tree.topNode);
  const top = tree.topNode.firstChild;
  if (top === null) throw syntaxError(input, 0, { context: "", expected: "" });
  const expr = builder.build(skipComments(top) ?? top, 0);
  checkTypes(expr, input);
  return expr;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

class TreeBuilder {
  readonly #input: string;
  readonly #options: ParseOptions;

  constructor(input: string, options: ParseOptions) {
    this.#input = input;
    this.#options = options;
  }

  refuseErrors(top: SyntaxNode): void {
    const cursor = top.cursor();
    do {
      if (!cursor.type.isError) continue;
      if (leftDepth(top.firstChild) >= CHAIN_MAX - 1) {
        throw this.#error(cursor.from, `expression has more than ${CHAIN_MAX} operators in a row`);
      }
      throw syntaxError(this.#input, cursor.from, errorPlace(cursor.node));
    } while (cursor.next());
    const lexical = lexicalError(this.#input);
    if (lexical !== undefined) throw lexical;
  }

  build(node: SyntaxNode, depth: number): Expr {
    if (depth > DEPTH_MAX) throw this.#error(node.from, "expression is nested too deeply");
    const { from, to } = node;
    switch (node.name) {
      case "NumberDurationLiteral":
        return { kind: "number", value: this.#number(node), from, to };
      case "StringLiteral":
        return { kind: "string", value: this.#string(node), from, to };
      case "ParenExpr":
        return { kind: "paren", expr: this.build(expressions(node)[0]!, depth + 1), from, to };
      case "VectorSelector":
        return this.#vectorSelector(node);
      case "UnaryExpr":
      case "BinaryExpr":
      case "MatrixSelector":
      case "SubqueryExpr":
      case "OffsetExpr":
      case "StepInvariantExpr":
        return this.#chain(node, depth);
      case "AggregateExpr":
        return this.#aggregate(node, depth);
      case "FunctionCall":
        return this.#call(node, depth);
      default:
        throw new OpError("not-implemented", `not implemented: ${node.name}`, {});
    }
  }

  #error(offset: number, message: string): OpError {
    return parseError(this.#input, offset, message);
  }

  #text(node: SyntaxNode | undefined): string {
    return node === undefined ? "" : this.#input.slice(node.from, node.to);
  }

  #string(node: SyntaxNode): string {
    const literal = this.#text(node);
    const value = unquote(literal);
    if (value === undefined) {
      throw this.#error(node.from, `error unquoting string ${quoteGo(literal)}: invalid syntax`);
    }
    return value;
  }

  /** A number or duration literal; durations are seconds. */
  #number(node: SyntaxNode): number {
    const result = readNumber(this.#text(node));
    if (typeof result === "string") throw this.#error(node.from, result);
    return result;
  }

  #vectorSelector(node: SyntaxNode): Mutable<VectorSelector> {
    const matchers: SelectorMatcher[] = [];
    const braces = child(node, "LabelMatchers");
    for (const item of braces === undefined ? [] : children(braces)) {
      if (item.name === "QuotedLabelName") {
        const value = this.#string(must(item.firstChild, "a quoted name is a string"));
        matchers.push({ type: "=", name: "__name__", value });
      } else if (item.name === "UnquotedLabelMatcher" || item.name === "QuotedLabelMatcher") {
        matchers.push(this.#matcher(item));
      }
    }
    const identifier = child(node, "Identifier");
    if (identifier !== undefined) {
      const twice = matchers.find(({ name }) => name === "__name__");
      const metric = this.#text(identifier);
      if (twice !== undefined) {
        throw this.#error(
          node.from,
          `metric name must not be set twice: ${quoteGo(metric)} or ${quoteGo(twice.value)}`,
        );
      }
      matchers.push({ type: "=", name: "__name__", value: metric });
    }
    return {
      kind: "vector-selector",
      matchers,
      offsetMs: 0,
      at: undefined,
      from: node.from,
      to: node.to,
    };
  }

  #matcher(node: SyntaxNode): SelectorMatcher {
    const nameNode = must(node.firstChild, "a matcher has a name");
    const quoted = nameNode.name === "QuotedLabelName" ? nameNode.firstChild : null;
    const name = quoted === null ? this.#text(nameNode) : this.#string(quoted);
    const type = this.#text(child(node, "MatchOp")) as SelectorMatcher["type"];
    const value = this.#string(must(child(node, "StringLiteral"), "a matcher has a value"));
    if (type === "=~" || type === "!~") {
      const problem = regexProblem(value);
      if (problem !== undefined) throw this.#error(node.from, problem);
    }
    return { type, name, value };
  }

  /** Operators and modifiers that follow each other without parentheses. */
  #chain(node: SyntaxNode, depth: number): Expr {
    const items: ChainItem[] = [];
    this.#flatten(node, depth, items);
    return orderOperators(items);
  }

  #flatten(node: SyntaxNode, depth: number, items: ChainItem[]): void {
    if (depth > DEPTH_MAX) throw this.#error(node.from, "expression is nested too deeply");
    const inner = expressions(node);
    switch (node.name) {
      case "UnaryExpr": {
        const op = this.#text(child(node, "UnaryOp")) === "-" ? "-" : "+";
        items.push({ kind: "prefix", op, from: node.from });
        this.#flatten(must(inner[0], "a sign has an operand"), depth + 1, items);
        return;
      }
      case "BinaryExpr": {
        const [left, right] = inner;
        assert(left !== undefined && right !== undefined, "a binary expression has two sides");
        this.#flatten(left, depth + 1, items);
        items.push(this.#binaryOperator(node, left));
        this.#flatten(right, depth + 1, items);
        return;
      }
      case "MatrixSelector":
      case "SubqueryExpr":
      case "OffsetExpr":
      case "StepInvariantExpr":
        this.#flatten(must(inner[0], "a modifier has an operand"), depth + 1, items);
        items.push({ kind: "postfix", apply: (expr) => this.#modify(node, expr) });
        return;
      case "NumberDurationLiteral": {
        const sign = this.#input[node.from];
        if (sign === "-" || sign === "+") {
          items.push({ kind: "prefix", op: sign, from: node.from });
          const value = Math.abs(this.#number(node));
          items.push({
            kind: "operand",
            expr: { kind: "number", value, from: node.from, to: node.to },
          });
          return;
        }
        break;
      }
      default:
        break;
    }
    items.push({ kind: "operand", expr: this.build(node, depth + 1) });
  }

  #modify(node: SyntaxNode, expr: Expr): Expr {
    switch (node.name) {
      case "MatrixSelector":
        return this.#matrixSelector(node, expr);
      case "SubqueryExpr":
        return this.#subquery(node, expr);
      case "OffsetExpr":
        return this.#offset(node, expr);
      default:
        return this.#at(node, expr);
    }
  }

  #matrixSelector(node: SyntaxNode, selector: Expr): MatrixSelector {
    if (selector.kind !== "vector-selector") {
      throw this.#error(selector.from, "ranges only allowed for vector selectors");
    }
    if (selector.offsetMs !== 0) {
      throw this.#error(selector.from, "no offset modifiers allowed before range");
    }
    if (selector.at !== undefined) {
      throw this.#error(selector.from, "no @ modifiers allowed before range");
    }
    const rangeMs = this.#positiveDurationMs(
      must(child(node, "DurationExpr"), "a range has a duration"),
    );
    return { kind: "matrix-selector", selector, rangeMs, from: selector.from, to: node.to };
  }

  #subquery(node: SyntaxNode, expr: Expr): Subquery {
    const [range, step] = children(node).filter(({ name }) => name === "DurationExpr");
    return {
      kind: "subquery",
      expr,
      rangeMs: this.#positiveDurationMs(must(range, "a subquery has a range")),
      stepMs: step === undefined ? 0 : this.#positiveDurationMs(step),
      offsetMs: 0,
      at: undefined,
      from: expr.from,
      to: node.to,
    };
  }

  #offset(node: SyntaxNode, expr: Expr): Expr {
    const duration = must(child(node, "OffsetDurationExpr"), "an offset has a duration");
    const offsetMs = this.#milliseconds(this.#duration(duration), duration);
    const target = this.#modified(expr, "offset modifier");
    if (target.offsetMs !== 0) {
      throw this.#error(expr.from, "offset may not be set multiple times");
    }
    target.offsetMs = offsetMs;
    return withEnd(expr, node.to);
  }

  #at(node: SyntaxNode, expr: Expr): Expr {
    const literal = children(node).findLast(({ name }) => name === "NumberDurationLiteral");
    const preprocessor = child(node, "AtModifierPreprocessors");
    const target = this.#modified(expr, "@ modifier");
    let at: AtModifier;
    if (preprocessor !== undefined) {
      at = { kind: preprocessor.firstChild?.name === "AtEnd" ? "end" : "start" };
    } else {
      const seconds = this.#number(must(literal, "@ has a time"));
      if (!(Math.abs(seconds) < 2 ** 63)) {
        const shown = Number.isFinite(seconds) ? seconds.toFixed(6) : formatFloat(seconds);
        throw this.#error(expr.from, `timestamp out of bounds for @ modifier: ${shown}`);
      }
      at = { kind: "time", timeMs: Math.round(seconds * 1000) };
    }
    if (target.at !== undefined) {
      throw this.#error(expr.from, "@ <timestamp> may not be set multiple times");
    }
    target.at = at;
    return withEnd(expr, node.to);
  }

  /** The node whose offset and @ a modifier sets. */
  #modified(expr: Expr, what: string): Mutable<VectorSelector | Subquery> {
    if (expr.kind === "vector-selector" || expr.kind === "subquery") return expr;
    if (expr.kind === "matrix-selector") return expr.selector;
    throw this.#error(
      expr.from,
      `${what} must be preceded by an instant vector selector or range vector selector or a subquery`,
    );
  }

  #positiveDurationMs(node: SyntaxNode): number {
    const seconds = this.#duration(node);
    if (!(seconds > 0)) throw this.#error(node.from, "duration must be greater than 0");
    return this.#milliseconds(seconds, node);
  }

  #milliseconds(seconds: number, node: SyntaxNode): number {
    if (!(Math.abs(seconds) <= DURATION_SECONDS_MAX)) {
      throw this.#error(node.from, "duration out of range");
    }
    return Math.round(seconds * 1000);
  }

  /** Seconds of a DurationExpr or OffsetDurationExpr. */
  #duration(node: SyntaxNode): number {
    const parts = children(node);
    const [first, second, third] = parts;
    if (first === undefined) throw this.#error(node.from, "duration expected");
    if (parts.length === 1) {
      if (first.name === "NumberDurationLiteralInDurationContext") return this.#number(first);
      if (first.name === "DurationExpr" || first.name === "OffsetDurationExpr")
        return this.#duration(first);
    }
    if (parts.length === 2 && second !== undefined && first.name === "UnaryOp") {
      const value = this.#duration(second);
      return this.#text(first) === "-" ? -value : value;
    }
    if (parts.length === 3 && second !== undefined && third !== undefined) {
      if (first.name !== "DurationExpr")
        throw notImplemented(`${this.#text(first)}() in durations`);
      if (!this.#options.durationExpressions) {
        throw this.#error(first.from, "experimental duration expression is not enabled");
      }
      const result = combineDurations(second.name, this.#duration(first), this.#duration(third));
      if (typeof result === "string") throw this.#error(second.from, result);
      return result;
    }
    throw notImplemented(`${this.#text(first)}() in durations`);
  }

  #binaryOperator(node: SyntaxNode, left: SyntaxNode): ChainItem {
    const operator = must(
      children(node).find(({ from }) => from >= left.to),
      "a binary expression has an operator",
    );
    const text = this.#text(operator).toLowerCase();
    if (text === "</" || text === ">/") throw notImplemented(text);
    if (child(node, "FillModifier") !== undefined) throw notImplemented("fill");
    const op = text as BinaryOp;
    const matching = this.#matching(node, op);
    const returnBool = child(node, "BoolModifier") !== undefined;
    const join = (leftExpr: Expr, rightExpr: Expr): Expr => ({
      kind: "binary",
      op,
      left: leftExpr,
      right: rightExpr,
      returnBool,
      matching,
      from: leftExpr.from,
      to: rightExpr.to,
    });
    return { kind: "binary", op, join };
  }

  #matching(node: SyntaxNode, op: BinaryOp): VectorMatching {
    const clause = child(node, "MatchingModifierClause");
    const base: Mutable<VectorMatching> = {
      card: isSetOp(op) ? "many-to-many" : "one-to-one",
      on: false,
      labels: [],
      include: [],
    };
    if (clause === undefined) return base;
    base.on = child(clause, "On") !== undefined;
    const lists = children(clause).filter(({ name }) => name === "GroupingLabels");
    base.labels = lists[0] === undefined ? [] : this.#labelList(lists[0]);
    base.include = lists[1] === undefined ? [] : this.#labelList(lists[1]);
    if (child(clause, "GroupLeft") !== undefined) base.card = "many-to-one";
    if (child(clause, "GroupRight") !== undefined) base.card = "one-to-many";
    return base;
  }

  #labelList(node: SyntaxNode): string[] {
    return children(node).map((item) => {
      if (item.name !== "QuotedLabelName") return this.#text(item);
      const name = this.#string(must(item.firstChild, "a quoted name is a string"));
      if (name === "" || !name.isWellFormed()) {
        throw this.#error(item.from, `invalid label name for grouping: ${quoteGo(name)}`);
      }
      return name;
    });
  }

  #aggregate(node: SyntaxNode, depth: number): Aggregate {
    const op = this.#text(child(node, "AggregateOp")).toLowerCase() as AggregateOp;
    const body = must(child(node, "FunctionCallBody"), "an aggregation has arguments");
    const args = expressions(body).map((arg) => this.build(arg, depth + 1));
    const withParam = [
      "topk",
      "bottomk",
      "count_values",
      "quantile",
      "limitk",
      "limit_ratio",
    ].includes(op);
    if ((op === "limitk" || op === "limit_ratio") && !this.#experimental(op)) {
      throw this.#error(
        node.from,
        `${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`,
      );
    }
    if (args.length === 0) {
      throw this.#error(node.from, "no arguments for aggregate expression provided");
    }
    const wanted = withParam ? 2 : 1;
    if (args.length !== wanted) {
      throw this.#error(
        node.from,
        `wrong number of arguments for aggregate expression provided, expected ${wanted}, got ${args.length}`,
      );
    }
    const modifier = child(node, "AggregateModifier");
    const list = modifier === undefined ? undefined : child(modifier, "GroupingLabels");
    return {
      kind: "aggregate",
      op,
      expr: args[wanted - 1]!,
      param: withParam ? args[0] : undefined,
      without: modifier !== undefined && child(modifier, "Without") !== undefined,
      grouping: list === undefined ? [] : [...new Set(this.#labelList(list))].sort(),
      from: node.from,
      to: node.to,
    };
  }

  #call(node: SyntaxNode, depth: number): Call {
    const identifier = must(child(node, "FunctionIdentifier"), "a call has a name");
    const name = this.#text(identifier);
    const signature = functionSignature(name);
    if (signature === undefined) {
      throw this.#error(node.from, `unknown function with name ${quoteGo(name)}`);
    }
    if (signature.experimental && !this.#experimental(name)) {
      throw this.#error(node.from, `function ${quoteGo(name)} is not enabled`);
    }
    const body = must(child(node, "FunctionCallBody"), "a call has arguments");
    const args = expressions(body).map((arg) => this.build(arg, depth + 1));
    return { kind: "call", name, args, from: node.from, to: node.to };
  }

  #experimental(name: string): boolean {
    const allowed = this.#options.experimentalFunctions;
    return allowed.includes("all") || allowed.includes(name);
  }
}

function withEnd(expr: Expr, to: number): Expr {
  (expr as Mutable<Expr>).to = to;
  return expr;
}

function notImplemented(what: string): OpError<"not-implemented"> {
  return new OpError("not-implemented", `not implemented: ${what}`);
}
