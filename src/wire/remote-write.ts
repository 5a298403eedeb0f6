import protobuf from "protobufjs/light.js";
import type { Label } from "../model/labels.ts";

/**
 * Remote write 1.0 as objects. For what is rare: the text of an error message, tests, tools. The write path
 * itself reads the bytes in the kernel (kernel/host/intake.ts).
 *
 * Names and values are bytes here, though the protocol says string: what came may be no UTF-8.
 */
export interface WriteRequest {
  readonly timeseries: readonly TimeSeries[];
  /** Encoded, like exemplars and histograms: they are counted and passed over. */
  readonly metadata?: readonly Uint8Array[];
}

export interface TimeSeries {
  readonly labels: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: bigint }[];
  readonly exemplars?: readonly Uint8Array[];
  readonly histograms?: readonly Uint8Array[];
}

const root = protobuf.Root.fromJSON({
  nested: {
    WriteRequest: {
      fields: {
        timeseries: { rule: "repeated", type: "TimeSeries", id: 1 },
        metadata: { rule: "repeated", type: "bytes", id: 3 },
      },
    },
    TimeSeries: {
      fields: {
        labels: { rule: "repeated", type: "Label", id: 1 },
        samples: { rule: "repeated", type: "Sample", id: 2 },
        exemplars: { rule: "repeated", type: "bytes", id: 3 },
        histograms: { rule: "repeated", type: "bytes", id: 4 },
      },
    },
    Label: { fields: { name: { type: "bytes", id: 1 }, value: { type: "bytes", id: 2 } } },
    Sample: { fields: { value: { type: "double", id: 1 }, timestamp: { type: "int64", id: 2 } } },
  },
});

const writeRequestType = root.lookupType("WriteRequest");
const timeSeriesType = root.lookupType("TimeSeries");
/** A byte order mark is part of a value as anything else is. */
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

export function encodeWriteRequest(request: WriteRequest): Uint8Array {
  const message = {
    ...request,
    timeseries: request.timeseries.map((series) => ({
      ...series,
      samples: series.samples.map(({ value, timestamp }) => ({
        value,
        timestamp: {
          low: Number(BigInt.asIntN(32, timestamp)),
          high: Number(BigInt.asIntN(32, timestamp >> 32n)),
          unsigned: false,
        },
      })),
    })),
  };
  return writeRequestType.encode(message).finish();
}

/** Throws an Error on bytes that are no WriteRequest. */
export function decodeWriteRequest(bytes: Uint8Array): WriteRequest {
  const message = writeRequestType.decode(bytes);
  return writeRequestType.toObject(message, {
    longs: BigInt,
    arrays: true,
    defaults: true,
  }) as WriteRequest;
}

/** Labels of an encoded TimeSeries as they came: any order, duplicates, empty values, U+FFFD for bad UTF-8. */
export function decodeSeriesLabels(bytes: Uint8Array): Label[] {
  const message = timeSeriesType.decode(bytes) as unknown as Pick<TimeSeries, "labels">;
  return message.labels.map(({ name, value }) => ({
    name: utf8.decode(name),
    value: utf8.decode(value),
  }));
}

/** Canonical label bytes (rpc/ingester.ts) as labels. The bytes are our own kernel's: they are well-formed. */
export function decodeCanonicalLabels(bytes: Uint8Array): Label[] {
  const reader = protobuf.Reader.create(bytes);
  const labels: Label[] = [];
  while (reader.pos < reader.len) {
    const name = utf8.decode(reader.bytes());
    labels.push({ name, value: utf8.decode(reader.bytes()) });
  }
  return labels;
}
