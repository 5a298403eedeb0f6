import { must } from "../base/assert.ts";
import type { Binary, Call, Expr, ValueType, VectorSelector } from "./ast.ts";
import { isComparison, isSetOp } from "./ast.ts";
import { functionSignature, valueType } from "./functions.ts";
import { quoteGo } from "./go-text.ts";
import { regexMatches } from "./regex.ts";
import { parseError } from "./syntax-error.ts";

/** Checks a tree as Prometheus' parser does: types of operands and arguments, arities, modifiers. Throws the first error. */
export function checkTypes(expr: Expr, input: string): void {
  new Checker(input).check(expr);
}

const TYPE_NAMES: Readonly<Record<ValueType, string>> = {
  scalar: "scalar",
  string: "string",
  vector: "instant vector",
  matrix: "range vector",
};

class Checker {
  readonly #input: string;

  constructor(input: string) {
    this.#input = input;
  }

  check(expr: Expr): ValueType {
    switch (expr.kind) {
      case "number":
      case "string":
        break;
      case "vector-selector":
        this.#selector(expr);
        break;
      case "matrix-selector":
        this.#selector(expr.selector);
        break;
      case "subquery": {
        const type = this.check(expr.expr);
        if (type !== "vector") {
          this.#fail(expr, `subquery is only allowed on instant vector, got ${type} instead`);
        }
        break;
      }
      case "paren":
        this.check(expr.expr);
        break;
      case "unary": {
        const type = this.check(expr.expr);
        if (type !== "scalar" && type !== "vector") {
          this.#fail(
            expr,
            `unary expression only allowed on expressions of type scalar or instant vector, got ${quoteGo(TYPE_NAMES[type])}`,
          );
        }
        break;
      }
      case "aggregate":
        this.#expect(expr.expr, "vector", "aggregation expression");
        if (expr.param !== undefined) {
          this.#expect(
            expr.param,
            expr.op === "count_values" ? "string" : "scalar",
            "aggregation parameter",
          );
        }
        break;
      case "binary":
        this.#binary(expr);
        break;
      case "call":
        this.#call(expr);
        break;
    }
    return valueType(expr);
  }

  #fail(at: { from: number }, message: string): never {
    throw parseError(this.#input, at.from, message);
  }

  #expect(expr: Expr, wanted: ValueType, context: string): void {
    const type = this.check(expr);
    if (type === wanted) return;
    this.#fail(expr, `expected type ${TYPE_NAMES[wanted]} in ${context}, got ${TYPE_NAMES[type]}`);
  }

  /** A selector must have a matcher that the empty string fails, lest a typo selects everything. */
  #selector(selector: VectorSelector): void {
    const safe = selector.matchers.some(({ type, value }) => {
      if (type === "=") return value !== "";
      if (type === "!=") return value === "";
      return regexMatches(value, "") !== (type === "=~");
    });
    if (!safe) {
      this.#fail(selector, "vector selector must contain at least one non-empty matcher");
    }
  }

  #binary(expr: Binary): void {
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const operator = { from: this.#operatorOffset(expr) };
    const { op, matching } = expr;
    if (expr.returnBool && !isComparison(op)) {
      this.#fail(operator, "bool modifier can only be used on comparison operators");
    }
    if (isComparison(op) && !expr.returnBool && left === "scalar" && right === "scalar") {
      this.#fail(operator, "comparisons between scalars must use BOOL modifier");
    }
    if (matching?.on === true) {
      const both = matching.labels.find((label) => matching.include.includes(label));
      if (both !== undefined) {
        this.#fail(
          operator,
          `label ${quoteGo(both)} must not occur in ON and GROUP clause at once`,
        );
      }
    }
    for (const [side, type] of [[expr.left, left] as const, [expr.right, right] as const]) {
      if (type !== "scalar" && type !== "vector") {
        this.#fail(side, "binary expression must contain only scalar and instant vector types");
      }
    }
    if (left !== "vector" || right !== "vector") {
      if (matching !== undefined && matching.labels.length > 0) {
        this.#fail(expr, "vector matching only allowed between instant vectors");
      }
      if (isSetOp(op)) {
        this.#fail(expr, `set operator ${quoteGo(op)} not allowed in binary scalar expression`);
      }
    } else if (isSetOp(op) && matching?.card !== "many-to-many") {
      this.#fail(expr, `no grouping allowed for ${quoteGo(op)} operation`);
    }
  }

  #operatorOffset(expr: Binary): number {
    let at = expr.left.to;
    while (/[\s)]/.test(this.#input[at] ?? "")) at++;
    return at;
  }

  #call(expr: Call): void {
    const signature = must(functionSignature(expr.name), "the parser knows the function");
    const { args: wanted, variadic } = signature;
    const given = expr.args.length;
    const call = `in call to ${quoteGo(expr.name)}, got ${given}`;
    const least = variadic === 0 ? wanted.length : wanted.length - 1;
    if (variadic === 0 && given !== wanted.length) {
      this.#fail(expr, `expected ${wanted.length} argument(s) ${call}`);
    }
    if (given < least) this.#fail(expr, `expected at least ${least} argument(s) ${call}`);
    if (variadic > 0 && given > least + variadic) {
      this.#fail(expr, `expected at most ${least + variadic} argument(s) ${call}`);
    }
    expr.args.forEach((arg, i) => {
      const type = wanted[Math.min(i, wanted.length - 1)] ?? "vector";
      this.#expect(arg, type, `call to function ${quoteGo(expr.name)}`);
    });
  }
}
