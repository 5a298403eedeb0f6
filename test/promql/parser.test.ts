import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { OpError } from "../../src/base/errors.ts";
import type { Expr } from "../../src/promql/ast.ts";
import { DEFAULT_PARSE_OPTIONS, type ParseOptions, parseExpr } from "../../src/promql/parser.ts";

const ALL: ParseOptions = { experimentalFunctions: ["all"], durationExpressions: true };

function refused(input: string, message: string, options = DEFAULT_PARSE_OPTIONS): void {
  assert.throws(
    () => parseExpr(input, options),
    (error) => {
      assert.ok(error instanceof OpError, String(error));
      assert.equal(error.message, message, input);
      assert.equal(
        error.code,
        message.startsWith("not implemented") ? "not-implemented" : "bad-data",
      );
      return true;
    },
  );
}

/** The tree as text with all parentheses, for questions of precedence. */
function shape(expr: Expr): string {
  switch (expr.kind) {
    case "number":
      return String(expr.value);
    case "string":
      return JSON.stringify(expr.value);
    case "paren":
      return shape(expr.expr);
    case "unary":
      return `(${expr.op}${shape(expr.expr)})`;
    case "binary":
      return `(${shape(expr.left)} ${expr.op} ${shape(expr.right)})`;
    case "vector-selector": {
      const at =
        expr.at === undefined ? "" : `@${expr.at.kind === "time" ? expr.at.timeMs : expr.at.kind}`;
      const offset = expr.offsetMs === 0 ? "" : `~${expr.offsetMs}`;
      return `${expr.matchers.map(({ name, type, value }) => (name === "__name__" ? value : name + type + value)).join(",")}${offset}${at}`;
    }
    case "matrix-selector":
      return `${shape(expr.selector)}[${expr.rangeMs}]`;
    case "subquery":
      return `${shape(expr.expr)}[${expr.rangeMs}:${expr.stepMs}]~${expr.offsetMs}`;
    case "aggregate":
      return `${expr.op}${expr.without ? "-" : ""}{${expr.grouping.join()}}(${shape(expr.expr)})`;
    case "call":
      return `${expr.name}(${expr.args.map(shape).join()})`;
  }
}

function parsed(input: string, wanted: string): void {
  assert.equal(shape(parseExpr(input, ALL)), wanted, input);
}

test("precedence and associativity", () => {
  parsed("a + b * c", "(a + (b * c))");
  parsed("a - b - c", "((a - b) - c)");
  parsed("a ^ b ^ c", "(a ^ (b ^ c))");
  parsed("-2 ^ 2", "(-(2 ^ 2))");
  parsed("2 ^ -1 * 3", "((2 ^ (-1)) * 3)");
  parsed("-a * b", "((-a) * b)");
  parsed("1 - -1", "(1 - (-1))");
  parsed("a or b and c", "(a or (b and c))");
  parsed("a and b or c unless d", "((a and b) or (c unless d))");
  parsed("a == b + c", "(a == (b + c))");
  parsed("a atan2 b * c", "((a atan2 b) * c)");
  parsed("(a + b) * c", "((a + b) * c)");
});

test("offset, @ and ranges hold on to the selector before them", () => {
  parsed("a + b offset 5m * c", "(a + (b~300000 * c))");
  parsed("-a @ 10", "(-a@10000)");
  parsed("a @ 1 offset -1s + b offset 2s @ end()", "(a~-1000@1000 + b~2000@end)");
  parsed("sum(a) + rate(b[5m] offset 1m)", "(sum{}(a) + rate(b~60000[300000]))");
  parsed(
    "max_over_time((a + b)[1h:5m] offset 1d)",
    "max_over_time((a + b)[3600000:300000]~86400000)",
  );
  parsed("rate(a[1h] @ start())", "rate(a@start[3600000])");
  parsed("count_over_time(a[30])", "count_over_time(a[30000])");
});

