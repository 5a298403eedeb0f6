/** One node of a push/pull: {Addr, Incarnation, Meta, Name, Port, State, Vsn}. */
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { hostFromBytes } from "./ip-address.ts";
import { hostToBytes } from "./messages.ts";
import {
  readBytes,
  readBytesView,
  readStruct,
  readText,
  readUnsigned,
  writeStruct,
} from "./msgpack.ts";
import { ProtocolError } from "./protocol-error.ts";

/** In the order of their numbers on the wire. */
const STATUSES = ["alive", "suspect", "dead", "left"] as const;
export type NodeStatus = (typeof STATUSES)[number];

export interface NodeState {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly meta: Uint8Array;
  readonly incarnation: number;
  readonly status: NodeStatus;
  readonly versions: Uint8Array;
}

export function statusNumber(status: NodeStatus): number {
  return STATUSES.indexOf(status);
}

export function readNodeState(reader: ByteReader): NodeState {
  const node = {
    name: "",
    host: "",
    port: 0,
    meta: new Uint8Array() as Uint8Array,
    incarnation: 0,
    status: "alive" as NodeStatus,
    versions: new Uint8Array() as Uint8Array,
  };
  readStruct(reader, {
    Name: (value) => (node.name = readText(value)),
    Addr: (value) => (node.host = hostFromBytes(readBytesView(value))),
    Port: (value) => (node.port = readUnsigned(value, 0xffff)),
    Meta: (value) => (node.meta = readBytes(value)),
    Incarnation: (value) => (node.incarnation = readUnsigned(value, 0xffff_ffff)),
    State: (value) => (node.status = statusOf(readUnsigned(value, 255))),
    Vsn: (value) => (node.versions = readBytes(value)),
  });
  return node;
}

function statusOf(number: number): NodeStatus {
  const status = STATUSES[number];
  if (status === undefined) throw new ProtocolError("malformed", `node state ${number}`);
  return status;
}

export function writeNodeState(writer: ByteWriter, node: NodeState): void {
  writeStruct(writer, [
    ["Addr", hostToBytes(node.host)],
    ["Incarnation", node.incarnation],
    ["Meta", node.meta],
    ["Name", node.name],
    ["Port", node.port],
    ["State", statusNumber(node.status)],
    ["Vsn", node.versions],
  ]);
}
