import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { OpError } from "../../src/base/errors.ts";
import { compileMatcher, PatternCache } from "../../src/model/compiled-matcher.ts";
import type { MatchType } from "../../src/model/matchers.ts";

function compile(type: MatchType, value: string) {
  return compileMatcher({ type, name: "job", value });
}

/** What an index may use of a matcher. */
function facts(type: MatchType, value: string): object {
  const { matchesEmpty, literals, rejectedLiterals, prefix, matchesAll, matchesNonEmpty } = compile(
    type,
    value,
  );
  return {
    ...(literals && { literals: [...literals].sort() }),
    ...(rejectedLiterals && { rejectedLiterals }),
    ...(prefix !== undefined && { prefix }),
    ...(matchesEmpty && { matchesEmpty }),
    ...(matchesAll && { matchesAll }),
    ...(matchesNonEmpty && { matchesNonEmpty }),
  };
}

/** Texts of few letters, so that patterns and values meet; with a line break and a character of two UTF-16 units. */
const letter = fc.constantFrom("a", "b", "c", ".", "-", "\n", "é", "💥", "|");
const text = fc.array(letter, { maxLength: 6 }).map((letters) => letters.join(""));

const quoted = text.map((value) => value.replaceAll(/[\\.+*?()|[\]{}^$]/g, "\\$&"));
const { pattern } = fc.letrec<{ pattern: string; sequence: string; atom: string }>((tie) => ({
  pattern: fc
    .array(tie("sequence"), { minLength: 1, maxLength: 3 })
    .map((sequences) => sequences.join("|")),
  sequence: fc.array(tie("atom"), { maxLength: 4 }).map((atoms) => atoms.join("")),
  atom: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    { arbitrary: quoted, weight: 4 },
    { arbitrary: fc.constantFrom(".*", ".+", ".*?", ".+?", ".", "^", "$", ""), weight: 4 },
    { arbitrary: fc.constantFrom("[ab]", "[^a]", "a*", "b+", "c?", "a{2}", "(?:)"), weight: 1 },
    { arbitrary: tie("pattern").map((inner) => `(${inner})`), weight: 1 },
    { arbitrary: tie("pattern").map((inner) => `(?:${inner})`), weight: 1 },
    { arbitrary: tie("pattern").map((inner) => `(${inner})*`), weight: 1 },
  ),
}));

/** A value made from the pattern itself matches more often than a random one. */
function valuesNear(source: string): fc.Arbitrary<string> {
  const plain = source.replaceAll(/\\(.)|[.*+?(){}[\]^$:]/gs, "$1");
  return fc.oneof(text, fc.constantFrom(plain, ...plain.split("|")), fc.constant(""));
}

