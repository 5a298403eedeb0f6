/**
 * The bytes in which rings travel and are stored; docs/formats/ring.md is the page about it. Little-endian.
 *
 *     message    0  4  magic "MRNG"
 *                4  2  version (1)
 *                6  2  zero
 *                8  4  n, number of instances
 *               12     instance × n, in order of id
 *                   4  CRC-32C of all bytes before
 *     instance   1 state · 1 flags · text id · text address · text zone
 *                8 heartbeatMs · 8 registeredAtMs · 8 readOnlyUpdatedAtMs · if flag 16: 8 lostDataAtMs
 *                if flag 32: 8 firstDataAtMs
 *                2 number of versions · (text key · text value) ×, in order of key
 *                if flag 8:  8 tokensUpdatedAtMs · 4 number of tokens · 4 × tokens, ascending
 *     text       2 length in bytes · UTF-8
 *     flags      1 read-only · 2 serving · 4 has data · 8 tokens follow · 16 lost data · 32 first data
 *
 * The same ring always gives the same bytes. A message of some instances, with or without their tokens, is a delta.
 */
import { assert } from "../base/assert.ts";
import { crc32c } from "../kernel/host/crc32c.ts";
import type { RingDescriptor } from "./descriptor.ts";
import { compareText, INSTANCE_STATES, type Instance, NO_TOKENS } from "./instance.ts";

const MAGIC = new TextEncoder().encode("MRNG");
const VERSION = 1;
const HEADER_BYTES = 12;
const CRC_BYTES = 4;
const READ_ONLY = 1;
const SERVING = 2;
const HAS_DATA = 4;
const WITH_TOKENS = 8;
const LOST_DATA = 16;
const FIRST_DATA = 32;
const ALL_FLAGS = 63;

/** Limits of what is decoded: bytes from the network must not decide how much memory we take. */
export const INSTANCES_MAX = 10_000;
export const TOKENS_PER_INSTANCE_MAX = 65_536;
const VERSIONS_MAX = 64;
const TEXT_BYTES_MAX = 1024;

export function encodeRing(ring: RingDescriptor): Uint8Array {
  return seal(inOrder(ring).map(encodeInstance));
}

/**
 * The ring as rings whose messages have at most `sizeBytesMax`, for packets. An instance that is too large for any stands
 * alone in a message of its own, which is then larger.
 */
export function splitRing(ring: RingDescriptor, sizeBytesMax: number): RingDescriptor[] {
  if (ring.size === 1) return [ring];
  const parts: Map<string, Instance>[] = [];
  let sizeBytes = Number.POSITIVE_INFINITY;
  for (const instance of inOrder(ring)) {
    const instanceBytes = encodeInstance(instance).length;
    if (sizeBytes + instanceBytes > sizeBytesMax) {
      parts.push(new Map());
      sizeBytes = HEADER_BYTES + CRC_BYTES;
    }
    parts.at(-1)?.set(instance.id, instance);
    sizeBytes += instanceBytes;
  }
  return parts;
}

export interface MalformedRing {
  readonly message: string;
  readonly offsetBytes: number;
}

/** Never throws: the bytes come from the network. */
export function decodeRing(
  bytes: Uint8Array,
): { readonly ring: RingDescriptor } | { readonly malformed: MalformedRing } {
  const reader = new RingReader(bytes);
  const ring = reader.readRing();
  if (reader.malformed !== undefined) return { malformed: reader.malformed };
  return { ring };
}

function inOrder(ring: RingDescriptor): Instance[] {
  return [...ring.values()].sort((left, right) => compareText(left.id, right.id));
}

function seal(instances: readonly Uint8Array[]): Uint8Array {
  const sizeBytes = instances.reduce((sum, { length }) => sum + length, HEADER_BYTES + CRC_BYTES);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(4, VERSION, true);
  view.setUint32(8, instances.length, true);
  let at = HEADER_BYTES;
  for (const instance of instances) {
    bytes.set(instance, at);
    at += instance.length;
  }
  view.setUint32(at, crc32c(bytes.subarray(0, at)), true);
  return bytes;
}

