/** Bodies for the fuzzer: from well-formed to noise, all from one seed. */
import type { Random } from "../../src/base/random.ts";
import { compress } from "../testkit/remote-write.ts";
import { Chance } from "./chance.ts";

export interface FuzzBody {
  readonly bytes: Uint8Array;
  /** Built by the rules, not mutated: must be accepted. */
  readonly wellFormed: boolean;
}

const TEXTS = [
  "__name__",
  "job",
  "instance",
  "le",
  "a",
  "b",
  "up",
  "x-y",
  "é",
  "",
  "v".repeat(130),
];
/** Bytes that mean something: tags, continuation bits, lengths. */
const TELLING_BYTES = [
  0x00, 0x01, 0x08, 0x09, 0x0a, 0x0b, 0x10, 0x12, 0x1a, 0x22, 0x7f, 0x80, 0xff,
];

export class BodyGenerator extends Chance {
  constructor(random: Random) {
    super(random, TELLING_BYTES);
  }

  body(): FuzzBody {
    const kind = this.below(10);
    if (kind === 0) return { bytes: this.noise(64), wellFormed: false };
    if (kind === 1) return { bytes: compress(this.noise(200)), wellFormed: false };
    const message = this.#request();
    if (kind <= 3) return { bytes: compress(message), wellFormed: true };
    if (kind <= 7) return { bytes: compress(this.mutate(message)), wellFormed: false };
    return { bytes: this.mutate(compress(message)), wellFormed: false };
  }

  #request(): Buffer {
    const fields: Buffer[] = [];
    for (let left = this.below(6); left > 0; left--) {
      fields.push(this.below(8) === 0 ? this.#unknownField(5) : field(1, this.#series()));
      if (this.below(8) === 0) fields.push(field(3, this.noise(10)));
    }
    return Buffer.concat(fields);
  }

  #series(): Buffer {
    const fields: Buffer[] = [];
    if (this.below(8) > 0) fields.push(field(1, this.#label("__name__")));
    for (let left = this.below(6); left > 0; left--) fields.push(field(1, this.#label()));
    for (let left = this.below(5); left > 0; left--) fields.push(field(2, this.#sample()));
    if (this.below(6) === 0) fields.push(field(3 + this.below(2), this.noise(10)));
    if (this.below(6) === 0) fields.push(this.#unknownField(5));
    if (this.below(4) === 0) this.#shuffle(fields);
    return Buffer.concat(fields);
  }

  #label(name = this.pick(TEXTS)): Buffer {
    const value = this.below(12) === 0 ? this.noise(20) : Buffer.from(this.pick(TEXTS));
    const fields: Buffer[] = [field(1, Buffer.from(name)), field(2, value)];
    if (this.below(10) === 0) fields.push(this.#unknownField(3));
    if (this.below(10) === 0) this.#shuffle(fields);
    if (this.below(20) === 0) fields.pop();
    return Buffer.concat(fields);
  }

  #sample(): Buffer {
    const value = Buffer.alloc(9, 9);
    value.writeDoubleLE(this.pick([0, 1, -1.5, Number.NaN, Infinity, this.random.float()]), 1);
    const time = this.pick([
      0n,
      1n,
      5n,
      -1n,
      1_700_000_000_000n,
      2n ** 53n,
      2n ** 63n - 1n,
      -(2n ** 63n),
    ]);
    const at = Buffer.concat([Buffer.of(0x10), varint(BigInt.asUintN(64, time))]);
    const fields: Buffer[] = this.below(10) === 0 ? [at, value] : [value, at];
    if (this.below(10) === 0) fields.push(this.#unknownField(3));
    if (this.below(20) === 0) fields.shift();
    return Buffer.concat(fields);
  }

  /** Of a number from `firstNumber` on, of any legal wire type. */
  #unknownField(firstNumber: number): Buffer {
    const number = BigInt(firstNumber + this.below(3000)) << 3n;
    const kinds = [
      () => Buffer.concat([varint(number), varint(BigInt(this.random.uint32()) << 16n)]),
      () => Buffer.concat([varint(number | 1n), Buffer.alloc(8, 0x0a)]),
      () => Buffer.concat([varint(number | 2n), lengthAnd(this.noise(12))]),
      () => Buffer.concat([varint(number | 5n), Buffer.alloc(4, 0xff)]),
    ];
    return this.pick(kinds)();
  }

  #shuffle(items: Buffer[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j] as Buffer, items[i] as Buffer];
    }
  }
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt((number << 3) | 2)), lengthAnd(bytes)]);
}

function lengthAnd(bytes: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt(bytes.length)), bytes]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
