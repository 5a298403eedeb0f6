import { LRUCache } from "lru-cache";
import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";
import { OpError } from "../base/errors.ts";
import type { Matcher } from "./matchers.ts";
import { literalPrefix, type Piece, parseSimplePattern } from "./simple-pattern.ts";

/**
 * Matchers made ready for use, with what an index can use of them.
 *
 * Regular expressions have Go's syntax and Prometheus' meaning: anchored at both ends, the dot matches a line break.
 * The patterns that dashboards are made of (literals, alternations, `prefix.*`, `.*suffix`, `.*contains.*`) are taken
 * apart here and matched by string comparison; everything else runs on re2js, in linear time.
 */
export interface CompiledMatcher extends Matcher {
  /** Whether a label value satisfies the matcher; an absent label has the value "". */
  matches(value: string): boolean;
  readonly matchesEmpty: boolean;
  /** If present: these values match and no others. */
  readonly literals?: readonly string[];
  /** If present: all values match but these. */
  readonly rejectedLiterals?: readonly string[];
  /** If present: every value that matches begins with it. */
  readonly prefix?: string;
  readonly matchesAll: boolean;
  /** It matches every value but "". */
  readonly matchesNonEmpty: boolean;
}

/** What a pattern, or a plain value, accepts: finitely many values, all but finitely many, or what a test says. */
interface ValueSet {
  readonly matches: (value: string) => boolean;
  readonly only?: readonly string[];
  readonly except?: readonly string[];
  readonly prefix?: string;
}

const CACHED_PATTERNS_MAX = 1000;
/** Pattern lengths in all; a compiled pattern takes a small multiple of its length. */
const CACHED_PATTERN_CHARACTERS_MAX = 1 << 19;
/** Parsing takes the engine a microsecond per character; patterns of the simple kind may be longer. */
const REGEX_CHARACTERS_MAX = 1 << 16;

/** More alternatives with gaps than this are left to the engine, which looks at each character once. */
const TESTS_MAX = 32;

/** Compiled patterns, kept between calls of `compileMatcher` by who owns this object. */
export class PatternCache {
  readonly #patterns: LRUCache<string, ValueSet>;

  constructor(options: { patternsMax: number } = { patternsMax: CACHED_PATTERNS_MAX }) {
    this.#patterns = new LRUCache({
      max: options.patternsMax,
      maxSize: CACHED_PATTERN_CHARACTERS_MAX,
      sizeCalculation: (_set, pattern) => pattern.length + 1,
    });
  }

  get size(): number {
    return this.#patterns.size;
  }

  /** @internal For compileMatcher. */
  compiled(pattern: string): ValueSet {
    const known = this.#patterns.get(pattern);
    if (known) return known;
    const set = compilePattern(pattern);
    this.#patterns.set(pattern, set);
    return set;
  }
}

/** Throws OpError "bad-data" for a pattern that Go would not compile either. */
export function compileMatcher(matcher: Matcher, cache?: PatternCache): CompiledMatcher {
  const isPattern = matcher.type === "=~" || matcher.type === "!~";
  const accepted = !isPattern
    ? literalSet([matcher.value])
    : (cache?.compiled(matcher.value) ?? compilePattern(matcher.value));
  const negated = matcher.type === "!=" || matcher.type === "!~";
  const { matches, only, except, prefix } = negated ? complement(accepted) : accepted;
  return {
    type: matcher.type,
    name: matcher.name,
    value: matcher.value,
    matches,
    matchesEmpty: matches(""),
    ...(only && { literals: only }),
    ...(except && { rejectedLiterals: except }),
    ...(prefix !== undefined && { prefix }),
    matchesAll: except?.length === 0,
    matchesNonEmpty: except?.length === 1 && except[0] === "",
  };
}

function complement(set: ValueSet): ValueSet {
  return {
    matches: (value) => !set.matches(value),
    ...(set.only && { except: set.only }),
    ...(set.except && { only: set.except }),
  };
}

function literalSet(values: readonly string[]): ValueSet {
  if (values.length === 1) {
    const [only = ""] = values;
    return { matches: (value) => value === only, only: values };
  }
  const accepted = new Set(values);
  return { matches: (value) => accepted.has(value), only: [...accepted] };
}