function encodeInstance(instance: Instance): Uint8Array {
  const encoder = new TextEncoder();
  const texts = [instance.id, instance.address, instance.zone].map((text) => encoder.encode(text));
  const versions = Object.entries(instance.versions)
    .sort(([left], [right]) => compareText(left, right))
    .flatMap(([key, value]) => [encoder.encode(key), encoder.encode(value)]);
  assert(versions.length <= 2 * VERSIONS_MAX, "an instance names few components");
  const hasTokens = instance.tokensUpdatedAtMs > 0;
  const textBytes = [...texts, ...versions].reduce((sum, { length }) => sum + 2 + length, 0);
  const tokenBytes = hasTokens ? 12 + 4 * instance.tokens.length : 0;
  const optional = [instance.lostDataAtMs, instance.firstDataAtMs].filter((timeMs) => timeMs > 0);
  const bytes = new Uint8Array(2 + textBytes + 24 + 8 * optional.length + 2 + tokenBytes);
  const view = new DataView(bytes.buffer);
  let at = 2;
  const writeText = (text: Uint8Array): void => {
    assert(text.length <= TEXT_BYTES_MAX, "texts of an instance are checked with its options");
    view.setUint16(at, text.length, true);
    bytes.set(text, at + 2);
    at += 2 + text.length;
  };
  const writeTime = (timeMs: number): void => {
    view.setBigUint64(at, BigInt(timeMs), true);
    at += 8;
  };
  bytes[0] = INSTANCE_STATES.indexOf(instance.state);
  bytes[1] = flagsOf(instance) | (hasTokens ? WITH_TOKENS : 0);
  texts.forEach(writeText);
  writeTime(instance.heartbeatMs);
  writeTime(instance.registeredAtMs);
  writeTime(instance.readOnlyUpdatedAtMs);
  optional.forEach(writeTime);
  view.setUint16(at, versions.length / 2, true);
  at += 2;
  versions.forEach(writeText);
  if (!hasTokens) return bytes;
  writeTime(instance.tokensUpdatedAtMs);
  view.setUint32(at, instance.tokens.length, true);
  at += 4;
  for (const token of instance.tokens) {
    view.setUint32(at, token, true);
    at += 4;
  }
  return bytes;
}

function flagsOf(instance: Instance): number {
  return (
    (instance.readOnly ? READ_ONLY : 0) |
    (instance.serving ? SERVING : 0) |
    (instance.hasData ? HAS_DATA : 0) |
    (instance.lostDataAtMs > 0 ? LOST_DATA : 0) |
    (instance.firstDataAtMs > 0 ? FIRST_DATA : 0)
  );
}

