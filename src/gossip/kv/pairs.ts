/**
 * What the store says to other stores, in user messages and as the user state of a push/pull
 * (docs/formats/gossip-kv.md):
 *
 *   ┌──────────┬─────────────────────────────────────────────────────────────────────────┐
 *   │ 0x4b 'K' │ pairs to the end: varint n, key n · varint n, type n · varint n, value n │
 *   │ 0x01     │                                                                         │
 *   └──────────┴─────────────────────────────────────────────────────────────────────────┘
 *
 * A value may be a part of what its sender knows: the receiver merges it.
 */
import { ByteReader } from "../codec/byte-reader.ts";
import { ByteWriter, concatBytes, textBytes } from "../codec/byte-writer.ts";
import { ProtocolError } from "../codec/protocol-error.ts";

export interface Pair {
  readonly key: string;
  readonly type: string;
  readonly value: Uint8Array;
}

const MAGIC = 0x4b;
const VERSION = 1;
const HEADER_BYTES = 2;
export const KEY_BYTES_MAX = 512;
const TYPE_BYTES_MAX = 64;
/** What a push/pull may carry. */
const VALUE_BYTES_MAX = 20 << 20;

export function encodePairs(pairs: Iterable<Pair>): Uint8Array {
  const writer = new ByteWriter();
  writer.uint8(MAGIC);
  writer.uint8(VERSION);
  for (const { key, type, value } of pairs) {
    writeSized(writer, textBytes(key));
    writeSized(writer, textBytes(type));
    writeSized(writer, value);
  }
  return writer.finish();
}

function writeSized(writer: ByteWriter, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

/** Several messages as one. */
export function joinMessages(messages: readonly Uint8Array[]): Uint8Array {
  const bodies = messages.map((message) => message.subarray(HEADER_BYTES));
  return concatBytes(Uint8Array.of(MAGIC, VERSION), ...bodies);
}

/** Throws a ProtocolError at the first fault; pairs before it have been given. Values are views. */
export function* decodePairs(bytes: Uint8Array): Generator<Pair> {
  const reader = new ByteReader(bytes);
  if (reader.uint8() !== MAGIC || reader.uint8() !== VERSION) {
    throw new ProtocolError("malformed", "not of a key-value store, or of an unknown version");
  }
  while (reader.left > 0) {
    const key = reader.text(readSize(reader, KEY_BYTES_MAX));
    const type = reader.text(readSize(reader, TYPE_BYTES_MAX));
    yield { key, type, value: reader.bytes(readSize(reader, VALUE_BYTES_MAX)) };
  }
}

function readSize(reader: ByteReader, sizeBytesMax: number): number {
  const sizeBytes = reader.varint();
  if (sizeBytes > sizeBytesMax) {
    throw new ProtocolError("too-large", `${sizeBytes} bytes, at most ${sizeBytesMax}`);
  }
  return sizeBytes;
}
