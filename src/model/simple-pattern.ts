/**
 * Takes apart the regular expressions that need no regular expression engine.
 *
 *     alternatives = sequence { "|" sequence }
 *     sequence     = { character | "\" punctuation | ".*" | ".+" | "(" [ "?:" ] alternatives ")" }
 *
 * Groups are multiplied out, up to a limit. What this grammar has means the same in Go's syntax (with dot-all);
 * everything else (classes, repetitions, flags, errors) is left to the engine.
 */

/** A literal that is not empty; 0 = anything (`.*`), 1 = at least one character (`.+`). */
export type Piece = string | 0 | 1;

/** Dashboards with a variable of many values send long alternations. */
const SEQUENCES_MAX = 10_000;
/** Characters and pieces made on the way, in all: `(a|b)(a|b)…` doubles with each group. */
const WORK_MAX = 1_000_000;
const DEPTH_MAX = 16;
const META = new Set("\\.+*?()|[]{}^$");
const QUANTIFIERS = new Set("*+?{");
/** Characters that Go lets a backslash precede as themselves. */
const PUNCTUATION = /^[!-/:-@[-`{-~]$/;

/** The pattern as alternatives of pieces, or undefined if it is not of the simple kind. */
export function parseSimplePattern(pattern: string): Piece[][] | undefined {
  const parser = new PatternParser(pattern);
  const sequences = parser.alternatives(0);
  return parser.atEnd ? sequences : undefined;
}

/** A literal that every match begins with, for patterns that are not of the simple kind. May be "". */
export function literalPrefix(pattern: string): string {
  if (pattern.includes("|")) return "";
  const characters: string[] = [];
  for (let at = 0; at < pattern.length; ) {
    const next = readCharacter(pattern, at);
    if (!next) {
      // "ab*": the b need not be there. Neither in "ab(?i)*": flags stand between nothing.
      if (at < pattern.length && !".[^$".includes(pattern[at] as string)) characters.pop();
      break;
    }
    characters.push(next.text);
    at = next.end;
  }
  return characters.join("");
}

function readCharacter(pattern: string, at: number): { text: string; end: number } | undefined {
  const first = pattern[at];
  if (first === undefined) return undefined;
  if (first === "\\") {
    const escaped = pattern[at + 1] ?? "";
    return PUNCTUATION.test(escaped) ? { text: escaped, end: at + 2 } : undefined;
  }
  if (META.has(first)) return undefined;
  const text = String.fromCodePoint(pattern.codePointAt(at) as number);
  return { text, end: at + text.length };
}

class PatternParser {
  readonly #pattern: string;
  #at = 0;
  #workLeft = WORK_MAX;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  get atEnd(): boolean {
    return this.#at === this.#pattern.length;
  }

  alternatives(depth: number): Piece[][] | undefined {
    if (depth > DEPTH_MAX) return undefined;
    const all: Piece[][] = [];
    while (true) {
      const sequences = this.#sequence(depth);
      if (!sequences) return undefined;
      for (const sequence of sequences) all.push(sequence);
      if (all.length > SEQUENCES_MAX) return undefined;
      if (this.#pattern[this.#at] !== "|") return all;
      this.#at++;
    }
  }

  #sequence(depth: number): Piece[][] | undefined {
    let sequences: Piece[][] = [[]];
    while (this.#at < this.#pattern.length) {
      const next = this.#pattern[this.#at] as string;
      if (next === "|" || next === ")") break;
      const atom = next === "(" ? this.#group(depth) : this.#atom();
      if (!atom || QUANTIFIERS.has(this.#pattern[this.#at] ?? "")) return undefined;
      const product = this.#multiply(sequences, atom);
      if (!product) return undefined;
      sequences = product;
    }
    return sequences;
  }

  #group(depth: number): Piece[][] | undefined {
    this.#at++;
    if (this.#pattern[this.#at] === "?") {
      if (this.#pattern[this.#at + 1] !== ":") return undefined;
      this.#at += 2;
    }
    const inner = this.alternatives(depth + 1);
    if (!inner || this.#pattern[this.#at] !== ")") return undefined;
    this.#at++;
    return inner;
  }

  #atom(): Piece[][] | undefined {
    if (this.#pattern[this.#at] === ".") {
      const quantifier = this.#pattern[this.#at + 1];
      if (quantifier !== "*" && quantifier !== "+") return undefined;
      this.#at += 2;
      return [[quantifier === "*" ? 0 : 1]];
    }
    let text = "";
    let before = this.#at;
    for (let next = readCharacter(this.#pattern, this.#at); next; ) {
      text += next.text;
      before = this.#at;
      this.#at = next.end;
      next = readCharacter(this.#pattern, this.#at);
    }
    // A quantifier takes the last character alone: not of the simple kind.
    return before === this.#at ? undefined : [[text]];
  }

  /** Every sequence of `left` followed by every one of `right`, or undefined if that is too much. */
  #multiply(left: Piece[][], right: Piece[][]): Piece[][] | undefined {
    if (left.length * right.length > SEQUENCES_MAX) return undefined;
    const product: Piece[][] = [];
    for (const head of left) {
      for (const tail of right) {
        const joined = join(head, tail);
        for (const piece of joined) this.#workLeft -= typeof piece === "string" ? piece.length : 1;
        if (this.#workLeft < 0) return undefined;
        product.push(joined);
      }
    }
    return product;
  }
}

/** Concatenation with neighbouring literals, and neighbouring gaps where one of them is `.*`, made one piece. */
function join(head: readonly Piece[], tail: readonly Piece[]): Piece[] {
  const last = head.at(-1);
  const [first] = tail;
  if (last === undefined || first === undefined) return [...head, ...tail];
  if (typeof last === "string" && typeof first === "string") {
    return [...head.slice(0, -1), last + first, ...tail.slice(1)];
  }
  if (typeof last === "number" && typeof first === "number" && last + first < 2) {
    return [...head.slice(0, -1), (last + first) as Piece, ...tail.slice(1)];
  }
  return [...head, ...tail];
}
