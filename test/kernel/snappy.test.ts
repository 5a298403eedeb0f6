import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compressSync } from "snappy";
import snappyjs from "snappyjs";
import { instantiateKernel } from "../../src/kernel/host/module.ts";

interface SnappyExports {
  alloc(sizeBytes: number): number;
  snappyDecode(source: number, length: number, target: number, capacity: number): bigint;
}

const GUARD_BYTES = 64;
/** What the kernel may run over into (SNAPPY_SLACK_BYTES). */
const SLACK_BYTES = 32;
const CAPACITY = 1 << 16;
const kernel = instantiateKernel<SnappyExports>();
const at = kernel.alloc(4 * (CAPACITY + GUARD_BYTES));
const memory = new Uint8Array(kernel.memory.buffer);
const source = at;
const target = at + CAPACITY + 2 * GUARD_BYTES;

/** Decodes with guards on both sides of the target; undefined when refused. */
function decode(block: Uint8Array, capacity = CAPACITY): Uint8Array | undefined {
  memory.fill(0xee, at, target + CAPACITY + 2 * GUARD_BYTES);
  memory.set(block, source);
  const length = Number(kernel.snappyDecode(source, block.length, target, capacity));
  const written = Math.max(length, 0);
  const before = memory.subarray(target - GUARD_BYTES, target);
  assert.ok(
    before.every((byte) => byte === 0xee),
    "wrote before the target",
  );
  // A refused block may have been written in part, up to its declared length.
  const end = target + (length >= 0 ? written : capacity) + SLACK_BYTES;
  const after = memory.subarray(end, target + CAPACITY + 2 * GUARD_BYTES);
  assert.ok(
    after.every((byte) => byte === 0xee),
    "wrote past the slack",
  );
  return length < 0 ? undefined : memory.slice(target, target + length);
}

/** Text with repetitions at all distances, and noise. */
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc
    .array(
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 60 })),
      {
        maxLength: 20,
      },
    )
    .map((runs) => Buffer.concat(runs.flatMap(([run, times]) => Array(times).fill(run)))),
);

test("reads what the native library and snappyjs write", () => {
  fc.assert(
    fc.property(bytes, (raw) => {
      assert.deepEqual(decode(compressSync(Buffer.from(raw))), Uint8Array.from(raw));
      assert.deepEqual(decode(new Uint8Array(snappyjs.compress(raw))), Uint8Array.from(raw));
    }),
    { numRuns: 300 },
  );
});

test("every cut of a block is refused, and so is anything after its end", () => {
  fc.assert(
    fc.property(bytes, fc.uint8Array({ minLength: 1, maxLength: 3 }), (raw, garbage) => {
      const block = compressSync(Buffer.from(raw));
      for (const length of [0, 1, block.length >> 1, block.length - 1]) {
        if (length < block.length) assert.equal(decode(block.subarray(0, length)), undefined);
      }
      // Zero bytes of literal do not exist, so any tail writes past the declared length or is cut off.
      assert.equal(decode(Buffer.concat([block, garbage])), undefined);
    }),
  );
});

test("a mutated block is refused or decodes as snappyjs decodes it", () => {
  fc.assert(
    fc.property(
      bytes,
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      (raw, edits) => {
        const block = Uint8Array.from(compressSync(Buffer.from(raw)));
        for (const [where, value] of edits) block[where % block.length] = value;
        const decoded = decode(block);
        if (decoded !== undefined) assert.deepEqual(decoded, snappyjs.uncompress(block));
      },
    ),
    { numRuns: 500 },
  );
});

function check(block: readonly number[], want: string | undefined): void {
  const decoded = decode(Uint8Array.from(block));
  assert.equal(decoded === undefined ? undefined : Buffer.from(decoded).toString(), want);
}

test("elements by hand", () => {
  const a = 97;
  check([0], "");
  check([3, 2 << 2, a, 98, 99], "abc");
  // Literal with its length in one and in four bytes.
  check([3, 60 << 2, 2, a, 98, 99], "abc");
  check([3, 63 << 2, 2, 0, 0, 0, a, 98, 99], "abc");
  // Overlapping copies with offset 1 (11-bit), 2 (16-bit), 1 (32-bit).
  check([5, 0, a, 1, 1], "aaaaa");
  check([8, 1 << 2, a, 98, (5 << 2) | 2, 2, 0], "abababab");
  check([3, 0, a, (1 << 2) | 3, 1, 0, 0, 0], "aaa");
  // Offset 0, and offsets before the start.
  check([5, 0, a, 1, 0], undefined);
  check([5, 0, a, 1, 2], undefined);
  check([3, 0, a, (1 << 2) | 3, 255, 255, 255, 255], undefined);
  // Literal of 2^32 bytes, cut-off lengths and offsets, length mismatch both ways.
  check([3, 63 << 2, 255, 255, 255, 255, a], undefined);
  check([3, 61 << 2, 2], undefined);
  check([3, 0, a, 2, 1], undefined);
  check([3, 0, a, 1], undefined);
  check([4, 2 << 2, a, 98, 99], undefined);
  check([2, 2 << 2, a, 98, 99], undefined);
  // Declared length: empty input, six bytes, above 2^32, unfinished.
  check([], undefined);
  check([128, 128, 128, 128, 128, 0], undefined);
  check([255, 255, 255, 255, 127], undefined);
  check([128], undefined);
});

test("overlapping copies of every distance and length", () => {
  const raw = Uint8Array.from({ length: 70 }, (_, index) => index);
  for (let offset = 1; offset <= 70; offset++) {
    for (let length = 1; length <= 64; length++) {
      const block = [70 + length, 60 << 2, 69, ...raw, ((length - 1) << 2) | 2, offset, 0];
      // 70 + length needs two bytes from 128 on.
      if (70 + length >= 128) block.splice(0, 1, (70 + length) | 128, (70 + length) >> 7);
      const want = [...raw];
      for (let i = 0; i < length; i++) want.push(want[want.length - offset] ?? -1);
      assert.deepEqual(decode(Uint8Array.from(block)), Uint8Array.from(want));
    }
  }
});

test("a declared length over the capacity is told apart from corruption", () => {
  const block = compressSync(Buffer.alloc(100, 7));
  memory.set(block, source);
  assert.equal(kernel.snappyDecode(source, block.length, target, 99), -2n);
  assert.equal(kernel.snappyDecode(source, block.length, target, 100), 100n);
});
