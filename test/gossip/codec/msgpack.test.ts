import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteReader } from "../../../src/gossip/codec/byte-reader.ts";
import { ByteWriter } from "../../../src/gossip/codec/byte-writer.ts";
import {
  type FieldValue,
  readBoolean,
  readBytes,
  readStruct,
  readText,
  readUnsigned,
  writeStruct,
} from "../../../src/gossip/codec/msgpack.ts";
import { bytes, decodesOrRefuses, refusal, text } from "./arbitrary.ts";

function written(fields: readonly (readonly [string, FieldValue])[]): Uint8Array {
  const writer = new ByteWriter();
  writeStruct(writer, fields);
  return writer.finish();
}

interface Fields {
  number: number;
  flag: boolean;
  text: string;
  bytes: Uint8Array;
}

function read(encoded: Uint8Array): Fields & { left: number } {
  const reader = new ByteReader(encoded);
  const found = { number: 0, flag: false, text: "", bytes: new Uint8Array() as Uint8Array };
  readStruct(reader, {
    Number: (value) => (found.number = readUnsigned(value, 0xffff_ffff)),
    Flag: (value) => (found.flag = readBoolean(value)),
    Text: (value) => (found.text = readText(value)),
    Bytes: (value) => (found.bytes = readBytes(value)),
  });
  return { ...found, left: reader.left };
}

const fields = fc.record({
  number: fc.nat({ max: 0xffff_ffff }),
  flag: fc.boolean(),
  text,
  bytes: fc.oneof(bytes(40), fc.constant(new Uint8Array(70_000).fill(1))),
});

/** Any MessagePack value, written by rules of its own: what a newer node may put into a struct. */
const anyValue: fc.Arbitrary<readonly number[]> = fc.letrec<{ value: readonly number[] }>(
  (tie) => ({
    value: fc.oneof(
      { depthSize: "small", maxDepth: 4 },
      fc.nat({ max: 0x7f }).map((n) => [n]),
      fc.nat({ max: 31 }).map((n) => [0xe0 | n]),
      fc.constantFrom([0xc0], [0xc2], [0xc3]),
      ...(
        [
          [0xca, 4],
          [0xcb, 8],
          [0xcc, 1],
          [0xcd, 2],
          [0xce, 4],
          [0xcf, 8],
          [0xd0, 1],
          [0xd1, 2],
          [0xd2, 4],
          [0xd3, 8],
          [0xd4, 2],
          [0xd5, 3],
          [0xd6, 5],
          [0xd7, 9],
          [0xd8, 17],
        ] as const
      ).map(([tag, size]) =>
        fc.uint8Array({ minLength: size, maxLength: size }).map((body) => [tag, ...body]),
      ),
      fc.uint8Array({ maxLength: 31 }).map((body) => [0xa0 | body.length, ...body]),
      ...[0xc4, 0xd9].map((tag) => bytes(40).map((body) => [tag, body.length, ...body])),
      ...[0xc5, 0xda].map((tag) => bytes(40).map((body) => [tag, 0, body.length, ...body])),
      ...[0xc6, 0xdb].map((tag) => bytes(40).map((body) => [tag, 0, 0, 0, body.length, ...body])),
      bytes(40).map((body) => [0xc7, body.length, 5, ...body]),
      bytes(40).map((body) => [0xc8, 0, body.length, 5, ...body]),
      bytes(40).map((body) => [0xc9, 0, 0, 0, body.length, 5, ...body]),
      fc.array(tie("value"), { maxLength: 5 }).map((list) => [0x90 | list.length, ...list.flat()]),
      fc
        .array(tie("value"), { maxLength: 5 })
        .map((list) => [0xdc, 0, list.length, ...list.flat()]),
      fc
        .array(fc.tuple(tie("value"), tie("value")), { maxLength: 5 })
        .map((pairs) => [0x80 | pairs.length, ...pairs.flat(2)]),
      fc
        .array(fc.tuple(tie("value"), tie("value")), { maxLength: 5 })
        .map((pairs) => [0xdf, 0, 0, 0, pairs.length, ...pairs.flat(2)]),
    ),
  }),
).value;

