/** What generators draw, all from one seed. */
import type { Random } from "../../src/base/random.ts";

export class Chance {
  readonly random: Random;
  readonly #tellingBytes: readonly number[];

  /** `tellingBytes`: those that mean something in the format, tags and lengths. */
  constructor(random: Random, tellingBytes: readonly number[]) {
    this.random = random;
    this.#tellingBytes = tellingBytes;
  }

  /** Uniform in [0, limit). */
  below(limit: number): number {
    return Math.floor(this.random.float() * limit);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  noise(sizeMax: number): Uint8Array {
    return Uint8Array.from({ length: this.below(sizeMax) }, () => this.below(256));
  }

  /** One to four changes: cuts, other bytes, insertions, repetitions. */
  mutate(from: Uint8Array): Uint8Array {
    let bytes: Buffer = Buffer.from(from);
    for (let left = 1 + this.below(4); left > 0; left--) {
      const at = this.below(bytes.length + 1);
      const kind = this.below(6);
      const cut = (skip: number, insert: Uint8Array): Buffer =>
        Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + skip)]);
      if (kind === 0) bytes = bytes.subarray(0, at);
      else if (kind === 1) bytes = cut(1, Buffer.of(this.below(256)));
      else if (kind === 2) bytes = cut(1, Buffer.of(this.pick(this.#tellingBytes)));
      else if (kind === 3) bytes = cut(1 + this.below(8), Buffer.alloc(0));
      else if (kind === 4) bytes = cut(0, this.noise(8));
      else bytes = cut(0, bytes.subarray(this.below(bytes.length + 1)).subarray(0, 64));
    }
    return bytes;
  }
}