function compilePattern(pattern: string): ValueSet {
  const sequences = parseSimplePattern(pattern);
  if (!sequences) return compileRegex(pattern);
  if (sequences.every(isLiteral)) return literalSet(sequences.map((pieces) => pieces.join("")));
  const open = openEnd(sequences);
  if (open) return open;
  if (sequences.length > TESTS_MAX) return compileRegex(pattern);
  const tests = sequences.map(sequenceTest);
  const [first = () => false] = tests;
  const matches = tests.length === 1 ? first : (value: string) => tests.some((test) => test(value));
  return { matches, ...prefixOf(commonPrefix(sequences)) };
}

/** `.*` and `.+`, also as one of several alternatives (`.+|`): all values, or all but "". */
function openEnd(sequences: readonly (readonly Piece[])[]): ValueSet | undefined {
  const matchesAnything = (pieces: readonly Piece[]): boolean =>
    pieces.length > 0 && pieces.every((piece) => piece === ANY);
  const matchesSomething = (pieces: readonly Piece[]): boolean =>
    pieces.length === 1 && pieces[0] === SOME;
  const everything = { matches: () => true, except: [] };
  if (sequences.some(matchesAnything)) return everything;
  if (!sequences.some(matchesSomething)) return undefined;
  const acceptsEmpty = sequences.some((pieces) => pieces.length === 0);
  return acceptsEmpty ? everything : { matches: (value) => value !== "", except: [""] };
}

const ANY = 0;
const SOME = 1;

function isLiteral(pieces: readonly Piece[]): boolean {
  return pieces.length === 0 || (pieces.length === 1 && typeof pieces[0] === "string");
}

/**
 * A test for literals with gaps between them. Taking the leftmost place for each literal leaves the most room for
 * the rest, so no backtracking is needed. Whole literals begin at whole characters, so gaps counted in
 * UTF-16 units are right: one unit of gap is at least one character.
 */
function sequenceTest(pieces: readonly Piece[]): (value: string) => boolean {
  if (isLiteral(pieces)) return literalSet([pieces.join("")]).matches;
  const head = typeof pieces[0] === "string" ? pieces[0] : "";
  const last = pieces.at(-1);
  const tail = pieces.length > 1 && typeof last === "string" ? last : "";
  const middle = pieces.slice(head === "" ? 0 : 1, tail === "" ? undefined : -1);
  return (value) => {
    if (!value.startsWith(head)) return false;
    const end = value.length - tail.length;
    let at = head.length;
    let gap = 0;
    for (const piece of middle) {
      if (typeof piece !== "string") {
        gap += piece;
        continue;
      }
      const found = value.indexOf(piece, at + gap);
      if (found < 0) return false;
      at = found + piece.length;
      gap = 0;
    }
    return at + gap <= end && value.endsWith(tail);
  };
}

function commonPrefix(sequences: readonly (readonly Piece[])[]): string {
  let prefix: string | undefined;
  for (const [first] of sequences) {
    const text = typeof first === "string" ? first : "";
    if (prefix === undefined) prefix = text;
    let length = 0;
    while (length < prefix.length && prefix[length] === text[length]) length++;
    prefix = prefix.slice(0, length);
  }
  return prefix ?? "";
}

function prefixOf(prefix: string): { prefix?: string } {
  return prefix === "" ? {} : { prefix };
}

function compileRegex(pattern: string): ValueSet {
  const regex = parseRegex(pattern);
  const prefix = literalPrefix(pattern);
  if (prefix === "") return { matches: (value) => regex.testExact(value) };
  return { matches: (value) => value.startsWith(prefix) && regex.testExact(value), prefix };
}

function parseRegex(pattern: string): RE2JS {
  if (pattern.length > REGEX_CHARACTERS_MAX) {
    const start = `${pattern.slice(0, 100)}…`;
    throw new OpError("bad-data", `error parsing regexp: expression too large: \`${start}\``);
  }
  try {
    return RE2JS.compile(pattern, RE2JS.DOTALL);
  } catch (error) {
    throw new OpError("bad-data", syntaxMessage(pattern, error), { pattern }, { cause: error });
  }
}

/** Go's text. re2js puts its flag group before the pattern, which Go's parser does not see. */
function syntaxMessage(pattern: string, error: unknown): string {
  if (error instanceof RE2JSSyntaxException) {
    const input = error.input ?? "";
    const culprit = input.endsWith(pattern) ? pattern : input;
    return `error parsing regexp: ${error.error}: \`${culprit}\``;
  }
  const reason = error instanceof RE2JSException ? error.message : "expression too large";
  return `error parsing regexp: ${reason}`;
}
