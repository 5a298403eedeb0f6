/**
 * What goes over TCP: the label once at the start of the dialling side, then one message in each direction.
 *
 *   plain       type byte, body
 *   compressed  9, {Algo, Buf: type byte and body}
 *   encrypted   10, u32 length, encryption of one of the above; authenticated data is these five bytes and the label
 *
 *   6 pushPull  {Join, Nodes, UserStateLen}, Nodes × node state, user state
 *   8 user      {UserMsgLen}, message
 *   0 ping, 2 ackResp, 13 err {Error}
 *
 * `StreamDecoder` takes bytes as they come. It holds no more than the lengths that it has checked allow, and it does
 * not read the same node state twice, however small the pieces are.
 */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter, concatBytes } from "./byte-writer.ts";
import { compressMessage, decompressMessage } from "./compression.ts";
import { encryptedSizeBytes } from "./encryption.ts";
import {
  type Ack,
  decodeAck,
  decodePing,
  encodeMessage,
  MESSAGE_TYPE,
  type Ping,
} from "./messages.ts";
import { readBoolean, readStruct, readText, readUnsigned, writeStruct } from "./msgpack.ts";
import { type NodeState, readNodeState, writeNodeState } from "./node-state.ts";
import { ProtocolError } from "./protocol-error.ts";
import type { Security } from "./security.ts";

/** Largest user state, user message, and encrypted or compressed body. */
const BODY_BYTES_MAX = 20 << 20;
/** A compressed push/pull unfolds to the user state and as much again of node states. */
const UNPACKED_BYTES_MAX = 2 * BODY_BYTES_MAX;
const NODES_MAX = 1 << 20;
/** A ping, an answer, a header or one node state (its metadata has at most 512 bytes) is far smaller. */
const SMALL_BYTES_MAX = 1 << 16;

export interface PushPull {
  readonly type: "push-pull";
  /** The dialling side wants to join; false: it only compares notes. */
  readonly join: boolean;
  readonly nodes: readonly NodeState[];
  readonly userState: Uint8Array;
}

export interface StreamUserMessage {
  readonly type: "user";
  readonly payload: Uint8Array;
}

export interface StreamError {
  readonly type: "error";
  readonly message: string;
}

export type StreamMessage = PushPull | StreamUserMessage | StreamError | Ping | Ack;

/** Without the label: see `Security.header`. */
export function encodeStreamMessage(
  message: StreamMessage,
  { compress }: { compress: boolean },
  security: Security,
): Uint8Array {
  const plain = encodePlain(message);
  const packed = compress ? compressMessage(plain) : plain;
  return security.encryptsOutgoing ? encryptBody(packed, security) : packed;
}

function encodePlain(message: StreamMessage): Uint8Array {
  if (message.type === "ping" || message.type === "ack") return encodeMessage(message);
  const writer = new ByteWriter();
  switch (message.type) {
    case "push-pull":
      writer.uint8(MESSAGE_TYPE.pushPull);
      writeStruct(writer, [
        ["Join", message.join],
        ["Nodes", message.nodes.length],
        ["UserStateLen", message.userState.length],
      ]);
      for (const node of message.nodes) writeNodeState(writer, node);
      writer.bytes(message.userState);
      break;
    case "user":
      writer.uint8(MESSAGE_TYPE.user);
      writeStruct(writer, [["UserMsgLen", message.payload.length]]);
      writer.bytes(message.payload);
      break;
    case "error":
      writer.uint8(MESSAGE_TYPE.error);
      writeStruct(writer, [["Error", message.message]]);
      break;
  }
  return writer.finish();
}

function encryptBody(plain: Uint8Array, security: Security): Uint8Array {
  const header = new ByteWriter(5);
  header.uint8(MESSAGE_TYPE.encrypt);
  header.uint32(encryptedSizeBytes(security.encryptionVersion, plain.length));
  const authenticated = concatBytes(header.finish(), security.ownLabel);
  return concatBytes(header.finish(), security.encrypt(plain, authenticated));
}

