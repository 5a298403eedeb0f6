import { must } from "../base/assert.ts";
import type { BinaryOp, Expr } from "./ast.ts";

/**
 * Orders operators by precedence. The lezer grammar gives offset, @ and range selectors no precedence (it reads
 * `a + b offset 5m * c` as `((a + b) offset 5m) * c`) and takes the sign of a number for a part of it (`-2 ^ 2`), so a
 * chain of operators is taken flat, in the order of the text, and put together here as Prometheus does:
 *
 *     or  <  and unless  <  == != <= < >= >  <  + -  <  * / % atan2, unary + -  <  ^ (from the right)  <  modifiers
 */
export type ChainItem =
  | { readonly kind: "operand"; readonly expr: Expr }
  | { readonly kind: "prefix"; readonly op: "+" | "-"; readonly from: number }
  | { readonly kind: "postfix"; readonly apply: (expr: Expr) => Expr }
  | {
      readonly kind: "binary";
      readonly op: BinaryOp;
      readonly join: (left: Expr, right: Expr) => Expr;
    };

const LEVELS: readonly (readonly BinaryOp[])[] = [
  ["or"],
  ["and", "unless"],
  ["==", "!=", "<=", "<", ">=", ">"],
  ["+", "-"],
  ["*", "/", "%", "atan2"],
  ["^"],
];

const POWER_LEVEL = LEVELS.length - 1;

function levelOf(op: BinaryOp): number {
  return LEVELS.findIndex((ops) => ops.includes(op));
}

export function orderOperators(items: readonly ChainItem[]): Expr {
  return new Chain(items).read(0);
}

class Chain {
  readonly #items: readonly ChainItem[];
  #next = 0;

  constructor(items: readonly ChainItem[]) {
    this.#items = items;
  }

  /** An expression of operators of at least `level`. */
  read(level: number): Expr {
    let left = this.#operand();
    for (;;) {
      const item = this.#items[this.#next];
      if (item?.kind !== "binary") return left;
      const own = levelOf(item.op);
      if (own < level) return left;
      this.#next++;
      const right = this.read(own === POWER_LEVEL ? own : own + 1);
      left = item.join(left, right);
    }
  }

  /** With its signs before and its modifiers behind. A sign holds less tightly than a power. */
  #operand(): Expr {
    const item = must(this.#items[this.#next++], "the grammar has checked the chain");
    if (item.kind === "prefix") {
      const expr = this.read(POWER_LEVEL);
      return { kind: "unary", op: item.op, expr, from: item.from, to: expr.to };
    }
    let expr = must(item.kind === "operand" ? item.expr : undefined, "an operand");
    for (;;) {
      const modifier = this.#items[this.#next];
      if (modifier?.kind !== "postfix") return expr;
      this.#next++;
      expr = modifier.apply(expr);
    }
  }
}
