/**
 * IP addresses as text and as the 4 or 16 bytes that the protocol carries. Text is canonical (RFC 5952), so equal
 * addresses are equal strings; IPv4 inside IPv6 is IPv4, as in Go.
 */
import { ProtocolError } from "./protocol-error.ts";

/** No bytes are no address: "". */
export function hostFromBytes(bytes: Uint8Array): string {
  if (bytes.length === 0) return "";
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.length !== 16) {
    throw new ProtocolError("malformed", `an IP address of ${bytes.length} bytes`);
  }
  const isMapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return isMapped ? bytes.subarray(12).join(".") : ipv6Text(bytes);
}

function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => groupAt(bytes, index));
  const run = longestZeroRun(groups);
  const text = (part: readonly number[]): string =>
    part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.start))}::${text(groups.slice(run.start + run.length))}`;
}

function groupAt(bytes: Uint8Array, index: number): number {
  return ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0);
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (let index = 0; index <= groups.length; index++) {
    if (groups[index] === 0) continue;
    if (index - start > best.length) best = { start, length: index - start };
    start = index + 1;
  }
  return best;
}

/** undefined: `host` is no IP literal. A zone ("%eth0") is none either: it means nothing on another machine. */
export function tryHostToBytes(host: string): Uint8Array | undefined {
  return host.includes(":") ? tryIpv6(host) : tryIpv4(host);
}

function tryIpv4(host: string): Uint8Array | undefined {
  const parts = host.split(".");
  if (parts.length !== 4) return undefined;
  const numbers = parts.map((part) => (/^\d{1,3}$/.test(part) ? Number(part) : 256));
  return numbers.every((number) => number <= 255) ? Uint8Array.from(numbers) : undefined;
}

function tryIpv6(host: string): Uint8Array | undefined {
  const [head = "", tail, ...more] = host.split("::");
  if (more.length > 0) return undefined;
  const before = tryGroups(head);
  const after = tail === undefined ? [] : tryGroups(tail);
  if (before === undefined || after === undefined) return undefined;
  const missing = 16 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined;
  const bytes = Uint8Array.from([...before, ...new Array<number>(missing).fill(0), ...after]);
  // One address, one form: IPv4 inside IPv6 goes out as IPv4.
  return tryIpv4(hostFromBytes(bytes)) ?? bytes;
}

function tryGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const bytes: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (index === parts.length - 1 && part.includes(".")) {
      const ipv4 = tryIpv4(part);
      if (ipv4 === undefined) return undefined;
      bytes.push(...ipv4);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const group = Number.parseInt(part, 16);
      bytes.push(group >> 8, group & 255);
    } else return undefined;
  }
  return bytes;
}
