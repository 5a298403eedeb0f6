/**
 * Text as Go reads and writes it: string literals with escapes, %q, and numbers as strconv.FormatFloat(v, 'f', -1, 64).
 * A byte that is no UTF-8 (possible through "\xff") becomes the lone surrogate 0xDC00 + byte, so that such strings
 * are not well-formed and match no label.
 */
export function unquote(literal: string): string | undefined {
  const quote = literal[0];
  if (literal.length < 2 || literal.at(-1) !== quote) return undefined;
  const body = literal.slice(1, -1);
  if (quote === "`") return body.includes("`") ? undefined : body.replaceAll("\r", "");
  if (!body.includes("\\")) return body;
  const parts: Uint8Array[] = [];
  for (let i = 0; i < body.length; ) {
    if (body[i] !== "\\") {
      const next = body.indexOf("\\", i);
      const end = next < 0 ? body.length : next;
      parts.push(Buffer.from(body.slice(i, end), "utf8"));
      i = end;
      continue;
    }
    const escape = readEscape(body, i + 1, quote ?? "");
    if (escape === undefined) return undefined;
    parts.push(escape.bytes);
    i = escape.end;
  }
  return decodeBytes(Buffer.concat(parts));
}

const SIMPLE_ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
  "\\": 92,
};

const HEX_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function readEscape(
  body: string,
  at: number,
  quote: string,
): { bytes: Uint8Array; end: number } | undefined {
  const letter = body[at] ?? "";
  if (letter === quote) return { bytes: Buffer.from(quote), end: at + 1 };
  const simple = SIMPLE_ESCAPES[letter];
  if (simple !== undefined) return { bytes: Buffer.of(simple), end: at + 1 };
  const hexDigits = HEX_DIGITS[letter];
  if (hexDigits !== undefined) {
    const digits = body.slice(at + 1, at + 1 + hexDigits);
    if (digits.length !== hexDigits || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
    const code = Number.parseInt(digits, 16);
    const end = at + 1 + hexDigits;
    if (letter === "x") return { bytes: Buffer.of(code), end };
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
    return { bytes: Buffer.from(String.fromCodePoint(code), "utf8"), end };
  }
  const octal = body.slice(at, at + 3);
  if (!/^[0-3][0-7]{2}$/.test(octal)) return undefined;
  return { bytes: Buffer.of(Number.parseInt(octal, 8)), end: at + 3 };
}

function decodeBytes(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    // Not UTF-8: each foreign byte for itself.
    return Array.from(bytes, (byte) =>
      String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte),
    ).join("");
  }
}

/** Go's %q. */
export function quoteGo(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === '"' || char === "\\") out += `\\${char}`;
    else if (char === "\n") out += "\\n";
    else if (char === "\t") out += "\\t";
    else if (char === "\r") out += "\\r";
    else if (code < 0x20 || code === 0x7f) out += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (code >= 0xdc80 && code <= 0xdcff) out += `\\x${(code - 0xdc00).toString(16)}`;
    else out += char;
  }
  return `${out}"`;
}

/** strconv.FormatFloat(value, 'f', -1, 64). */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const text = String(value);
  return text.includes("e") ? expandExponent(text) : text;
}

/** "1.5e-7" to "0.00000015". */
function expandExponent(text: string): string {
  const [mantissa = "", exponentText = "0"] = text.split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = (negative ? mantissa.slice(1) : mantissa).split(".");
  const digits = whole + fraction;
  const point = whole.length + Number(exponentText);
  let out: string;
  if (point <= 0) out = `0.${"0".repeat(-point)}${digits}`;
  else if (point >= digits.length) out = digits + "0".repeat(point - digits.length);
  else out = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${out}` : out;
}

/** Go's %g for the numbers in messages (shortest form, exponent from 1e21 on or below 1e-4). */
export function formatShort(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const exponent = Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= -4 && exponent < 21) return formatFloat(value);
  const [mantissa = "", power = "0"] = value.toExponential().split("e");
  const sign = power.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${power.replace(/^[+-]/, "").padStart(2, "0")}`;
}

/** strconv.ParseFloat of a decimal text; undefined if it is none. */
export function parseFloatGo(text: string): number | undefined {
  const lower = text.toLowerCase();
  if (/^[+-]?inf(inity)?$/.test(lower)) {
    return lower.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  if (/^[+-]?nan$/.test(lower)) return Number.NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(lower)) return undefined;
  const value = Number(lower);
  return Number.isFinite(value) ? value : undefined;
}
