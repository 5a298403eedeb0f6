/**
 * A packet, outermost layer first; all but the message are optional:
 *
 *   label (label.ts) ─ encryption (encryption.ts) ─ 12 + CRC-32 (IEEE) of the rest ─ compress ─ compound ─ message
 *
 * Compress and compound may nest in each other, as Go allows; how deep and how far they may unfold is limited here.
 */
import { crc32 } from "node:zlib";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, concatBytes } from "./byte-writer.ts";
import { splitCompound } from "./compound.ts";
import { compressMessage, decompressMessage } from "./compression.ts";
import { decodeMessage, MESSAGE_TYPE, type Message } from "./messages.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Security } from "./security.ts";

/** A datagram has at most 64 KiB, and nobody sends what unfolds to more than this. */
const UNPACKED_BYTES_MAX = 1 << 20;
const DEPTH_MAX = 4;
const MESSAGES_MAX = 1024;

export const CRC_OVERHEAD_BYTES = 5;

export interface PacketOptions {
  readonly compress: boolean;
}

/** `withCrc`: the receiver knows protocol version 5. */
export function encodePacket(
  payload: Uint8Array,
  { withCrc, compress }: { withCrc: boolean } & PacketOptions,
  security: Security,
): Uint8Array {
  let bytes = compress ? smaller(payload, compressMessage(payload)) : payload;
  if (withCrc) bytes = checksummed(bytes);
  if (security.encryptsOutgoing) bytes = security.encrypt(bytes, security.ownLabel);
  return concatBytes(security.header, bytes);
}

function smaller(plain: Uint8Array, packed: Uint8Array): Uint8Array {
  return packed.length < plain.length ? packed : plain;
}

function checksummed(bytes: Uint8Array): Uint8Array {
  const writer = new ByteWriter(CRC_OVERHEAD_BYTES + bytes.length);
  writer.uint8(MESSAGE_TYPE.hasCrc);
  writer.uint32(crc32(bytes));
  writer.bytes(bytes);
  return writer.finish();
}

export interface DecodedPacket {
  readonly messages: readonly Message[];
  /** Parts of a compound that are no message; the others count all the same. */
  readonly malformed: readonly ProtocolError[];
}

export function decodePacket(bytes: Uint8Array, security: Security): DecodedPacket {
  const { label, rest } = security.splitLabel(bytes);
  const unpacker = new Unpacker();
  const plain = decryptPacket(rest, label, security);
  unpacker.unpack(withoutChecksum(plain), 0);
  return unpacker;
}

function decryptPacket(bytes: Uint8Array, label: Uint8Array, security: Security): Uint8Array {
  if (!security.hasKeys) return bytes;
  try {
    return security.decrypt(bytes, label);
  } catch (error) {
    if (security.requiresEncryption || !(error instanceof ProtocolError)) throw error;
    return bytes;
  }
}

function withoutChecksum(bytes: Uint8Array): Uint8Array {
  if (bytes.length < CRC_OVERHEAD_BYTES || bytes[0] !== MESSAGE_TYPE.hasCrc) return bytes;
  const reader = new ByteReader(bytes, 1);
  const expected = reader.uint32();
  const rest = reader.rest();
  if (crc32(rest) !== expected) throw new ProtocolError("wrong-checksum", "damaged on its way");
  return rest;
}

class Unpacker {
  readonly messages: Message[] = [];
  readonly malformed: ProtocolError[] = [];
  #bytesLeft = UNPACKED_BYTES_MAX;

  unpack(bytes: Uint8Array, depth: number): void {
    if (depth > DEPTH_MAX) throw new ProtocolError("too-large", "messages nest too deep");
    const reader = new ByteReader(bytes);
    const type = reader.uint8();
    if (type === MESSAGE_TYPE.compress) {
      const whole = decompressMessage(reader, this.#bytesLeft);
      this.#bytesLeft -= whole.length;
      this.unpack(whole, depth + 1);
    } else if (type === MESSAGE_TYPE.compound) this.#unpackParts(reader.rest(), depth);
    else {
      if (this.messages.length >= MESSAGES_MAX) {
        throw new ProtocolError("too-large", `more than ${MESSAGES_MAX} messages in a packet`);
      }
      this.messages.push(decodeMessage(type, reader.rest()));
    }
  }

  #unpackParts(body: Uint8Array, depth: number): void {
    const { parts, truncated } = splitCompound(body);
    for (const part of parts) {
      try {
        this.unpack(part, depth + 1);
      } catch (error) {
        if (!(error instanceof ProtocolError) || error.reason === "too-large") throw error;
        this.malformed.push(error);
      }
    }
    if (truncated > 0) {
      this.malformed.push(new ProtocolError("incomplete", `${truncated} messages are cut off`));
    }
  }
}
