/**
 * Who is elected of a pair of Prometheus servers, as distributors tell each other (docs/formats/ha-replica.md). One
 * value for each key `ha-tracker/<tenant>/<cluster>`. Big-endian:
 *
 *     4 magic "MHAR" · 1 version (1)
 *     varint receivedAtMs · varint electedAtMs · varint deletedAtMs · varint electedChanges
 *     varint n · n bytes, replica in UTF-8 · 4 CRC-32C of all bytes before
 *
 * Values of a key are ordered: by election, then by how lately the elected replica was received, then by its name (two
 * distributors may elect at the same moment), then the removed one after the one that is not. Of two the later one
 * stays, so merging is a maximum: commutative, associative and idempotent. A replica that is received again after it
 * was removed therefore comes back, and Mimir's rule (same replica: newest receivedAt; different: newest electedAt) is kept
 * wherever that rule has an order at all: taken literally it can prefer a to b, b to c and c to a.
 */
import { ByteReader } from "../../gossip/codec/byte-reader.ts";
import { ByteWriter, textBytes } from "../../gossip/codec/byte-writer.ts";
import { ProtocolError } from "../../gossip/codec/protocol-error.ts";
import type { ValueType } from "../../gossip/kv/value-type.ts";
import { crc32c } from "../../kernel/host/crc32c.ts";

export interface ElectedReplica {
  readonly replica: string;
  /** When it was last received, as far as it is written down. By the clock of the distributor that wrote it. */
  readonly receivedAtMs: number;
  readonly electedAtMs: number;
  /** How often another one was elected. */
  readonly electedChanges: number;
  /** 0, or when the pair was removed because nothing came from it any more. */
  readonly deletedAtMs: number;
}

const MAGIC = 0x4d484152;
const VERSION = 1;
const CRC_BYTES = 4;
/** Leaves room for "one later than that" many times over. */
const NUMBER_MAX = 2 ** 52;
const REPLICA_BYTES_MAX = 256;

export const REPLICA_VALUE: ValueType<ElectedReplica | undefined> = {
  id: "ha-replica",
  empty: undefined,
  isEmpty: (value) => value === undefined,
  merge(mine, incoming) {
    const isNew = incoming !== undefined && (mine === undefined || compare(incoming, mine) > 0);
    return isNew ? { result: incoming, change: incoming } : { result: mine, change: undefined };
  },
  encode: (value) => (value === undefined ? new Uint8Array(0) : encode(value)),
  split: (value) => (value === undefined ? [] : [value]),
  decode,
  subjects: (change) => (change === undefined ? [] : ["elected"]),
  withoutOldTombstones: (value, beforeMs) => (isOldTombstone(value, beforeMs) ? undefined : value),
  tombstoneCount: (value) => (isRemoved(value) ? 1 : 0),
};

/** The next election, whoever was elected before. It is later than that one also if the clocks say otherwise. */
export function elect(
  before: ElectedReplica | undefined,
  replica: string,
  nowMs: number,
): ElectedReplica {
  const changes = before?.electedChanges ?? 0;
  const isOther = before !== undefined && before.replica !== replica;
  return {
    replica,
    receivedAtMs: nowMs,
    electedAtMs: Math.max(nowMs, (before?.electedAtMs ?? 0) + 1),
    electedChanges: isOther ? changes + 1 : changes,
    deletedAtMs: 0,
  };
}

export function received(elected: ElectedReplica, nowMs: number): ElectedReplica {
  return {
    ...elected,
    receivedAtMs: Math.max(nowMs, elected.receivedAtMs + 1),
    deletedAtMs: 0,
  };
}

export function removed(elected: ElectedReplica, nowMs: number): ElectedReplica {
  return { ...elected, deletedAtMs: Math.max(nowMs, 1) };
}

export function isRemoved(value: ElectedReplica | undefined): boolean {
  return value !== undefined && value.deletedAtMs > 0;
}

function isOldTombstone(value: ElectedReplica | undefined, beforeMs: number): boolean {
  return value !== undefined && isRemoved(value) && value.deletedAtMs < beforeMs;
}

function compare(left: ElectedReplica, right: ElectedReplica): number {
  return (
    left.electedAtMs - right.electedAtMs ||
    left.receivedAtMs - right.receivedAtMs ||
    compareText(left.replica, right.replica) ||
    left.deletedAtMs - right.deletedAtMs ||
    left.electedChanges - right.electedChanges
  );
}

/** In an order that is the same on every machine. */
function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function encode(value: ElectedReplica): Uint8Array {
  const { replica, receivedAtMs, electedAtMs, deletedAtMs, electedChanges } = value;
  const name = textBytes(replica);
  const writer = new ByteWriter(64);
  writer.uint32(MAGIC);
  writer.uint8(VERSION);
  for (const number of [receivedAtMs, electedAtMs, deletedAtMs, electedChanges, name.length]) {
    writer.varint(number);
  }
  writer.bytes(name);
  writer.uint32(crc32c(writer.finish()));
  return writer.finish();
}

/** Throws a ProtocolError. */
function decode(bytes: Uint8Array): ElectedReplica {
  const body = bytes.subarray(0, Math.max(0, bytes.length - CRC_BYTES));
  const reader = new ByteReader(body);
  if (reader.uint32() !== MAGIC) throw new ProtocolError("malformed", "not an elected replica");
  const version = reader.uint8();
  if (version !== VERSION) {
    throw new ProtocolError("malformed", `version ${version} of an elected replica is not known`);
  }
  if (new ByteReader(bytes, body.length).uint32() !== crc32c(body)) {
    throw new ProtocolError("malformed", "wrong checksum of an elected replica");
  }
  const receivedAtMs = readNumber(reader);
  const electedAtMs = readNumber(reader);
  const deletedAtMs = readNumber(reader);
  const electedChanges = readNumber(reader);
  const nameBytes = reader.varint();
  if (nameBytes > REPLICA_BYTES_MAX || nameBytes !== reader.left) {
    throw new ProtocolError("malformed", `${nameBytes} bytes are no name of a replica`);
  }
  const replica = reader.text(nameBytes);
  return { replica, receivedAtMs, electedAtMs, electedChanges, deletedAtMs };
}

function readNumber(reader: ByteReader): number {
  const number = reader.varint();
  if (number > NUMBER_MAX) throw new ProtocolError("too-large", `${number} is out of range`);
  return number;
}
