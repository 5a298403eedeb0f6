import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OpError } from "../../../src/base/errors.ts";
import {
  decodeFailure,
  decodeLabelSets,
  decodeLabelsRequest,
  decodeLabelValuesRequest,
  decodePushAnswer,
  decodeSelectRequest,
  decodeSeriesRequest,
  decodeStrings,
  decodeUserStats,
  encodeFailure,
  encodeLabelSets,
  encodeLabelsRequest,
  encodeLabelValuesRequest,
  encodePushAnswer,
  encodeSelectRequest,
  encodeSeriesRequest,
} from "../../../src/rpc/http/messages.ts";
import type { PushAnswer } from "../../../src/rpc/ingester.ts";
import type { LabelsRequest, SelectRequest } from "../../../src/storage/queryable.ts";

const { signal } = new AbortController();
// Texts may be no Unicode: JSON keeps lone surrogates.
const text = fc.string({ unit: "binary", maxLength: 8 });
const PLAIN = { noNullPrototype: true };
const matchType = fc.constantFrom("=", "!=", "=~", "!~");
const matcher = fc.record({ type: matchType, name: text, value: text }, PLAIN);
const count = fc.nat(Number.MAX_SAFE_INTEGER);
const timeMs = fc.oneof(fc.integer(), fc.constantFrom(Number.MIN_SAFE_INTEGER, 0.5));
const labelsRequest = fc.record(
  {
    matcherSets: fc.array(fc.array(matcher, { maxLength: 3 }), { maxLength: 3 }),
    minTimeMs: timeMs,
    maxTimeMs: timeMs,
    limit: count,
  },
  PLAIN,
) as fc.Arbitrary<LabelsRequest>;
const selectRequest = fc.record(
  {
    matchers: fc.array(matcher, { maxLength: 4 }),
    minTimeMs: timeMs,
    maxTimeMs: timeMs,
    labelsWanted: fc.array(text),
    limits: fc.record({ seriesMax: count, chunksMax: count, chunkBytesMax: count }, PLAIN),
  },
  { noNullPrototype: true, requiredKeys: ["matchers", "minTimeMs", "maxTimeMs", "limits"] },
) as fc.Arbitrary<SelectRequest>;
const pushAnswer: fc.Arbitrary<PushAnswer> = fc.record(
  {
    unknownSeries: fc.uint32Array({ maxLength: 20 }),
    rejected: fc.array(
      fc.record(
        {
          reason: fc.constantFrom("sample-out-of-order" as const, "max-series-per-user" as const),
          count,
          seriesIndex: count,
          timestampMs: timeMs,
          limit: fc.integer(),
        },
        { noNullPrototype: true, requiredKeys: ["reason", "count", "seriesIndex", "timestampMs"] },
      ),
      { maxLength: 3 },
    ),
  },
  PLAIN,
);
const labelSets = fc.array(
  fc.array(fc.record({ name: text, value: text }, PLAIN), { maxLength: 4 }),
);

test("requests come back as they were, with the signal of the other side", () => {
  fc.assert(
    fc.property(selectRequest, labelsRequest, text, count, (select, labels, name, seriesMax) => {
      assert.deepEqual(decodeSelectRequest(Buffer.from(encodeSelectRequest(select)), signal), {
        ...select,
        signal,
      });
      assert.deepEqual(decodeLabelsRequest(Buffer.from(encodeLabelsRequest(labels)), signal), {
        ...labels,
        signal,
      });
      const values = Buffer.from(encodeLabelValuesRequest(name, labels));
      assert.deepEqual(decodeLabelValuesRequest(values, signal), {
        name,
        request: { ...labels, signal },
      });
      const series = { ...labels, seriesMax };
      assert.deepEqual(decodeSeriesRequest(Buffer.from(encodeSeriesRequest(series)), signal), {
        ...series,
        signal,
      });
    }),
  );
});

test("answers come back as they were", () => {
  fc.assert(
    fc.property(pushAnswer, labelSets, fc.array(text), (answer, sets, texts) => {
      assert.deepEqual(decodePushAnswer(Buffer.from(encodePushAnswer(answer))), answer);
      assert.deepEqual(decodeLabelSets(Buffer.from(encodeLabelSets(sets))), sets);
      assert.deepEqual(decodeStrings(Buffer.from(JSON.stringify(texts))), texts);
    }),
  );
});

test("whatever the bytes, a decoder gives a value or an OpError", () => {
  const decoders: ((body: Buffer) => unknown)[] = [
    (body) => decodeSelectRequest(body, signal),
    (body) => decodeLabelsRequest(body, signal),
    (body) => decodeLabelValuesRequest(body, signal),
    (body) => decodeSeriesRequest(body, signal),
    decodePushAnswer,
    decodeUserStats,
    decodeStrings,
    decodeLabelSets,
  ];
  const valid = fc.oneof(
    selectRequest.map(encodeSelectRequest),
    labelsRequest.map(encodeLabelsRequest),
    pushAnswer.map(encodePushAnswer),
    labelSets.map(encodeLabelSets),
  );
  const mutated = fc
    .tuple(valid, fc.nat(), fc.constantFrom("", "null", '"', "[", "-1", "{}", "1e999"))
    .map(([json, at, piece]) => {
      const cut = at % (json.length + 1);
      return Buffer.from(json.slice(0, cut) + piece + json.slice(cut + 1));
    });
  const anything = fc.oneof(
    mutated,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json().map((json) => Buffer.from(json)),
  );
  let refused = 0;
  fc.assert(
    fc.property(anything, (body) => {
      decodeFailure(body);
      for (const decode of decoders) {
        try {
          decode(body);
        } catch (error) {
          refused++;
          assert.ok(error instanceof OpError, String(error));
          assert.match(error.code, /^rpc-malformed-(?:request|answer)$/);
        }
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(refused > 0);
});

test("errors travel with what JSON can say of their data", () => {
  const sent = { code: "wal-blocked", message: "m", data: { a: 1, big: 5n, f: () => 1 } };
  assert.deepEqual(decodeFailure(Buffer.from(encodeFailure(sent))), {
    code: "wal-blocked",
    message: "m",
    data: { a: 1, big: "5" },
  });
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const without = encodeFailure({ code: "x", message: "m", data: cycle });
  assert.deepEqual(decodeFailure(Buffer.from(without)), { code: "x", message: "m", data: {} });
  for (const bad of ["", "null", '{"code":"UPPER","message":"m"}', '{"code":"x"}', "[]"]) {
    assert.equal(decodeFailure(Buffer.from(bad)), undefined, bad);
  }
});
