/** The envelope of the Prometheus API around data that is JSON already: bytes are copied, never parsed again. */
import { Buffer } from "node:buffer";
import type { Labels } from "../model/labels.ts";

const HEAD = Buffer.from('{"status":"success","data":');
const TAIL = Buffer.from("}");

export interface Notes {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

export function success(data: Uint8Array | string, { warnings, infos }: Notes): Buffer {
  const parts: Uint8Array[] = [HEAD, typeof data === "string" ? Buffer.from(data) : data];
  if (warnings.length > 0) parts.push(Buffer.from(`,"warnings":${JSON.stringify(warnings)}`));
  if (infos.length > 0) parts.push(Buffer.from(`,"infos":${JSON.stringify(infos)}`));
  parts.push(TAIL);
  return Buffer.concat(parts);
}

/** Another member at the end of an object. */
export function withMember(object: Uint8Array, name: string, value: unknown): Buffer {
  const member = `,${JSON.stringify(name)}:${JSON.stringify(value)}}`;
  return Buffer.concat([object.subarray(0, object.length - 1), Buffer.from(member)]);
}

const LIST_START = Buffer.from('"result":[{');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const LIST_END = 0x5d;

/**
 * The first `limit` series of a vector or matrix; undefined if there are no more than that (or no series: scalar,
 * string). Only looks for the end of the last series wanted, so its cost is that of what is kept.
 */
export function firstSeries(data: Uint8Array, limit: number): Buffer | undefined {
  const listStart = Buffer.from(data.buffer, data.byteOffset, data.byteLength).indexOf(LIST_START);
  if (listStart < 0) return undefined;
  let depth = 0;
  let complete = 0;
  let inString = false;
  for (let i = listStart + LIST_START.length - 1; i < data.length; i++) {
    const byte = data[i];
    if (byte === QUOTE) inString = !inString;
    if (inString) {
      if (byte === BACKSLASH) i++;
    } else if (byte === OPEN) {
      if (complete === limit) return cutBefore(data, i);
      depth++;
    } else if (byte === CLOSE) {
      if (--depth === 0) complete++;
    } else if (byte === LIST_END && depth === 0) {
      return undefined;
    }
  }
  return undefined;
}

/** `at`: the first byte of the first series that is too many, behind a comma. */
function cutBefore(data: Uint8Array, at: number): Buffer {
  return Buffer.concat([data.subarray(0, at - 1), Buffer.from("]}")]);
}

/** Written by hand, because objects of JavaScript reorder names that look like numbers. */
export function labelSetsJson(all: readonly Labels[]): string {
  const sets = all.map((labels) => {
    const members = labels.map(
      ({ name, value }) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
    );
    return `{${members.join(",")}}`;
  });
  return `[${sets.join(",")}]`;
}
