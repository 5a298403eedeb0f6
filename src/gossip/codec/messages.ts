/**
 * The messages that a packet may carry: one type byte, then a MessagePack struct (user messages: the rest as it is).
 *
 *   0 ping   1 indirectPing   2 ackResp   3 suspect   4 alive   5 dead   8 user   11 nackResp
 *
 * Wrappers (compound 7, compress 9, hasCrc 12, label 244, encryption) are in files of their own; 6 pushPull, 10
 * encrypt and 13 err occur in streams only (stream.ts).
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { hostFromBytes, tryHostToBytes } from "./ip-address.ts";
import {
  type FieldValue,
  readBoolean,
  readBytes,
  readBytesView,
  readStruct,
  readText,
  readUnsigned,
  writeStruct,
} from "./msgpack.ts";
import { ProtocolError } from "./protocol-error.ts";

export const MESSAGE_TYPE = {
  ping: 0,
  indirectPing: 1,
  ack: 2,
  suspect: 3,
  alive: 4,
  dead: 5,
  pushPull: 6,
  compound: 7,
  user: 8,
  compress: 9,
  encrypt: 10,
  nack: 11,
  hasCrc: 12,
  error: 13,
  hasLabel: 244,
} as const;

/** Who asks; an empty host or port 0: answer to where the packet came from. */
export interface PingSource {
  readonly sourceHost: string;
  readonly sourcePort: number;
  readonly sourceNode: string;
}

export interface Ping extends PingSource {
  readonly type: "ping";
  readonly sequence: number;
  /** Whom the sender believes to be there; "" is anybody. */
  readonly node: string;
}

export interface IndirectPing extends PingSource {
  readonly type: "indirect-ping";
  readonly sequence: number;
  readonly node: string;
  readonly targetHost: string;
  readonly targetPort: number;
  readonly wantsNack: boolean;
}

