import { randomFillSync } from "node:crypto";
import type { Random } from "../base/random.ts";

/** The machine's chance: the operating system's generator, fetched 1,024 numbers at a time. */
export class SystemRandom implements Random {
  readonly #numbers = new Uint32Array(1024);
  #used = 1024;

  uint32(): number {
    if (this.#used === this.#numbers.length) {
      randomFillSync(this.#numbers);
      this.#used = 0;
    }
    return this.#numbers[this.#used++] as number;
  }

  float(): number {
    return this.uint32() / 4294967296;
  }
}