/**
 * Reads one message. `expectsLabel` on the side that accepted the stream; answers carry no label of their own.
 */
export class StreamDecoder {
  readonly #security: Security;
  readonly #input = new GrowingInput();
  #label: Uint8Array | undefined;
  #body: BodyDecoder | undefined;

  constructor(security: Security, { expectsLabel }: { expectsLabel: boolean }) {
    this.#security = security;
    if (!expectsLabel) this.#label = security.ownLabel;
  }

  /** Gives the message once it is whole, undefined until then. Bytes after it are passed over. */
  push(bytes: Uint8Array): StreamMessage | undefined {
    this.#input.push(bytes);
    try {
      return this.#advance();
    } catch (error) {
      if (!(error instanceof ProtocolError) || error.reason !== "incomplete") throw error;
      const sizeBytesMax = this.#body?.pendingBytesMax ?? BODY_BYTES_MAX + SMALL_BYTES_MAX;
      const pendingBytes = this.#input.bytes.length;
      if (pendingBytes > sizeBytesMax) throw tooLarge("a message", pendingBytes, sizeBytesMax);
      return undefined;
    }
  }

  #advance(): StreamMessage {
    if (this.#label === undefined) {
      const { label, rest } = this.#security.splitLabel(this.#input.bytes);
      this.#input.keepFrom(this.#input.bytes.length - rest.length);
      this.#label = label;
    }
    if (this.#body === undefined) this.#body = this.#begin(this.#label);
    return this.#body.advance();
  }

