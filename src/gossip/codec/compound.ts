/**
 * Several messages in one packet:
 *
 *   ┌───┬───────┬─────────────────┬─────────────────────┐
 *   │ 7 │ count │ count × u16 len │ messages, end to end│
 *   └───┴───────┴─────────────────┴─────────────────────┘
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { MESSAGE_TYPE } from "./messages.ts";

export const COMPOUND_HEADER_BYTES = 2;
/** For each message. */
export const COMPOUND_OVERHEAD_BYTES = 2;
const COMPOUND_COUNT_MAX = 255;

/** `body` is what follows the type byte. A compound that was cut short still gives its whole messages. */
export function splitCompound(body: Uint8Array): { parts: Uint8Array[]; truncated: number } {
  const reader = new ByteReader(body);
  const count = reader.uint8();
  const lengths = new ByteReader(reader.bytes(2 * count));
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const length = lengths.uint16();
    if (length > reader.left) return { parts, truncated: count - index };
    parts.push(reader.bytes(length));
  }
  return { parts, truncated: 0 };
}

/** One payload for each 255 messages; a single message stays as it is. */
export function makeCompounds(messages: readonly Uint8Array[]): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < messages.length; at += COMPOUND_COUNT_MAX) {
    const group = messages.slice(at, at + COMPOUND_COUNT_MAX);
    payloads.push(group.length === 1 ? (group[0] as Uint8Array) : makeCompound(group));
  }
  return payloads;
}

function makeCompound(messages: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter(1400);
  writer.uint8(MESSAGE_TYPE.compound);
  writer.uint8(messages.length);
  for (const message of messages) writer.uint16(message.length);
  for (const message of messages) writer.bytes(message);
  return writer.finish();
}
