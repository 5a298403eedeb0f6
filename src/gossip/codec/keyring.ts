import { sameBytes } from "./byte-writer.ts";

/**
 * The keys of a cluster. The first is the primary: it encrypts. All of them decrypt, so a key is rotated without a
 * gap: add the new one everywhere, use it everywhere, remove the old one everywhere.
 */
export class Keyring {
  #keys: Uint8Array[];

  constructor(primary: Uint8Array, others: readonly Uint8Array[] = []) {
    this.#keys = [checked(primary)];
    for (const key of others) this.add(key);
  }

  get primary(): Uint8Array {
    return this.#keys[0] as Uint8Array;
  }

  /** The primary first. */
  get keys(): readonly Uint8Array[] {
    return this.#keys;
  }

  /** A key that is there already is fine. */
  add(key: Uint8Array): void {
    if (this.#indexOf(key) < 0) this.#keys.push(checked(key));
  }

  /** Makes a key that was added before the primary. */
  use(key: Uint8Array): void {
    const index = this.#indexOf(key);
    if (index < 0) throw new RangeError("the key is not in the ring: add it first");
    const [chosen] = this.#keys.splice(index, 1);
    this.#keys.unshift(chosen as Uint8Array);
  }

  /** A key that is not there is fine; the primary is not. */
  remove(key: Uint8Array): void {
    const index = this.#indexOf(key);
    if (index === 0) throw new RangeError("the primary key cannot be removed: use another first");
    if (index > 0) this.#keys.splice(index, 1);
  }

  #indexOf(key: Uint8Array): number {
    return this.#keys.findIndex((known) => sameBytes(known, key));
  }
}

function checked(key: Uint8Array): Uint8Array {
  if (![16, 24, 32].includes(key.length)) {
    throw new RangeError(`an AES key has 16, 24 or 32 bytes, this one has ${key.length}`);
  }
  return key.slice();
}