test("what is written is read, to its last byte", () => {
  fc.assert(
    fc.property(fields, ({ number, flag, text: words, bytes: body }) => {
      const encoded = written([
        ["Bytes", body],
        ["Flag", flag],
        ["Number", number],
        ["Text", words],
      ]);
      assert.deepEqual(read(encoded), { number, flag, text: words, bytes: body, left: 0 });
    }),
  );
});

test("fields of the future are passed over, whatever they hold", () => {
  fc.assert(
    fc.property(anyValue, anyValue, (first, last) => {
      const key = (name: string): number[] => [0xa0 | name.length, ...Buffer.from(name)];
      const encoded = Uint8Array.from([
        0x83,
        ...key("New"),
        ...first,
        ...key("Number"),
        7,
        ...key("Newer"),
        ...last,
      ]);
      const { number, left } = read(encoded);
      assert.deepEqual([number, left], [7, 0]);
    }),
  );
});

test("names of what every object has are no fields", () => {
  for (const name of [
    "__proto__",
    "constructor",
    "toString",
    "__defineGetter__",
    "hasOwnProperty",
  ]) {
    const { number, left } = read(
      written([
        [name, "x"],
        ["Number", 7],
      ]),
    );
    assert.deepEqual([number, left], [7, 0], name);
  }
});

test("nil and absence are the zero value, the last of two equal keys wins, wider forms are read", () => {
  assert.deepEqual(read(Uint8Array.of(0xc0)), {
    number: 0,
    flag: false,
    text: "",
    bytes: new Uint8Array(),
    left: 0,
  });
  assert.equal(read(written([["Number", null]])).number, 0);
  assert.equal(read(written([["Text", null]])).text, "");
  assert.equal(
    read(
      written([
        ["Number", 1],
        ["Number", 2],
      ]),
    ).number,
    2,
  );
  const number = (...body: number[]): Uint8Array =>
    Uint8Array.of(0xde, 0, 1, 0xd9, 6, ...Buffer.from("Number"), ...body);
  assert.equal(read(number(0xcf, 0, 0, 0, 0, 0, 0, 1, 0)).number, 256);
  assert.equal(read(number(0xd3, 0, 0, 0, 0, 0, 0, 0, 5)).number, 5);
});

test("numbers out of range, lengths that lie and depth without end are refused", () => {
  const number = (...body: number[]): Uint8Array =>
    Uint8Array.of(0x81, 0xa6, ...Buffer.from("Number"), ...body);
  for (const body of [[0xff], [0xd0, 0x80], [0xcf, 0, 0, 0, 1, 0, 0, 0, 0], [0xc3], [0xa1, 65]]) {
    assert.equal(
      refusal(() => read(number(...body))),
      "malformed",
      String(body),
    );
  }
  const unknown = (...body: number[]): Uint8Array => Uint8Array.of(0x81, 0xa1, 65, ...body);
  assert.equal(
    refusal(() => read(unknown(...new Array<number>(1000).fill(0x91), 0))),
    "malformed",
  );
  for (const body of [
    [0xdd, 0xff, 0xff, 0xff, 0xff],
    [0xdf, 0xff, 0xff, 0xff, 0xff],
    [0xc6, 0xff, 0xff, 0xff, 0xff],
    [0xc9, 0xff, 0xff, 0xff, 0xff],
  ]) {
    assert.equal(
      refusal(() => read(unknown(...body))),
      "incomplete",
      String(body),
    );
  }
  assert.equal(
    refusal(() => read(Uint8Array.of(0xdf, 0, 1, 0, 0))),
    "malformed",
  );
  assert.equal(
    refusal(() => read(written([["Text", Uint8Array.of(0xff)]]))),
    "malformed",
  );
});

test("any bytes are a struct or a protocol error", () => {
  fc.assert(
    fc.property(bytes(60), fc.boolean(), (garbage, asStruct) => {
      const input = asStruct ? Uint8Array.of(0x81, ...garbage) : garbage;
      decodesOrRefuses(() => read(input));
    }),
    { numRuns: 2000 },
  );
});
