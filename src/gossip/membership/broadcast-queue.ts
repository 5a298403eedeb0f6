/**
 * Messages to gossip, each a limited number of times, those sent least often first, and of these the largest that
 * fits. A newer message about the same subject replaces the older one.
 */
export interface Broadcast {
  readonly message: Uint8Array;
  /** Only messages of one group can replace each other. */
  readonly group: string;
  /** Absent: it replaces all of its group. */
  replaces?(older: Broadcast): boolean;
  /** Sent often enough, replaced, or dropped. */
  finished?(): void;
}

interface Queued {
  readonly broadcast: Broadcast;
  readonly order: number;
  transmits: number;
}

export class BroadcastQueue {
  readonly #retransmitMultiplier: number;
  readonly #lengthMax: number;
  /** Sorted: see `compare`. */
  #queue: Queued[] = [];
  readonly #groups = new Map<string, Set<Queued>>();
  #sizeBytes = 0;
  #order = 0;
  #dropped = 0;

  constructor(options: { readonly retransmitMultiplier: number; readonly lengthMax: number }) {
    this.#retransmitMultiplier = options.retransmitMultiplier;
    this.#lengthMax = options.lengthMax;
  }

  get length(): number {
    return this.#queue.length;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** How many were given up because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  add(broadcast: Broadcast): void {
    for (const older of [...(this.#groups.get(broadcast.group) ?? [])]) {
      if (broadcast.replaces?.(older.broadcast) ?? true) this.#finish(older);
    }
    this.#insert({ broadcast, order: this.#order++, transmits: 0 });
    while (this.#queue.length > this.#lengthMax) {
      this.#dropped++;
      this.#finish(this.#queue.at(-1) as Queued);
    }
  }

  /** Messages that fit into `limitBytes`, each taking `overheadBytes` more. Counts them as sent. */
  take(overheadBytes: number, limitBytes: number, memberCount: number): Uint8Array[] {
    let leftBytes = limitBytes;
    const taken = this.#queue.filter(({ broadcast: { message } }) => {
      const fits = message.length + overheadBytes <= leftBytes;
      if (fits) leftBytes -= message.length + overheadBytes;
      return fits;
    });
    this.#countTransmits(taken, memberCount);
    return taken.map(({ broadcast }) => broadcast.message);
  }

  /** Messages of more than `limitBytes`, which `take` never gives: one at least, if any, then up to `totalBytesMax`. */
  takeLarger(limitBytes: number, totalBytesMax: number, memberCount: number): Uint8Array[] {
    let totalBytes = 0;
    const taken = this.#queue.filter(({ broadcast: { message } }) => {
      if (message.length <= limitBytes) return false;
      const fits = totalBytes === 0 || totalBytes + message.length <= totalBytesMax;
      if (fits) totalBytes += message.length;
      return fits;
    });
    this.#countTransmits(taken, memberCount);
    return taken.map(({ broadcast }) => broadcast.message);
  }

  #countTransmits(taken: readonly Queued[], memberCount: number): void {
    const limit = retransmitLimit(this.#retransmitMultiplier, memberCount);
    for (const queued of taken) {
      if (queued.transmits + 1 >= limit) this.#finish(queued);
      else {
        this.#remove(queued);
        queued.transmits++;
        this.#insert(queued);
      }
    }
  }

  #finish(queued: Queued): void {
    this.#remove(queued);
    queued.broadcast.finished?.();
  }

  #insert(queued: Queued): void {
    this.#queue.splice(this.#placeOf(queued), 0, queued);
    this.#sizeBytes += queued.broadcast.message.length;
    const { group } = queued.broadcast;
    const members = this.#groups.get(group) ?? new Set();
    this.#groups.set(group, members.add(queued));
  }

  #remove(queued: Queued): void {
    const index = this.#placeOf(queued);
    if (this.#queue[index] !== queued) return;
    this.#queue.splice(index, 1);
    this.#sizeBytes -= queued.broadcast.message.length;
    const { group } = queued.broadcast;
    const members = this.#groups.get(group);
    members?.delete(queued);
    if (members?.size === 0) this.#groups.delete(group);
  }

  /** Where it is, or would be. */
  #placeOf(queued: Queued): number {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compare(this.#queue[middle] as Queued, queued) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** No two are equal: `order` is unique. */
function compare(left: Queued, right: Queued): number {
  return (
    left.transmits - right.transmits ||
    right.broadcast.message.length - left.broadcast.message.length ||
    right.order - left.order
  );
}

export function retransmitLimit(multiplier: number, memberCount: number): number {
  return multiplier * Math.ceil(Math.log10(memberCount + 1));
}