test("literals", () => {
  parsed("1e3", "1000");
  parsed("0x1F", "31");
  parsed("017", "15");
  parsed("1_000.5", "1000.5");
  parsed("2.", "2");
  parsed("1./4.", "(1 / 4)");
  parsed(".5", "0.5");
  parsed("1h30m", "5400");
  parsed("inf + NaN", "(Infinity + NaN)");
  parsed(String.raw`"a\n\x41\u00e9\101"`, JSON.stringify("a\nAéA"));
  parsed("`a\\n`", JSON.stringify("a\\n"));
  parsed(`'it"s'`, JSON.stringify('it"s'));
});

test("selectors, aggregations, comments", () => {
  parsed(`{"a.b", "c.d"!="e", f=~"g.*"}`, "a.b,c.d!=e,f=~g.*");
  parsed(`sum by (b, a, "c d") (x)`, "sum{a,b,c d}(x)");
  parsed("SUM(x) WITHOUT (y,)", "sum-{y}(x)");
  parsed("topk(3, x) # the rest is silence", "topk{}(x)");
  parsed("# before\nx\n  # between\n+ y", "(x + y)");
  parsed("job:rate:sum", "job:rate:sum");
});

test("syntax errors have Prometheus' words and positions", () => {
  refused("", "unknown position: parse error: no expression found in input");
  refused("# nothing", "unknown position: parse error: no expression found in input");
  refused("sum(", "1:5: parse error: unclosed left parenthesis");
  refused("a)", "1:2: parse error: unexpected right parenthesis ')'");
  refused("a b", '1:3: parse error: unexpected identifier "b"');
  refused("1 +", "1:4: parse error: unexpected end of input");
  refused("a + $", "1:5: parse error: unexpected character: '$'");
  refused("a{", "1:3: parse error: unexpected end of input inside braces");
  refused('a{b="c}', "1:5: parse error: unterminated quoted string");
  refused(
    "a{b}",
    '1:4: parse error: unexpected "}" in label matching, expected label matching operator',
  );
  refused(
    "sum by (a (b)",
    '1:11: parse error: unexpected "(" in grouping opts, expected "," or ")"',
  );
  refused("rate(a[5m],)", "1:11: parse error: trailing commas not allowed in function call args");
  refused("nofunction(a)", '1:1: parse error: unknown function with name "nofunction"');
  refused("a\n  + b c", '2:7: parse error: unexpected identifier "c"');
  // Columns count bytes.
  refused('{a="é"} x', '1:10: parse error: unexpected identifier "x"');
});

