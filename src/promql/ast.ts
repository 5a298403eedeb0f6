import type { MatchType } from "../model/matchers.ts";

/**
 * PromQL expressions as a typed tree. `from` and `to` are offsets into the query text (UTF-16 units), for messages.
 * Trees are made by `parseExpr` only, which has checked types, arities and regular expressions: the engine trusts them.
 */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Paren
  | Unary
  | Binary
  | Aggregate
  | Call;

interface Spanned {
  readonly from: number;
  readonly to: number;
}

export interface NumberLiteral extends Spanned {
  readonly kind: "number";
  readonly value: number;
}

export interface StringLiteral extends Spanned {
  readonly kind: "string";
  readonly value: string;
}

export interface VectorSelector extends Spanned {
  readonly kind: "vector-selector";
  /** In the order of the text; a metric name outside of the braces comes last, as `__name__=`. */
  readonly matchers: readonly SelectorMatcher[];
  readonly offsetMs: number;
  readonly at: AtModifier | undefined;
}

export interface SelectorMatcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
}

export type AtModifier =
  | { readonly kind: "time"; readonly timeMs: number }
  | { readonly kind: "start" }
  | { readonly kind: "end" };

/** The range vector of a selector: its offset and @ stand in the selector. */
export interface MatrixSelector extends Spanned {
  readonly kind: "matrix-selector";
  readonly selector: VectorSelector;
  readonly rangeMs: number;
}

export interface Subquery extends Spanned {
  readonly kind: "subquery";
  readonly expr: Expr;
  readonly rangeMs: number;
  /** 0 = the engine's default. */
  readonly stepMs: number;
  readonly offsetMs: number;
  readonly at: AtModifier | undefined;
}

export interface Paren extends Spanned {
  readonly kind: "paren";
  readonly expr: Expr;
}

export interface Unary extends Spanned {
  readonly kind: "unary";
  readonly op: "+" | "-";
  readonly expr: Expr;
}

export type ArithmeticOp = "+" | "-" | "*" | "/" | "%" | "^" | "atan2";
export type ComparisonOp = "==" | "!=" | ">" | "<" | ">=" | "<=";
export type SetOp = "and" | "or" | "unless";
export type BinaryOp = ArithmeticOp | ComparisonOp | SetOp;

export interface Binary extends Spanned {
  readonly kind: "binary";
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly returnBool: boolean;
  /** Only between two vectors. */
  readonly matching: VectorMatching | undefined;
}

export interface VectorMatching {
  readonly card: "one-to-one" | "many-to-one" | "one-to-many" | "many-to-many";
  /** true: match by `labels` only; false: by all labels but `labels` and the metric name. */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels that group_left and group_right copy from the "one" side. */
  readonly include: readonly string[];
}

export const AGGREGATE_OPS = [
  "sum",
  "avg",
  "min",
  "max",
  "count",
  "group",
  "stddev",
  "stdvar",
  "topk",
  "bottomk",
  "quantile",
  "count_values",
  "limitk",
  "limit_ratio",
] as const;

export type AggregateOp = (typeof AGGREGATE_OPS)[number];

export interface Aggregate extends Spanned {
  readonly kind: "aggregate";
  readonly op: AggregateOp;
  readonly expr: Expr;
  readonly param: Expr | undefined;
  readonly without: boolean;
  readonly grouping: readonly string[];
}

export interface Call extends Spanned {
  readonly kind: "call";
  readonly name: string;
  readonly args: readonly Expr[];
}

export type ValueType = "scalar" | "vector" | "matrix" | "string";

const COMPARISONS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["==", "!=", ">", "<", ">=", "<="]);
const SET_OPS: ReadonlySet<BinaryOp> = new Set<BinaryOp>(["and", "or", "unless"]);

export function isComparison(op: BinaryOp): op is ComparisonOp {
  return COMPARISONS.has(op);
}

export function isSetOp(op: BinaryOp): op is SetOp {
  return SET_OPS.has(op);
}

export function unwrapParens(expr: Expr): Expr {
  let inner = expr;
  while (inner.kind === "paren") inner = inner.expr;
  return inner;
}

/** The value of a string argument, parentheses aside. */
export function stringValue(expr: Expr | undefined): string | undefined {
  if (expr === undefined) return undefined;
  const inner = unwrapParens(expr);
  return inner.kind === "string" ? inner.value : undefined;
}
