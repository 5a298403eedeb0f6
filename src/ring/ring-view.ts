/**
 * The ring at one moment: who is a member, who is alive, and which instances a key is written to and read from.
 * Immutable; a change of the ring makes a new one (ring.ts). Everything for a key is found once for each range between two
 * tokens and kept: a lookup is a few array reads.
 *
 * **Written** to the first RF instances of the walk that are ACTIVE, alive and not read-only. So an owner that is JOINING,
 * LEAVING, dead or read-only is replaced by the next one that can take its rows (spill-over), and the others stay.
 *
 * **Read** from every instance that may hold an acknowledged sample of the key, while any one of the owners was replaced or
 * none: whoever is acknowledged by minSuccess of those it was written to is seen by whoever hears all but `tolerated` of
 * these. Queries ask all instances of a shard, of which these are a part (reads.ts).
 */
import { must } from "../base/assert.ts";
import { compareText, type Instance, isMember } from "./instance.ts";
import { TokenTable } from "./token-table.ts";
import { Walk } from "./walk.ts";

export interface RingViewOptions {
  readonly replicationFactor: number;
  /** Replicas go to distinct zones. */
  readonly zoneAware: boolean;
}

/** What was found out before. */
export interface KnownOfView {
  /** Made of the same members. */
  readonly table?: TokenTable;
  /** Those of the whole ring: a part of it spreads its replicas over them alike, even if it has no instance of some. */
  readonly zones?: readonly string[];
  /** Instances, members or not, of which acknowledged samples may be gone. */
  readonly losses?: readonly Loss[];
}

/** What is known of an instance, member or not, that lost samples: see `lossAtMs`. */
export type Loss = Pick<Instance, "id" | "zone" | "lostDataAtMs">;

/** An instance, and what this process thinks of it. */
export interface Member {
  /** As it was when the view was made: its heartbeat may be old, all else is current. */
  readonly instance: Instance;
  /** Its heartbeat is not older than the timeout. */
  readonly isAlive: boolean;
}

export interface WriteSet {
  /** Number of this set in its view, for grouping rows. */
  readonly index: number;
  /** In the order of ids: ranges whose walks find the same instances have one set. */
  readonly members: readonly Member[];
  /** How many must acknowledge. */
  readonly minSuccess: number;
  /** There are so many; else `RingView.writeFault` says what to tell the client. */
  readonly isEnough: boolean;
}

export interface ReadSet {
  /** May hold acknowledged samples of the key, alive or not. */
  readonly holders: readonly Member[];
  /** Those of them that do not answer. */
  readonly missing: readonly Member[];
  /** Not more than this may be missing: of zones if `byZone`, else of holders. */
  readonly tolerated: number;
  readonly isEnough: boolean;
}

const UNKNOWN = -1;

export class RingView {
  readonly options: RingViewOptions;
  /** By id. Without tombstones. */
  readonly members: readonly Member[];
  readonly table: TokenTable;
  /** Names, by number; a single one if zones do not matter. */
  readonly zones: readonly string[];
  /** Instances, members or tombstones, of which acknowledged samples may be gone (`lostDataAtMs`). */
  readonly losses: readonly Loss[];
  /** Each replica is in a zone of its own, so one zone may fail as a whole. */
  readonly spansZones: boolean;
  /** ⌊RF/2⌋ + 1 */
  readonly minSuccess: number;
  readonly #zoneOf: Uint16Array;
  readonly #writeWalk: Walk;
  #ownerWalk: Walk | undefined;
  /** Number of the write set of each range, or UNKNOWN. */
  readonly #writeSetOf: Int32Array;
  readonly #writeSets: WriteSet[] = [];
  readonly #writeSetNumbers = new Map<string, number>();

