/** The compress message: type 9, then {Algo: 0, Buf: LZW of a whole message with its type byte}. */
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { lzwCompress, lzwDecompress } from "./lzw.ts";
import { MESSAGE_TYPE } from "./messages.ts";
import { readBytesView, readStruct, readUnsigned, writeStruct } from "./msgpack.ts";
import { ProtocolError } from "./protocol-error.ts";

const LZW = 0;

export function compressMessage(message: Uint8Array): Uint8Array {
  const packed = lzwCompress(message);
  const writer = new ByteWriter(packed.length + 32);
  writer.uint8(MESSAGE_TYPE.compress);
  writeStruct(writer, [
    ["Algo", LZW],
    ["Buf", packed],
  ]);
  return writer.finish();
}

/** `reader` stands after the type byte. */
export function decompressMessage(reader: ByteReader, sizeBytesMax: number): Uint8Array {
  let algorithm = LZW;
  let packed = new Uint8Array() as Uint8Array;
  readStruct(reader, {
    Algo: (value) => (algorithm = readUnsigned(value, 255)),
    Buf: (value) => (packed = readBytesView(value)),
  });
  if (algorithm !== LZW) {
    throw new ProtocolError("malformed", `unknown compression algorithm ${algorithm}`);
  }
  return lzwDecompress(packed, sizeBytesMax);
}
