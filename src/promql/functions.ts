import type { Expr, ValueType } from "./ast.ts";

/** What a function takes and gives. */
export interface FunctionSignature {
  readonly args: readonly ValueType[];
  /** 0: exactly `args`. n > 0: the last may be missing, up to n more. -1: the last may repeat or be missing. */
  readonly variadic: number;
  readonly returns: ValueType;
  readonly experimental: boolean;
}

const FUNCTIONS = new Map<string, FunctionSignature>();

function define(
  names: string,
  args: readonly ValueType[],
  options: Partial<FunctionSignature> = {},
): void {
  for (const name of names.split(" ")) {
    FUNCTIONS.set(name, { args, variadic: 0, returns: "vector", experimental: false, ...options });
  }
}

define("abs absent ceil exp floor ln log10 log2 sgn sqrt sort sort_desc timestamp", ["vector"]);
define("sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh deg rad", ["vector"]);
define("histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar", ["vector"]);
define("days_in_month day_of_month day_of_week day_of_year hour minute month year", ["vector"], {
  variadic: 1,
});
define("rate increase delta irate idelta deriv changes resets absent_over_time", ["matrix"]);
define("sum_over_time avg_over_time min_over_time max_over_time count_over_time", ["matrix"]);
define("last_over_time present_over_time stddev_over_time stdvar_over_time", ["matrix"]);
define("mad_over_time ts_of_max_over_time ts_of_min_over_time ts_of_last_over_time", ["matrix"], {
  experimental: true,
});
define("first_over_time ts_of_first_over_time", ["matrix"], { experimental: true });
define("quantile_over_time", ["scalar", "matrix"]);
define("predict_linear", ["matrix", "scalar"]);
define("double_exponential_smoothing", ["matrix", "scalar", "scalar"], { experimental: true });
define("clamp", ["vector", "scalar", "scalar"]);
define("clamp_max clamp_min", ["vector", "scalar"]);
define("round", ["vector", "scalar"], { variadic: 1 });
define("histogram_quantile", ["scalar", "vector"]);
define("histogram_fraction", ["scalar", "scalar", "vector"]);
define("label_replace", ["vector", "string", "string", "string", "string"]);
define("label_join", ["vector", "string", "string", "string"], { variadic: -1 });
define("sort_by_label sort_by_label_desc", ["vector", "string"], {
  variadic: -1,
  experimental: true,
});
define("info", ["vector", "vector"], { variadic: 1, experimental: true });
define("scalar", ["vector"], { returns: "scalar" });
define("pi time", [], { returns: "scalar" });
define("vector", ["scalar"]);

export function functionSignature(name: string): FunctionSignature | undefined {
  return FUNCTIONS.get(name);
}

/** Functions whose result depends on the evaluation time even if no argument does. */
export const TIME_DEPENDENT_FUNCTIONS: ReadonlySet<string> = new Set(
  "days_in_month day_of_month day_of_week day_of_year hour minute month year predict_linear time timestamp".split(
    " ",
  ),
);

export function valueType(expr: Expr): ValueType {
  switch (expr.kind) {
    case "number":
      return "scalar";
    case "string":
      return "string";
    case "vector-selector":
    case "aggregate":
      return "vector";
    case "matrix-selector":
    case "subquery":
      return "matrix";
    case "paren":
    case "unary":
      return valueType(expr.expr);
    case "binary":
      return valueType(expr.left) === "scalar" && valueType(expr.right) === "scalar"
        ? "scalar"
        : "vector";
    case "call":
      return FUNCTIONS.get(expr.name)?.returns ?? "vector";
  }
}
