/**
 * The kinds of value an option can have. A kind reads the text of a flag or of a YAML scalar, checks a parsed
 * YAML structure where the value is one, and prints a value back as something YAML can hold.
 * `parse(print(value))` gives the value again, for every kind but secrets (which print as stars).
 */
import { z } from "zod";
import { formatDuration, parseDuration } from "./duration.ts";
import { bad, good, type Parsed } from "./parsed.ts";
import { formatSize, parseSize } from "./size.ts";

export interface Kind<T> {
  /** What the reference calls it. */
  readonly name: string;
  /** "scalar": one text; "list": texts, also one text with commas; "structure": YAML checked by `structure`. */
  readonly form: "scalar" | "list" | "structure";
  /** For a list each item is parsed alone and `parse` gets the whole joined by commas. */
  readonly parse: (text: string) => Parsed<T>;
  /** What the YAML of a structure must be. */
  readonly structure?: z.ZodType<T>;
  readonly print: (value: T) => unknown;
  /** A flag of this kind may stand alone: it then means this text. */
  readonly bareFlag?: string;
  readonly isSecret?: boolean;
}

export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export const secretMask = "********";

export function booleanKind(): Kind<boolean> {
  const texts = new Map([
    ["true", true],
    ["false", false],
    ["t", true],
    ["f", false],
    ["1", true],
    ["0", false],
  ]);
  return {
    name: "boolean",
    form: "scalar",
    bareFlag: "true",
    print: (value) => value,
    parse(text) {
      const value = texts.get(text.toLowerCase());
      return value === undefined ? bad(`"${text}" is not a boolean (true or false)`) : good(value);
    },
  };
}

export function integerKind(bounds: Bounds): Kind<number> {
  return numberKind("int", bounds, (text) => {
    const value = /^[-+]?\d/.test(text) ? Number(text) : Number.NaN;
    return Number.isSafeInteger(value) ? good(value) : bad(`"${text}" is not a whole number`);
  });
}

export function floatKind(bounds: Bounds): Kind<number> {
  return numberKind("float", bounds, (text) => {
    const value = /^[-+]?[.\d]/.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(value) ? good(value) : bad(`"${text}" is not a number`);
  });
}

export function durationKind(bounds: Bounds): Kind<number> {
  return numberKind("duration", bounds, parseDuration, formatDuration);
}

export function sizeKind(bounds: Bounds): Kind<number> {
  return numberKind("size", bounds, parseSize, undefined, formatSize);
}

function numberKind(
  name: string,
  bounds: Bounds,
  read: (text: string) => Parsed<number>,
  print: (value: number) => unknown = (value) => value,
  show: (value: number) => unknown = print,
): Kind<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = bounds;
  const check = (value: number): Parsed<number> => {
    if (value < min) {
      return bad(min === 0 ? "must not be negative" : `must not be less than ${String(show(min))}`);
    }
    if (value > max) return bad(`must not be more than ${String(show(max))}`);
    return good(value);
  };
  return {
    name,
    form: "scalar",
    print,
    parse(text) {
      const parsed = read(text.trim());
      if ("problem" in parsed) return parsed;
      const checked = check(parsed.value);
      return "problem" in checked ? bad(`${text} ${checked.problem}`) : checked;
    },
  };
}

export function stringKind(
  name = "string",
  pattern?: { matches: RegExp; say: string },
): Kind<string> {
  return {
    name,
    form: "scalar",
    print: (value) => value,
    parse(text) {
      if (pattern !== undefined && !pattern.matches.test(text)) {
        return bad(`"${text}" ${pattern.say}`);
      }
      return good(text);
    },
  };
}

export function secretKind(): Kind<string> {
  return {
    ...stringKind("secret"),
    isSecret: true,
    print: (value) => (value === "" ? "" : secretMask),
  };
}

/** Problems tell the number of the item in place of its text. */
export function secretsKind(check: (text: string) => string | undefined): Kind<readonly string[]> {
  const items = listKind();
  return {
    ...items,
    name: "list of secrets",
    isSecret: true,
    print: (value) => value.map(() => secretMask),
    parse(text) {
      const parsed = items.parse(text);
      if ("problem" in parsed) return parsed;
      for (const [index, item] of parsed.value.entries()) {
        const problem = check(item);
        if (problem !== undefined) return bad(`item ${index + 1} ${problem}`);
      }
      return parsed;
    },
  };
}

export function enumKind<const T extends string>(values: readonly T[]): Kind<T> {
  return {
    name: values.join(" | "),
    form: "scalar",
    print: (value) => value,
    parse(text) {
      const value = values.find((known) => known === text);
      return value === undefined ? bad(notOneOf(text, values)) : good(value);
    },
  };
}

export function listKind<T extends string = string>(known?: readonly T[]): Kind<readonly T[]> {
  return {
    name: known === undefined ? "list of strings" : `list of ${known.join(" | ")}`,
    form: "list",
    print: (value) => [...value],
    parse(text) {
      const items = text.split(",").map((item) => item.trim());
      const filled = items.filter((item) => item !== "") as T[];
      const stranger = filled.find((item) => known !== undefined && !known.includes(item));
      return stranger === undefined ? good(filled) : bad(notOneOf(stranger, known ?? []));
    },
  };
}

function notOneOf(text: string, values: readonly string[]): string {
  return `"${text}" is not one of ${values.map((value) => value || '""').join(", ")}`;
}

export function structureKind<T>(name: string, structure: z.ZodType<T>): Kind<T> {
  return {
    name,
    form: "structure",
    structure,
    print: (value) => value,
    parse: (text) => bad(`"${text}" is not a ${name}`),
  };
}
