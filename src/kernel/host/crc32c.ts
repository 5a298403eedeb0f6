import { instantiateKernel } from "./module.ts";

/**
 * CRC-32C of host bytes. Bytes are copied block by block into a small kernel instance of its own
 * (memory stays at the scratch block plus what crc32c.ts takes once, whatever the input).
 */
interface Crc32cExports {
  alloc(sizeBytes: number): number;
  crc32c(at: number, length: number, seed: number): number;
}

const SCRATCH_BYTES = 65536;

class Crc32cKernel {
  readonly #kernel = instantiateKernel<Crc32cExports>();
  readonly #scratchAt: number;
  readonly #scratch: Uint8Array;

  constructor() {
    this.#scratchAt = this.#kernel.alloc(SCRATCH_BYTES);
    // The first call takes all memory there is to take; nothing grows it after that, so the view stays valid.
    this.#kernel.crc32c(this.#scratchAt, 0, 0);
    this.#scratch = new Uint8Array(this.#kernel.memory.buffer, this.#scratchAt, SCRATCH_BYTES);
  }

  compute(bytes: Uint8Array, seed: number): number {
    if (bytes.length <= SCRATCH_BYTES) {
      this.#scratch.set(bytes);
      return this.#kernel.crc32c(this.#scratchAt, bytes.length, seed) >>> 0;
    }
    let crc = seed;
    for (let at = 0; at < bytes.length; at += SCRATCH_BYTES) {
      const block = bytes.subarray(at, at + SCRATCH_BYTES);
      this.#scratch.set(block);
      crc = this.#kernel.crc32c(this.#scratchAt, block.length, crc);
    }
    return crc >>> 0;
  }
}

/** One a thread, made on first use: it holds no state between calls. */
let kernel: Crc32cKernel | undefined;

/** Unsigned 32 bits. `seed` is the CRC of the bytes before these: crc(a ++ b) = crc32c(b, crc32c(a)). */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  kernel ??= new Crc32cKernel();
  return kernel.compute(bytes, seed);
}