export interface Ack {
  readonly type: "ack";
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export interface Nack {
  readonly type: "nack";
  readonly sequence: number;
}

export interface Suspect {
  readonly type: "suspect";
  readonly incarnation: number;
  readonly node: string;
  /** Who suspects. */
  readonly from: string;
}

export interface Alive {
  readonly type: "alive";
  readonly incarnation: number;
  readonly node: string;
  readonly host: string;
  readonly port: number;
  readonly meta: Uint8Array;
  /** Protocol min, max, current, then the same of the application's; empty if the sender has none. */
  readonly versions: Uint8Array;
}

export interface Dead {
  readonly type: "dead";
  readonly incarnation: number;
  readonly node: string;
  /** Equal to `node`: it left on its own. */
  readonly from: string;
}

export interface UserMessage {
  readonly type: "user";
  readonly payload: Uint8Array;
}

export type Message = Ping | IndirectPing | Ack | Nack | Suspect | Alive | Dead | UserMessage;

const UINT16_MAX = 0xffff;
const UINT32_MAX = 0xffff_ffff;

/** `body` is what follows the type byte. What is kept of it is copied. */
export function decodeMessage(type: number, body: Uint8Array): Message {
  if (type === MESSAGE_TYPE.user) return { type: "user", payload: body.slice() };
  const decode = DECODERS[type];
  if (decode === undefined) {
    throw new ProtocolError("malformed", `message type ${type} does not belong into a packet`);
  }
  return decode(new ByteReader(body));
}

const DECODERS: Readonly<Record<number, (reader: ByteReader) => Message>> = {
  [MESSAGE_TYPE.ping]: decodePing,
  [MESSAGE_TYPE.indirectPing]: decodeIndirectPing,
  [MESSAGE_TYPE.ack]: decodeAck,
  [MESSAGE_TYPE.nack]: decodeNack,
  [MESSAGE_TYPE.suspect]: (reader) => ({ type: "suspect", ...decodeAccusation(reader) }),
  [MESSAGE_TYPE.alive]: decodeAlive,
  [MESSAGE_TYPE.dead]: (reader) => ({ type: "dead", ...decodeAccusation(reader) }),
};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export function decodePing(reader: ByteReader): Ping {
  const ping: Mutable<Ping> = {
    type: "ping",
    sequence: 0,
    node: "",
    sourceHost: "",
    sourcePort: 0,
    sourceNode: "",
  };
  readStruct(reader, { ...pingFields(ping) });
  return ping;
}

function decodeIndirectPing(reader: ByteReader): IndirectPing {
  const ping: Mutable<IndirectPing> = {
    type: "indirect-ping",
    sequence: 0,
    node: "",
    targetHost: "",
    targetPort: 0,
    wantsNack: false,
    sourceHost: "",
    sourcePort: 0,
    sourceNode: "",
  };
  readStruct(reader, {
    ...pingFields(ping),
    Target: (value) => (ping.targetHost = hostFromBytes(readBytesView(value))),
    Port: (value) => (ping.targetPort = readUnsigned(value, UINT16_MAX)),
    Nack: (value) => (ping.wantsNack = readBoolean(value)),
  });
  return ping;
}

function pingFields(ping: Mutable<Ping> | Mutable<IndirectPing>) {
  return {
    SeqNo: (reader: ByteReader) => (ping.sequence = readUnsigned(reader, UINT32_MAX)),
    Node: (reader: ByteReader) => (ping.node = readText(reader)),
    SourceAddr: (reader: ByteReader) => (ping.sourceHost = hostFromBytes(readBytesView(reader))),
    SourcePort: (reader: ByteReader) => (ping.sourcePort = readUnsigned(reader, UINT16_MAX)),
    SourceNode: (reader: ByteReader) => (ping.sourceNode = readText(reader)),
  };
}

export function decodeAck(reader: ByteReader): Ack {
  const ack: Mutable<Ack> = { type: "ack", sequence: 0, payload: new Uint8Array() };
  readStruct(reader, {
    SeqNo: (value) => (ack.sequence = readUnsigned(value, UINT32_MAX)),
    Payload: (value) => (ack.payload = readBytes(value)),
  });
  return ack;
}

function decodeNack(reader: ByteReader): Nack {
  const nack: Mutable<Nack> = { type: "nack", sequence: 0 };
  readStruct(reader, { SeqNo: (value) => (nack.sequence = readUnsigned(value, UINT32_MAX)) });
  return nack;
}

function decodeAccusation(reader: ByteReader): Omit<Suspect, "type"> {
  const found = { incarnation: 0, node: "", from: "" };
  readStruct(reader, {
    Incarnation: (value) => (found.incarnation = readUnsigned(value, UINT32_MAX)),
    Node: (value) => (found.node = readText(value)),
    From: (value) => (found.from = readText(value)),
  });
  return found;
}

function decodeAlive(reader: ByteReader): Alive {
  const alive: Mutable<Alive> = {
    type: "alive",
    incarnation: 0,
    node: "",
    host: "",
    port: 0,
    meta: new Uint8Array(),
    versions: new Uint8Array(),
  };
  readStruct(reader, {
    Incarnation: (value) => (alive.incarnation = readUnsigned(value, UINT32_MAX)),
    Node: (value) => (alive.node = readText(value)),
    Addr: (value) => (alive.host = hostFromBytes(readBytesView(value))),
    Port: (value) => (alive.port = readUnsigned(value, UINT16_MAX)),
    Meta: (value) => (alive.meta = readBytes(value)),
    Vsn: (value) => (alive.versions = readBytes(value)),
  });
  return alive;
}

/** With its type byte. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  switch (message.type) {
    case "ping":
      writer.uint8(MESSAGE_TYPE.ping);
      writeStruct(writer, [
        ["Node", message.node],
        ["SeqNo", message.sequence],
        ...sourceFields(message),
      ]);
      break;
    case "indirect-ping":
      writer.uint8(MESSAGE_TYPE.indirectPing);
      writeStruct(writer, [
        ["Nack", message.wantsNack],
        ["Node", message.node],
        ["Port", message.targetPort],
        ["SeqNo", message.sequence],
        ...sourceFields(message),
        ["Target", hostToBytes(message.targetHost)],
      ]);
      break;
    case "ack":
      writer.uint8(MESSAGE_TYPE.ack);
      writeStruct(writer, [
        ["Payload", message.payload.length === 0 ? null : message.payload],
        ["SeqNo", message.sequence],
      ]);
      break;
    case "nack":
      writer.uint8(MESSAGE_TYPE.nack);
      writeStruct(writer, [["SeqNo", message.sequence]]);
      break;
    case "suspect":
    case "dead":
      writer.uint8(MESSAGE_TYPE[message.type]);
      writeStruct(writer, [
        ["From", message.from],
        ["Incarnation", message.incarnation],
        ["Node", message.node],
      ]);
      break;
    case "alive":
      writer.uint8(MESSAGE_TYPE.alive);
      writeStruct(writer, [
        ["Addr", hostToBytes(message.host)],
        ["Incarnation", message.incarnation],
        ["Meta", message.meta],
        ["Node", message.node],
        ["Port", message.port],
        ["Vsn", message.versions],
      ]);
      break;
    case "user":
      writer.uint8(MESSAGE_TYPE.user);
      writer.bytes(message.payload);
      break;
  }
  return writer.finish();
}

/** Absent fields are left out, as Go does. */
function sourceFields(source: PingSource): [string, FieldValue][] {
  const fields: [string, FieldValue][] = [
    ["SourceAddr", hostToBytes(source.sourceHost)],
    ["SourceNode", source.sourceNode],
    ["SourcePort", source.sourcePort],
  ];
  return fields.filter(
    ([, value]) => !(value === 0 || (value as string | Uint8Array).length === 0),
  );
}

/** Text that is no address goes out as none: it can only come from our own options, which are checked. */
export function hostToBytes(host: string): Uint8Array {
  return tryHostToBytes(host) ?? new Uint8Array();
}
