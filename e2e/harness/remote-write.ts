/** Remote write 1.0 bodies (prompb.WriteRequest in snappy block format), made without a line of src/. */
import { Writer } from "protobufjs";
import { compressSync } from "snappy";

export interface Sample {
  readonly timestampMs: number | bigint;
  readonly value: number;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  readonly samples: readonly Sample[];
}

/** The protobuf message, not compressed. Labels go out in the order given. */
export function encodeWriteRequest(series: readonly Series[]): Uint8Array {
  const request = Writer.create();
  for (const { labels, samples } of series) {
    request.uint32(tag(1, BYTES)).fork();
    const pairs = Array.isArray(labels) ? labels : Object.entries(labels);
    for (const [name, value] of pairs as readonly (readonly [string, string])[]) {
      request.uint32(tag(1, BYTES)).fork();
      request.uint32(tag(1, BYTES)).string(name).uint32(tag(2, BYTES)).string(value);
      request.ldelim();
    }
    for (const { timestampMs, value } of samples) {
      request.uint32(tag(2, BYTES)).fork();
      request.uint32(tag(1, FIXED64)).double(value);
      // As text: a number cannot hold the edges of int64, and the writer does not take a bigint.
      request.uint32(tag(2, VARINT)).int64(String(timestampMs));
      request.ldelim();
    }
    request.ldelim();
  }
  return request.finish();
}

/** What goes over the wire. */
export function encodeBody(series: readonly Series[]): Uint8Array {
  return compressSync(Buffer.from(encodeWriteRequest(series)));
}

export const WRITE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "application/x-protobuf",
  "content-encoding": "snappy",
  "x-prometheus-remote-write-version": "0.1.0",
  "user-agent": "muninn-e2e",
};

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}
