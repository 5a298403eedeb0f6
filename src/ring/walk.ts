/**
 * The clockwise walk: from a range on, the first instances that qualify, each once, spread over zones.
 *
 * A zone may give at most ⌈replication factor ÷ zones⌉ of them: one where there are zones enough. So replicas stay in distinct
 * zones also when some instances do not qualify: then the next of the same zone, or of a zone not used yet, is taken.
 */
import type { TokenTable } from "./token-table.ts";

export interface WalkOptions {
  readonly table: TokenTable;
  /** The zone of each instance as a number, by its position. */
  readonly zoneOf: Uint16Array;
  readonly zoneCount: number;
  readonly replicationFactor: number;
  /** 1 for each instance that qualifies, by its position. */
  readonly qualifies: Uint8Array;
}

/** Without an instance. */
const NOBODY = -1;

export class Walk {
  readonly #table: TokenTable;
  readonly #zoneOf: Uint16Array;
  readonly #replicationFactor: number;
  readonly #qualifies: Uint8Array;
  readonly #perZoneMax: number;
  /** How many qualify in each zone. */
  readonly #inZone: Uint32Array;
  /** Marks of the current walk: whoever has the current number was taken. */
  readonly #takenIn: Uint32Array;
  readonly #fromZone: Uint8Array;
  #walk = 0;

  constructor(options: WalkOptions) {
    this.#table = options.table;
    this.#zoneOf = options.zoneOf;
    this.#replicationFactor = options.replicationFactor;
    this.#qualifies = options.qualifies.slice();
    this.#perZoneMax = Math.ceil(options.replicationFactor / Math.max(options.zoneCount, 1));
    this.#takenIn = new Uint32Array(options.qualifies.length);
    this.#fromZone = new Uint8Array(options.zoneCount);
    this.#inZone = new Uint32Array(options.zoneCount);
    const owners = new Set(options.table.owners);
    for (const [position, qualifies] of options.qualifies.entries()) {
      const zone = options.zoneOf[position] ?? 0;
      if (qualifies === 1 && owners.has(position)) {
        this.#inZone[zone] = (this.#inZone[zone] ?? 0) + 1;
      } else {
        this.#qualifies[position] = 0;
      }
    }
  }

  /** Positions in the order of the walk, at most the replication factor. `without` is passed over. */
  from(range: number, without = NOBODY): number[] {
    const { tokens, owners } = this.#table;
    const found: number[] = [];
    const wanted = this.#reachable(without);
    const walk = ++this.#walk;
    this.#fromZone.fill(0);
    for (let at = range; found.length < wanted; at = at + 1 === tokens.length ? 0 : at + 1) {
      const owner = owners[at] ?? 0;
      if (this.#qualifies[owner] === 0 || this.#takenIn[owner] === walk || owner === without)
        continue;
      const zone = this.#zoneOf[owner] ?? 0;
      if ((this.#fromZone[zone] ?? 0) >= this.#perZoneMax) continue;
      this.#fromZone[zone] = (this.#fromZone[zone] ?? 0) + 1;
      this.#takenIn[owner] = walk;
      found.push(owner);
    }
    return found;
  }

  /** How many a walk can find at all: it need not go all around to see that there are no more. */
  #reachable(without: number): number {
    let sum = 0;
    for (const [zone, count] of this.#inZone.entries()) {
      const isFewer =
        without !== NOBODY && this.#qualifies[without] === 1 && this.#zoneOf[without] === zone;
      sum += Math.min(this.#perZoneMax, count - (isFewer ? 1 : 0));
    }
    return Math.min(this.#replicationFactor, sum);
  }
}