  constructor(members: Iterable<Member>, options: RingViewOptions, known: KnownOfView = {}) {
    this.options = options;
    this.members = [...members]
      .filter(({ instance }) => isMember(instance))
      .sort((left, right) => compareText(left.instance.id, right.instance.id));
    this.table = known.table ?? new TokenTable(this.members.map(({ instance }) => instance));
    this.minSuccess = Math.floor(options.replicationFactor / 2) + 1;
    this.zones = known.zones ?? this.#zonesOfMembers();
    this.losses = known.losses ?? [];
    this.spansZones = options.zoneAware && this.zones.length >= options.replicationFactor;
    this.#zoneOf = Uint16Array.from(this.members, (member) =>
      Math.max(0, this.zones.indexOf(this.#zoneName(member))),
    );
    this.#writeWalk = this.#walk(takesWrites);
    this.#writeSetOf = new Int32Array(this.table.tokens.length).fill(UNKNOWN);
  }

  /** Number of the write set of a key, for `writeSetAt`. UNKNOWN sets are made on the way. */
  writeSetIndex(key: number): number {
    if (this.#writeSetOf.length === 0) return this.#intern([]);
    const range = this.table.rangeOf(key);
    const index = this.#writeSetOf[range] ?? UNKNOWN;
    return index === UNKNOWN ? this.#findWriteSet(range) : index;
  }

  writeSetAt(index: number): WriteSet {
    return must(this.#writeSets[index], "the number is one that this view gave");
  }

  writeSet(key: number): WriteSet {
    return this.writeSetAt(this.writeSetIndex(key));
  }

  /** What to tell the client if a key cannot be written to enough instances. */
  writeFault(key: number): string | undefined {
    const { isEnough, members } = this.writeSet(key);
    if (isEnough) return undefined;
    const across = this.spansZones ? " across different availability zones" : "";
    const unfit = this.owners(key).filter((member) => !takesWrites(member));
    const who = unfit.length === 0 ? "" : ` - unhealthy instances: ${describeMembers(unfit)}`;
    return `at least ${this.minSuccess} live replicas required${across}, could only find ${members.length}${who}`;
  }

  /** The instances that own a key by their tokens, whatever their state. */
  owners(key: number): Member[] {
    if (this.table.tokens.length === 0) return [];
    return this.ownersOfRange(this.table.rangeOf(key));
  }

  ownersOfRange(range: number): Member[] {
    return this.#at(this.#owners(range));
  }

  readSet(key: number): ReadSet {
    if (this.table.tokens.length === 0) return this.#readSetOf([]);
    return this.readSetOfRange(this.table.rangeOf(key));
  }

  writeSetOfRange(range: number): WriteSet {
    const index = this.#writeSetOf[range] ?? UNKNOWN;
    return this.writeSetAt(index === UNKNOWN ? this.#findWriteSet(range) : index);
  }

  readSetOfRange(range: number): ReadSet {
    const owners = this.#owners(range);
    const holders = new Set(owners);
    const written = this.#writeWalk.from(range);
    for (const position of written) holders.add(position);
    for (const replaced of new Set([...owners, ...written])) {
      for (const position of this.#writeWalk.from(range, replaced)) holders.add(position);
    }
    return this.#readSetOf(this.#at([...holders]));
  }

  /** A view of some of the members, for a tenant that has only these. */
  subset(members: Iterable<Member>): RingView {
    return new RingView(members, this.options, { zones: this.zones, losses: this.losses });
  }

  /** How many units (zones or instances, see `spansZones`) these members are. */
  countUnits(members: readonly { readonly instance: Pick<Instance, "zone"> }[]): number {
    if (!this.spansZones) return members.length;
    return new Set(members.map(({ instance }) => instance.zone)).size;
  }

  #readSetOf(candidates: readonly Member[]): ReadSet {
    const holders = candidates.filter(({ instance }) => instance.hasData);
    const missing = holders.filter((member) => !answersReads(member));
    const tolerated = this.minSuccess - 1;
    return { holders, missing, tolerated, isEnough: this.countUnits(missing) <= tolerated };
  }

  #owners(range: number): number[] {
    this.#ownerWalk ??= this.#walk(() => true);
    return this.#ownerWalk.from(range);
  }

  #findWriteSet(range: number): number {
    const index = this.#intern(this.#writeWalk.from(range));
    this.#writeSetOf[range] = index;
    return index;
  }

  #intern(walked: readonly number[]): number {
    const positions = walked.toSorted((left, right) => left - right);
    const key = positions.join();
    const known = this.#writeSetNumbers.get(key);
    if (known !== undefined) return known;
    const index = this.#writeSets.length;
    this.#writeSets.push({
      index,
      members: this.#at(positions),
      minSuccess: this.minSuccess,
      isEnough: positions.length >= this.minSuccess,
    });
    this.#writeSetNumbers.set(key, index);
    return index;
  }

  #walk(qualifies: (member: Member) => boolean): Walk {
    return new Walk({
      table: this.table,
      zoneOf: this.#zoneOf,
      zoneCount: this.zones.length,
      replicationFactor: this.options.replicationFactor,
      qualifies: Uint8Array.from(this.members, (member) => (qualifies(member) ? 1 : 0)),
    });
  }

  #zonesOfMembers(): string[] {
    const withTokens = this.members.filter(({ instance }) => instance.tokens.length > 0);
    return [...new Set(withTokens.map((member) => this.#zoneName(member)))].sort(compareText);
  }

  #zoneName({ instance }: Member): string {
    return this.options.zoneAware ? instance.zone : "";
  }

  #at(positions: readonly number[]): Member[] {
    return positions.map((position) => must(this.members[position], "positions are of members"));
  }
}

export function takesWrites({ instance, isAlive }: Member): boolean {
  return isAlive && instance.state === "ACTIVE" && !instance.readOnly;
}

/** A LEAVING instance answers while it still serves, a JOINING one as soon as it does. */
export function answersReads({ instance, isAlive }: Member): boolean {
  return isAlive && instance.serving && instance.hasData;
}

/** "ingester-1 (10.0.0.1:9095, LEAVING), …": what a person needs to find them. */
export function describeMembers(members: readonly Member[]): string {
  return members
    .map((member) => `${member.instance.id} (${member.instance.address}, ${shownState(member)})`)
    .join(", ");
}

/** The state as people see it: a dead instance is UNHEALTHY, whatever it said last. */
export function shownState({ instance, isAlive }: Member): string {
  if (!isAlive) return "UNHEALTHY";
  return instance.readOnly && instance.state === "ACTIVE" ? "ACTIVE, read-only" : instance.state;
}
