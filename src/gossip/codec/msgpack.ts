/**
 * The part of MessagePack that memberlist uses: maps with text keys (Go structs), unsigned numbers, booleans, nil,
 * text and bytes. Go's codec writes the old format, in which text and bytes are the same "raw" family and neither
 * str8 nor bin nor ext exist:
 *
 *   80..8f            map, up to 15 pairs          c0        nil (an absent value)
 *   a0..bf            raw, up to 31 bytes          c2 c3     false, true
 *   da u16, db u32    raw, longer                  00..7f, cc u8, cd u16, ce u32, cf u64, d0..d3   numbers
 *
 * We write the same, and read the newer forms (d9, c4..c6) too. As Go does, a reader passes over fields that it does
 * not know, takes nil and absence as the zero value, and lets the last of two equal keys win.
 */
import type { ByteReader } from "./byte-reader.ts";
import { type ByteWriter, textBytes } from "./byte-writer.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Unknown fields may nest; deeper than this nobody does. */
const DEPTH_MAX = 16;
/** No struct of the protocol has more than eight fields. */
const FIELDS_MAX = 64;

/** Field name → reads its value. */
export type FieldReaders = Readonly<Record<string, (reader: ByteReader) => void>>;

export function readStruct(reader: ByteReader, fields: FieldReaders): void {
  const count = readMapHeader(reader);
  if (count > FIELDS_MAX) throw malformed(`a struct of ${count} fields`);
  for (let index = 0; index < count; index++) {
    const name = readText(reader);
    // A name from outside may be "__proto__": only own properties are fields.
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) skipValue(reader, 0);
    else field(reader);
  }
}

function readMapHeader(reader: ByteReader): number {
  const tag = reader.uint8();
  if (tag >= 0x80 && tag <= 0x8f) return tag & 0x0f;
  if (tag === 0xde) return reader.uint16();
  if (tag === 0xdf) return reader.uint32();
  if (tag === 0xc0) return 0;
  throw malformed(`a struct begins with ${hex(tag)}`);
}

export function readText(reader: ByteReader): string {
  const tag = reader.uint8();
  return tag === 0xc0 ? "" : reader.text(rawLength(reader, tag));
}

/** A copy: what is read may outlive the packet's buffer. */
export function readBytes(reader: ByteReader): Uint8Array {
  return readBytesView(reader).slice();
}

export function readBytesView(reader: ByteReader): Uint8Array {
  const tag = reader.uint8();
  return reader.bytes(tag === 0xc0 ? 0 : rawLength(reader, tag));
}

function rawLength(reader: ByteReader, tag: number): number {
  if (tag >= 0xa0 && tag <= 0xbf) return tag & 0x1f;
  switch (tag) {
    case 0xc4:
    case 0xd9:
      return reader.uint8();
    case 0xc5:
    case 0xda:
      return reader.uint16();
    case 0xc6:
    case 0xdb:
      return reader.uint32();
    default:
      throw malformed(`text or bytes begin with ${hex(tag)}`);
  }
}

export function readBoolean(reader: ByteReader): boolean {
  const tag = reader.uint8();
  if (tag === 0xc2 || tag === 0xc0) return false;
  if (tag === 0xc3) return true;
  throw malformed(`a boolean begins with ${hex(tag)}`);
}

export function readUnsigned(reader: ByteReader, max: number): number {
  const value = readNumber(reader);
  if (value < 0 || value > max) throw malformed(`${value} is not within 0 and ${max}`);
  return value;
}

function readNumber(reader: ByteReader): number {
  const tag = reader.uint8();
  if (tag <= 0x7f) return tag;
  if (tag >= 0xe0) return tag - 256;
  switch (tag) {
    case 0xc0:
      return 0;
    case 0xcc:
      return reader.uint8();
    case 0xcd:
      return reader.uint16();
    case 0xce:
      return reader.uint32();
    case 0xcf:
      return Number(reader.uint64());
    case 0xd0:
      return reader.int8();
    case 0xd1:
      return reader.int16();
    case 0xd2:
      return reader.int32();
    case 0xd3:
      return Number(reader.int64());
    default:
      throw malformed(`a number begins with ${hex(tag)}`);
  }
}

/** Bytes after the tag of values of one size. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
  0xd4: 2,
  0xd5: 3,
  0xd6: 5,
  0xd7: 9,
  0xd8: 17,
};

function skipValue(reader: ByteReader, depth: number): void {
  if (depth > DEPTH_MAX) throw malformed("values nest too deep");
  const tag = reader.uint8();
  if (tag <= 0x7f || tag >= 0xe0) return;
  const fixedBytes = FIXED_BYTES[tag];
  if (fixedBytes !== undefined) reader.skip(fixedBytes);
  else if (tag <= 0x8f) skipValues(reader, 2 * (tag & 0x0f), depth);
  else if (tag <= 0x9f) skipValues(reader, tag & 0x0f, depth);
  else if (tag === 0xdc) skipValues(reader, reader.uint16(), depth);
  else if (tag === 0xdd) skipValues(reader, reader.uint32(), depth);
  else if (tag === 0xde) skipValues(reader, 2 * reader.uint16(), depth);
  else if (tag === 0xdf) skipValues(reader, 2 * reader.uint32(), depth);
  else if (tag === 0xc7) reader.skip(reader.uint8() + 1);
  else if (tag === 0xc8) reader.skip(reader.uint16() + 1);
  else if (tag === 0xc9) reader.skip(reader.uint32() + 1);
  else reader.skip(rawLength(reader, tag));
}

/** Each value takes a byte at least, so a count that lies ends at the end of the input. */
function skipValues(reader: ByteReader, count: number, depth: number): void {
  if (count > reader.left) throw new ProtocolError("incomplete", `${count} values are announced`);
  for (let index = 0; index < count; index++) skipValue(reader, depth + 1);
}

export type FieldValue = number | boolean | string | Uint8Array | null;

/** Fields in the order in which they are written: Go sorts them by name. */
export function writeStruct(
  writer: ByteWriter,
  fields: readonly (readonly [name: string, value: FieldValue])[],
): void {
  writer.uint8(0x80 | fields.length);
  for (const [name, value] of fields) {
    writeRaw(writer, textBytes(name));
    writeValue(writer, value);
  }
}

function writeValue(writer: ByteWriter, value: FieldValue): void {
  if (value === null) writer.uint8(0xc0);
  else if (typeof value === "boolean") writer.uint8(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeUnsigned(writer, value);
  else writeRaw(writer, typeof value === "string" ? textBytes(value) : value);
}

function writeUnsigned(writer: ByteWriter, value: number): void {
  if (value <= 0x7f) return writer.uint8(value);
  if (value <= 0xff) {
    writer.uint8(0xcc);
    return writer.uint8(value);
  }
  if (value <= 0xffff) {
    writer.uint8(0xcd);
    return writer.uint16(value);
  }
  writer.uint8(0xce);
  writer.uint32(value);
}

function writeRaw(writer: ByteWriter, bytes: Uint8Array): void {
  if (bytes.length <= 31) writer.uint8(0xa0 | bytes.length);
  else if (bytes.length <= 0xffff) {
    writer.uint8(0xda);
    writer.uint16(bytes.length);
  } else {
    writer.uint8(0xdb);
    writer.uint32(bytes.length);
  }
  writer.bytes(bytes);
}

function malformed(what: string): ProtocolError {
  return new ProtocolError("malformed", `MessagePack: ${what}`);
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}