test("type errors", () => {
  refused(
    "rate(a)",
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  );
  refused(
    "sum(1)",
    "1:5: parse error: expected type instant vector in aggregation expression, got scalar",
  );
  refused(
    "topk(a, a)",
    "1:6: parse error: expected type scalar in aggregation parameter, got instant vector",
  );
  refused("abs()", '1:1: parse error: expected 1 argument(s) in call to "abs", got 0');
  refused(
    "round(a, 1, 2)",
    '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3',
  );
  refused(
    'label_join(a, "b")',
    '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 2',
  );
  refused("1 == 1", "1:3: parse error: comparisons between scalars must use BOOL modifier");
  refused("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators");
  refused(
    "a and 1",
    '1:1: parse error: set operator "and" not allowed in binary scalar expression',
  );
  refused("a and on(x) group_left b", '1:1: parse error: no grouping allowed for "and" operation');
  refused(
    "a + on(x) group_left(x) b",
    '1:3: parse error: label "x" must not occur in ON and GROUP clause at once',
  );
  refused("a * on(x) 2", "1:1: parse error: vector matching only allowed between instant vectors");
  refused(
    "a[5m] + 1",
    "1:1: parse error: binary expression must contain only scalar and instant vector types",
  );
  refused(
    '-"x"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  );
  refused(
    "1[5m:]",
    "1:1: parse error: subquery is only allowed on instant vector, got scalar instead",
  );
});

test("selectors that cannot be", () => {
  refused(
    '{a=""}',
    "1:1: parse error: vector selector must contain at least one non-empty matcher",
  );
  refused(
    '{a=~".*"}',
    "1:1: parse error: vector selector must contain at least one non-empty matcher",
  );
  refused('a{__name__="b"}', '1:1: parse error: metric name must not be set twice: "a" or "b"');
  refused('a{b=~"("}', "1:3: parse error: error parsing regexp: missing closing ): `^(?s:()$`");
  refused("a[0s]", "1:3: parse error: duration must be greater than 0");
  refused("sum(a)[5m]", "1:1: parse error: ranges only allowed for vector selectors");
  refused("a offset 1m[5m]", "1:1: parse error: no offset modifiers allowed before range");
  refused("a offset 1m offset 1m", "1:1: parse error: offset may not be set multiple times");
  refused(
    "sum(a) offset 1m",
    "1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
  );
  refused("a @ 1 @ 2", "1:1: parse error: @ <timestamp> may not be set multiple times");
  refused("a @ Inf", "1:1: parse error: timestamp out of bounds for @ modifier: +Inf");
});

test("experimental functions and durations are refused unless enabled", () => {
  refused("mad_over_time(a[5m])", '1:1: parse error: function "mad_over_time" is not enabled');
  refused(
    "limitk(1, a)",
    "1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
  );
  refused("a[5m*2]", "1:3: parse error: experimental duration expression is not enabled");
  parsed("mad_over_time(a[5m])", "mad_over_time(a[300000])");
  parsed("a[5m * 2 - 1m]", "a[540000]");
  parsed("a offset (1m + 1s)", "a~61000");
  parsed("a offset -(2 ^ 3)", "a~-8000");
  const one: ParseOptions = { experimentalFunctions: ["limitk"], durationExpressions: false };
  assert.equal(parseExpr("limitk(1, a)", one).kind, "aggregate");
  refused("mad_over_time(a[5m])", '1:1: parse error: function "mad_over_time" is not enabled', one);
});

test("syntax newer than the engine says so", () => {
  refused("rate(a[5m] smoothed)", "not implemented: SmoothedExpr");
  refused("a[step()]", "not implemented: step() in durations");
});

test("deep nesting is refused, not fatal", () => {
  refused(
    `${"(".repeat(2000)}a${")".repeat(2000)}`,
    "1:1002: parse error: expression is nested too deeply",
  );
  assert.throws(
    () => parseExpr(Array.from({ length: 2000 }, () => "a").join("+")),
    /more than 300 operators in a row/,
  );
  assert.throws(() => parseExpr(`${"-".repeat(2000)}a`), /nested too deeply/);
});

test("a foreign character is reported where it stands", () => {
  const tokens = [
    "sum",
    "(",
    "rate",
    "(",
    "a",
    "{",
    "b",
    "=",
    '"c"',
    "}",
    "[",
    "5m",
    "]",
    ")",
    ")",
    "+",
    "1",
  ];
  fc.assert(
    fc.property(fc.integer({ min: 0, max: tokens.length }), (at) => {
      const before = tokens.slice(0, at).join(" ");
      const input = `${before} ~ ${tokens.slice(at).join(" ")}`;
      const column = before.length + 2;
      assert.throws(
        () => parseExpr(input),
        new RegExp(`^OpError: 1:${column}: parse error: unexpected`),
      );
    }),
  );
});

test("any text is a tree or an OpError", () => {
  const words = fc.constantFrom(
    ..."sum by ( ) [ ] { } , : 5m 1 a b offset @ start() == + - ^ and on \" ' ` # bool rate without =~".split(
      " ",
    ),
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(words, { maxLength: 12 }).map((list) => list.join(" ")),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseExpr(input, ALL);
      } catch (error) {
        assert.ok(error instanceof OpError, `${input}: ${String(error)}`);
      }
    }),
    { numRuns: 1000 },
  );
});
