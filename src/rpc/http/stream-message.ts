/**
 * Messages on a stream of calls (docs/rpc.md), in both directions:
 *
 *     u32 size of the body · u32 number of the call · u16 code · u16 size of the name · name · body
 *
 * little-endian. Of a call the name is the tenant and the code 0; of an answer the code is its status and the name empty.
 */
const HEADER_BYTES = 12;

export interface StreamMessage {
  readonly call: number;
  readonly code: number;
  readonly name: string;
  /** Undefined: it was not wanted, and was skipped. */
  readonly body: Buffer | undefined;
  /** Of the body. */
  readonly sizeBytes: number;
}

/** Names are ASCII. The body follows by itself, so that it need not be copied. */
export function messageHeader(
  message: { readonly call: number; readonly code: number; readonly name: string },
  bodyBytes: number,
): Buffer {
  const { call, code, name } = message;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + name.length);
  bytes.writeUInt32LE(bodyBytes, 0);
  bytes.writeUInt32LE(call, 4);
  bytes.writeUInt16LE(code, 8);
  bytes.writeUInt16LE(name.length, 10);
  bytes.write(name, HEADER_BYTES, "latin1");
  return bytes;
}

/** Puts messages together from the pieces that a socket gives. Memory is taken as bytes arrive, not as they are announced. */
export class MessageReader {
  readonly #isWanted: (sizeBytes: number) => boolean;
  #header: Buffer | undefined;
  #isSkipping = false;
  #pieces: Buffer[] = [];
  /** Of the header or, once that is there, of what it announces. */
  #missingBytes = HEADER_BYTES;

  /** Asked when a message begins, with the size of its body: of one that is not wanted nothing is kept. */
  constructor(isWanted: (sizeBytes: number) => boolean) {
    this.#isWanted = isWanted;
  }

  /** Of a body that is wanted and not all there. */
  get partialBytes(): number {
    return this.#header === undefined || this.#isSkipping ? 0 : sizeOf(this.#header);
  }

  /** The messages that the piece completes. Their bodies may be views of it. */
  read(piece: Buffer): StreamMessage[] {
    const messages: StreamMessage[] = [];
    let rest = piece;
    while (rest.length >= this.#missingBytes) {
      const bytes = this.#completed(rest.subarray(0, this.#missingBytes));
      rest = rest.subarray(this.#missingBytes);
      if (this.#header === undefined) this.#begin(bytes);
      else messages.push(this.#end(this.#header, bytes));
    }
    this.#keep(rest);
    this.#missingBytes -= rest.length;
    return messages;
  }

  #keep(piece: Buffer): void {
    if (piece.length > 0 && !this.#isSkipping) this.#pieces.push(piece);
  }

  #completed(last: Buffer): Buffer {
    if (this.#pieces.length === 0) return last;
    this.#keep(last);
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }

  #begin(header: Buffer): void {
    this.#header = header;
    this.#missingBytes = sizeOf(header) + nameSizeOf(header);
    this.#isSkipping = !this.#isWanted(sizeOf(header));
  }

  #end(header: Buffer, bytes: Buffer): StreamMessage {
    const nameBytes = nameSizeOf(header);
    const message = {
      call: header.readUInt32LE(4),
      code: header.readUInt16LE(8),
      name: this.#isSkipping ? "" : bytes.toString("latin1", 0, nameBytes),
      body: this.#isSkipping ? undefined : bytes.subarray(nameBytes),
      sizeBytes: sizeOf(header),
    };
    this.#header = undefined;
    this.#isSkipping = false;
    this.#missingBytes = HEADER_BYTES;
    return message;
  }
}

function sizeOf(header: Buffer): number {
  return header.readUInt32LE(0);
}

function nameSizeOf(header: Buffer): number {
  return header.readUInt16LE(10);
}
