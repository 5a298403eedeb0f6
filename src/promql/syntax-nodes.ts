import type { SyntaxNode } from "@lezer/common";

/** Helpers for lezer's syntax tree of PromQL: finding children, and the places where the grammar falls short. */

const EXPRESSION_NODES = new Set(
  (
    "AggregateExpr BinaryExpr FunctionCall MatrixSelector NumberDurationLiteral OffsetExpr AnchoredExpr SmoothedExpr " +
    "ParenExpr StringLiteral SubqueryExpr UnaryExpr VectorSelector StepInvariantExpr"
  ).split(" "),
);

export function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let at = node.firstChild; at !== null; at = at.nextSibling) {
    if (at.name !== "LineComment") found.push(at);
  }
  return found;
}

export function child(node: SyntaxNode, name: string): SyntaxNode | undefined {
  for (let at = node.firstChild; at !== null; at = at.nextSibling) if (at.name === name) return at;
  return undefined;
}

export function expressions(node: SyntaxNode): SyntaxNode[] {
  return children(node).filter(({ name }) => EXPRESSION_NODES.has(name));
}

export function skipComments(node: SyntaxNode): SyntaxNode | undefined {
  let at: SyntaxNode | null = node;
  while (at !== null && at.name === "LineComment") at = at.nextSibling;
  return at ?? undefined;
}

/** How many operators are nested at the left edge. */
export function leftDepth(node: SyntaxNode | null): number {
  let depth = 0;
  for (let at = node; at !== null && at.name === "BinaryExpr"; at = at.firstChild) depth++;
  return depth;
}

/** `2.` is a number in PromQL but not in the grammar: the dot becomes a space, so that all offsets stay. */
export function withoutBareDots(input: string): string {
  if (!input.includes(".")) return input;
  const token =
    /"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|#[^\n]*|[a-zA-Z_:][\w:]*|\d[\d_]*\.(?![\d.])/g;
  return input.replaceAll(token, (text) =>
    /^\d.*\.$/.test(text) ? `${text.slice(0, -1)} ` : text,
  );
}

/** What Prometheus' grammar would say about the place where an error stands. */
export function errorPlace(error: SyntaxNode): { context: string; expected: string } {
  const parent = error.parent;
  switch (parent?.name) {
    case "GroupingLabels": {
      const before = error.prevSibling;
      return {
        context: "grouping opts",
        expected: before === null ? "label" : '"," or ")"',
      };
    }
    case "AggregateModifier":
      return child(parent, "By") === undefined && child(parent, "Without") === undefined
        ? { context: "", expected: "" }
        : { context: "grouping opts", expected: '"("' };
    case "LabelMatchers":
      return error.prevSibling === null
        ? { context: "label matching", expected: 'identifier or "}"' }
        : { context: "label matching", expected: '"," or "}"' };
    case "UnquotedLabelMatcher":
    case "QuotedLabelMatcher":
      return child(parent, "MatchOp") === undefined
        ? { context: "label matching", expected: "label matching operator" }
        : { context: "label matching", expected: "string" };
    case "OffsetExpr":
    case "OffsetDurationExpr":
      return { context: "offset", expected: "number or duration" };
    case "StepInvariantExpr":
      return { context: "@", expected: "timestamp" };
    case "MatrixSelector":
      return { context: "subquery or range", expected: '":" or "]"' };
    case "SubqueryExpr":
      return { context: "subquery selector", expected: 'number or duration or "]"' };
    case "AggregateExpr":
      return { context: "aggregation", expected: "" };
    default:
      return { context: "", expected: "" };
  }
}
