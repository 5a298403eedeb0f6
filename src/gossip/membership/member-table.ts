import type { Random } from "../../base/random.ts";
import { isGone, type MemberRecord } from "./member.ts";

/**
 * All members that we know, we ourselves included, in the order in which they are probed: every one comes up once
 * before any comes up again (SWIM's round robin, which bounds the time until a failure is noticed).
 */
export class MemberTable {
  readonly #random: Random;
  readonly #byName = new Map<string, MemberRecord>();
  #order: MemberRecord[] = [];
  #probeIndex = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Dead and left ones included, as long as they are remembered. */
  get count(): number {
    return this.#order.length;
  }

  get all(): readonly MemberRecord[] {
    return this.#order;
  }

  get(name: string): MemberRecord | undefined {
    return this.#byName.get(name);
  }

  /** At a random place of the order, so that nobody's probes of a newcomer are in step. */
  add(member: MemberRecord): void {
    this.#byName.set(member.name, member);
    const count = this.#order.length;
    const place = count === 0 ? 0 : this.#random.uint32() % count;
    this.#order.push(member);
    this.#swap(place, count);
  }

  /** The next one that `isWanted`. At the end of each round, those gone since before `goneBeforeMs` are forgotten. */
  nextToProbe(
    isWanted: (member: MemberRecord) => boolean,
    goneBeforeMs: number,
  ): MemberRecord | undefined {
    for (let checked = 0; checked < this.#order.length; ) {
      const member = this.#order[this.#probeIndex];
      if (member === undefined) {
        this.#beginRound(goneBeforeMs);
        // As Go counts it: an end of a round is a check, so that an empty table ends the search.
        checked++;
        continue;
      }
      this.#probeIndex++;
      if (isWanted(member)) return member;
      checked++;
    }
    return undefined;
  }

  #beginRound(goneBeforeMs: number): void {
    this.#probeIndex = 0;
    this.#order = this.#order.filter((member) => {
      const keep = !isGone(member) || member.statusSinceMs >= goneBeforeMs;
      if (!keep) this.#byName.delete(member.name);
      return keep;
    });
    this.#shuffle(this.#order);
  }

  /** Up to `count` different ones that `isWanted`. */
  pick(count: number, isWanted: (member: MemberRecord) => boolean): MemberRecord[] {
    const wanted = this.#order.filter(isWanted);
    const picked = Math.min(count, wanted.length);
    for (let index = 0; index < picked; index++) {
      const other = index + (this.#random.uint32() % (wanted.length - index));
      const member = wanted[index] as MemberRecord;
      wanted[index] = wanted[other] as MemberRecord;
      wanted[other] = member;
    }
    return wanted.slice(0, picked);
  }

  #shuffle(members: MemberRecord[]): void {
    for (let index = members.length - 1; index > 0; index--) {
      this.#swap(index, this.#random.uint32() % (index + 1), members);
    }
  }

  #swap(left: number, right: number, members = this.#order): void {
    const member = members[left] as MemberRecord;
    members[left] = members[right] as MemberRecord;
    members[right] = member;
  }
}