  #begin(label: Uint8Array): BodyDecoder {
    const type = new ByteReader(this.#input.bytes).uint8();
    if (type === MESSAGE_TYPE.encrypt) return wholeBody(this.#decrypt(label));
    if (this.#security.requiresEncryption) {
      throw new ProtocolError("wrong-key", "a stream that is not encrypted");
    }
    if (type === MESSAGE_TYPE.compress) return wholeBody(this.#input.bytes);
    return new BodyDecoder(this.#input);
  }

  #decrypt(label: Uint8Array): Uint8Array {
    if (!this.#security.hasKeys) {
      throw new ProtocolError("wrong-key", "an encrypted stream, and there is no key");
    }
    const reader = new ByteReader(this.#input.bytes, 1);
    const size = reader.uint32();
    if (size > BODY_BYTES_MAX) throw tooLarge("an encrypted message", size, BODY_BYTES_MAX);
    const header = this.#input.bytes.subarray(0, 5);
    return this.#security.decrypt(reader.bytes(size), concatBytes(header, label));
  }
}

/** A decoder of a message that is all there: what is missing now will not come. */
function wholeBody(bytes: Uint8Array): BodyDecoder {
  const input = new GrowingInput();
  input.push(bytes[0] === MESSAGE_TYPE.compress ? unpacked(bytes) : bytes);
  const body = new BodyDecoder(input);
  body.isWhole = true;
  return body;
}

function unpacked(bytes: Uint8Array): Uint8Array {
  if (bytes.length > BODY_BYTES_MAX + 64) {
    throw tooLarge("a compressed message", bytes.length, BODY_BYTES_MAX);
  }
  return decompressMessage(new ByteReader(bytes, 1), UNPACKED_BYTES_MAX);
}

/** Bytes so far, in a buffer that doubles. */
class GrowingInput {
  #buffer = new Uint8Array();
  #start = 0;
  #end = 0;

  get bytes(): Uint8Array {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  push(bytes: Uint8Array): void {
    const size = this.#end - this.#start + bytes.length;
    if (this.#end + bytes.length > this.#buffer.length) {
      const grown = new Uint8Array(Math.max(size, 2 * (this.#end - this.#start)));
      grown.set(this.bytes);
      this.#end -= this.#start;
      this.#start = 0;
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  keepFrom(offset: number): void {
    this.#start += offset;
  }
}

/** Decodes type and body; keeps the place reached in a push/pull between calls. */
class BodyDecoder {
  /** Set if no more bytes can come. */
  isWhole = false;
  readonly #input: GrowingInput;
  #header: { join: boolean; nodeCount: number; userStateBytes: number } | undefined;
  readonly #nodes: NodeState[] = [];
  #nodesBytes = 0;

  constructor(input: GrowingInput) {
    this.#input = input;
  }

  /** How much may wait for the rest of a message. */
  get pendingBytesMax(): number {
    const isBody =
      this.#header === undefined
        ? this.#input.bytes[0] === MESSAGE_TYPE.user
        : this.#nodes.length === this.#header.nodeCount;
    return isBody ? BODY_BYTES_MAX + SMALL_BYTES_MAX : SMALL_BYTES_MAX;
  }

  /** Throws "incomplete" if more must come first. */
  advance(): StreamMessage {
    try {
      return this.#decode();
    } catch (error) {
      if (this.isWhole && error instanceof ProtocolError && error.reason === "incomplete") {
        throw new ProtocolError("malformed", `a message is cut short: ${error.message}`);
      }
      throw error;
    }
  }

  #decode(): StreamMessage {
    if (this.#header !== undefined) return this.#pushPull(this.#header);
    const reader = new ByteReader(this.#input.bytes);
    const type = reader.uint8();
    switch (type) {
      case MESSAGE_TYPE.pushPull:
        this.#header = readPushPullHeader(reader);
        this.#input.keepFrom(reader.offset);
        return this.#pushPull(this.#header);
      case MESSAGE_TYPE.user:
        return readUserMessage(reader);
      case MESSAGE_TYPE.ping:
        return decodePing(reader);
      case MESSAGE_TYPE.ack:
        return decodeAck(reader);
      case MESSAGE_TYPE.error:
        return readError(reader);
      default:
        throw new ProtocolError("malformed", `message type ${type} does not begin a stream`);
    }
  }

  #pushPull(header: { join: boolean; nodeCount: number; userStateBytes: number }): PushPull {
    const reader = new ByteReader(this.#input.bytes);
    let done = 0;
    try {
      while (this.#nodes.length < header.nodeCount) {
        this.#nodes.push(readNodeState(reader));
        done = reader.offset;
      }
    } finally {
      this.#input.keepFrom(done);
      this.#nodesBytes += done;
    }
    if (this.#nodesBytes > BODY_BYTES_MAX) {
      throw tooLarge("the list of nodes", this.#nodesBytes, BODY_BYTES_MAX);
    }
    const userState = reader.bytes(header.userStateBytes).slice();
    return { type: "push-pull", join: header.join, nodes: this.#nodes, userState };
  }
}

function readPushPullHeader(reader: ByteReader) {
  const header = { join: false, nodeCount: 0, userStateBytes: 0 };
  readStruct(reader, {
    Join: (value) => (header.join = readBoolean(value)),
    Nodes: (value) => (header.nodeCount = readUnsigned(value, NODES_MAX)),
    UserStateLen: (value) => (header.userStateBytes = readUnsigned(value, BODY_BYTES_MAX)),
  });
  return header;
}

function readUserMessage(reader: ByteReader): StreamUserMessage {
  let size = 0;
  readStruct(reader, { UserMsgLen: (value) => (size = readUnsigned(value, BODY_BYTES_MAX)) });
  return { type: "user", payload: reader.bytes(size).slice() };
}

function readError(reader: ByteReader): StreamError {
  let message = "";
  readStruct(reader, { Error: (value) => (message = readText(value)) });
  return { type: "error", message };
}

function tooLarge(what: string, sizeBytes: number, sizeBytesMax: number): ProtocolError {
  return new ProtocolError("too-large", `${what} of ${sizeBytes} bytes, at most ${sizeBytesMax}`);
}