describe("compileMatcher", () => {
  it("matches as RE2 and as JavaScript do", () => {
    const cases = pattern.chain((source) =>
      fc.tuple(fc.constant(source), fc.array(valuesNear(source), { minLength: 1, maxLength: 6 })),
    );
    fc.assert(
      fc.property(cases, ([source, values]) => {
        const re2 = RE2JS.compile(`^(?:${source})$`, RE2JS.DOTALL);
        // JavaScript backtracks: it is asked only where that cannot take long.
        const isQuick = !source.includes(")*") && source.split(/[*+]/).length <= 5;
        const native = isQuick ? new RegExp(`^(?:${source})$`, "su") : undefined;
        const matcher = compile("=~", source);
        const negated = compile("!~", source);
        for (const value of values) {
          const expected = re2.matcher(value).find();
          assert.equal(native?.test(value) ?? expected, expected, "the two engines agree");
          assert.equal(matcher.matches(value), expected);
          assert.equal(negated.matches(value), !expected);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it("tells an index only what is true", () => {
    const cases = pattern.chain((source) =>
      fc.tuple(fc.constant(source), fc.array(valuesNear(source), { minLength: 1, maxLength: 6 })),
    );
    fc.assert(
      fc.property(
        cases,
        fc.constantFrom<MatchType>("=~", "!~", "=", "!="),
        ([source, values], type) => {
          const matcher = compile(type, source);
          assert.equal(matcher.matchesEmpty, matcher.matches(""));
          for (const value of [...values, ...(matcher.literals ?? [])]) {
            const matches = matcher.matches(value);
            if (matcher.literals) assert.equal(matcher.literals.includes(value), matches);
            if (matcher.rejectedLiterals) {
              assert.equal(matcher.rejectedLiterals.includes(value), !matches);
            }
            if (matcher.matchesAll) assert.ok(matches);
            if (matcher.matchesNonEmpty) assert.equal(matches, value !== "");
            if (matches) assert.ok(value.startsWith(matcher.prefix ?? ""));
          }
        },
      ),
      { numRuns: 1500 },
    );
  });

  it("sees through the patterns of dashboards", () => {
    assert.deepEqual(facts("=", "api"), { literals: ["api"] });
    assert.deepEqual(facts("=", ""), { literals: [""], matchesEmpty: true });
    assert.deepEqual(facts("!=", "api"), { rejectedLiterals: ["api"], matchesEmpty: true });
    assert.deepEqual(facts("!=", ""), { rejectedLiterals: [""], matchesNonEmpty: true });
    assert.deepEqual(facts("=~", "api"), { literals: ["api"] });
    assert.deepEqual(facts("=~", "10\\.0\\.0\\.1"), { literals: ["10.0.0.1"] });
    assert.deepEqual(facts("=~", "api|web|db"), { literals: ["api", "db", "web"] });
    assert.deepEqual(facts("=~", "(api|web)"), { literals: ["api", "web"] });
    assert.deepEqual(facts("=~", "a(b|c)d(?:e|)"), { literals: ["abd", "abde", "acd", "acde"] });
    assert.deepEqual(facts("=~", "api|"), { literals: ["", "api"], matchesEmpty: true });
    assert.deepEqual(facts("!~", "api|web"), {
      rejectedLiterals: ["api", "web"],
      matchesEmpty: true,
    });
    assert.deepEqual(facts("=~", ".*"), {
      rejectedLiterals: [],
      matchesEmpty: true,
      matchesAll: true,
    });
    assert.deepEqual(facts("=~", "(.*)"), facts("=~", ".*"));
    assert.deepEqual(facts("=~", ".+|"), facts("=~", ".*"));
    assert.deepEqual(facts("=~", ".+"), { rejectedLiterals: [""], matchesNonEmpty: true });
    assert.deepEqual(facts("=~", "a|.+"), facts("=~", ".+"));
    assert.deepEqual(facts("!~", ".*"), { literals: [] });
    assert.deepEqual(facts("!~", ".+"), { literals: [""], matchesEmpty: true });
    assert.deepEqual(facts("=~", "api-.*"), { prefix: "api-" });
    assert.deepEqual(facts("=~", "api-(a|b).*"), { prefix: "api-" });
    assert.deepEqual(facts("=~", ".*-api"), {});
    assert.deepEqual(facts("=~", "api-[0-9]+"), { prefix: "api-" });
    assert.deepEqual(facts("=~", "api-?"), { prefix: "api" });
    assert.deepEqual(facts("=~", "api(?i)?"), { prefix: "ap" });
    assert.deepEqual(facts("=~", "api[0-9]|web"), {});
    assert.deepEqual(facts("=~", "(?i)api"), {});
    assert.equal(compile("=~", "(?i)api").matches("API"), true);
  });

  it("keeps long alternations literal, and stays quick where groups multiply", () => {
    const values = Array.from({ length: 5000 }, (_, i) => `pod-${i}`);
    assert.equal(compile("=~", values.join("|")).literals?.length, 5000);
    const multiplied = compile("=~", "(a|b)".repeat(40));
    assert.equal(multiplied.literals, undefined);
    assert.equal(multiplied.matches("ab".repeat(20)), true);
    assert.equal(multiplied.matches("ab".repeat(19)), false);
    const gaps = compile("=~", Array.from({ length: 100 }, (_, i) => `.*x${i}y.*`).join("|"));
    assert.equal(gaps.matches("__x99y__"), true);
    assert.equal(gaps.matches("__x100y__"), false);
  });

  it("takes linear time for what makes backtracking engines slow", () => {
    const matcher = compile("=~", "(a*)*b(.*c.*)*$");
    assert.equal(matcher.matches("a".repeat(5000)), false);
  });

  it("refuses bad patterns with Go's words", () => {
    const messages = {
      "a(": "error parsing regexp: missing closing ): `a(`",
      "a)": "error parsing regexp: unexpected ): `a)`",
      "*": "error parsing regexp: missing argument to repetition operator: `*`",
      "a**": "error parsing regexp: invalid nested repetition operator: `**`",
      "[a": "error parsing regexp: missing closing ]: `[a`",
      "[z-a]": "error parsing regexp: invalid character class range: `z-a`",
      "a{2,1}": "error parsing regexp: invalid repeat count: `{2,1}`",
      "\\8": "error parsing regexp: invalid escape sequence: `\\8`",
      "a\\": "error parsing regexp: trailing backslash at end of expression: ``",
      "(?=a)": "error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    };
    for (const [source, message] of Object.entries(messages)) {
      for (const type of ["=~", "!~"] as const) {
        assert.throws(
          () => compile(type, source),
          (error) =>
            error instanceof OpError && error.code === "bad-data" && error.message === message,
          `${source}: ${message}`,
        );
      }
      assert.equal(compile("=", source).matches(source), true);
    }
  });

  it("refuses patterns that would hold up the thread", () => {
    assert.throws(() => compile("=~", `[a]${"a".repeat(70_000)}`), /expression too large/);
    assert.equal(compile("=~", "a".repeat(70_000)).matches("a".repeat(70_000)), true);
  });

  it("answers any pattern with a matcher or with bad-data", () => {
    const parts = fc.constantFrom(
      ...Array.from("ab.*+?|()[]{}^$\\,01-"),
      "(?",
      "(?i)",
      "\\d",
      "\\Q",
      "{2}",
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 12 }), (pieces) => {
        const source = pieces.join("");
        let expected: RE2JS | undefined;
        try {
          expected = RE2JS.compile(source, RE2JS.DOTALL);
        } catch {}
        try {
          const matcher = compile("=~", source);
          assert.ok(expected, "RE2 takes it too");
          for (const value of ["", "a", "ab", source]) {
            assert.equal(matcher.matches(value), expected.matches(value));
          }
        } catch (error) {
          assert.ok(error instanceof OpError && error.code === "bad-data", String(error));
          assert.equal(expected, undefined, "RE2 refuses it too");
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe("PatternCache", () => {
  it("keeps patterns, and not more than it may", () => {
    const cache = new PatternCache({ patternsMax: 2 });
    const compileWith = (value: string) =>
      compileMatcher({ type: "=~", name: "job", value }, cache);
    for (const value of ["a.c", "b", "a.c", "c[0-9]"]) compileWith(value);
    assert.equal(cache.size, 2);
    assert.deepEqual(compileWith("a.c"), compileWith("a.c"), "the same function");
    assert.equal(compileWith("a.c").matches("abc"), true);
    compileMatcher({ type: "=", name: "job", value: "not a pattern" }, cache);
    assert.equal(cache.size, 2);
  });

  it("does not keep what is too large", () => {
    const cache = new PatternCache();
    compileMatcher({ type: "=~", name: "job", value: "a".repeat(600_000) }, cache);
    assert.equal(cache.size, 0);
  });
});
