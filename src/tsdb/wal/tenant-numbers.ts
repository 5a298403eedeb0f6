import { assert } from "../../base/assert.ts";

/**
 * The short numbers that stand for tenants in the log of one process, and in which segment each was last
 * defined. Numbers are never given twice, so bytes can be moved to another segment with their numbers.
 */
export class TenantNumbers {
  readonly #numbers = new Map<string, number>();
  readonly #ids: Uint8Array[] = [];
  /** The last segment with a definition of the tenant; 0 for none. */
  readonly #definedIn: number[] = [];
  readonly #encoder = new TextEncoder();

  numberOf(tenant: string): number {
    const known = this.#numbers.get(tenant);
    if (known !== undefined) return known;
    this.#ids.push(this.#encoder.encode(tenant));
    this.#definedIn.push(0);
    this.#numbers.set(tenant, this.#ids.length);
    return this.#ids.length;
  }

  idOf(number: number): Uint8Array {
    const id = this.#ids[number - 1];
    assert(id !== undefined, "a tenant number that was given");
    return id;
  }

  isDefinedIn(number: number, segment: number): boolean {
    return this.#definedIn[number - 1] === segment;
  }

  define(number: number, segment: number): void {
    this.#definedIn[number - 1] = segment;
  }

  /** Numbers with a definition in `segment` or a later one: all that its records may use. */
  usedFrom(segment: number): number[] {
    const found: number[] = [];
    this.#definedIn.forEach((defined, index) => {
      if (defined >= segment) found.push(index + 1);
    });
    return found;
  }

  /** Segments from `segment` on now have numbers higher by one. */
  shiftFrom(segment: number): void {
    this.#definedIn.forEach((defined, index) => {
      if (defined >= segment) this.#definedIn[index] = defined + 1;
    });
  }
}