/** Reads until the first fault; after it every read gives nothing. */
class RingReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  /** Where instances end: what follows is the checksum. */
  readonly #end: number;
  #at = 0;
  malformed: MalformedRing | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#end = bytes.length - CRC_BYTES;
  }

  readRing(): RingDescriptor {
    const ring = new Map<string, Instance>();
    const count = this.#readHeader();
    let previousId: string | undefined;
    for (let i = 0; i < count && this.malformed === undefined; i++) {
      const startAt = this.#at;
      const instance = this.#readInstance();
      if (this.malformed !== undefined) break;
      if (previousId !== undefined && instance.id <= previousId) {
        this.#at = startAt;
        this.#fail(`instance ${JSON.stringify(instance.id)} is out of order`);
      }
      previousId = instance.id;
      ring.set(instance.id, instance);
    }
    if (this.malformed === undefined && this.#at !== this.#end) this.#fail("bytes are left over");
    return ring;
  }

  #readHeader(): number {
    if (this.#end < HEADER_BYTES) return this.#fail("the message is too short");
    if (MAGIC.some((byte, index) => this.#bytes[index] !== byte)) return this.#fail("not a ring");
    this.#at = 4;
    const version = this.#readUint16();
    if (version !== VERSION) return this.#fail(`version ${version} is not known here`);
    if (this.#readUint16() !== 0) return this.#fail("reserved bytes are not zero");
    const crc = this.#view.getUint32(this.#end, true);
    if (crc !== crc32c(this.#bytes.subarray(0, this.#end))) return this.#fail("wrong checksum");
    const count = this.#readUint32();
    return count <= INSTANCES_MAX ? count : this.#fail(`${count} instances are too many`);
  }

  #readInstance(): Instance {
    const state = INSTANCE_STATES[this.#readUint8()];
    const flags = this.#readUint8();
    if (state === undefined) this.#fail("unknown state");
    if (flags > ALL_FLAGS) this.#fail("unknown flags");
    const id = this.#readText();
    if (id === "") this.#fail("an instance without id");
    const address = this.#readText();
    const zone = this.#readText();
    const heartbeatMs = this.#readTime();
    const registeredAtMs = this.#readTime();
    const readOnlyUpdatedAtMs = this.#readTime();
    const lostDataAtMs = this.#readOptionalTime(flags & LOST_DATA);
    const firstDataAtMs = this.#readOptionalTime(flags & FIRST_DATA);
    const versions = this.#readVersions();
    const hasTokens = (flags & WITH_TOKENS) !== 0;
    const tokensUpdatedAtMs = hasTokens ? this.#readTime() : 0;
    if (hasTokens && tokensUpdatedAtMs === 0) this.#fail("tokens without a time");
    return {
      id,
      address,
      zone,
      state: state ?? "LEFT",
      heartbeatMs,
      registeredAtMs,
      readOnly: (flags & READ_ONLY) !== 0,
      readOnlyUpdatedAtMs,
      serving: (flags & SERVING) !== 0,
      hasData: (flags & HAS_DATA) !== 0,
      lostDataAtMs,
      firstDataAtMs,
      versions,
      tokensUpdatedAtMs,
      tokens: hasTokens ? this.#readTokens() : NO_TOKENS,
    };
  }

  /** 0 is said by leaving it out. */
  #readOptionalTime(flag: number): number {
    if (flag === 0) return 0;
    const timeMs = this.#readTime();
    if (timeMs === 0) this.#fail("a time that the flags announce is zero");
    return timeMs;
  }

  #readVersions(): Record<string, string> {
    const versions: [string, string][] = [];
    const count = this.#readUint16();
    if (count > VERSIONS_MAX) this.#fail(`${count} versions are too many`);
    let previous: string | undefined;
    for (let i = 0; i < count && this.malformed === undefined; i++) {
      const key = this.#readText();
      if (previous !== undefined && key <= previous) this.#fail("versions are out of order");
      versions.push([key, this.#readText()]);
      previous = key;
    }
    // Defines properties rather than setting them: a key from the network may be "__proto__".
    return Object.fromEntries(versions);
  }

  #readTokens(): Uint32Array {
    const count = this.#readUint32();
    if (count > TOKENS_PER_INSTANCE_MAX) this.#fail(`${count} tokens are too many`);
    if (!this.#has(4 * count)) return NO_TOKENS;
    const tokens = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const token = this.#readUint32();
      if (i > 0 && token <= (tokens[i - 1] ?? 0)) this.#fail("tokens are out of order");
      tokens[i] = token;
    }
    return tokens;
  }

  #readText(): string {
    const length = this.#readUint16();
    if (length > TEXT_BYTES_MAX) this.#fail(`a text of ${length} bytes is too long`);
    if (!this.#has(length)) return "";
    this.#at += length;
    try {
      return this.#decoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
    } catch {
      this.#fail("a text is not UTF-8");
      return "";
    }
  }

  #readTime(): number {
    if (!this.#has(8)) return 0;
    const timeMs = Number(this.#view.getBigUint64(this.#at, true));
    this.#at += 8;
    return timeMs <= Number.MAX_SAFE_INTEGER ? timeMs : this.#fail("a time is out of range");
  }

  #readUint8(): number {
    return this.#has(1) ? this.#view.getUint8(this.#at++) : 0;
  }

  #readUint16(): number {
    if (!this.#has(2)) return 0;
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2, true);
  }

  #readUint32(): number {
    if (!this.#has(4)) return 0;
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  #has(sizeBytes: number): boolean {
    if (this.malformed !== undefined) return false;
    if (this.#at + sizeBytes <= this.#end) return true;
    this.#fail("the message ends early");
    return false;
  }

  #fail(message: string): 0 {
    this.malformed ??= { message, offsetBytes: this.#at };
    return 0;
  }
}
