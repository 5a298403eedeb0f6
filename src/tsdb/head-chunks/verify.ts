import { CorruptionError } from "../../base/errors.ts";
import type { FileSystem } from "../../base/file-system.ts";
import {
  checkFileHeader,
  decodeFrame,
  FILE_HEADER_BYTES,
  FRAME_HEADER_BYTES,
  frameLength,
  type HeadChunk,
} from "./format.ts";

/** Larger than any frame, so that at most two blocks are in memory. */
const BLOCK_BYTES = 1024 * 1024;

export interface FileToVerify {
  readonly path: string;
  readonly file: number;
  readonly sizeBytes: number;
}

/** Every chunk of a head-chunk file in order. Throws CorruptionError at the first damage. */
export async function* verifyFile(
  files: FileSystem,
  { path, file, sizeBytes }: FileToVerify,
): AsyncGenerator<HeadChunk> {
  const handle = await files.open(path, "read");
  try {
    const header = new Uint8Array(FILE_HEADER_BYTES);
    const headerLength = await handle.read(header, 0);
    const bad = checkFileHeader(header.subarray(0, headerLength), file);
    if (bad !== undefined) throw new CorruptionError(bad.message, { file: path, ...bad });
    const block = new Uint8Array(Math.min(BLOCK_BYTES, sizeBytes));
    let offset = FILE_HEADER_BYTES;
    while (offset < sizeBytes) {
      const wanted = Math.min(block.length, sizeBytes - offset);
      const length = await handle.read(block.subarray(0, wanted), offset);
      let end = offset;
      for (const { chunk, endOffset } of framesIn(block.subarray(0, length), offset, path)) {
        end = endOffset;
        yield chunk;
      }
      if (end === offset) {
        throw new CorruptionError("the chunk is cut short", { file: path, offsetBytes: offset });
      }
      offset = end;
    }
  } finally {
    await handle.close();
  }
}

/** The whole frames in a block that stands at `blockOffset` in its file. */
function* framesIn(
  block: Uint8Array,
  blockOffset: number,
  path: string,
): Generator<{ readonly chunk: HeadChunk; readonly endOffset: number }> {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  let at = 0;
  while (at + FRAME_HEADER_BYTES <= block.length) {
    const length = frameLength(view, at);
    if (at + length > block.length) return;
    const offsetBytes = blockOffset + at;
    const chunk = decodeFrame(block, at, length, offsetBytes);
    if (chunk === undefined) {
      throw new CorruptionError("the chunk's checksum does not match", { file: path, offsetBytes });
    }
    at += length;
    yield { chunk, endOffset: blockOffset + at };
  }
}
