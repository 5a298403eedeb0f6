import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { instantiateKernel } from "../../src/kernel/host/module.ts";
import { murmur3Bytes, murmur3Twin } from "../testkit/murmur3.ts";

interface HashExports {
  alloc(sizeBytes: number): number;
  murmur3To(target: number, at: number, length: number, seed: bigint): void;
}

const kernel = instantiateKernel<HashExports>();
const target = kernel.alloc(16);
const area = kernel.alloc(4096);
const memory = new Uint8Array(kernel.memory.buffer);

function hash(bytes: Uint8Array, seed = 0n, shift = 0): Uint8Array {
  memory.fill(0xff, area, area + 4096);
  memory.set(bytes, area + shift);
  kernel.murmur3To(target, area + shift, bytes.length, seed);
  return memory.slice(target, target + 16);
}

function check(text: string, seed: bigint, want: string): void {
  const [h1, h2] = murmur3Twin(Buffer.from(text), seed);
  const hex = [h1, h2].map((half) => half.toString(16).padStart(16, "0")).join("");
  assert.equal(hex, want, `twin of ${JSON.stringify(text)}`);
  assert.deepEqual(
    hash(Buffer.from(text), seed),
    Uint8Array.from(murmur3Bytes(Buffer.from(text), seed)),
  );
}

test("golden vectors", () => {
  // Published by users of the reference implementation (h1 then h2, big-endian digits).
  check("", 0n, "00000000000000000000000000000000");
  check("", 1n, "4610abe56eff5cb551622daa78f83583");
  check("hello", 0n, "cbd8a7b341bd9b025b1e906a48ae1d19");
  check("hello, world", 0n, "342fac623a5ebc8e4cdcbc079642414d");
  check("The quick brown fox jumps over the lazy dog.", 0n, "cd99481f9ee902c9695da1a38987b6e7");
});

test("equals the twin for any length, seed and alignment", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.nat(15),
      (bytes, seed, shift) => {
        const want = Uint8Array.from(murmur3Bytes(bytes, seed));
        assert.deepEqual(hash(bytes, BigInt.asIntN(64, seed), shift), want);
      },
    ),
    { numRuns: 500 },
  );
});
