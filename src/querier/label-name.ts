/**
 * Label names in a path. Any non-empty UTF-8 text is a label name; what a path segment cannot hold well is written
 * as Prometheus' escaping "values": `U__`, then each other character as `_HEX_` and each underscore as `__`.
 */

/** The name that a path segment means; undefined if it is not a label name. */
export function labelNameOfPath(segment: string): string | undefined {
  const name = segment.startsWith("U__") ? unescapeName(segment) : segment;
  return name === "" || !name.isWellFormed() ? undefined : name;
}

/** What is not well escaped is taken literally, as Prometheus does. */
function unescapeName(escaped: string): string {
  const body = escaped.slice(3);
  let name = "";
  for (let i = 0; i < body.length; i++) {
    if (body[i] !== "_") {
      name += body[i];
      continue;
    }
    if (body[i + 1] === "_") {
      name += "_";
      i++;
      continue;
    }
    const end = body.indexOf("_", i + 1);
    const hex = end < 0 ? "" : body.slice(i + 1, end);
    const code = /^[0-9a-fA-F]{1,6}$/.test(hex) ? Number.parseInt(hex, 16) : -1;
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return escaped;
    name += String.fromCodePoint(code);
    i = end;
  }
  return name;
}
